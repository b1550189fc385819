/* gracecube dead export and import: dead letters as capture lines (kafka/capture.h), each with one member more:
 *
 *     "dead_letter": {"stream": "approval_requests", "code": "not_json", "where": "byte 1", "reason": "…", "dead_at": "…Z", "tries": 0}
 *
 * Guarantee: what is exported is imported byte for byte, and an import may be killed and repeated. A file of --out is there only once it is
 * whole. Threads: the main thread; the signal handler sets a flag.
 */
#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <unistd.h>

#include <gracecube/base64.h>
#include <gracecube/log.h>
#include <gracecube/stop.h>
#include <gracecube/stream.h>

#include "cli/dead.h"
#include "cli/group.h"
#include "cli/output.h"
#include "kafka/capture.h"

#define LETTERS_AT_ONCE 500
#define BYTES_AT_ONCE (INT64_C(16) << 20)
#define MEMBER "dead_letter"
/* Refused lines that are named one by one; the rest is only counted. */
#define NAMED_REFUSALS 100

/* ---- one line ---- */

static json_t *bytes_json(struct gc_span bytes, struct gc_arena *arena)
{
	char *base64;
	size_t len;

	if (!bytes.ptr)
		return json_null();
	if (gc_span_is_utf8(bytes))
		return json_stringn(bytes.ptr, bytes.len);
	len = gc_base64_bytes(bytes.len);
	base64 = gc_arena_alloc(arena, len + 1);
	gc_base64_put(base64, bytes);
	return json_pack("{s:s%}", "base64", base64, len);
}

static json_t *headers_json(const struct gc_message *message, struct gc_arena *arena)
{
	json_t *headers = json_array();

	for (size_t i = 0; i < message->header_count; i++)
		json_array_append_new(headers, json_pack("[o, o]", bytes_json(message->headers[i].name, arena),
							 bytes_json(message->headers[i].value, arena)));
	return headers;
}

static json_t *letter_json(const struct gc_letter *letter, struct gc_arena *arena)
{
	const struct gc_message *message = &letter->message;
	char dead_at[GC_TIME_TEXT_BYTES];

	return json_pack("{s:o, s:I, s:I, s:I, s:o, s:o, s:o, s:{s:o, s:o, s:o, s:o, s:s, s:I}}", "topic",
			 bytes_json(message->topic, arena), "partition", (json_int_t)message->partition, "offset",
			 (json_int_t)message->offset, "timestamp",
			 (json_int_t)(message->timestamp_us < 0 ? -1 : message->timestamp_us / 1000), "headers",
			 headers_json(message, arena), "key", bytes_json(message->key, arena), "value",
			 bytes_json(message->value, arena), MEMBER, "stream", bytes_json(letter->stream, arena), "code",
			 bytes_json(letter->code, arena), "where", bytes_json(letter->where, arena), "reason",
			 bytes_json(letter->reason, arena), "dead_at", gc_time_format(letter->dead_us, dead_at, sizeof(dead_at)),
			 "tries", (json_int_t)letter->tries);
}

/* ---- export ---- */

struct export
{
	const char *path; /* NULL: stdout */
	char *part;       /* what it is called until it is whole */
	FILE *out;
	int64_t selected, left, written;
};

static enum gc_verdict fail_file(const struct export *export, struct gc_err *err)
{
	return gc_fail(err, GC_FATAL, "no_file", export->path ? export->path : "stdout", "the file cannot be written: %s",
		       strerror(errno));
}

static enum gc_verdict open_out(struct export *export, struct gc_err *err)
{
	size_t bytes;

	export->out = stdout;
	if (!export->path)
		return GC_OK;
	bytes = strlen(export->path) + sizeof(".part");
	export->part = gc_malloc(bytes);
	snprintf(export->part, bytes, "%s.part", export->path);
	export->out = fopen(export->part, "w");
	return export->out ? GC_OK : fail_file(export, err);
}

