/* Decode: see decode.h. Threads: one decode belongs to one worker's batch. */
#include "decode.h"
#include "rows.h"
#include "wrap.h"

#include <gracecube/base64.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>

void gc_decode_reject(struct gc_decode *decode, const char *code, const char *where, const char *format, ...)
{
	char sentence[sizeof(decode->err.text) + 4]; /* longer than what fits, so that gc_fail() cuts it, between two characters */
	va_list arguments;

	if (decode->rejected)
		return;
	decode->rejected = true;
	va_start(arguments, format);
	vsnprintf(sentence, sizeof(sentence), format, arguments);
	va_end(arguments);
	gc_fail(&decode->err, GC_REJECT, code, where, "%s", sentence);
}

/* A field may be read more than once: an issue of it is reported once. */
static bool is_said(const struct gc_decode *decode, const char *field, struct gc_span raw, const char *rule)
{
	const struct gc_issue *issues;
	size_t count = gc_batch_issues(decode->batch, &issues);

	for (; count > 0 && issues[count - 1].offset == decode->change->message->offset &&
	       issues[count - 1].partition == decode->partition;
	     count--) {
		const struct gc_issue *issue = &issues[count - 1];

		if (strcmp(issue->field, field) == 0 && gc_span_equal(issue->raw, raw) && strcmp(issue->rule, rule) == 0)
			return true;
	}
	return false;
}

void gc_decode_issue(struct gc_decode *decode, const char *field, struct gc_span raw, const char *rule)
{
	const struct gc_message *message = decode->change->message;

	if (is_said(decode, field, raw, rule))
		return;
	gc_batch_put_issue(decode->batch, &(struct gc_issue){
						  .partition = decode->partition,
						  .offset = decode->change->message->offset,
						  .kafka_us = message->instead_us ? -1 : message->timestamp_us,
						  .stream = decode->stream->name,
						  .key = decode->key,
						  .raw = raw,
						  .field = field,
						  .rule = rule,
					  });
}

static const struct gc_json *field_of(const struct gc_json *object, const char *field)
{
	const struct gc_json *value = gc_json_get(object, gc_span_of(field));

	return value && value->type != GC_JSON_NULL ? value : NULL;
}

/* As much of a value as a sentence quotes, whole characters only. */
static struct gc_span quote_of(const struct gc_json *value)
{
	struct gc_span raw = gc_json_raw(value);
	size_t len = raw.len > 80 ? 80 : raw.len;

	while (len > 0 && len < raw.len && (raw.ptr[len] & 0xC0) == 0x80)
		len--;
	return (struct gc_span){ raw.ptr, len };
}

static void reject_type(struct gc_decode *decode, const struct gc_json *value, const char *field, const char *wanted)
{
	struct gc_span quote = quote_of(value);

	gc_decode_reject(decode, "bad_type", field, "%s cannot be read from the %s %.*s", wanted, gc_json_type_name(value),
			 (int)quote.len, quote.ptr);
}

static void reject_missing(struct gc_decode *decode, const struct gc_json *object, const char *field)
{
	bool is_null = gc_json_get(object, gc_span_of(field));

	gc_decode_reject(decode, "missing_field", field, is_null ? "%s is null" : "the record has no %s", field);
}

static struct gc_span read_string(struct gc_decode *decode, const struct gc_json *value, const char *field)
{
	unsigned flags = 0;
	struct gc_span text = gc_json_text(value, decode->arena, &flags);

	if (flags)
		gc_decode_issue(decode, field, gc_json_raw(value), "a NUL or lone surrogate became U+FFFD");
	return text;
}

static bool read_text(struct gc_decode *decode, const struct gc_json *value, const char *field, unsigned flags,
		      struct gc_span *ret_text)
{
	if (value->type == GC_JSON_STRING)
		*ret_text = read_string(decode, value, field);
	else if ((value->type != GC_JSON_ARRAY && value->type != GC_JSON_OBJECT) || flags & GC_JSON_FIELD)
		*ret_text = gc_json_raw(value);
	else
		return reject_type(decode, value, field, "a text"), false;
	return true;
}

