/* Trickle: see trickle.h. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include <gracecube/chain.h>
#include <gracecube/map.h>
#include <gracecube/time.h>

#include "kafka/capture.h"
#include "kafka/edit.h"
#include "cli/trickle.h"

#define STORY_MAX_US (7 * GC_DAY_US)
#define PAUSE_US (10 * GC_SECOND_US)
#define ARENA_KEPT_BYTES ((size_t)1 << 20)
/* Rounds begin at least a second apart; numbers of the capture below this stay apart, and so do positions in a source's log. */
#define IDS_A_SECOND 1000
#define POSITIONS_A_SECOND 1000000

struct record {
	struct gc_message message;
	size_t order;      /* as it was read */
	int64_t order_us;  /* when it happened: the source's time of the change, else Kafka's */
	int64_t newest_us; /* of the row, INT64_MIN where it tells no time */
	size_t story;
};

/* All records of one key. */
struct story {
	bool is_left_out;
	int64_t row_s; /* in this round, from the captured times to now */
};

struct gc_trickle {
	const struct gc_config *config;
	struct gc_arena tape; /* what the records point into */
	struct record *records;
	size_t count, capacity;
	struct story *stories;
	size_t story_count;
	struct gc_map story_index; /* topic and key → index in stories */
	struct gc_map names;       /* that a round has to make anew */
	struct gc_map seen;        /* changes: a connector may send one twice */
	int64_t captured_until_us;

	int64_t sequence; /* of the log's last entry */
	char hash[GC_CHAIN_HASH_BYTES];

	int64_t step_us, round_began_us, paused_us;
	int64_t mark; /* of the round: seconds from the capture's end to its begin */
	size_t next;
	struct gc_arena made; /* what the message points into */
	struct gc_message message;
};

/* ---- what a record is ---- */

struct change {
	const struct gc_json *row; /* NULL of a delete */
	struct gc_span op, source; /* NULL where there is none */
	int64_t at_us;             /* 0 when the source does not say */
};

static struct gc_span text_of(const struct gc_json *value, struct gc_arena *arena)
{
	return value && value->type == GC_JSON_STRING ? gc_json_text(value, arena, NULL) : GC_SPAN_NULL;
}

/* Flat rows, envelopes with and without schema, flattened ones. False when it is none of them. */
static bool read_change(struct gc_span value, struct gc_arena *arena, struct change *ret_change)
{
	const struct gc_json *root, *payload, *source;
	struct gc_err err;

	if (gc_json_parse(value, arena, &root, &err) || root->type != GC_JSON_OBJECT)
		return false;
	payload = gc_json_get(root, GC_LIT("payload"));
	if (payload && payload->type == GC_JSON_OBJECT && gc_json_get(root, GC_LIT("schema")))
		root = payload;
	source = gc_json_get(root, GC_LIT("source"));
	*ret_change = (struct change){ .row = root, .op = text_of(gc_json_get(root, GC_LIT("__op")), arena) };
	if (source && source->type == GC_JSON_OBJECT && gc_json_get(root, GC_LIT("op"))) {
		ret_change->row = gc_json_get(root, GC_LIT("after"));
		ret_change->op = text_of(gc_json_get(root, GC_LIT("op")), arena);
		ret_change->source = gc_json_raw(source);
		ret_change->at_us = gc_json_int(gc_json_get(source, GC_LIT("ts_us")));
	}
	if (ret_change->row && ret_change->row->type != GC_JSON_OBJECT)
		ret_change->row = NULL;
	return true;
}

static bool tells_no_story(const struct gc_config *config, struct gc_span topic)
{
	static const char *const standing[] = { "governance_members", "tier_policies" };

	for (size_t s = 0; s < config->stream_count; s++) {
		for (size_t t = 0; t < config->streams[s].topic_count; t++) {
			if (!gc_span_equal(topic, gc_span_of(config->streams[s].topics[t])))
				continue;
			for (size_t i = 0; i < sizeof(standing) / sizeof(standing[0]); i++) {
				if (strcmp(config->streams[s].name, standing[i]) == 0)
					return true;
			}
			return false;
		}
	}
	return true; /* nobody reads it */
}

/* ---- names ---- */

static bool is_of_name(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.';
}

/* The next run of a name's characters from *from on. */
static bool next_token(struct gc_span text, size_t *from, struct gc_span *ret_token)
{
	size_t start = *from, end;

	while (start < text.len && !is_of_name(text.ptr[start]))
		start++;
	for (end = start; end < text.len && is_of_name(text.ptr[end]);)
		end++;
	*from = end;
	*ret_token = (struct gc_span){ text.ptr + start, end - start };
	return end > start;
}