/* Whole and on disk, or not there. */
static enum gc_verdict close_out(struct export *export, enum gc_verdict verdict, struct gc_err *err)
{
	bool written = export->out && fflush(export->out) == 0 && !ferror(export->out);

	if (!verdict && !written)
		verdict = fail_file(export, err);
	if (!export->path)
		return verdict;
	if (!verdict && fsync(fileno(export->out)) != 0)
		verdict = fail_file(export, err);
	if (export->out && fclose(export->out) != 0 && !verdict)
		verdict = fail_file(export, err);
	if (!verdict && !gc_stop_was_asked() && rename(export->part, export->path) != 0)
		verdict = fail_file(export, err);
	if (export->out && (verdict || gc_stop_was_asked()))
		unlink(export->part);
	free(export->part);
	return verdict;
}

static void write_letters(struct export *export, const struct gc_letter *letters, size_t count, struct gc_arena *arena)
{
	for (size_t i = 0; i < count; i++) {
		json_t *line = letter_json(&letters[i], arena);

		json_dumpf(line, export->out, 0);
		fputc('\n', export->out);
		json_decref(line);
		export->written++;
	}
}

static enum gc_verdict export_all(struct export *export, struct gc_pg *pg, struct gc_letter_selection selection, struct gc_err *err)
{
	struct gc_arena arena;
	struct gc_letter *letters;
	size_t count;
	enum gc_verdict verdict;

	gc_arena_init(&arena);
	do {
		gc_arena_reset(&arena, (size_t)BYTES_AT_ONCE);
		verdict = gc_pg_read_letters(pg, &selection, LETTERS_AT_ONCE, BYTES_AT_ONCE, &arena, &letters, &count, err);
		if (verdict || count == 0)
			break;
		write_letters(export, letters, count, &arena);
		selection.after_id = letters[count - 1].id;
	} while (!ferror(export->out) && !gc_stop_was_asked());
	gc_arena_done(&arena);
	return verdict;
}

static enum gc_verdict export_selected(struct export *export, struct gc_config *cfg, struct gc_letter_selection *selection,
				       struct gc_err *err)
{
	struct gc_pg *pg = NULL;
	enum gc_verdict verdict = gc_dead_open(cfg, &pg, err);

	if (!verdict)
		verdict = gc_dead_count(pg, cfg->kafka_group_id, selection, &export->selected, &export->left, err);
	if (!verdict && export->selected > 0) {
		verdict = open_out(export, err);
		if (!verdict)
			verdict = export_all(export, pg, *selection, err);
		verdict = close_out(export, verdict, err);
	}
	gc_pg_close(pg);
	return verdict;
}

int gc_dead_export(struct gc_command_line *line)
{
	const struct dead_options *options = line->options;
	struct export export = { .path = options->out };
	struct gc_letter_selection selection;
	struct gc_config cfg;
	struct gc_arena arena;
	struct gc_err err;
	enum gc_verdict verdict;
	int code;

	gc_arena_init(&arena);
	code = gc_dead_select(line, &arena, &selection);
	if (!code && selection.state == GC_LETTER_DISCARDED)
		code = gc_command_misuse(line, "the bytes of letters that were discarded are gone");
	if (!code && gc_command_config(line, &cfg, &err)) {
		code = gc_command_fail(&err);
	} else if (!code) {
		if (selection.state == GC_LETTER_ANY)
			selection.state = GC_LETTER_KEPT;
		gc_stop_on_signals(0);
		verdict = export_selected(&export, &cfg, &selection, &err);
		if (!verdict && export.path && export.selected > 0 && !gc_stop_was_asked())
			fprintf(stderr, "gracecube: %" PRId64 " dead letters are in %s\n", export.written, export.path);
		code = verdict ? gc_command_fail(&err) : gc_dead_was_stopped() || export.left > 0 ? GC_EXIT_FINDINGS : GC_EXIT_DONE;
		gc_config_free(&cfg);
	}
	gc_arena_done(&arena);
	return code;
}

