/* Envelope: see envelope.h. The shapes, in the order in which they are asked for:
 *
 *   tombstone                 the value is null
 *   schema and payload        {"schema": …, "payload": …}, nothing beside, around any of the following; keys likewise
 *   Debezium envelope         "op" beside "before", "after" or a "source" of its own
 *   trigger event             "event_type" beside "payload"
 *   flattened Debezium row    the row with "__op", "__deleted", "__source_ts_ms", "__source_lsn" …
 *   flat row                  everything else
 *
 * Threads: no shared state.
 */
#include "envelope.h"

static struct gc_span cleaned_text_of(const struct gc_json *value, struct gc_arena *arena, unsigned *flags)
{
	if (!value || value->type == GC_JSON_NULL)
		return GC_SPAN_NULL;
	return value->type == GC_JSON_STRING ? gc_json_text(value, arena, flags) : gc_json_raw(value);
}

static struct gc_span text_of(const struct gc_json *value, struct gc_arena *arena)
{
	return cleaned_text_of(value, arena, NULL);
}

static int64_t number_of(const struct gc_json *value, struct gc_arena *arena)
{
	int64_t number = 0;

	if (value && value->type == GC_JSON_INT)
		return gc_json_int(value);
	return gc_span_int64(text_of(value, arena), &number) ? number : 0;
}

/* Milliseconds that make no sense are no time. */
static int64_t microseconds_of(const struct gc_json *ms, struct gc_arena *arena)
{
	int64_t us;

	return gc_time_from_epoch(number_of(ms, arena), GC_UNIT_MS, &us) ? us : 0;
}

static bool is_object(const struct gc_json *value)
{
	return value && value->type == GC_JSON_OBJECT;
}

/* {"schema": …, "payload": …} with nothing beside. */
static const struct gc_json *unwrap_schema(const struct gc_json *value, const struct gc_json **ret_schema)
{
	const struct gc_json *schema = gc_json_get(value, GC_LIT("schema"));
	const struct gc_json *payload = gc_json_get(value, GC_LIT("payload"));

	if (!schema || !payload || (schema->type != GC_JSON_OBJECT && schema->type != GC_JSON_NULL) ||
	    value->size != 1 + 1 + schema->size + 1 + payload->size)
		return value;
	*ret_schema = schema;
	return payload;
}

/* The schema of the row inside a Debezium envelope's schema: that of "after" or "before". */
static const struct gc_json *schema_of_row(const struct gc_json *schema)
{
	const struct gc_json *fields = gc_json_get(schema, GC_LIT("fields"));

	for (const struct gc_json *f = gc_json_first(fields); f; f = gc_json_next(fields, f)) {
		const struct gc_json *name = gc_json_get(f, GC_LIT("field"));

		if (name && gc_span_equal(gc_json_raw(name), GC_LIT("\"after\"")))
			return f;
	}
	return schema;
}

static void read_source(const struct gc_json *source, struct gc_arena *arena, struct gc_version *version)
{
	version->lsn = number_of(gc_json_get(source, GC_LIT("lsn")), arena);
	version->source_us = number_of(gc_json_get(source, GC_LIT("ts_us")), arena);
	if (version->source_us == 0)
		version->source_us = microseconds_of(gc_json_get(source, GC_LIT("ts_ms")), arena);
}

/* A truncate and a logical message carry neither image of a row, but say where they come from. */
static bool is_debezium(const struct gc_json *root)
{
	return gc_json_get(root, GC_LIT("op")) && (gc_json_get(root, GC_LIT("after")) || gc_json_get(root, GC_LIT("before")) ||
						   is_object(gc_json_get(root, GC_LIT("source"))));
}

/* c, r, u carry the row; d its key; t (truncate) and m (logical message) say nothing of a row. */
static enum gc_verdict open_debezium(const struct gc_json *envelope, struct gc_arena *arena, struct gc_change *change,
				     struct gc_err *err)
{
	struct gc_span op = text_of(gc_json_get(envelope, GC_LIT("op")), arena);

	read_source(gc_json_get(envelope, GC_LIT("source")), arena, &change->version);
	if (op.len != 1 || !strchr("crudtm", op.ptr[0]))
		return gc_fail(err, GC_REJECT, "unknown_op", "op", "the operation \"%.*s\" is none of c, r, u, d, t, m",
			       (int)(op.len > 40 ? 40 : op.len), op.ptr ? op.ptr : "");
	if (op.ptr[0] == 't' || op.ptr[0] == 'm') {
		change->op = GC_IGNORE;
		change->ignored_because = op.ptr[0] == 't' ? "truncate" : "logical message";
		return GC_OK;
	}
	change->op = op.ptr[0] == 'd' ? GC_DELETE : GC_UPSERT;
	change->row = gc_json_get(envelope, change->op == GC_DELETE ? GC_LIT("before") : GC_LIT("after"));
	if (change->row && change->row->type == GC_JSON_NULL)
		change->row = NULL;
	if (change->op == GC_UPSERT && !is_object(change->row))
		return gc_fail(err, GC_REJECT, "missing_field", "after", "operation %c carries no row in \"after\"", op.ptr[0]);
	return GC_OK;
}