/* Texts that name one thing, which is what a digit in them is for: contract-5654e29acb05237c-1793022720.938649. */
static void learn_names(struct gc_trickle *trickle, const struct gc_json *object)
{
	static const char *const members[] = { "id", "mission_id", "run_id", "error_id" };

	for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
		struct gc_span name = text_of(gc_json_get(object, gc_span_of(members[i])), &trickle->made), token;
		size_t from = 0;

		if (name.len >= 6 && memchr(name.ptr, '-', name.len) && next_token(name, &from, &token) && token.len == name.len)
			gc_map_put(&trickle->names, name, 1);
	}
}

/* Each name wherever it is mentioned, also within names of its own making ("run-" and a mission). */
static struct gc_span rename_all(const struct gc_trickle *trickle, struct gc_span text, struct gc_arena *arena)
{
	size_t from = 0, copied = 0, len = 0, capacity = text.len * 2 + 64;
	char *renamed = text.ptr ? gc_arena_alloc(arena, capacity) : NULL, mark[32];
	size_t mark_len = (size_t)snprintf(mark, sizeof(mark), "-%" PRId64, trickle->mark);
	struct gc_span token;
	int64_t known;

	while (text.ptr && next_token(text, &from, &token)) {
		if (!gc_map_get(&trickle->names, token, &known))
			continue;
		if (len + from - copied + mark_len + text.len - from > capacity) {
			char *larger = gc_arena_alloc(arena, capacity *= 2);

			memcpy(larger, renamed, len);
			renamed = larger;
		}
		memcpy(renamed + len, text.ptr + copied, from - copied);
		memcpy(renamed + len + from - copied, mark, mark_len);
		len += from - copied + mark_len;
		copied = from;
	}
	if (copied == 0)
		return text;
	memcpy(renamed + len, text.ptr + copied, text.len - copied);
	return (struct gc_span){ renamed, len + text.len - copied };
}

/* ---- numbers ---- */

struct numbering {
	struct gc_trickle *trickle;
	bool is_log;
	const char *hash; /* what entry_hash shall be; NULL: leave it */
};

static int64_t step_of(struct gc_span name)
{
	static const struct {
		const char *name;
		int64_t step;
	} members[] = {
		{ "id", IDS_A_SECOND },
		{ "run_id", IDS_A_SECOND },
		{ "event_id", IDS_A_SECOND },
		{ "event", IDS_A_SECOND },
		{ "approval_request_id", IDS_A_SECOND },
		{ "session_id", IDS_A_SECOND },
		{ "lsn", POSITIONS_A_SECOND },
		{ "__source_lsn", POSITIONS_A_SECOND },
	};

	for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
		if (gc_span_equal(name, gc_span_of(members[i].name)))
			return members[i].step;
	}
	return 0;
}

/* "security_event:72" */
static bool renumber_reference(const struct gc_trickle *trickle, struct gc_span text, struct gc_span *ret_new)
{
	struct gc_span what, number;
	int64_t id;

	if (!gc_span_split(text, ':', &what, &number) || !gc_span_equal(what, GC_LIT("security_event")) ||
	    !gc_span_int64(number, &id))
		return false;
	*ret_new = gc_arena_printf(&((struct gc_trickle *)trickle)->made, "security_event:%" PRId64,
				   id + trickle->mark * IDS_A_SECOND);
	return true;
}

static bool renumber_value(void *arg, const struct gc_edit_at *at, struct gc_span *ret_new)
{
	struct numbering *numbering = arg;
	struct gc_trickle *trickle = numbering->trickle;
	struct gc_span text = { at->value->ptr, at->value->len };
	int64_t number = gc_json_int(at->value), step = at->value->type == GC_JSON_INT ? step_of(at->name) : 0;

	if (numbering->hash) {
		*ret_new = gc_span_of(numbering->hash);
		return gc_span_equal(at->name, GC_LIT("entry_hash"));
	}
	if (numbering->is_log && gc_span_equal(at->name, GC_LIT("sequence")) && at->value->type == GC_JSON_INT)
		*ret_new = gc_arena_printf(&trickle->made, "%" PRId64, trickle->sequence);
	else if (numbering->is_log && gc_span_equal(at->name, GC_LIT("previous_hash")))
		*ret_new = gc_span_of(trickle->hash);
	else if (step > 0)
		*ret_new = gc_arena_printf(&trickle->made, "%" PRId64, number + trickle->mark * step);
	else
		return at->value->type == GC_JSON_STRING && renumber_reference(trickle, text, ret_new);
	return true;
}

