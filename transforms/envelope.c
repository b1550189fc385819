/* Envelope: see envelope.h. The shapes, in the order in which they are asked for:
 *
 *   tombstone                 the value is null
 *   schema and payload        {"schema": …, "payload": …}, nothing beside, around any of the following; keys likewise
 *   Debezium envelope         "op" beside "before", "after" or a "source" of its own
 *   foreign envelope          CloudEvents, Maxwell …: refused by name
 *   flattened Debezium row    the row with "__op", "__deleted", "__source_ts_ms", "__source_lsn" …
 *   flat row                  everything else
 *
 * A row, in whichever of these, is a trigger event when it has an "event_type" beside a "payload" that is an object or a text that
 * holds one.
 * Threads: no shared state.
 */
#include "envelope.h"
#include "wrap.h"

#include <math.h>

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

/* Several databases may come through one partition, each with positions of its own. */
static int64_t hash_of_names(const struct gc_json *name, const struct gc_json *db)
{
	uint64_t hash = (name ? 31 * gc_span_hash(gc_json_raw(name)) : 0) + (db ? gc_span_hash(gc_json_raw(db)) : 0);

	return hash ? (int64_t)hash : 1;
}

/* Debezium says "lsn": null of a row that it reads for an incremental snapshot. It was captured all the same, and stands first of its time. */
#define LSN_OF_INCREMENTAL 1

static void read_source(const struct gc_json *source, struct gc_arena *arena, struct gc_change *change)
{
	struct gc_version *version = &change->version;
	struct gc_span snapshot;

	change->source = hash_of_names(gc_json_get(source, GC_LIT("name")), gc_json_get(source, GC_LIT("db")));
	snapshot = text_of(gc_json_get(source, GC_LIT("snapshot")), arena);
	change->is_incremental = gc_span_equal(snapshot, GC_LIT("incremental"));
	change->ends_snapshot = gc_span_equal(snapshot, GC_LIT("last")) ||
				gc_span_equal(snapshot, GC_LIT("last_in_data_collection"));
	version->lsn = number_of(gc_json_get(source, GC_LIT("lsn")), arena);
	if (version->lsn == 0 && change->is_incremental)
		version->lsn = LSN_OF_INCREMENTAL;
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

	read_source(gc_json_get(envelope, GC_LIT("source")), arena, change);
	if (op.len != 1 || !strchr("crudtm", op.ptr[0]))
		return gc_fail(err, GC_REJECT, "unknown_op", "op", "the operation \"%.*s\" is none of c, r, u, d, t, m",
			       (int)(op.len > 40 ? 40 : op.len), op.ptr ? op.ptr : "");
	if (op.ptr[0] == 't') {
		change->op = GC_TRUNCATE;
		return GC_OK;
	}
	if (op.ptr[0] == 'm') {
		change->op = GC_IGNORE;
		change->ignored_because = "logical message";
		return GC_OK;
	}
	change->op = op.ptr[0] == 'd' ? GC_DELETE : GC_UPSERT;
	change->is_snapshot = op.ptr[0] == 'r';
	change->row = gc_json_get(envelope, change->op == GC_DELETE ? GC_LIT("before") : GC_LIT("after"));
	if (change->row && change->row->type == GC_JSON_NULL)
		change->row = NULL;
	if (change->op == GC_UPSERT && !change->row)
		return gc_fail(err, GC_REJECT, "missing_field", "after", "operation %c carries no row in \"after\"", op.ptr[0]);
	if (change->op == GC_UPSERT && !is_object(change->row))
		return gc_fail(err, GC_REJECT, "missing_field", "after", "\"after\" is a JSON %s, not a row",
			       gc_json_type_name(change->row));
	return GC_OK;
}

