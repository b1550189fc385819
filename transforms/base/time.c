/* Time: reading and writing it, without strptime, time zones or the locale.
 *
 * The calendar is the proleptic Gregorian one, days counted from 1970-01-01. Where digits below a microsecond are cut
 * the result is the microsecond that contains the instant, also before 1970.
 * Threads: no shared state.
 */
#include <math.h>
#include <stdio.h>
#include <time.h>

#include <gracecube/time.h>

#define DAYS_PER_ERA 146097 /* 400 years */
/* From 0000-03-01, where the leap day ends a year, to 1970-01-01. */
#define DAYS_TO_1970 719468

struct clock_text {
	int year, month, day, hour, minute, second;
	int64_t fraction_us, offset_us;
};

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static int64_t divide_down(int64_t value, int64_t by)
{
	return value / by - (value % by < 0);
}

/* http://howardhinnant.github.io/date_algorithms.html, days_from_civil */
static int64_t count_days(int year, int month, int day)
{
	int64_t y = month <= 2 ? year - 1 : year;
	int64_t era = divide_down(y, 400);
	int64_t year_of_era = y - era * 400;
	int64_t day_of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;

	return era * DAYS_PER_ERA + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - DAYS_TO_1970;
}

/* The same page, civil_from_days. */
void gc_time_civil(int64_t us, int *ret_year, int *ret_month, int *ret_day)
{
	int64_t days = divide_down(us, GC_DAY_US) + DAYS_TO_1970;
	int64_t era = divide_down(days, DAYS_PER_ERA);
	int64_t day_of_era = days - era * DAYS_PER_ERA;
	int64_t year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
	int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
	int64_t shifted_month = (5 * day_of_year + 2) / 153;
	int month = (int)(shifted_month < 10 ? shifted_month + 3 : shifted_month - 9);

	*ret_year = (int)(year_of_era + era * 400) + (month <= 2);
	*ret_month = month;
	*ret_day = (int)(day_of_year - (153 * shifted_month + 2) / 5) + 1;
}

int32_t gc_time_month(int64_t us)
{
	int year, month, day;

	gc_time_civil(us, &year, &month, &day);
	return (year - 1970) * 12 + month - 1;
}

bool gc_time_seconds(int64_t from_us, int64_t to_us, double *ret_seconds)
{
	if (to_us < from_us || to_us - from_us > GC_SECONDS_MAX * GC_SECOND_US)
		return false;
	*ret_seconds = (double)(to_us - from_us) / 1e6;
	return true;
}

static int days_in_month(int year, int month)
{
	static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

	return days[month - 1] + (month == 2 && leap);
}

static bool take_char(struct gc_span *text, char c)
{
	if (text->len == 0 || text->ptr[0] != c)
		return false;
	text->ptr++;
	text->len--;
	return true;
}

static bool take_one_of(struct gc_span *text, char a, char b)
{
	return take_char(text, a) || take_char(text, b);
}

/* Exactly `count` digits, with a value in the range. */
static bool take_number(struct gc_span *text, size_t count, int min, int max, int *ret_value)
{
	int value = 0;

	if (text->len < count)
		return false;
	for (size_t i = 0; i < count; i++) {
		if (!is_digit(text->ptr[i]))
			return false;
		value = value * 10 + (text->ptr[i] - '0');
	}
	if (value < min || value > max)
		return false;
	text->ptr += count;
	text->len -= count;
	*ret_value = value;
	return true;
}

/* One digit or more as a fraction of one, in units of 10^-places; further digits are cut, *ret_rest tells of them. */
static bool take_fraction(struct gc_span *text, int places, int64_t *ret_value, bool *ret_rest)
{
	int64_t value = 0;
	bool rest = false;
	size_t digits = 0;

	for (; digits < text->len && is_digit(text->ptr[digits]); digits++) {
		if (digits < (size_t)places)
			value = value * 10 + (text->ptr[digits] - '0');
		else
			rest = rest || text->ptr[digits] != '0';
	}
	if (digits == 0)
		return false;
	for (size_t i = digits; i < (size_t)places; i++)
		value *= 10;
	text->ptr += digits;
	text->len -= digits;
	*ret_value = value;
	*ret_rest = rest;
	return true;
}

static bool take_date(struct gc_span *text, struct clock_text *ct)
{
	return take_number(text, 4, 1, 9999, &ct->year) && take_char(text, '-') && take_number(text, 2, 1, 12, &ct->month) &&
	       take_char(text, '-') && take_number(text, 2, 1, days_in_month(ct->year, ct->month), &ct->day);
}

static bool take_clock(struct gc_span *text, struct clock_text *ct)
{
	bool rest;

	if (!take_number(text, 2, 0, 23, &ct->hour) || !take_char(text, ':') || !take_number(text, 2, 0, 59, &ct->minute))
		return false;
	if (!take_char(text, ':'))
		return true;
	if (!take_number(text, 2, 0, 60, &ct->second))
		return false;
	return !take_char(text, '.') || take_fraction(text, 6, &ct->fraction_us, &rest);
}

/* "Z", ±hh, ±hhmm, ±hh:mm or nothing. */
static bool take_zone(struct gc_span *text, struct clock_text *ct)
{
	bool negative = text->len && text->ptr[0] == '-';
	int hour, minute = 0;

	if (text->len == 0 || take_one_of(text, 'Z', 'z'))
		return true;
	if (!take_one_of(text, '+', '-') || !take_number(text, 2, 0, 23, &hour))
		return false;
	if (text->len && (take_char(text, ':') || is_digit(text->ptr[0])) && !take_number(text, 2, 0, 59, &minute))
		return false;
	ct->offset_us = hour * GC_HOUR_US + minute * GC_MINUTE_US;
	if (negative)
		ct->offset_us = -ct->offset_us;
	return true;
}