static bool is_log_entry(const struct gc_json *row)
{
	return row && gc_json_get(row, GC_LIT("sequence")) && gc_json_get(row, GC_LIT("entry_hash")) &&
	       gc_json_get(row, GC_LIT("previous_hash"));
}

static struct gc_chain_entry entry_of(const struct gc_json *row, struct gc_arena *arena)
{
	return (struct gc_chain_entry){
		.sequence = gc_json_int(gc_json_get(row, GC_LIT("sequence"))),
		.actor = text_of(gc_json_get(row, GC_LIT("actor")), arena),
		.action = text_of(gc_json_get(row, GC_LIT("action")), arena),
		.resource = text_of(gc_json_get(row, GC_LIT("resource")), arena),
		.payload = text_of(gc_json_get(row, GC_LIT("payload")), arena),
		.result = text_of(gc_json_get(row, GC_LIT("result")), arena),
		.previous_hash = text_of(gc_json_get(row, GC_LIT("previous_hash")), arena),
	};
}

/* Links the entry to the one before it, and hashes what it says now. */
static struct gc_span chain(struct gc_trickle *trickle, struct gc_span value)
{
	struct numbering numbering = { trickle, .is_log = true };
	struct change change;
	struct gc_chain_entry entry;

	trickle->sequence++;
	value = gc_edit_json(value, renumber_value, &numbering, &trickle->made);
	if (!read_change(value, &trickle->made, &change) || !change.row)
		return value;
	entry = entry_of(change.row, &trickle->made);
	if (!gc_chain_hash(&entry, &trickle->made, trickle->hash))
		return value;
	numbering.hash = gc_arena_dup(&trickle->made, gc_span_of(trickle->hash)).ptr;
	return gc_edit_json(value, renumber_value, &numbering, &trickle->made);
}

static struct gc_span renumber(struct gc_trickle *trickle, struct gc_span json)
{
	struct numbering numbering = { trickle, .is_log = false };
	struct change change;

	if (json.ptr && read_change(json, &trickle->made, &change) && is_log_entry(change.row))
		return chain(trickle, json);
	return gc_edit_json(json, renumber_value, &numbering, &trickle->made);
}

/* ---- the tape ---- */

static size_t find_story(struct gc_trickle *trickle, const struct gc_message *message)
{
	struct gc_span key = gc_arena_printf(&trickle->made, "%.*s %.*s", (int)message->topic.len, message->topic.ptr,
					     (int)message->key.len, message->key.ptr ? message->key.ptr : "");
	int64_t index = (int64_t)trickle->story_count;

	if (gc_map_get(&trickle->story_index, key, &index))
		return (size_t)index;
	gc_map_put(&trickle->story_index, key, index);
	trickle->stories = gc_realloc(trickle->stories, ++trickle->story_count * sizeof(*trickle->stories));
	trickle->stories[index] = (struct story){ .row_s = 0 };
	return (size_t)index;
}

/* Sent before: the same change of the same source. */
static bool is_repeated(struct gc_trickle *trickle, const struct gc_message *message, const struct change *change)
{
	struct gc_span what;
	int64_t once;

	if (!change->source.ptr)
		return false;
	what = gc_arena_printf(&trickle->made, "%.*s %.*s %.*s %.*s", (int)message->topic.len, message->topic.ptr,
			       (int)message->key.len, message->key.ptr ? message->key.ptr : "", (int)change->op.len,
			       change->op.ptr ? change->op.ptr : "", (int)change->source.len, change->source.ptr);
	if (gc_map_get(&trickle->seen, what, &once))
		return true;
	gc_map_put(&trickle->seen, what, 1);
	return false;
}