static void open_flattened(const struct gc_json *row, struct gc_arena *arena, struct gc_change *change)
{
	struct gc_span deleted = text_of(gc_json_get(row, GC_LIT("__deleted")), arena);
	struct gc_span op = text_of(gc_json_get(row, GC_LIT("__op")), arena);

	change->row = row;
	change->op = gc_span_equal_nocase(deleted, GC_LIT("true")) || gc_span_equal(op, GC_LIT("d")) ? GC_DELETE : GC_UPSERT;
	change->is_snapshot = gc_span_equal(op, GC_LIT("r"));
	change->source = hash_of_names(gc_json_get(row, GC_LIT("__source_name")), gc_json_get(row, GC_LIT("__source_db")));
	change->version.lsn = number_of(gc_json_get(row, GC_LIT("__source_lsn")), arena);
	if (change->version.lsn == 0)
		change->version.lsn = number_of(gc_json_get(row, GC_LIT("__lsn")), arena);
	change->version.source_us = number_of(gc_json_get(row, GC_LIT("__source_ts_us")), arena);
	if (change->version.source_us == 0)
		change->version.source_us = microseconds_of(gc_json_get(row, GC_LIT("__source_ts_ms")), arena);
}

/* Envelopes of others, told by members of theirs that no row of ours has beside each other. */
static const struct foreign {
	const char *name, *members[3];
} foreigns[] = {
	{ "an Amazon EventBridge event", { "detail-type", "detail", "source" } },
	{ "an AWS DMS message", { "data", "metadata" } },
	{ "a Canal message", { "isDdl", "database", "table" } },
	{ "a CloudEvents envelope", { "specversion", "type", "source" } },
	{ "a GoldenGate message", { "op_type", "op_ts", "table" } },
	{ "a Maxwell message", { "database", "table", "type" } },
	{ "a wal2json message", { "kind", "schema", "table" } },
	{ "an envelope that lost its \"op\"", { "after" } },
};

static const char *foreign_name(const struct gc_json *root)
{
	for (size_t f = 0; f < sizeof(foreigns) / sizeof(foreigns[0]); f++) {
		size_t found = 0;

		while (found < 3 && foreigns[f].members[found] && gc_json_get(root, gc_span_of(foreigns[f].members[found])))
			found++;
		if (found == 3 || !foreigns[f].members[found])
			return foreigns[f].name;
	}
	return NULL;
}

static void mark_trigger_event(struct gc_change *change, struct gc_arena *arena)
{
	const struct gc_json *type = gc_json_get(change->row, GC_LIT("event_type"));
	const struct gc_json *payload = type && type->type != GC_JSON_NULL ? gc_json_get(change->row, GC_LIT("payload")) : NULL;

	if (change->op == GC_UPSERT && payload && gc_wrap_inner(payload, arena, &payload, NULL) == GC_OK && is_object(payload))
		change->payload = payload;
}

/* StringConverter prints a key's struct as "Struct{id=c-1}". With several fields no one can tell where a value ends. */
static struct gc_span json_of_struct(struct gc_span text, struct gc_arena *arena)
{
	struct gc_span inner, name, value, before, after;

	if (text.ptr[text.len - 1] != '}')
		return GC_SPAN_NULL;
	inner = (struct gc_span){ text.ptr + strlen("Struct{"), text.len - strlen("Struct{}") };
	if (!gc_span_split(inner, '=', &name, &value) ||
	    (gc_span_split(value, ',', &before, &after) && gc_span_split(after, '=', &before, &after)))
		return GC_SPAN_NULL;
	for (size_t i = 0; i < inner.len; i++) {
		if ((unsigned char)inner.ptr[i] < 0x20 || inner.ptr[i] == '"' || inner.ptr[i] == '\\')
			return GC_SPAN_NULL;
	}
	return gc_arena_printf(arena, "{\"%.*s\":\"%.*s\"}", (int)name.len, name.ptr, (int)value.len, value.ptr);
}

static bool looks_like_struct(struct gc_span text)
{
	return gc_span_starts_with(text, GC_LIT("Struct{"));
}

static bool looks_like_object(struct gc_span text)
{
	struct gc_span trimmed = gc_span_trim(text);

	return trimmed.len > 0 && trimmed.ptr[0] == '{';
}

/* What a key that is meant to be an object is, when it cannot be read as one; NULL for a key that is its own text. */
static const char *fault_of(struct gc_span text)
{
	if (looks_like_struct(text))
		return "the key is a Kafka Connect struct printed as text, and cannot be taken apart; use JsonConverter";
	return looks_like_object(text) ? "the key looks like an object, but is no JSON" : NULL;
}