static void open_flattened(const struct gc_json *row, struct gc_arena *arena, struct gc_change *change)
{
	struct gc_span deleted = text_of(gc_json_get(row, GC_LIT("__deleted")), arena);
	struct gc_span op = text_of(gc_json_get(row, GC_LIT("__op")), arena);

	change->row = row;
	change->op = gc_span_equal_nocase(deleted, GC_LIT("true")) || gc_span_equal(op, GC_LIT("d")) ? GC_DELETE : GC_UPSERT;
	change->version.lsn = number_of(gc_json_get(row, GC_LIT("__source_lsn")), arena);
	if (change->version.lsn == 0)
		change->version.lsn = number_of(gc_json_get(row, GC_LIT("__lsn")), arena);
	change->version.source_us = number_of(gc_json_get(row, GC_LIT("__source_ts_us")), arena);
	if (change->version.source_us == 0)
		change->version.source_us = microseconds_of(gc_json_get(row, GC_LIT("__source_ts_ms")), arena);
}

static void open_key(const struct gc_message *message, struct gc_arena *arena, struct gc_change *change)
{
	const struct gc_json *root, *schema = NULL;

	/* a key that is no JSON is its own text */
	if (message->key.ptr && gc_json_parse(message->key, arena, &root, NULL) == GC_OK)
		change->key = unwrap_schema(root, &schema);
}

enum gc_verdict gc_envelope_open(const struct gc_message *message, struct gc_arena *arena, struct gc_change *ret_change,
				 struct gc_err *err)
{
	struct gc_change change = {
		.message = message,
		.op = GC_DELETE,
		.version = { .kafka_us = message->timestamp_us > 0 ? message->timestamp_us : 1, .offset = message->offset },
	};
	const struct gc_json *root = NULL;
	enum gc_verdict verdict = GC_OK;

	open_key(message, arena, &change);
	if (message->value.ptr) {
		verdict = gc_json_parse(message->value, arena, &root, err);
		if (verdict != GC_OK)
			return verdict;
		root = unwrap_schema(root, &change.schema);
	}
	if (root && root->type != GC_JSON_NULL) {
		if (!is_object(root))
			return gc_fail(err, GC_REJECT, "not_object", "value", "the value is a JSON %s, not an object",
				       gc_json_type_name(root));
		if (is_debezium(root)) {
			verdict = open_debezium(root, arena, &change, err);
			change.schema = schema_of_row(change.schema);
		} else if (gc_json_get(root, GC_LIT("event_type")) && is_object(gc_json_get(root, GC_LIT("payload")))) {
			change.op = GC_UPSERT;
			change.row = root;
			change.is_trigger_event = true;
		} else {
			open_flattened(root, arena, &change);
		}
	}
	if (verdict == GC_OK)
		*ret_change = change;
	return verdict;
}

/* The named field of the key, or its only field whatever its name, or the key itself when it is no object. */
static struct gc_span key_of_key(const struct gc_change *change, struct gc_span field, struct gc_arena *arena, unsigned *flags)
{
	const struct gc_json *named = gc_json_get(change->key, field);
	const struct gc_json *first;

	if (!change->key)
		return change->message->key;
	if (named)
		return cleaned_text_of(named, arena, flags);
	if (!is_object(change->key))
		return cleaned_text_of(change->key, arena, flags);
	first = gc_json_first(change->key);
	return first && !gc_json_next(change->key, first + 1) ? cleaned_text_of(first + 1, arena, flags) : GC_SPAN_NULL;
}

static bool is_scalar(const struct gc_json *value)
{
	return value && (value->type == GC_JSON_STRING || value->type == GC_JSON_INT || value->type == GC_JSON_REAL);
}

enum gc_verdict gc_envelope_key(const struct gc_change *change, const struct gc_stream *stream, size_t bytes_max,
				struct gc_arena *arena, struct gc_span *ret_key, struct gc_err *err)
{
	struct gc_span key_field = gc_span_of(stream->key_field);
	const struct gc_json *in_row = gc_json_get(change->row, key_field);
	struct gc_span key = GC_SPAN_NULL;
	unsigned flags = 0;

	if (!is_scalar(in_row) && stream->key_fallback)
		in_row = gc_json_get(change->row, gc_span_of(stream->key_fallback));
	/* of a delete only the message's key is to be trusted: "before" is filler except for its key fields */
	if (change->op == GC_DELETE)
		key = key_of_key(change, key_field, arena, &flags);
	if (key.len == 0 && is_scalar(in_row))
		key = in_row->type == GC_JSON_STRING ? gc_json_text(in_row, arena, &flags) : gc_json_raw(in_row);
	if (key.len == 0)
		key = key_of_key(change, key_field, arena, &flags);
	if (key.len == 0)
		return gc_fail(err, GC_REJECT, "no_key", key_field.ptr, "neither the record nor its Kafka key names the row");
	if (key.len > bytes_max)
		return gc_fail(err, GC_REJECT, "too_long", key_field.ptr,
			       "the key is %zu bytes long, more than limits.key_bytes (%zu)", key.len, bytes_max);
	if (flags || memchr(key.ptr, 0, key.len) || !gc_span_is_utf8(key))
		return gc_fail(err, GC_REJECT, "bad_key", key_field.ptr,
			       "the key holds a NUL, a lone surrogate or bytes that are not UTF-8");
	*ret_key = key;
	return GC_OK;
}
