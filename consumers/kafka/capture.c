/* Capture files: JSON lines to messages, one at a time.
 *
 * Guarantees: every line that is not blank is either returned or refused with its place; a file that cannot be read to its
 * end is an error, never a short file. Memory is bounded by a few times GC_CAPTURE_LINE_BYTES.
 * Threads: a reader belongs to one thread.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <zlib.h>

#include <gracecube/arena.h>
#include <gracecube/base64.h>
#include <gracecube/json.h>
#include <gracecube/time.h>

#include "kafka/capture.h"

#define READ_BYTES ((size_t)256 << 10)
#define ARENA_KEPT_BYTES ((size_t)1 << 20)

struct gc_capture {
	char *path;
	gzFile file;
	bool at_end;
	bool broken; /* what comes behind the buffer cannot be read */

	char *buffer; /* [taken, filled) is read and not yet handed out */
	size_t taken, filled, capacity;

	uint64_t line;
	char place[128];
	struct gc_shift shift;

	struct gc_arena arena; /* of one line */
	const struct gc_json *record;
	struct gc_message message;
	struct gc_header *headers;
	size_t header_capacity;
};

/* ---- lines ---- */

enum line_state { LINE_WHOLE, LINE_TOO_LONG, LINE_NONE, LINE_BROKEN };

static void make_room(struct gc_capture *capture)
{
	size_t kept = capture->filled - capture->taken;

	if (kept > 0)
		memmove(capture->buffer, capture->buffer + capture->taken, kept);
	capture->taken = 0;
	capture->filled = kept;
	if (capture->capacity - kept >= READ_BYTES)
		return;
	capture->capacity = capture->capacity * 2 + READ_BYTES;
	capture->buffer = gc_realloc(capture->buffer, capture->capacity);
}

/* gzread() returns what there was of a stream cut short, and tells of the cut only when asked. */
static bool is_broken(struct gc_capture *capture)
{
	int code;

	gzerror(capture->file, &code);
	return code != Z_OK && code != Z_STREAM_END;
}

/* False when there is nothing more to be had because the file is broken; what stands before that is handed out first. */
static bool read_more(struct gc_capture *capture)
{
	int got;

	if (capture->broken)
		return false;
	make_room(capture);
	got = gzread(capture->file, capture->buffer + capture->filled, READ_BYTES);
	capture->broken = got < 0 || is_broken(capture);
	if (got > 0)
		capture->filled += (size_t)got;
	capture->at_end = !capture->broken && (size_t)got < READ_BYTES && gzeof(capture->file);
	return got > 0 || !capture->broken;
}

/* Drops the rest of a line that nobody wants. */
static bool skip_line(struct gc_capture *capture)
{
	for (;;) {
		char *start = capture->buffer + capture->taken;
		char *end = memchr(start, '\n', capture->filled - capture->taken);

		capture->taken = end ? (size_t)(end - capture->buffer) + 1 : capture->filled;
		if (end || capture->at_end)
			return true;
		if (!read_more(capture))
			return false;
	}
}

/* The line without its line feed; it lives in the buffer until the next call. */
static enum line_state take_line(struct gc_capture *capture, struct gc_span *ret_line)
{
	size_t searched = 0;

	for (;;) {
		char *start = capture->buffer + capture->taken;
		size_t have = capture->filled - capture->taken;
		char *end = have > searched ? memchr(start + searched, '\n', have - searched) : NULL;
		size_t len = end ? (size_t)(end - start) : have;

		if (len > GC_CAPTURE_LINE_BYTES)
			return skip_line(capture) ? LINE_TOO_LONG : LINE_BROKEN;
		if (end || (capture->at_end && have > 0)) {
			capture->taken += end ? len + 1 : len;
			*ret_line = (struct gc_span){ start, len };
			return LINE_WHOLE;
		}
		if (capture->at_end)
			return LINE_NONE;
		searched = have;
		if (!read_more(capture))
			return LINE_BROKEN;
	}
}

/* ---- texts, exactly ---- */

