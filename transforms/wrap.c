/* Wraps: see wrap.h. Threads: no shared state. */
#include "wrap.h"

/* A text may have been serialised more than once on its way. */
#define INNER_MAX 3

/* What a serializer puts before each value: a first byte, then the id of a schema. */
static const struct frame {
	uint8_t magic;
	size_t bytes;
	const char *whose;
} frames[] = {
	{ 0, 5, "a schema registry" }, /* Confluent's: JsonSchemaConverter, KafkaJsonSchemaSerializer */
	{ 0, 9, "a schema registry" }, /* Apicurio's, with ids of 8 bytes */
	{ 3, 18, "AWS Glue's schema registry" },
};

/* Bytes that are no JSON by how they begin. */
static const struct format {
	struct gc_span start;
	const char *name;
} formats[] = {
	{ GC_LIT("\xFE\xFF"), "text in UTF-16; JSON is UTF-8" },
	{ GC_LIT("\xFF\xFE"), "text in UTF-16; JSON is UTF-8" },
	{ GC_LIT("\0{\0"), "text in UTF-16; JSON is UTF-8" },
	{ GC_LIT("{\0"), "text in UTF-16; JSON is UTF-8" },
	{ GC_LIT("\x1F\x8B"), "compressed by gzip; let Kafka compress (compression.type)" },
	{ GC_LIT("\x28\xB5\x2F\xFD"), "compressed by zstd; let Kafka compress (compression.type)" },
	{ GC_LIT("\x04\x22\x4D\x18"), "compressed by lz4; let Kafka compress (compression.type)" },
	{ GC_LIT("\x82SNAPPY"), "compressed by snappy; let Kafka compress (compression.type)" },
	{ GC_LIT("\xFF\x06\x00\x00sNaPpY"), "compressed by snappy; let Kafka compress (compression.type)" },
	{ GC_LIT("Obj\x01"), "an Avro file; publish JSON (JsonConverter)" },
	{ GC_LIT("\xAC\xED\x00\x05"), "a serialised Java object; publish JSON" },
	{ GC_LIT("Struct{"), "a Kafka Connect struct printed as text (StringConverter); use JsonConverter" },
	{ GC_LIT("eyJ"), "JSON in base64; publish it as it is" },
	{ GC_LIT("<?xml"), "XML; publish JSON" },
};

static bool begins_json(char c)
{
	return c && strchr("{[\"-0123456789tfn", c);
}

/* The frame that stands before JSON, NULL for none. */
static const struct frame *find_frame(struct gc_span bytes)
{
	for (size_t i = 0; i < sizeof(frames) / sizeof(frames[0]); i++) {
		if (bytes.len > frames[i].bytes && (uint8_t)bytes.ptr[0] == frames[i].magic &&
		    begins_json(bytes.ptr[frames[i].bytes]))
			return &frames[i];
	}
	return NULL;
}

static struct gc_span skip_mark(struct gc_span bytes)
{
	if (!gc_span_starts_with(bytes, GC_LIT("\xEF\xBB\xBF")))
		return bytes;
	return (struct gc_span){ bytes.ptr + 3, bytes.len - 3 };
}

static bool is_framed_binary(struct gc_span bytes)
{
	return bytes.len > 5 && (bytes.ptr[0] == 0 || (bytes.ptr[0] == 3 && (bytes.ptr[1] == 0 || bytes.ptr[1] == 5)));
}

/* Says more than "expected a value" where the bytes tell what they are. */
static void name_cause(struct gc_span bytes, const struct frame *frame, struct gc_err *err)
{
	for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++) {
		if (gc_span_starts_with(bytes, formats[i].start)) {
			gc_fail(err, GC_REJECT, "not_json", "byte 0", "this is no JSON but %s", formats[i].name);
			return;
		}
	}
	if (frame)
		gc_fail(err, GC_REJECT, "not_json", err->where, "behind the %zu bytes of %s: %s", frame->bytes, frame->whose,
			err->text);
	else if (is_framed_binary(bytes))
		gc_fail(err, GC_REJECT, "not_json", "byte 0",
			"this is framed by a schema registry and no JSON, but Avro or Protobuf; publish JSON (JsonConverter)");
}

struct gc_span gc_wrap_body(struct gc_span bytes)
{
	const struct frame *frame = find_frame(bytes);

	return skip_mark(frame ? (struct gc_span){ bytes.ptr + frame->bytes, bytes.len - frame->bytes } : bytes);
}

enum gc_verdict gc_wrap_parse(struct gc_span bytes, struct gc_arena *arena, const struct gc_json **ret_root, struct gc_err *err)
{
	struct gc_span body;

	if (gc_json_parse(bytes, arena, ret_root, err) == GC_OK)
		return GC_OK;
	body = gc_wrap_body(bytes);
	if (body.len < bytes.len && gc_json_parse(body, arena, ret_root, err) == GC_OK)
		return GC_OK;
	if (err && strcmp(err->code, "not_json") == 0)
		name_cause(bytes, find_frame(bytes), err);
	return GC_REJECT;
}

enum gc_verdict gc_wrap_inner(const struct gc_json *value, struct gc_arena *arena, const struct gc_json **ret_inner,
			      struct gc_err *err)
{
	for (int wraps = 0; value->type == GC_JSON_STRING && wraps < INNER_MAX; wraps++) {
		const struct gc_json *inner;

		if (gc_json_parse_lenient(gc_json_text(value, arena, NULL), arena, &inner, wraps ? NULL : err) == GC_OK)
			value = inner;
		else if (wraps == 0)
			return GC_REJECT;
		else
			break; /* a text that was serialised once: JSON it is */
	}
	*ret_inner = value;
	return GC_OK;
}