/* A key that is no JSON is its own text, unless it is meant to be more. */
static void open_key(const struct gc_message *message, struct gc_arena *arena, struct gc_change *change)
{
	const struct gc_json *root, *schema = NULL;
	struct gc_span text = message->key;

	if (looks_like_struct(text))
		text = json_of_struct(text, arena);
	if (text.len == 0 || gc_wrap_parse(text, arena, &root, NULL) != GC_OK) {
		change->key_fault = fault_of(gc_wrap_body(message->key));
		return;
	}
	change->key = unwrap_schema(root, &schema);
	if (change->key->type == GC_JSON_STRING && looks_like_object(gc_json_text(change->key, arena, NULL)) &&
	    gc_wrap_inner(change->key, arena, &change->key, NULL) != GC_OK)
		change->key_fault = fault_of(gc_json_text(change->key, arena, NULL));
}

static enum gc_verdict refuse_root(const struct gc_json *root, struct gc_arena *arena, struct gc_err *err)
{
	const struct gc_json *inner = root;

	if (gc_wrap_inner(root, arena, &inner, NULL) == GC_OK && inner != root && is_object(inner))
		return gc_fail(
			err, GC_REJECT, "not_object", "value",
			"the value is a JSON string that holds an object: it was serialised twice; publish the object itself");
	return gc_fail(err, GC_REJECT, "not_object", "value", "the value is a JSON %s, not an object", gc_json_type_name(root));
}

static enum gc_verdict open_object(const struct gc_json *root, struct gc_arena *arena, struct gc_change *change, struct gc_err *err)
{
	const char *foreign;

	if (is_debezium(root)) {
		change->schema = schema_of_row(change->schema);
		return open_debezium(root, arena, change, err);
	}
	foreign = foreign_name(root);
	if (foreign)
		return gc_fail(err, GC_REJECT, "foreign_envelope", "value",
			       "this looks like %s; publish the row itself, or Debezium's envelope of it", foreign);
	open_flattened(root, arena, change);
	return GC_OK;
}

enum gc_verdict gc_envelope_open(const struct gc_message *message, struct gc_arena *arena, struct gc_change *ret_change,
				 struct gc_err *err)
{
	int64_t time_us = gc_message_time(message);
	struct gc_change change = {
		.message = message,
		.op = GC_DELETE,
		.version = { .kafka_us = time_us > 0 ? time_us : 1, .offset = message->offset },
	};
	const struct gc_json *root = NULL;
	enum gc_verdict verdict = GC_OK;

	open_key(message, arena, &change);
	if (message->value.ptr) {
		verdict = gc_wrap_parse(message->value, arena, &root, err);
		if (verdict != GC_OK)
			return verdict;
		root = unwrap_schema(root, &change.schema);
	}
	change.is_tombstone = !root || root->type == GC_JSON_NULL;
	if (!change.is_tombstone)
		verdict = is_object(root) ? open_object(root, arena, &change, err) : refuse_root(root, arena, err);
	if (verdict != GC_OK)
		return verdict;
	mark_trigger_event(&change, arena);
	*ret_change = change;
	return GC_OK;
}

static bool is_scalar(const struct gc_json *value)
{
	return value && (value->type == GC_JSON_STRING || value->type == GC_JSON_INT || value->type == GC_JSON_REAL);
}

/* True when the stream's rows have such a field, as far as is known: those that are read, the others, and those of this row. */
static bool is_field(const struct gc_change *change, const struct gc_stream *stream, struct gc_span name)
{
	const struct gc_target *target = stream->targets[0];

	for (int i = 0; i < target->column_count; i++) {
		if (target->columns[i].field && gc_span_equal(name, gc_span_of(target->columns[i].field)))
			return true;
	}
	for (const char *const *other = stream->other_fields; other && *other; other++) {
		if (gc_span_equal(name, gc_span_of(*other)))
			return true;
	}
	return gc_json_get(change->row, name) != NULL;
}

/* The member of a key object that names the row: the stream's key field; its second name, where the row does not go by the first; or
 * the only member, if its name is the producer's own. Another field of the row (message.key.columns, ValueToKey) names none: its
 * value may be the key of another row. */