/* ---- import ---- */

struct import {
	struct gc_pg *pg;
	const char *group;
	struct gc_letter letters[LETTERS_AT_ONCE];
	size_t count;
	int64_t bytes;
	struct gc_arena arena; /* of the buffered letters */
	int64_t read, imported, refused;
};

static enum gc_verdict refuse(const struct gc_capture *capture, struct gc_err *err, const char *code, const char *text)
{
	return gc_fail(err, GC_REJECT, code, gc_capture_place(capture), "%s", text);
}

/* A text of the letter's own; NULL where there is none. */
static struct gc_span text_of(const struct gc_json *letter, const char *name, struct gc_arena *arena)
{
	const struct gc_json *value = gc_json_get(letter, gc_span_of(name));

	return value && value->type == GC_JSON_STRING ? gc_arena_dup(arena, gc_json_text(value, arena, NULL)) : GC_SPAN_NULL;
}

static int64_t tries_of(const struct gc_json *letter)
{
	const struct gc_json *value = gc_json_get(letter, GC_LIT("tries"));

	return value && value->type == GC_JSON_INT && gc_json_int(value) > 0 ? gc_json_int(value) : 0;
}

static struct gc_message keep_message(const struct gc_message *message, struct gc_arena *arena)
{
	struct gc_message kept = *message;
	struct gc_header *headers = gc_arena_alloc(arena, message->header_count * sizeof(*headers));

	kept.topic = gc_arena_dup(arena, message->topic);
	kept.key = gc_arena_dup(arena, message->key);
	kept.value = gc_arena_dup(arena, message->value);
	kept.headers = headers;
	for (size_t i = 0; i < message->header_count; i++)
		headers[i] = (struct gc_header){ gc_arena_dup(arena, message->headers[i].name),
						 gc_arena_dup(arena, message->headers[i].value) };
	return kept;
}

static enum gc_verdict take_letter(struct gc_capture *capture, const struct gc_message *message, struct gc_arena *arena,
				   struct gc_letter *ret_letter, struct gc_err *err)
{
	const struct gc_json *own = gc_capture_member(capture, MEMBER);
	struct gc_letter letter = { .tries = tries_of(own) };

	if (!own || own->type != GC_JSON_OBJECT)
		return refuse(capture, err, "no_dead_letter",
			      "this is a record without \"" MEMBER
			      "\", which says why it was refused; `gracecube publish` sends records to Kafka");
	letter.stream = text_of(own, "stream", arena);
	letter.code = text_of(own, "code", arena);
	letter.where = text_of(own, "where", arena);
	letter.reason = text_of(own, "reason", arena);
	if (!letter.stream.ptr || !letter.code.ptr || !letter.where.ptr || !letter.reason.ptr)
		return refuse(capture, err, "no_reason", "\"" MEMBER "\" must have stream, code, where and reason, as texts");
	if (!gc_stream_find(letter.stream))
		return refuse(capture, err, "unknown_stream", "this gracecube does not know the stream of the letter");
	if (!gc_time_parse(text_of(own, "dead_at", arena), GC_UNIT_AUTO, &letter.dead_us))
		return refuse(capture, err, "no_time", "dead_at of \"" MEMBER "\" must be a time, like 2026-11-23T07:45:00Z");
	if (!message->topic.len || message->offset < 0)
		return refuse(capture, err, "no_place", "a dead letter has a topic and an offset");
	letter.message = keep_message(message, arena);
	*ret_letter = letter;
	return GC_OK;
}

/* The buffered letters are one transaction. */
static enum gc_verdict flush(struct import *import, struct gc_err *err)
{
	int64_t imported = 0;
	enum gc_verdict verdict = GC_OK;