/* Leap seconds end a UTC day; a clock that shows 23:59:60 in a zone of its own is believed too. */
static bool is_second_possible(const struct clock_text *ct, int64_t us)
{
	if (ct->second < 60 || (ct->hour == 23 && ct->minute == 59))
		return true;
	return (us - ct->fraction_us) % GC_DAY_US == 0;
}

static bool parse_calendar(struct gc_span text, int64_t *ret_us)
{
	struct clock_text ct = { 0 };

	if (!take_date(&text, &ct))
		return false;
	if (text.len) {
		if (!take_one_of(&text, 'T', 't') && !take_char(&text, ' '))
			return false;
		if (!take_clock(&text, &ct) || !take_zone(&text, &ct) || text.len)
			return false;
	}
	int64_t us = count_days(ct.year, ct.month, ct.day) * GC_DAY_US + ct.hour * GC_HOUR_US + ct.minute * GC_MINUTE_US +
		     ct.second * GC_SECOND_US + ct.fraction_us - ct.offset_us;
	if (!is_second_possible(&ct, us))
		return false;
	*ret_us = us;
	return true;
}

static enum gc_time_unit choose_unit(enum gc_time_unit unit, double size)
{
	if (unit != GC_UNIT_AUTO)
		return unit;
	if (size < 1e11)
		return GC_UNIT_S;
	if (size < 1e14)
		return GC_UNIT_MS;
	return size < 1e17 ? GC_UNIT_US : GC_UNIT_NS;
}

/* Digits behind the point that a unit has down to the microsecond. */
static int count_places(enum gc_time_unit unit)
{
	return unit == GC_UNIT_S ? 6 : unit == GC_UNIT_MS ? 3 : 0;
}

bool gc_time_from_epoch(int64_t value, enum gc_time_unit unit, int64_t *ret_us)
{
	int64_t us = value;
	bool overflow = false;

	unit = choose_unit(unit, fabs((double)value));
	if (unit == GC_UNIT_S)
		overflow = __builtin_mul_overflow(value, GC_SECOND_US, &us);
	else if (unit == GC_UNIT_MS)
		overflow = __builtin_mul_overflow(value, 1000, &us);
	else if (unit == GC_UNIT_NS)
		us = divide_down(value, 1000);
	if (overflow)
		return false;
	*ret_us = us;
	return true;
}

bool gc_time_from_real(double value, enum gc_time_unit unit, int64_t *ret_us)
{
	static const double scale[] = { [GC_UNIT_S] = 1e6, [GC_UNIT_MS] = 1e3, [GC_UNIT_US] = 1, [GC_UNIT_NS] = 1e-3 };
	double us = round(value * scale[choose_unit(unit, fabs(value))]);

	/* also false for NaN; 2^63 itself is already too large */
	if (!(us >= -0x1p63 && us < 0x1p63))
		return false;
	*ret_us = (int64_t)us;
	return true;
}

/* "1792804640.570393", digit by digit: a double would not keep all digits of a time in nanoseconds. */
static bool parse_decimal_epoch(struct gc_span text, enum gc_time_unit unit, int64_t *ret_us)
{
	bool negative = take_char(&text, '-'), rest = false;
	struct gc_span whole_text, fraction_text;
	int64_t whole, fraction, us;

	if (!negative)
		take_char(&text, '+');
	if (!gc_span_split(text, '.', &whole_text, &fraction_text) || whole_text.len == 0 || !is_digit(whole_text.ptr[0]) ||
	    !gc_span_int64(whole_text, &whole))
		return false;
	unit = choose_unit(unit, (double)whole);
	if (!take_fraction(&fraction_text, count_places(unit), &fraction, &rest) || fraction_text.len ||
	    !gc_time_from_epoch(whole, unit, &us) || __builtin_add_overflow(us, fraction, &us))
		return false;
	rest = rest || (unit == GC_UNIT_NS && whole % 1000 != 0);
	*ret_us = negative ? -us - rest : us;
	return true;
}

bool gc_time_parse(struct gc_span text, enum gc_time_unit unit, int64_t *ret_us)
{
	int64_t value;

	if (parse_calendar(text, ret_us))
		return true;
	if (gc_span_int64(text, &value))
		return gc_time_from_epoch(value, unit, ret_us);
	return parse_decimal_epoch(text, unit, ret_us);
}

const char *gc_time_format(int64_t us, char *buffer, size_t bytes)
{
	int year, month, day;
	int64_t in_day = us % GC_DAY_US;

	if (in_day < 0)
		in_day += GC_DAY_US;
	gc_time_civil(us, &year, &month, &day);
	snprintf(buffer, bytes, "%04d-%02d-%02dT%02d:%02d:%02d.%06dZ", year, month, day, (int)(in_day / GC_HOUR_US),
		 (int)(in_day / GC_MINUTE_US % 60), (int)(in_day / GC_SECOND_US % 60), (int)(in_day % GC_SECOND_US));
	return buffer;
}

static int64_t read_clock(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (int64_t)now.tv_sec * GC_SECOND_US + now.tv_nsec / 1000;
}

int64_t gc_now_us(void)
{
	return read_clock(CLOCK_REALTIME);
}

int64_t gc_monotonic_us(void)
{
	return read_clock(CLOCK_MONOTONIC);
}

int64_t gc_thread_cpu_us(void)
{
	return read_clock(CLOCK_THREAD_CPUTIME_ID);
}

void gc_sleep_us(int64_t us)
{
	struct timespec pause = { .tv_sec = us / GC_SECOND_US, .tv_nsec = us % GC_SECOND_US * 1000 };

	nanosleep(&pause, NULL);
}
