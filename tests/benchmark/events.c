/* Events: see events.h. Threads: no shared state. */
#include "events.h"

#include <kafka/capture.h>
#include <gracecube/arena.h>
#include <gracecube/json.h>
#include <gracecube/map.h>
#include <gracecube/time.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

/* What each copy has of its own; the rest of a record is literal. */
enum slot { SLOT_NONE, SLOT_ID, SLOT_PLAN, SLOT_LSN };

struct piece {
	struct gc_span literal;
	enum slot slot;    /* what stands behind it */
	uint64_t captured; /* that, as a number: a hash of an id */
};

/* A text, cut into pieces. */
struct form {
	struct piece *pieces;
	size_t count;
	size_t bytes; /* of the captured text */
	bool is_null;
};

struct record {
	struct gc_message message;
	struct form key, value;
};

struct bench_events {
	struct bench_events_options options;
	struct gc_arena arena; /* texts of the records */
	struct record *records;
	size_t count, room;
	struct gc_map seen; /* key and place in the source; while reading */
	uint64_t first_lsn, last_lsn;
	uint64_t next;
	char *key, *value; /* of the last message */
};

/* splitmix64, https://prng.di.unimi.it/splitmix64.c: any number to a well mixed one */
static uint64_t mix(uint64_t x)
{
	x += 0x9e3779b97f4a7c15;
	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
	x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
	return x ^ (x >> 31);
}

/* ---- cutting ---- */

static size_t span_of_digits(const char *at, size_t most)
{
	size_t n = strspn(at, "0123456789abcdef");

	return n < most ? n : most;
}

/* "contract-" and sixteen hexadecimal digits, "plan-" and eight, "lsn": and a number; in JSON inside of a text, too, for ids. */
static enum slot slot_at(const char *at, size_t *ret_before, size_t *ret_length)
{
	static const struct {
		const char *before;
		size_t digits; /* 0: a number */
		enum slot slot;
	} cuts[] = { { "contract-", 16, SLOT_ID }, { "plan-", 8, SLOT_PLAN }, { "\"lsn\":", 0, SLOT_LSN } };

	for (size_t i = 0; i < sizeof(cuts) / sizeof(cuts[0]); i++) {
		*ret_before = strlen(cuts[i].before);
		if (strncmp(at, cuts[i].before, *ret_before) != 0)
			continue;
		*ret_length = cuts[i].digits ? span_of_digits(at + *ret_before, cuts[i].digits)
					     : strspn(at + *ret_before, "0123456789");
		if (*ret_length > 0 && (cuts[i].digits == 0 || *ret_length == cuts[i].digits))
			return cuts[i].slot;
	}
	return SLOT_NONE;
}

static void add_piece(struct form *form, const char *from, const char *to, enum slot slot, size_t length)
{
	uint64_t captured = slot == SLOT_LSN    ? strtoull(to, NULL, 10)
			    : slot == SLOT_NONE ? 0
						: gc_span_hash((struct gc_span){ to, length });

	form->pieces = gc_realloc(form->pieces, (form->count + 1) * sizeof(*form->pieces));
	form->pieces[form->count++] = (struct piece){ { from, (size_t)(to - from) }, slot, captured };
}

static struct form cut_form(struct gc_span text)
{
	struct form form = { .bytes = text.len, .is_null = !text.ptr };
	const char *from = text.ptr;

	if (form.is_null)
		return form;
	for (const char *at = text.ptr; *at;) {
		size_t before, length;
		enum slot slot = slot_at(at, &before, &length);

		if (slot == SLOT_NONE) {
			at++;
			continue;
		}
		add_piece(&form, from, at + before, slot, length);
		from = at = at + before + length;
	}
	add_piece(&form, from, text.ptr + text.len, SLOT_NONE, 0);
	return form;
}

/* ---- reading ---- */

static struct gc_message dup_message(struct gc_arena *arena, const struct gc_message *message)
{
	struct gc_message copy = *message;
	struct gc_header *headers = gc_arena_alloc(arena, message->header_count * sizeof(*headers));

	copy.topic = gc_arena_dup(arena, message->topic);
	copy.key = gc_arena_dup(arena, message->key);
	if (message->value.ptr)
		copy.value = gc_arena_dup(arena, message->value);
	for (size_t i = 0; i < message->header_count; i++)
		headers[i] = (struct gc_header){ gc_arena_dup(arena, message->headers[i].name),
						 gc_arena_dup(arena, message->headers[i].value) };
	copy.headers = headers;
	return copy;
}

static uint64_t lsn_of(const struct form *value)
{
	for (size_t i = 0; i < value->count; i++) {
		if (value->pieces[i].slot == SLOT_LSN)
			return value->pieces[i].captured;
	}
	return 0;
}