/* {"base64": "…"}: bytes that are no text. */
static bool take_bytes(struct gc_arena *arena, const struct gc_json *object, struct gc_span *ret_bytes)
{
	const struct gc_json *name = object->type == GC_JSON_OBJECT ? gc_json_first(object) : NULL;

	return name && !gc_json_next(object, name + 1) && gc_span_equal(gc_json_text(name, arena, NULL), GC_LIT("base64")) &&
	       name[1].type == GC_JSON_STRING && gc_base64_decode(gc_json_text(name + 1, arena, NULL), arena, ret_bytes);
}

/* Text, bytes or null, which is also what a missing member is. False on anything else. */
static bool take_text(struct gc_arena *arena, const struct gc_json *value, struct gc_span *ret_text)
{
	if (!value || value->type == GC_JSON_NULL) {
		*ret_text = GC_SPAN_NULL;
		return true;
	}
	if (value->type != GC_JSON_STRING)
		return take_bytes(arena, value, ret_text);
	return gc_json_text_exact(value, arena, ret_text);
}

/* ---- records ---- */

__attribute__((format(printf, 4, 5))) static enum gc_verdict refuse(const struct gc_capture *capture, struct gc_err *err,
								    const char *code, const char *format, ...)
{
	char text[512];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	return gc_fail(err, GC_REJECT, code, capture->place, "%s", text);
}

static const struct gc_json *member(const struct gc_capture *capture, const char *name)
{
	return gc_json_get(capture->record, gc_span_of(name));
}

static enum gc_verdict refuse_text(struct gc_capture *capture, const char *name, const struct gc_json *value, struct gc_err *err)
{
	if (value->type == GC_JSON_STRING)
		return refuse(capture, err, "half_character", "%s has half a surrogate pair, which stands for no bytes", name);
	return refuse(capture, err, "not_text", "%s is of type %s; it must be text, null or {\"base64\": \"…\"}", name,
		      gc_json_type_name(value));
}

static enum gc_verdict take_member(struct gc_capture *capture, const char *name, struct gc_span *ret_text, struct gc_err *err)
{
	const struct gc_json *value = member(capture, name);

	return take_text(&capture->arena, value, ret_text) ? GC_OK : refuse_text(capture, name, value, err);
}

static enum gc_verdict take_number(struct gc_capture *capture, const char *name, int64_t min, int64_t max, int64_t *number,
				   struct gc_err *err)
{
	const struct gc_json *value = member(capture, name);

	if (!value || value->type == GC_JSON_NULL)
		return GC_OK;
	if (value->type != GC_JSON_INT)
		return refuse(capture, err, "not_a_number", "%s is of type %s; it must be a whole number", name,
			      gc_json_type_name(value));
	if (gc_json_int(value) < min || gc_json_int(value) > max)
		return refuse(capture, err, "out_of_range", "%s is %lld; it must be %lld to %lld", name,
			      (long long)gc_json_int(value), (long long)min, (long long)max);
	*number = gc_json_int(value);
	return GC_OK;
}

static enum gc_verdict take_position(struct gc_capture *capture, struct gc_err *err)
{
	struct gc_message *message = &capture->message;
	int64_t partition = 0, timestamp_ms = -1;
	enum gc_verdict verdict;

	message->offset = -1;
	verdict = take_number(capture, "partition", 0, INT32_MAX, &partition, err);
	if (!verdict)
		verdict = take_number(capture, "offset", -1, INT64_MAX, &message->offset, err);
	if (!verdict)
		verdict = take_number(capture, "timestamp", -1, INT64_MAX / 1000, &timestamp_ms, err);
	message->partition = (int32_t)partition;
	message->timestamp_us = timestamp_ms < 0 ? -1 : timestamp_ms * 1000;
	return verdict;
}

static enum gc_verdict take_texts(struct gc_capture *capture, struct gc_err *err)
{
	struct gc_message *message = &capture->message;
	enum gc_verdict verdict = take_member(capture, "topic", &message->topic, err);

	if (!verdict)
		verdict = take_member(capture, "key", &message->key, err);
	if (!verdict && !member(capture, "value"))
		return refuse(capture, err, "no_value", "there is no value; a tombstone has \"value\": null");
	if (!verdict)
		verdict = take_member(capture, "value", &message->value, err);
	return verdict;
}