struct gc_span gc_decode_text(struct gc_decode *decode, const struct gc_json *object, const char *field)
{
	const struct gc_json *value = field_of(object, field);
	struct gc_span text = GC_SPAN_NULL;

	if (value)
		read_text(decode, value, field, 0, &text);
	return text;
}

/* An id is what it is: a replaced character would make it another's. */
static struct gc_span id_of(struct gc_decode *decode, const struct gc_json *value, const char *field)
{
	struct gc_span text = GC_SPAN_NULL;
	unsigned flags = 0;

	if (value->type != GC_JSON_STRING)
		read_text(decode, value, field, 0, &text);
	else
		text = gc_json_text(value, decode->arena, &flags);
	if (flags)
		gc_decode_reject(decode, "bad_key", field, "an id holds a NUL or a lone surrogate");
	return text;
}

struct gc_span gc_decode_key(struct gc_decode *decode, const struct gc_json *object, const char *field)
{
	const struct gc_json *value = field_of(object, field);
	struct gc_span key = value ? gc_span_trim(id_of(decode, value, field)) : GC_SPAN_NULL;

	if (key.len == 0)
		return GC_SPAN_NULL;
	if (key.len > decode->key_bytes_max)
		gc_decode_reject(decode, "too_long", field, "the key is %zu bytes long, more than limits.key_bytes (%zu)", key.len,
				 decode->key_bytes_max);
	return key;
}

static bool read_bool(struct gc_decode *decode, const struct gc_json *value, const char *field, bool *ret_value)
{
	struct gc_span text = value->type == GC_JSON_STRING ? gc_span_trim(gc_json_text(value, decode->arena, NULL))
							    : gc_json_raw(value);
	static const struct {
		const char *text;
		bool value;
	} words[] = { { "true", true }, { "false", false }, { "t", true },   { "f", false }, { "1", true },
		      { "0", false },   { "yes", true },    { "no", false }, { "y", true },  { "n", false } };

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (gc_span_equal_nocase(text, gc_span_of(words[i].text))) {
			*ret_value = words[i].value;
			return true;
		}
	}
	return reject_type(decode, value, field, "true or false"), false;
}

static bool read_integer(struct gc_decode *decode, const struct gc_json *value, const char *field, bool four_bytes,
			 int64_t *ret_value)
{
	int64_t number = 0;
	double real = NAN;
	bool ok = true;

	if (value->type == GC_JSON_INT)
		number = gc_json_int(value);
	else if (value->type == GC_JSON_STRING)
		ok = gc_span_int64(gc_span_trim(gc_json_text(value, decode->arena, NULL)), &number);
	else if (value->type == GC_JSON_REAL)
		real = gc_json_real(value);
	else
		ok = false;
	if (value->type == GC_JSON_REAL) {
		ok = real >= -9.2e18 && real <= 9.2e18 && real == floor(real);
		number = ok ? (int64_t)real : 0;
	}
	if (ok && four_bytes && (number < INT32_MIN || number > INT32_MAX))
		ok = false;
	if (!ok)
		return reject_type(decode, value, field, four_bytes ? "a 4-byte integer" : "an integer"), false;
	*ret_value = number;
	return true;
}

/* Kafka Connect's Decimal: a big-endian two's complement integer in base64, to be divided by 10^scale. At most 16 bytes:
 * far more digits than a double keeps. */
static bool read_decimal(struct gc_decode *decode, struct gc_span base64, int64_t scale, double *ret_value)
{
	struct gc_span bytes;
	double value = 0;

	if (!gc_base64_decode(base64, decode->arena, &bytes) || bytes.len == 0 || bytes.len > 16 || scale < -300 || scale > 300)
		return false;
	for (size_t i = 0; i < bytes.len; i++)
		value = value * 256 + (uint8_t)bytes.ptr[i];
	if (bytes.ptr[0] & 0x80)
		value -= ldexp(1, (int)(8 * bytes.len));
	*ret_value = scale >= 0 ? value / pow(10, (double)scale) : value * pow(10, (double)-scale);
	return true;
}

