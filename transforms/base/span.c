/* Spans: comparing, cutting, and reading numbers out of bytes that somebody else owns.
 *
 * Guarantees: nothing here looks at the locale, reads beyond a span or needs a NUL behind it. gc_span_double is
 * correctly rounded for any number of digits.
 * Threads: no shared state.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <gracecube/span.h>

#include "utf8.h"

/* 768 significant digits and "is anything behind them" decide the rounding of every double; a few more cost nothing. */
#define DIGITS_KEPT 780
/* Up to here every integer is a double of its own. */
#define EXACT_MANTISSA (UINT64_C(1) << 53)
#define MANTISSA_DIGITS 19
/* Far beyond any double even after the longest row of zeros that fits in memory, far below an overflow. */
#define EXPONENT_LIMIT INT64_C(1000000000000000)

/* mantissa * 10^exponent; the mantissa counts only up to MANTISSA_DIGITS digits. */
struct decimal {
	struct gc_span digits; /* with the point, without sign and exponent */
	uint64_t mantissa;
	size_t significant; /* digits from the first that is not 0 */
	int64_t exponent;   /* of the last digit */
	bool negative;
};

static bool is_blank(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
}

int gc_span_compare(struct gc_span a, struct gc_span b)
{
	size_t shared = a.len < b.len ? a.len : b.len;
	int order = shared ? memcmp(a.ptr, b.ptr, shared) : 0;

	return order ? order : (a.len > b.len) - (a.len < b.len);
}

struct gc_span gc_span_trim(struct gc_span text)
{
	while (text.len && is_blank(text.ptr[0])) {
		text.ptr++;
		text.len--;
	}
	while (text.len && is_blank(text.ptr[text.len - 1]))
		text.len--;
	return text;
}

bool gc_span_equal_nocase(struct gc_span a, struct gc_span b)
{
	if (a.len != b.len)
		return false;
	for (size_t i = 0; i < a.len; i++)
		if (lower(a.ptr[i]) != lower(b.ptr[i]))
			return false;
	return true;
}

bool gc_span_starts_with(struct gc_span text, struct gc_span prefix)
{
	return text.len >= prefix.len && (prefix.len == 0 || memcmp(text.ptr, prefix.ptr, prefix.len) == 0);
}

bool gc_span_contains_nocase(struct gc_span text, struct gc_span lower_needle)
{
	for (size_t at = 0; at + lower_needle.len <= text.len; at++)
		if (gc_span_equal_nocase((struct gc_span){ text.ptr + at, lower_needle.len }, lower_needle))
			return true;
	return false;
}

bool gc_span_split(struct gc_span text, char separator, struct gc_span *ret_before, struct gc_span *ret_after)
{
	const char *found = text.len ? memchr(text.ptr, separator, text.len) : NULL;

	if (!found)
		return false;
	*ret_before = (struct gc_span){ text.ptr, (size_t)(found - text.ptr) };
	*ret_after = (struct gc_span){ found + 1, text.len - ret_before->len - 1 };
	return true;
}

bool gc_span_next_item(struct gc_span *rest, char separator, struct gc_span *ret_item)
{
	struct gc_span item = GC_SPAN_NULL;

	while (rest->len > 0 && item.len == 0) {
		if (!gc_span_split(*rest, separator, &item, rest)) {
			item = *rest;
			*rest = GC_SPAN_NULL;
		}
		item = gc_span_trim(item);
	}
	if (item.len > 0)
		*ret_item = item;
	return item.len > 0;
}

/* Takes "+" or "-" off the front; true for "-". */
static bool cut_sign(struct gc_span *text)
{
	bool negative = text->len && text->ptr[0] == '-';

	if (text->len && (negative || text->ptr[0] == '+')) {
		text->ptr++;
		text->len--;
	}
	return negative;
}

bool gc_span_int64(struct gc_span text, int64_t *ret_value)
{
	bool negative = cut_sign(&text);
	int64_t value = 0;

	if (text.len == 0)
		return false;
	/* counted below zero, where there is one number more: INT64_MIN needs no case of its own */
	for (size_t i = 0; i < text.len; i++)
		if (!is_digit(text.ptr[i]) || __builtin_mul_overflow(value, 10, &value) ||
		    __builtin_sub_overflow(value, text.ptr[i] - '0', &value))
			return false;
	if (!negative && __builtin_sub_overflow(0, value, &value))
		return false;
	*ret_value = value;
	return true;
}

/* The digits after "e": clamped, for no text is long enough to bring a larger exponent back into range. */
static bool scan_exponent(struct gc_span text, int64_t *ret_exponent)
{
	bool negative = cut_sign(&text);
	int64_t exponent = 0;

	if (text.len == 0)
		return false;
	for (size_t i = 0; i < text.len; i++) {
		if (!is_digit(text.ptr[i]))
			return false;
		if (exponent < EXPONENT_LIMIT)
			exponent = exponent * 10 + (text.ptr[i] - '0');
	}
	*ret_exponent = negative ? -exponent : exponent;
	return true;
}