static bool is_change(struct bench_events *events, const struct gc_message *message)
{
	const struct gc_json *root, *after;
	char *mark;
	bool is_new;
	int64_t any;
	size_t length = message->key.len + 64;

	if (!message->value.ptr || gc_json_parse(message->value, &events->arena, &root, NULL) != GC_OK)
		return false;
	after = gc_json_get(root, GC_LIT("after"));
	mark = gc_arena_alloc(&events->arena, length);
	length = (size_t)snprintf(mark, length, "%.*s %" PRId64, (int)message->key.len, message->key.ptr,
				  gc_json_int(gc_json_get(gc_json_get(root, GC_LIT("source")), GC_LIT("ts_us"))));
	is_new = !gc_map_get(&events->seen, (struct gc_span){ mark, length }, &any);
	gc_map_put(&events->seen, (struct gc_span){ mark, length }, 1);
	return is_new && after && after->type == GC_JSON_OBJECT;
}

static void keep_record(struct bench_events *events, const struct gc_message *message)
{
	struct record *record;
	uint64_t lsn;

	if (events->count == events->room) {
		events->room = events->room ? 2 * events->room : 1024;
		events->records = gc_realloc(events->records, events->room * sizeof(*events->records));
	}
	record = &events->records[events->count++];
	record->message = dup_message(&events->arena, message);
	record->key = cut_form(record->message.key);
	record->value = cut_form(record->message.value);
	lsn = lsn_of(&record->value);
	if (lsn > 0 && (events->first_lsn == 0 || lsn < events->first_lsn))
		events->first_lsn = lsn;
	if (lsn > events->last_lsn)
		events->last_lsn = lsn;
}

enum gc_verdict bench_events_open(const struct bench_events_options *options, struct bench_events **ret_events, struct gc_err *err)
{
	struct bench_events *events = gc_calloc(1, sizeof(*events));
	const struct gc_message *message = NULL;
	struct gc_capture *capture = NULL;
	enum gc_verdict verdict = gc_capture_open(options->capture, &capture, err);

	events->options = *options;
	gc_arena_init(&events->arena);
	gc_map_init(&events->seen);
	while (verdict == GC_OK) {
		verdict = gc_capture_next(capture, &message, err);
		if (verdict != GC_OK || !message)
			break;
		if (!options->changes_only || is_change(events, message))
			keep_record(events, message);
	}
	gc_capture_close(capture);
	if (verdict == GC_OK && events->count == 0)
		verdict = gc_fail(err, GC_FATAL, "no_records", options->capture, "no records are in %s", options->capture);
	if (verdict != GC_OK)
		bench_events_close(events);
	else
		*ret_events = events;
	return verdict;
}

void bench_events_close(struct bench_events *events)
{
	if (!events)
		return;
	for (size_t i = 0; i < events->count; i++) {
		free(events->records[i].key.pieces);
		free(events->records[i].value.pieces);
	}
	free(events->records);
	free(events->key);
	free(events->value);
	gc_map_done(&events->seen);
	gc_arena_done(&events->arena);
	free(events);
}

/* ---- filling in ---- */

#define SLOT_BYTES_MAX 32 /* what an id or a number takes, with its end */

static size_t put_slot(const struct bench_events *events, const struct piece *piece, char *at)
{
	uint64_t copy = events->next / events->count;
	uint64_t renewed = mix(piece->captured ^ mix(events->options.salt * 0x10001 + copy));

	switch (piece->slot) {
	case SLOT_ID:
		return (size_t)snprintf(at, SLOT_BYTES_MAX, "%016" PRIx64, renewed);
	case SLOT_PLAN:
		return (size_t)snprintf(at, SLOT_BYTES_MAX, "%08" PRIx64, renewed >> 32);
	case SLOT_LSN:
		return (size_t)snprintf(at, SLOT_BYTES_MAX, "%" PRIu64,
					piece->captured + copy * (events->last_lsn - events->first_lsn + 8));
	case SLOT_NONE:
		break;
	}
	return 0;
}

static struct gc_span fill_form(const struct bench_events *events, const struct form *form, char **buffer)
{
	char *at = *buffer = gc_realloc(*buffer, form->bytes + form->count * SLOT_BYTES_MAX + 1);

	if (form->is_null)
		return (struct gc_span){ NULL, 0 };
	for (size_t i = 0; i < form->count; i++) {
		memcpy(at, form->pieces[i].literal.ptr, form->pieces[i].literal.len);
		at += form->pieces[i].literal.len;
		at += put_slot(events, &form->pieces[i], at);
	}
	return (struct gc_span){ *buffer, (size_t)(at - *buffer) };
}

bool bench_events_next(struct bench_events *events, struct gc_message *ret_message)
{
	const struct record *record = &events->records[events->next % events->count];

	if (events->next >= events->options.count)
		return false;
	*ret_message = record->message;
	ret_message->offset = (int64_t)events->next;
	ret_message->partition = 0;
	ret_message->timestamp_us = -1;
	ret_message->key = fill_form(events, &record->key, &events->key);
	ret_message->value = fill_form(events, &record->value, &events->value);
	events->next++;
	return true;
}