/* The scale that the message's schema gives a decimal field. */
static bool scale_in_schema(struct gc_decode *decode, const char *field, int64_t *ret_scale)
{
	const struct gc_json *fields = gc_json_get(decode->change->schema, GC_LIT("fields"));

	for (const struct gc_json *f = gc_json_first(fields); f; f = gc_json_next(fields, f)) {
		const struct gc_json *name = gc_json_get(f, GC_LIT("field"));
		const struct gc_json *scale = gc_json_get(gc_json_get(f, GC_LIT("parameters")), GC_LIT("scale"));

		if (name && scale && name->type == GC_JSON_STRING && scale->type == GC_JSON_STRING &&
		    gc_span_equal(gc_json_text(name, decode->arena, NULL), gc_span_of(field)))
			return gc_span_int64(gc_json_text(scale, decode->arena, NULL), ret_scale);
	}
	return false;
}

static bool read_real_text(struct gc_decode *decode, const struct gc_json *value, const char *field, double *ret_value)
{
	struct gc_span text = gc_span_trim(gc_json_text(value, decode->arena, NULL));
	int64_t scale;

	if (scale_in_schema(decode, field, &scale))
		return read_decimal(decode, text, scale, ret_value);
	return gc_span_double(text, ret_value);
}

static bool read_real(struct gc_decode *decode, const struct gc_json *value, const char *field, double *ret_value)
{
	const struct gc_json *scale = gc_json_get(value, GC_LIT("scale"));
	const struct gc_json *digits = gc_json_get(value, GC_LIT("value"));
	double real = 0;
	bool ok = false;

	if (value->type == GC_JSON_INT || value->type == GC_JSON_REAL) {
		real = gc_json_real(value);
		ok = true;
	} else if (value->type == GC_JSON_STRING) {
		ok = read_real_text(decode, value, field, &real);
	} else if (scale && digits && scale->type == GC_JSON_INT && digits->type == GC_JSON_STRING) {
		ok = read_decimal(decode, gc_json_text(digits, decode->arena, NULL), gc_json_int(scale), &real);
	}
	if (!ok)
		return reject_type(decode, value, field, "a number"), false;
	*ret_value = real;
	return true;
}

bool gc_decode_real(struct gc_decode *decode, const struct gc_json *object, const char *field, double *ret_value)
{
	const struct gc_json *value = field_of(object, field);

	return value && read_real(decode, value, field, ret_value);
}

/* A time, but one of a year that no text of ours has: "infinity", "-4713-11-24T00:00:00Z", "294277-01-09", as PostgreSQL and
 * Debezium write the ends of the range. The rest must read as the same moment of another year does. */
static bool is_beyond_years(struct gc_decode *decode, struct gc_span text)
{
	bool is_signed = text.len > 0 && (text.ptr[0] == '-' || text.ptr[0] == '+');
	size_t at = is_signed, digits;
	struct gc_span moment;
	int64_t us;

	if (gc_span_equal_nocase((struct gc_span){ text.ptr + at, text.len - at }, GC_LIT("infinity")))
		return true;
	for (digits = 0; at < text.len && text.ptr[at] >= '0' && text.ptr[at] <= '9'; at++)
		digits++;
	if (digits < 4 || (digits == 4 && !is_signed) || at == text.len || text.ptr[at] != '-')
		return false;
	moment = gc_arena_printf(decode->arena, "2000%.*s", (int)(text.len - at), text.ptr + at);
	return gc_time_parse(moment, GC_UNIT_S, &us);
}