/* Digits with at most one point among them, up to the "e" or the end: where it stops, NULL when there is no digit. */
static const char *scan_digits(struct gc_span text, struct decimal *dec)
{
	const char *p = text.ptr, *end = text.ptr + text.len, *point = NULL;

	for (; p < end; p++) {
		if (*p == '.' && !point) {
			point = p;
			continue;
		}
		if (!is_digit(*p))
			break;
		if (dec->significant || *p != '0')
			dec->significant++;
		if (dec->significant <= MANTISSA_DIGITS)
			dec->mantissa = dec->mantissa * 10 + (uint64_t)(*p - '0');
	}
	dec->digits = (struct gc_span){ text.ptr, (size_t)(p - text.ptr) };
	dec->exponent = point ? -(int64_t)(p - point - 1) : 0;
	return dec->digits.len > (point ? 1U : 0U) ? p : NULL;
}

static bool scan_decimal(struct gc_span text, struct decimal *ret_decimal)
{
	struct decimal dec = { .negative = cut_sign(&text) };
	const char *p = scan_digits(text, &dec), *end = text.ptr + text.len;
	int64_t exponent = 0;

	if (!p)
		return false;
	if (p < end) {
		if (lower(*p) != 'e' || !scan_exponent((struct gc_span){ p + 1, (size_t)(end - p - 1) }, &exponent))
			return false;
		dec.exponent += exponent;
	}
	*ret_decimal = dec;
	return true;
}

/* Both operands are exact doubles, so the one operation rounds correctly (Clinger's fast path). */
static bool round_exactly(const struct decimal *dec, double *ret_value)
{
	static const double tens[] = { 1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
				       1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22 };
	double mantissa = (double)dec->mantissa;

	if (dec->significant > MANTISSA_DIGITS || dec->mantissa > EXACT_MANTISSA || dec->exponent < -22 || dec->exponent > 22)
		return false;
	*ret_value = dec->exponent < 0 ? mantissa / tens[-dec->exponent] : mantissa * tens[dec->exponent];
	return true;
}

/* The significant digits without the point; a 1 stands for what is cut off, for it can only break a tie. */
static size_t write_digits(const struct decimal *dec, char *ret_text, int64_t *ret_exponent)
{
	size_t used = 0, seen = 0;
	bool tail = false;

	for (size_t i = 0; i < dec->digits.len; i++) {
		char c = dec->digits.ptr[i];

		if (c == '.' || (used == 0 && c == '0'))
			continue;
		seen++;
		if (used < DIGITS_KEPT)
			ret_text[used++] = c;
		else
			tail = tail || c != '0';
	}
	*ret_exponent = dec->exponent + (int64_t)(seen - used) - tail;
	if (tail)
		ret_text[used++] = '1';
	return used;
}

/* strtod rounds correctly; the text it gets here has no decimal point, which is all that a locale could change. */
static double round_by_strtod(const struct decimal *dec)
{
	char text[DIGITS_KEPT + 32];
	int64_t exponent;
	size_t used = write_digits(dec, text, &exponent);

	if (used == 0)
		return 0;
	/* at most 781 digits: beyond ±99999 the answer is the same */
	if (exponent > 99999)
		exponent = 99999;
	if (exponent < -99999)
		exponent = -99999;
	snprintf(text + used, sizeof(text) - used, "e%d", (int)exponent);
	return strtod(text, NULL);
}

static bool read_special(struct gc_span text, double *ret_value)
{
	bool negative = text.len && text.ptr[0] == '-';

	if (gc_span_equal_nocase(text, GC_LIT("NaN"))) {
		*ret_value = (double)NAN;
		return true;
	}
	cut_sign(&text);
	if (!gc_span_equal_nocase(text, GC_LIT("Infinity")))
		return false;
	*ret_value = negative ? -HUGE_VAL : HUGE_VAL;
	return true;
}

bool gc_span_double(struct gc_span text, double *ret_value)
{
	struct decimal dec;
	double value;

	if (text.len == 0)
		return false;
	if (!scan_decimal(text, &dec))
		return read_special(text, ret_value);
	if (!round_exactly(&dec, &value))
		value = round_by_strtod(&dec);
	if (!isfinite(value))
		return false;
	*ret_value = dec.negative ? -value : value;
	return true;
}

uint64_t gc_span_hash(struct gc_span text)
{
	return XXH3_64bits(text.len ? text.ptr : "", text.len);
}

static const char *skip_ascii(const char *p, const char *end)
{
	uint64_t word;

	for (; end - p >= (ptrdiff_t)sizeof(word); p += sizeof(word)) {
		memcpy(&word, p, sizeof(word));
		if (word & UINT64_C(0x8080808080808080))
			break;
	}
	return p;
}

bool gc_span_is_utf8(struct gc_span text)
{
	const char *p = text.len > 0 ? text.ptr : "", *end = p + text.len;

	while (p < end) {
		p = skip_ascii(p, end);
		if (p == end)
			break;
		size_t length = gc_utf8_length(p, end);
		if (length == 0)
			return false;
		p += length;
	}
	return true;
}