static const struct gc_json *member_of_key(const struct gc_change *change, const struct gc_stream *stream, struct gc_arena *arena)
{
	struct gc_span field = gc_span_of(stream->key_field);
	const struct gc_json *named = gc_json_get(change->key, field), *first = gc_json_first(change->key);

	if (!named && stream->key_fallback && !is_scalar(gc_json_get(change->row, field)))
		named = gc_json_get(change->key, gc_span_of(stream->key_fallback));
	if (named || !first)
		return named;
	return gc_json_next(change->key, first + 1) || is_field(change, stream, gc_json_text(first, arena, NULL)) ? NULL
														  : first + 1;
}

/* What Kafka's key says of the row: as a text, as a JSON value, or as a member of an object. */
static struct gc_span key_of_key(const struct gc_change *change, const struct gc_stream *stream, struct gc_arena *arena,
				 unsigned *flags)
{
	const struct gc_json *value = is_object(change->key) ? member_of_key(change, stream, arena) : change->key;

	if (change->key_fault)
		return GC_SPAN_NULL;
	if (!change->key)
		return change->message->key;
	return is_scalar(value) ? cleaned_text_of(value, arena, flags) : GC_SPAN_NULL;
}

/* What Debezium writes into a delete's "before" for a column that it was not told: "" or 0. */
static bool is_filler(const struct gc_json *value)
{
	return value->len == 0 || (value->type != GC_JSON_STRING && fabs(gc_json_real(value)) <= 0);
}

static struct gc_span key_of_row(const struct gc_json *in_row, struct gc_arena *arena, unsigned *flags)
{
	return is_scalar(in_row) ? cleaned_text_of(in_row, arena, flags) : GC_SPAN_NULL;
}

/* True to what is there: a key that cannot be used is told from one that is missing. */
static enum gc_verdict refuse_key(const struct gc_change *change, const struct gc_stream *stream, struct gc_arena *arena,
				  struct gc_err *err)
{
	const char *field = stream->key_field;
	const struct gc_json *in_row = gc_json_get(change->row, gc_span_of(field)), *first = gc_json_first(change->key);

	if (change->key_fault)
		return gc_fail(err, GC_REJECT, "bad_key", field, "%s", change->key_fault);
	if (in_row && in_row->type != GC_JSON_NULL && !is_scalar(in_row))
		return gc_fail(err, GC_REJECT, "no_key", field, "%s is a JSON %s, which names no row", field,
			       gc_json_type_name(in_row));
	if (first && is_object(change->key) && !gc_json_get(change->key, gc_span_of(field))) {
		struct gc_span name = gc_json_text(first, arena, NULL);

		return gc_fail(err, GC_REJECT, "no_key", field,
			       "the Kafka key names %.*s, not %s: it does not tell which row is meant",
			       name.len < 64 ? (int)name.len : 64, name.ptr, field);
	}
	return gc_fail(err, GC_REJECT, "no_key", field, "neither the record nor its Kafka key names the row");
}

enum gc_verdict gc_envelope_key(const struct gc_change *change, const struct gc_stream *stream, size_t bytes_max,
				struct gc_arena *arena, struct gc_span *ret_key, struct gc_err *err)
{
	const char *field = stream->key_field;
	const struct gc_json *in_row = gc_json_get(change->row, gc_span_of(field));
	struct gc_span key = GC_SPAN_NULL;
	unsigned flags = 0;

	if (!is_scalar(in_row) && stream->key_fallback)
		in_row = gc_json_get(change->row, gc_span_of(stream->key_fallback));
	/* the record names its row better than a key that may be made of other columns; but of a delete only what is no filler */
	if (is_scalar(in_row) && (change->op != GC_DELETE || !is_filler(in_row)))
		key = key_of_row(in_row, arena, &flags);
	if (key.len == 0)
		key = key_of_key(change, stream, arena, &flags);
	if (key.len == 0 && change->message->key.len == 0)
		key = key_of_row(in_row, arena, &flags);
	if (key.len == 0)
		return refuse_key(change, stream, arena, err);
	if (key.len > bytes_max)
		return gc_fail(err, GC_REJECT, "too_long", field, "the key is %zu bytes long, more than limits.key_bytes (%zu)",
			       key.len, bytes_max);
	if (flags || memchr(key.ptr, 0, key.len) || !gc_span_is_utf8(key))
		return gc_fail(err, GC_REJECT, "bad_key", field,
			       "the key holds a NUL, a lone surrogate or bytes that are not UTF-8");
	*ret_key = key;
	return GC_OK;
}