static bool read_time(struct gc_decode *decode, const struct gc_json *value, const char *field, bool required, int64_t *ret_us)
{
	int64_t us = 0;
	bool ok = false;

	if (value->type == GC_JSON_INT)
		ok = gc_time_from_epoch(gc_json_int(value), decode->unit, &us);
	else if (value->type == GC_JSON_REAL)
		ok = gc_time_from_real(gc_json_real(value), decode->unit, &us);
	else if (value->type == GC_JSON_STRING)
		ok = gc_time_parse(gc_span_trim(gc_json_text(value, decode->arena, NULL)), decode->unit, &us);
	else
		return reject_type(decode, value, field, "a time"), false;
	if (!ok && value->type == GC_JSON_STRING &&
	    !is_beyond_years(decode, gc_span_trim(gc_json_text(value, decode->arena, NULL))))
		return reject_type(decode, value, field, "a time"), false;
	if (ok && us >= GC_TIME_MIN_US && us < GC_TIME_END_US) {
		*ret_us = us;
		return true;
	}
	if (required)
		gc_decode_reject(decode, "time_out_of_range", field, "the time %.*s is not between 1970 and 2200",
				 (int)quote_of(value).len, quote_of(value).ptr);
	else
		gc_decode_issue(decode, field, gc_json_raw(value), "a time must be between 1970 and 2200");
	return false;
}

bool gc_decode_time(struct gc_decode *decode, const struct gc_json *object, const char *field, int64_t *ret_us)
{
	const struct gc_json *value = field_of(object, field);

	return value && read_time(decode, value, field, false, ret_us);
}

bool gc_decode_needed_time(struct gc_decode *decode, const struct gc_json *object, const char *field, int64_t *ret_us)
{
	const struct gc_json *value = field_of(object, field);

	if (!value)
		reject_missing(decode, object, field);
	return value && read_time(decode, value, field, true, ret_us);
}

struct gc_span gc_decode_hint(struct gc_decode *decode, const struct gc_json *nested, const char *field)
{
	const struct gc_json *value = field_of(nested, field);

	return value && value->type != GC_JSON_OBJECT && value->type != GC_JSON_ARRAY ? gc_decode_text(decode, nested, field)
										      : GC_SPAN_NULL;
}

bool gc_decode_is_unavailable(const struct gc_json *object, const char *field)
{
	const struct gc_json *value = field_of(object, field);

	return value && gc_span_equal(gc_json_raw(value), GC_LIT("\"" GC_UNAVAILABLE "\""));
}

const struct gc_json *gc_decode_nested(struct gc_decode *decode, const struct gc_json *object, const char *field)
{
	const struct gc_json *value = field_of(object, field), *root = NULL;
	struct gc_err err;

	if (!value || gc_decode_is_unavailable(object, field))
		return NULL;
	if (gc_wrap_inner(value, decode->arena, &root, &err) == GC_OK)
		return root;
	if (gc_span_trim(gc_json_text(value, decode->arena, NULL)).len > 0)
		gc_decode_issue(decode, field, gc_json_raw(value),
				strcmp(err.code, "too_deep") == 0 ? "the JSON in the text is nested too deep"
								  : "the text is no JSON");
	return NULL;
}

void gc_row_text(struct gc_row *row, int column, struct gc_span text)
{
	row->values[column] = (struct gc_value){ text.ptr ? GC_VALUE_SET : GC_VALUE_NULL, { .text = text } };
}

void gc_row_bool(struct gc_row *row, int column, bool value)
{
	row->values[column] = (struct gc_value){ GC_VALUE_SET, { .integer = value } };
}

void gc_row_integer(struct gc_row *row, int column, int64_t value)
{
	row->values[column] = (struct gc_value){ GC_VALUE_SET, { .integer = value } };
}

void gc_row_real(struct gc_row *row, int column, double value)
{
	row->values[column] = (struct gc_value){ GC_VALUE_SET, { .real = value } };
}