/* [name, value or null] */
static enum gc_verdict take_header(struct gc_capture *capture, const struct gc_json *pair, struct gc_header *header,
				   struct gc_err *err)
{
	const struct gc_json *name = pair->type == GC_JSON_ARRAY ? gc_json_first(pair) : NULL;
	const struct gc_json *value = name ? gc_json_next(pair, name) : NULL;

	if (!value || gc_json_next(pair, value) || (name->type != GC_JSON_STRING && name->type != GC_JSON_OBJECT))
		return refuse(capture, err, "bad_header", "a header is not a pair of a name and a value");
	if (!take_text(&capture->arena, name, &header->name))
		return refuse_text(capture, "a header's name", name, err);
	if (!take_text(&capture->arena, value, &header->value))
		return refuse_text(capture, "a header's value", value, err);
	return GC_OK;
}

static void add_header(struct gc_capture *capture, const struct gc_header *header)
{
	if (capture->message.header_count == capture->header_capacity) {
		capture->header_capacity = capture->header_capacity * 2 + 8;
		capture->headers = gc_realloc(capture->headers, capture->header_capacity * sizeof(*capture->headers));
	}
	capture->headers[capture->message.header_count++] = *header;
}

static enum gc_verdict take_headers(struct gc_capture *capture, struct gc_err *err)
{
	const struct gc_json *list = member(capture, "headers");

	capture->message.header_count = 0;
	if (list && list->type != GC_JSON_NULL && list->type != GC_JSON_ARRAY)
		return refuse(capture, err, "bad_header", "headers is of type %s; it must be a list of pairs",
			      gc_json_type_name(list));
	for (const struct gc_json *pair = gc_json_first(list); pair; pair = gc_json_next(list, pair)) {
		struct gc_header header;

		if (take_header(capture, pair, &header, err))
			return err->verdict;
		add_header(capture, &header);
	}
	capture->message.headers = capture->headers;
	return GC_OK;
}

static enum gc_verdict parse_record(struct gc_capture *capture, struct gc_span line, struct gc_err *err)
{
	gc_arena_reset(&capture->arena, ARENA_KEPT_BYTES);
	if (gc_json_parse(line, &capture->arena, &capture->record, err))
		return refuse(capture, err, err->code, "%s: %s", err->where, err->text);
	if (capture->record->type != GC_JSON_OBJECT)
		return refuse(capture, err, "not_object", "the line is of type %s; a record is an object",
			      gc_json_type_name(capture->record));
	return GC_OK;
}

static enum gc_verdict take_record(struct gc_capture *capture, struct gc_span line, struct gc_err *err)
{
	enum gc_verdict verdict = parse_record(capture, line, err);

	if (!verdict)
		verdict = take_position(capture, err);
	if (!verdict)
		verdict = take_texts(capture, err);
	if (!verdict)
		verdict = take_headers(capture, err);
	return verdict;
}

/* ---- files ---- */

static void set_place(struct gc_capture *capture)
{
	/* of a long path the end is what tells */
	const char *path = capture->path;
	size_t len = strlen(path);

	snprintf(capture->place, sizeof(capture->place), "%s:%llu", len > 100 ? path + len - 100 : path,
		 (unsigned long long)capture->line);
}

static gzFile open_file(const char *path)
{
	int fd = strcmp(path, "-") == 0 ? dup(STDIN_FILENO) : open(path, O_RDONLY | O_CLOEXEC);
	gzFile file;

	if (fd < 0)
		return NULL;
	file = gzdopen(fd, "rb");
	if (!file)
		close(fd);
	return file;
}

enum gc_verdict gc_capture_open(const char *path, struct gc_capture **ret_capture, struct gc_err *err)
{
	gzFile file = open_file(path);
	struct gc_capture *capture;

	if (!file)
		return gc_fail(err, GC_FATAL, "no_file", path, "the file cannot be opened: %s", strerror(errno));
	gzbuffer(file, READ_BYTES);
	capture = gc_calloc(1, sizeof(*capture));
	capture->file = file;
	gc_arena_init(&capture->arena);
	capture->path = gc_strdup(strcmp(path, "-") == 0 ? "stdin" : path);
	set_place(capture);
	*ret_capture = capture;
	return GC_OK;
}