static void add_record(struct gc_trickle *trickle, const struct gc_message *message, const struct change *change)
{
	struct gc_arena *tape = &trickle->tape;
	int64_t oldest_us, order_us = change->at_us > 0 ? change->at_us : message->timestamp_us;
	struct record *record;

	if (trickle->count == trickle->capacity) {
		trickle->capacity = trickle->capacity * 2 + 1024;
		trickle->records = gc_realloc(trickle->records, trickle->capacity * sizeof(*trickle->records));
	}
	record = &trickle->records[trickle->count];
	*record = (struct record){ .message = *message, .order = trickle->count++, .order_us = order_us, .newest_us = INT64_MIN };
	record->message.topic = gc_arena_dup(tape, message->topic);
	record->message.key = gc_arena_dup(tape, message->key);
	record->message.value = gc_arena_dup(tape, message->value);
	record->message.headers = NULL; /* a connector's own */
	record->message.header_count = 0;
	record->story = find_story(trickle, message);
	if (gc_shift_range(message->value, &trickle->made, &oldest_us, &record->newest_us) &&
	    record->newest_us - oldest_us > STORY_MAX_US)
		trickle->stories[record->story].is_left_out = true;
}

/* The chain goes on behind its newest entry. */
static void remember_log(struct gc_trickle *trickle, const struct gc_json *row)
{
	struct gc_span hash;
	int64_t sequence;

	if (!is_log_entry(row))
		return;
	hash = text_of(gc_json_get(row, GC_LIT("entry_hash")), &trickle->made);
	sequence = gc_json_int(gc_json_get(row, GC_LIT("sequence")));
	if (sequence <= trickle->sequence || hash.len != GC_CHAIN_HASH_BYTES - 1)
		return;
	trickle->sequence = sequence;
	memcpy(trickle->hash, hash.ptr, hash.len);
}

static bool happens(const struct change *change)
{
	return !gc_span_equal(change->op, GC_LIT("r")) && !gc_span_equal(change->op, GC_LIT("m")) &&
	       !gc_span_equal(change->op, GC_LIT("t"));
}

/* *is_dropped: of the record before, whose tombstone goes with it. */
static void take_record(struct gc_trickle *trickle, const struct gc_message *message, bool *is_dropped)
{
	struct change change = { .at_us = 0 };

	if (message->timestamp_us > trickle->captured_until_us)
		trickle->captured_until_us = message->timestamp_us;
	if (tells_no_story(trickle->config, message->topic) || message->timestamp_us < 0)
		return;
	if (message->value.ptr) {
		if (!read_change(message->value, &trickle->made, &change))
			return;
		remember_log(trickle, change.row);
		*is_dropped = !happens(&change) || is_repeated(trickle, message, &change);
	}
	if (*is_dropped || trickle->tape.used_bytes > GC_TRICKLE_BYTES)
		return;
	if (change.row)
		learn_names(trickle, change.row);
	add_record(trickle, message, &change);
}

static enum gc_verdict read_file(struct gc_trickle *trickle, const char *path, struct gc_err *err)
{
	struct gc_capture *capture = NULL;
	const struct gc_message *message;
	bool is_dropped = false;
	enum gc_verdict verdict = gc_capture_open(path, &capture, err);

	while (verdict == GC_OK) {
		verdict = gc_capture_next(capture, &message, err);
		if (verdict == GC_REJECT) {
			verdict = GC_OK; /* what cannot be read is no model */
			continue;
		}
		if (verdict != GC_OK || !message)
			break;
		gc_arena_reset(&trickle->made, ARENA_KEPT_BYTES);
		take_record(trickle, message, &is_dropped);
	}
	gc_capture_close(capture);
	return verdict;
}

/* Within a file the order is that of its lines: a partition's. */
static void keep_order_of_lines(struct gc_trickle *trickle, size_t from)
{
	for (size_t i = from + 1; i < trickle->count; i++) {
		if (trickle->records[i].order_us < trickle->records[i - 1].order_us)
			trickle->records[i].order_us = trickle->records[i - 1].order_us;
	}
}

static int compare_records(const void *a, const void *b)
{
	const struct record *first = a, *second = b;

	if (first->order_us != second->order_us)
		return first->order_us < second->order_us ? -1 : 1;
	return first->order < second->order ? -1 : 1;
}

static void sort_tape(struct gc_trickle *trickle)
{
	size_t kept = 0;

	for (size_t i = 0; i < trickle->count; i++) {
		if (!trickle->stories[trickle->records[i].story].is_left_out)
			trickle->records[kept++] = trickle->records[i];
	}
	trickle->count = kept;
	if (kept > 0)
		qsort(trickle->records, kept, sizeof(*trickle->records), compare_records);
}

/* ---- rounds ---- */

static int64_t due_us(const struct gc_trickle *trickle, size_t index)
{
	return trickle->round_began_us + trickle->paused_us + (int64_t)(index + 1) * trickle->step_us;
}

