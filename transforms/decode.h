/* Decode: from a change to rows, for the files of transforms/streams. Everything here is bounded, cleaned and checked; the
 * first thing that cannot be read rejects the whole record, and the rest of the decode goes on harmlessly.
 *
 * A stream lists its columns once:
 *
 *     #define COLUMNS(X) \
 *             X(contract_id, GC_TEXT, GC_REQUIRED, "id") \
 *             X(was_successful, GC_BOOL, 0, NULL)
 *     enum { COLUMNS(GC_COLUMN_INDEX) COLUMN_COUNT };
 *     static const struct gc_column columns[] = { COLUMNS(GC_COLUMN_ENTRY) };
 *
 * Columns with a source field are read by gc_decode_row(); the others are set by the stream.
 * Threads: one decode belongs to one worker's batch.
 */
#ifndef GRACECUBE_DECODE_H
#define GRACECUBE_DECODE_H

#include <gracecube/batch.h>
#include <math.h>

#define GC_COLUMN_INDEX(name, kind, flags, field) AT_##name,
#define GC_COLUMN_ENTRY(name, kind, flags, field) { #name, kind, flags, field },

#define GC_UNAVAILABLE "__debezium_unavailable_value"
#define GC_KEPT_REAL ((double)NAN) /* the same of a measure: decode lets no other NaN through */

struct gc_decode {
	struct gc_batch *batch;
	struct gc_arena *arena;
	struct gc_dimension_cache *cache;
	const struct gc_stream *stream;
	const struct gc_change *change;
	enum gc_time_unit unit;
	uint32_t partition;
	size_t key_bytes_max;
	struct gc_span key; /* of the record */
	bool rejected;
	struct gc_err err; /* why */
};

/* A row of the target with every column read that names a field of `object` (the record's row, or a payload). The first row of a record is
 * the one that counts in the ledger. */
struct gc_row *gc_decode_row(struct gc_decode *decode, const struct gc_target *target, struct gc_span key,
			     const struct gc_json *object);
void gc_decode_reject(struct gc_decode *decode, const char *code, const char *where, const char *format, ...)
	__attribute__((format(printf, 4, 5)));
/* The value is left out or cleaned, the record stays. */
void gc_decode_issue(struct gc_decode *decode, const char *field, struct gc_span raw, const char *rule);

/* A field on its own, for what is derived. Absent and null are GC_SPAN_NULL / false. */
struct gc_span gc_decode_text(struct gc_decode *decode, const struct gc_json *object, const char *field);
bool gc_decode_time(struct gc_decode *decode, const struct gc_json *object, const char *field, int64_t *ret_us);
/* As gc_decode_time(); without it, or out of range, the record is rejected. */
bool gc_decode_needed_time(struct gc_decode *decode, const struct gc_json *object, const char *field, int64_t *ret_us);
bool gc_decode_real(struct gc_decode *decode, const struct gc_json *object, const char *field, double *ret_value);
/* The field says "as it was" (GC_UNAVAILABLE). */
bool gc_decode_is_unavailable(const struct gc_json *object, const char *field);
/* A name that stands for a person where it has no prefix: "alice" is user:alice. */
struct gc_span gc_decode_person(struct gc_decode *decode, struct gc_span text, const char *field);
/* A field that is the row's key or part of it: trimmed, as it stands or rejected. GC_SPAN_NULL where it is missing or empty. */
struct gc_span gc_decode_key(struct gc_decode *decode, const struct gc_json *object, const char *field);
/* The JSON inside of a text, leniently read, or the value itself; NULL where there is none. A text that is no JSON is a quality
 * issue; an empty one is none. Never rejects. */
const struct gc_json *gc_decode_nested(struct gc_decode *decode, const struct gc_json *object, const char *field);
/* A text of such free JSON, where anything may stand: a list or an object is no text, and no reason to reject. */
struct gc_span gc_decode_hint(struct gc_decode *decode, const struct gc_json *nested, const char *field);

void gc_row_text(struct gc_row *row, int column, struct gc_span text); /* also natural keys of dimensions */
void gc_row_bool(struct gc_row *row, int column, bool value);
void gc_row_integer(struct gc_row *row, int column, int64_t value); /* also times */
void gc_row_real(struct gc_row *row, int column, double value);
static inline bool gc_row_has(const struct gc_row *row, int column)
{
	return row->values[column].state == GC_VALUE_SET;
}
static inline struct gc_span gc_row_get_text(const struct gc_row *row, int column)
{
	return gc_row_has(row, column) ? row->values[column].text : GC_SPAN_NULL;
}
/* A measure that is worked out, and seconds from one time column to another; too large or, of seconds, negative: NULL and a quality
 * issue. */
void gc_row_measure(struct gc_decode *decode, struct gc_row *row, int column, double value);
void gc_row_seconds(struct gc_decode *decode, struct gc_row *row, int column, int from, int to);

/* A key of another stream that the row links to: locked before the first row is written. */
void gc_decode_link(struct gc_decode *decode, const char *target, struct gc_span key);

/* Who acted, as user:, agent: or system:<name>: a prefix in any case; a name without one, and the prefix where it is another, are a system's.
 * GC_SPAN_NULL is the unknown member: no name, or nothing before or behind the colon. cube.resolve_actor() tells the type by these prefixes:
 * user is human; tests/contract/actors.csv is the cases of both. */
struct gc_span gc_decode_actor(struct gc_decode *decode, struct gc_span text, const char *field);
/* The declared component that stands before or after the first colon of the text. */
struct gc_span gc_declared_component(const struct gc_decode *decode, struct gc_span text);
/* A name that may make an inferred member: trimmed, bounded. */
struct gc_span gc_decode_member(struct gc_decode *decode, struct gc_span text, const char *field);
/* Trimmed and lower-cased. */
struct gc_span gc_decode_vocabulary(struct gc_decode *decode, struct gc_span text);

#endif