/* Rollups sum measures in millionths in 64 bits: 1e8 s, three years and two months, is 1e14 µs, and 92,233 rows of that fit into one
 * sum; at an hour a row, 2.5e9 do. The largest difference of two times that the cube takes, 230 years, would be full with 1,270. */
#define MEASURE_MAX ((double)GC_SECONDS_MAX)
#define TOO_LARGE "must not be larger than 1e8"

void gc_row_seconds(struct gc_decode *decode, struct gc_row *row, int column, int from, int to)
{
	double seconds;
	int64_t us;

	if (!gc_row_has(row, from) || !gc_row_has(row, to))
		return;
	us = row->values[to].integer - row->values[from].integer;
	if (gc_time_seconds(row->values[from].integer, row->values[to].integer, &seconds))
		gc_row_real(row, column, seconds);
	else
		gc_decode_issue(decode, row->target->columns[column].name, gc_arena_printf(decode->arena, "%.6f", (double)us / 1e6),
				us < 0 ? "a duration must not be negative" : TOO_LARGE);
}

void gc_row_measure(struct gc_decode *decode, struct gc_row *row, int column, double value)
{
	if (fabs(value) <= MEASURE_MAX)
		gc_row_real(row, column, value);
	else
		gc_decode_issue(decode, row->target->columns[column].name, gc_arena_printf(decode->arena, "%g", value), TOO_LARGE);
}

/* A measure that is readable but senseless becomes NULL and a quality issue. */
static bool is_sensible(struct gc_decode *decode, const struct gc_column *column, double real, const struct gc_json *value)
{
	if (column->flags & GC_UNIT_RANGE && !(real >= 0 && real <= 1))
		gc_decode_issue(decode, column->field, gc_json_raw(value), "must be between 0 and 1");
	else if (column->flags & GC_NOT_NEGATIVE && !(real >= 0 && real < (double)INFINITY))
		gc_decode_issue(decode, column->field, gc_json_raw(value), "must be finite and not negative");
	else if (!isfinite(real))
		gc_decode_issue(decode, column->field, gc_json_raw(value), "must be finite");
	else if (fabs(real) > MEASURE_MAX)
		gc_decode_issue(decode, column->field, gc_json_raw(value), TOO_LARGE);
	else
		return true;
	return false;
}

static void read_column_text(struct gc_decode *decode, struct gc_row *row, int index, const struct gc_json *value)
{
	const struct gc_column *column = &row->target->columns[index];
	struct gc_span text;

	if (!read_text(decode, value, column->field, column->flags, &text))
		return;
	if (column->flags & GC_VOCABULARY)
		text = gc_decode_vocabulary(decode, text);
	gc_row_text(row, index, text);
}

static void read_column(struct gc_decode *decode, struct gc_row *row, int index, const struct gc_json *value)
{
	const struct gc_column *column = &row->target->columns[index];
	int64_t integer;
	double real;
	bool truth;

	switch (column->kind) {
	case GC_TEXT:
		read_column_text(decode, row, index, value);
		break;
	case GC_BOOL:
		if (read_bool(decode, value, column->field, &truth))
			gc_row_bool(row, index, truth);
		break;
	case GC_INT4:
	case GC_INT8:
		if (read_integer(decode, value, column->field, column->kind == GC_INT4, &integer))
			gc_row_integer(row, index, integer);
		break;
	case GC_FLOAT8:
		if (read_real(decode, value, column->field, &real) && is_sensible(decode, column, real, value))
			gc_row_real(row, index, real);
		break;
	case GC_TIME:
		if (read_time(decode, value, column->field, column->flags & GC_REQUIRED, &integer))
			gc_row_integer(row, index, integer);
		break;
	case GC_MISSION:
		gc_row_text(row, index, gc_decode_member(decode, id_of(decode, value, column->field), column->field));
		break;
	case GC_COMPONENT:
	case GC_TIER:
	case GC_ACTOR:
		if (read_text(decode, value, column->field, 0, &row->values[index].text))
			gc_row_text(row, index, gc_decode_member(decode, row->values[index].text, column->field));
		break;
	}
}