	if (import->count > 0)
		verdict = gc_pg_import_letters(import->pg, import->group, import->letters, import->count, &imported, err);
	import->imported += imported;
	import->count = 0;
	import->bytes = 0;
	gc_arena_reset(&import->arena, (size_t)BYTES_AT_ONCE);
	return verdict;
}

static void tell_refused(struct import *import, const struct gc_err *err)
{
	import->refused++;
	if (import->refused <= NAMED_REFUSALS)
		gc_warn("line refused", GC_ERR_FIELDS(err));
	if (import->refused == NAMED_REFUSALS)
		gc_warn("further refused lines are only counted", GC_I("named", NAMED_REFUSALS));
}

/* GC_OK also for a refused line; *ret_more is false at the end of the file. */
static enum gc_verdict import_line(struct import *import, struct gc_capture *capture, bool *ret_more, struct gc_err *err)
{
	const struct gc_message *message = NULL;
	enum gc_verdict verdict = gc_capture_next(capture, &message, err);

	*ret_more = verdict != GC_OK || message != NULL;
	if (!*ret_more)
		return GC_OK;
	if (!verdict)
		verdict = take_letter(capture, message, &import->arena, &import->letters[import->count], err);
	if (verdict != GC_OK && verdict != GC_REJECT)
		return verdict;
	import->read++;
	if (verdict == GC_REJECT) {
		tell_refused(import, err);
		return GC_OK;
	}
	import->count++;
	import->bytes += (int64_t)(message->key.len + message->value.len);
	return import->count == LETTERS_AT_ONCE || import->bytes >= BYTES_AT_ONCE ? flush(import, err) : GC_OK;
}

static enum gc_verdict import_file(struct import *import, const char *path, struct gc_err *err)
{
	struct gc_capture *capture;
	enum gc_verdict verdict = GC_OK;
	bool more = true;

	if (gc_capture_open(path, &capture, err))
		return err->verdict;
	while (more && !verdict && !gc_stop_was_asked())
		verdict = import_line(import, capture, &more, err);
	gc_capture_close(capture);
	return verdict ? verdict : flush(import, err);
}

static void print_imported(const struct import *import, bool as_json)
{
	int64_t there = import->read - import->refused - import->imported;

	if (as_json)
		gc_output_print_json(json_pack("{s:I, s:I, s:I, s:I, s:b}", "read", (json_int_t)import->read, "imported",
					       (json_int_t)import->imported, "there_already", (json_int_t)there, "refused",
					       (json_int_t)import->refused, "stopped", gc_stop_was_asked()),
				     false);
	else
		printf("imported %" PRId64 " of %" PRId64 " lines as dead letters of group %s; %" PRId64
		       " were there already, %" PRId64 " are no dead letters\n",
		       import->imported, import->read, import->group, there, import->refused);
}

int gc_dead_import(struct gc_command_line *line)
{
	struct import *import;
	struct gc_config cfg;
	struct gc_err err;
	enum gc_verdict verdict;
	int code;

	if (gc_dead_check_flags(line))
		return GC_EXIT_USAGE;
	if (gc_command_config(line, &cfg, &err))
		return gc_command_fail(&err);
	gc_stop_on_signals(0);
	import = gc_calloc(1, sizeof(*import));
	gc_arena_init(&import->arena);
	verdict = gc_dead_open(&cfg, &import->pg, &err);
	import->group = cfg.kafka_group_id;
	for (int i = 0; !verdict && i < line->arg_count && !gc_stop_was_asked(); i++)
		verdict = import_file(import, line->args[i], &err);
	if (!verdict || import->imported > 0)
		print_imported(import, line->json);
	code = verdict ? gc_command_fail(&err) : gc_dead_was_stopped() || import->refused > 0 ? GC_EXIT_FINDINGS : GC_EXIT_DONE;
	gc_pg_close(import->pg);
	gc_arena_done(&import->arena);
	free(import);
	gc_config_free(&cfg);
	return code;
}