/* Down, also below zero: nothing may come to lie in the future. */
static int64_t whole_seconds(int64_t us)
{
	return us / GC_SECOND_US - (us % GC_SECOND_US < 0);
}

/* Each story is moved as far as it goes without any of its rows telling of a time after it has been told. */
static void begin_round(struct gc_trickle *trickle, int64_t now_us)
{
	int64_t mark = whole_seconds(now_us - trickle->captured_until_us);

	trickle->mark = mark > trickle->mark ? mark : trickle->mark + 1;
	trickle->round_began_us = now_us;
	trickle->paused_us = 0;
	trickle->next = 0;
	for (size_t s = 0; s < trickle->story_count; s++)
		trickle->stories[s].row_s = INT64_MAX;
	for (size_t i = 0; i < trickle->count; i++) {
		struct record *record = &trickle->records[i];
		struct story *story = &trickle->stories[record->story];
		int64_t row_s = record->newest_us == INT64_MIN ? INT64_MAX : whole_seconds(due_us(trickle, i) - record->newest_us);

		story->row_s = row_s < story->row_s ? row_s : story->row_s;
	}
}

int64_t gc_trickle_wait_us(struct gc_trickle *trickle, int64_t now_us)
{
	int64_t wait_us;

	if (trickle->next == trickle->count)
		begin_round(trickle, now_us);
	wait_us = due_us(trickle, trickle->next) - now_us;
	if (wait_us < -PAUSE_US) {
		trickle->paused_us -= wait_us / GC_SECOND_US * GC_SECOND_US;
		wait_us = 0;
	}
	return wait_us < 0 ? 0 : wait_us;
}

const struct gc_message *gc_trickle_next(struct gc_trickle *trickle)
{
	const struct record *record = &trickle->records[trickle->next];
	int64_t at_us = due_us(trickle, trickle->next++), row_s = trickle->stories[record->story].row_s;
	struct gc_shift shift = { row_s == INT64_MAX ? 0 : row_s + trickle->paused_us / GC_SECOND_US,
				  whole_seconds(at_us - record->message.timestamp_us) };
	struct gc_message *message = &trickle->message;

	gc_arena_reset(&trickle->made, ARENA_KEPT_BYTES);
	*message = record->message;
	message->key = renumber(trickle, rename_all(trickle, message->key, &trickle->made));
	message->value = renumber(trickle, rename_all(trickle, message->value, &trickle->made));
	gc_shift_message(message, &shift, &trickle->made);
	message->timestamp_us = at_us;
	return message;
}

/* ---- open and close ---- */

enum gc_verdict gc_trickle_open(const struct gc_config *config, char *const *paths, size_t count, int64_t per_second,
				struct gc_trickle **ret_trickle, struct gc_err *err)
{
	struct gc_trickle *trickle = gc_calloc(1, sizeof(*trickle));
	enum gc_verdict verdict = GC_OK;
	int64_t since_s;

	trickle->config = config;
	trickle->step_us = GC_SECOND_US / per_second;
	gc_arena_init(&trickle->tape);
	gc_arena_init(&trickle->made);
	gc_map_init(&trickle->story_index);
	gc_map_init(&trickle->names);
	gc_map_init(&trickle->seen);
	for (size_t i = 0; verdict == GC_OK && i < count; i++) {
		size_t from = trickle->count;

		verdict = read_file(trickle, paths[i], err);
		keep_order_of_lines(trickle, from);
	}
	sort_tape(trickle);
	if (verdict == GC_OK && trickle->count == 0)
		verdict = gc_fail(
			err, GC_FATAL, "trickle", count > 0 ? paths[0] : "",
			"Nothing happens in these files that could happen again: they hold no changes of streams that are read");
	if (verdict != GC_OK) {
		gc_trickle_close(trickle);
		return verdict;
	}
	since_s = whole_seconds(gc_now_us() - trickle->captured_until_us);
	trickle->sequence += since_s > 0 ? since_s * per_second : 0; /* behind what an earlier trickle made */
	trickle->next = trickle->count;
	*ret_trickle = trickle;
	return GC_OK;
}

void gc_trickle_close(struct gc_trickle *trickle)
{
	if (!trickle)
		return;
	gc_map_done(&trickle->story_index);
	gc_map_done(&trickle->names);
	gc_map_done(&trickle->seen);
	gc_arena_done(&trickle->tape);
	gc_arena_done(&trickle->made);
	free(trickle->records);
	free(trickle->stories);
	free(trickle);
}