struct gc_row *gc_decode_row(struct gc_decode *decode, const struct gc_target *target, struct gc_span key,
			     const struct gc_json *object)
{
	struct gc_row *row = gc_batch_put_row(decode->batch, target, decode->partition, decode->change->version, key);

	for (int i = 1; i < target->column_count; i++) {
		const struct gc_column *column = &target->columns[i];
		const struct gc_json *value = column->field ? field_of(object, column->field) : NULL;

		if (value)
			read_column(decode, row, i, value);
		else if (column->flags & GC_REQUIRED)
			reject_missing(decode, object, column->field ? column->field : column->name);
	}
	return row;
}

void gc_decode_link(struct gc_decode *decode, const char *target, struct gc_span key)
{
	if (key.len > 0)
		gc_batch_put_link(decode->batch, target, key);
}

struct gc_span gc_decode_vocabulary(struct gc_decode *decode, struct gc_span text)
{
	struct gc_span trimmed = gc_span_trim(text), copy;
	size_t i = 0;

	while (i < trimmed.len && !(trimmed.ptr[i] >= 'A' && trimmed.ptr[i] <= 'Z'))
		i++;
	if (i == trimmed.len)
		return trimmed;
	copy = gc_arena_dup(decode->arena, trimmed);
	for (char *c = (char *)copy.ptr; i < copy.len; i++) {
		if (c[i] >= 'A' && c[i] <= 'Z')
			c[i] = (char)(c[i] + ('a' - 'A'));
	}
	return copy;
}

struct gc_span gc_decode_member(struct gc_decode *decode, struct gc_span text, const char *field)
{
	struct gc_span name = gc_span_trim(text);

	if (name.len > decode->key_bytes_max) {
		gc_decode_issue(decode, field, name, "a name must not be longer than limits.key_bytes");
		return GC_SPAN_NULL;
	}
	return name.len > 0 ? name : GC_SPAN_NULL;
}

struct gc_span gc_decode_actor(struct gc_decode *decode, struct gc_span text, const char *field)
{
	static const struct gc_span kinds[] = { { "user", 4 }, { "agent", 5 }, { "system", 6 } };
	struct gc_span name = gc_decode_member(decode, text, field);
	struct gc_span prefix, rest;

	if (name.len == 0)
		return GC_SPAN_NULL;
	if (!gc_span_split(name, ':', &prefix, &rest))
		return gc_arena_printf(decode->arena, "system:%.*s", (int)name.len, name.ptr);
	if (prefix.len == 0 || rest.len == 0)
		return GC_SPAN_NULL;
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (gc_span_equal_nocase(prefix, kinds[i]))
			return gc_arena_printf(decode->arena, "%s:%.*s", kinds[i].ptr, (int)rest.len, rest.ptr);
	}
	return gc_arena_printf(decode->arena, "system:%.*s", (int)prefix.len, prefix.ptr);
}

struct gc_span gc_decode_person(struct gc_decode *decode, struct gc_span text, const char *field)
{
	struct gc_span name = gc_decode_member(decode, text, field);

	if (name.len > 0 && !memchr(name.ptr, ':', name.len))
		name = gc_arena_printf(decode->arena, "user:%.*s", (int)name.len, name.ptr);
	return gc_decode_actor(decode, name, field);
}

struct gc_span gc_declared_component(const struct gc_decode *decode, struct gc_span text)
{
	struct gc_span name = gc_span_trim(text), before = name, after = GC_SPAN_NULL;

	gc_span_split(name, ':', &before, &after);
	if (before.len > 0 && gc_dimension_cache_is_declared(decode->cache, before))
		return before;
	return after.len > 0 && gc_dimension_cache_is_declared(decode->cache, after) ? after : GC_SPAN_NULL;
}