void gc_capture_close(struct gc_capture *capture)
{
	if (!capture)
		return;
	gzclose(capture->file);
	gc_arena_done(&capture->arena);
	free(capture->headers);
	free(capture->buffer);
	free(capture->path);
	free(capture);
}

static enum gc_verdict fail_reading(struct gc_capture *capture, struct gc_err *err)
{
	int code;
	const char *text = gzerror(capture->file, &code);

	if (code == Z_ERRNO)
		text = strerror(errno);
	else if (code == Z_BUF_ERROR)
		text = "its gzip data stops in the middle";
	else
		text = strstr(text, ": ") ? strstr(text, ": ") + 2 : text; /* zlib puts the file before it */
	return gc_fail(err, GC_FATAL, "not_readable", capture->place, "the file cannot be read to its end: %s", text);
}

static enum line_state take_next_line(struct gc_capture *capture, struct gc_span *ret_line)
{
	enum line_state state;

	do {
		capture->line++;
		set_place(capture);
		state = take_line(capture, ret_line);
	} while (state == LINE_WHOLE && gc_span_trim(*ret_line).len == 0);
	return state;
}

enum gc_verdict gc_capture_next(struct gc_capture *capture, const struct gc_message **ret_message, struct gc_err *err)
{
	struct gc_span line;

	switch (take_next_line(capture, &line)) {
	case LINE_NONE:
		*ret_message = NULL;
		return GC_OK;
	case LINE_BROKEN:
		return fail_reading(capture, err);
	case LINE_TOO_LONG:
		return refuse(capture, err, "too_long", "the line is longer than %zu bytes", GC_CAPTURE_LINE_BYTES);
	case LINE_WHOLE:
		break;
	}
	if (take_record(capture, line, err))
		return err->verdict;
	if (capture->shift.row_s != 0 || capture->shift.journey_s != 0)
		gc_shift_message(&capture->message, &capture->shift, &capture->arena);
	*ret_message = &capture->message;
	return GC_OK;
}

const char *gc_capture_place(const struct gc_capture *capture)
{
	return capture->place;
}

/* ---- moved in time ---- */

const struct gc_json *gc_capture_member(const struct gc_capture *capture, const char *name)
{
	return member(capture, name);
}

void gc_capture_shift(struct gc_capture *capture, const struct gc_shift *shift)
{
	capture->shift = *shift;
}

static enum gc_verdict find_newest(const char *path, int64_t *newest_us, struct gc_err *err)
{
	const struct gc_message *message;
	struct gc_capture *capture;
	enum gc_verdict verdict;

	if (strcmp(path, "-") == 0)
		return gc_fail(err, GC_FATAL, "ending", "stdin",
			       "--ending reads its files twice, which it cannot do with stdin: name files");
	if (gc_capture_open(path, &capture, err))
		return err->verdict;
	do {
		verdict = gc_capture_next(capture, &message, err);
		if (verdict == GC_OK && message && message->timestamp_us > *newest_us)
			*newest_us = message->timestamp_us;
	} while (verdict == GC_REJECT || (verdict == GC_OK && message)); /* who publishes will refuse it by name */
	gc_capture_close(capture);
	return verdict;
}

enum gc_verdict gc_capture_ending(char *const *paths, size_t count, int64_t ending_us, struct gc_shift *ret_shift,
				  struct gc_err *err)
{
	int64_t newest_us = -1, by_s;

	for (size_t i = 0; i < count; i++) {
		if (find_newest(paths[i], &newest_us, err))
			return err->verdict;
	}
	if (newest_us < 0)
		return gc_fail(err, GC_FATAL, "ending", "",
			       "No record has a timestamp, so nothing says when the capture ended: leave out --ending");
	by_s = (ending_us - newest_us) / GC_SECOND_US - (ending_us < newest_us);
	*ret_shift = (struct gc_shift){ by_s, by_s };
	return GC_OK;
}
