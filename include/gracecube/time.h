/* Time inside the program is int64_t microseconds since 1970-01-01 UTC. */
#ifndef GRACECUBE_TIME_H
#define GRACECUBE_TIME_H

#include <gracecube/span.h>

#define GC_SECOND_US INT64_C(1000000)
#define GC_MINUTE_US (60 * GC_SECOND_US)
#define GC_HOUR_US (60 * GC_MINUTE_US)
#define GC_DAY_US (24 * GC_HOUR_US)
/* What the cube accepts: 1970-01-01 up to, not including, 2200-01-01. */
#define GC_TIME_MIN_US INT64_C(0)
#define GC_TIME_END_US (INT64_C(7258118400) * GC_SECOND_US)

enum gc_time_unit { GC_UNIT_AUTO, GC_UNIT_S, GC_UNIT_MS, GC_UNIT_US, GC_UNIT_NS };

/* RFC 3339 and the forms of ISO 8601 that databases print: date, 'T' or blank, time with or without seconds and
 * fraction (any number of digits, cut to microseconds), zone Z, ±hh, ±hhmm, ±hh:mm or none (none means UTC); a bare
 * date is midnight; 23:59:60 is the next second. A whole number or decimal number in text is an epoch in `unit`.
 * Years 0001 to 9999. False on anything else. */
bool gc_time_parse(struct gc_span text, enum gc_time_unit unit, int64_t *ret_us);

/* An epoch number. GC_UNIT_AUTO tells the unit from its size: below 1e11 seconds, below 1e14 milliseconds, below 1e17
 * microseconds, else nanoseconds (so 1973 to 5138 in ms, µs, ns and everything up to 5138 in s). False on overflow. */
bool gc_time_from_epoch(int64_t value, enum gc_time_unit unit, int64_t *ret_us);
/* The same for a number with a fraction (1792804640.570393). NaN and infinity are refused. */
bool gc_time_from_real(double value, enum gc_time_unit unit, int64_t *ret_us);

/* "2026-11-23T07:45:02.570393Z" into at least 32 bytes; returns buffer. */
#define GC_TIME_TEXT_BYTES 40
const char *gc_time_format(int64_t us, char *buffer, size_t bytes);

/* Civil date of a time. */
void gc_time_civil(int64_t us, int *ret_year, int *ret_month, int *ret_day);
/* Months since January 1970, in UTC: the partition of a fact. cube.month_of() is the same, and tests/contract/times.csv its cases. */
int32_t gc_time_month(int64_t us);

/* Seconds from one time to another. False for a negative duration and for one above GC_SECONDS_MAX: neither is a measure that could be
 * summed. cube.seconds_between() is the same rule, and tests/contract/durations.csv its cases. */
#define GC_SECONDS_MAX INT64_C(100000000)
bool gc_time_seconds(int64_t from_us, int64_t to_us, double *ret_seconds);

int64_t gc_now_us(void);        /* wall clock */
int64_t gc_monotonic_us(void);  /* for durations */
int64_t gc_thread_cpu_us(void); /* CPU of the calling thread */
void gc_sleep_us(int64_t us);   /* a signal ends it sooner */

#endif
