/* Replay: see replay.h. The files are read twice: once for what they have, once to apply it. Threads: a replay belongs to one thread. */
#include "worker/replay.h"

#include "kafka/capture.h"
#include "worker/pipeline.h"

#include <gracecube/arena.h>
#include <gracecube/stop.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define ATTEMPTS_MAX 10
#define ATTEMPT_WAIT_US (GC_SECOND_US / 5)
#define ARENA_KEEP_BYTES (64u << 20)

/* A partition that the files have records of. */
struct part {
	char *topic;
	int32_t partition;
	int64_t first, end;
};

struct gc_replay {
	struct gc_source source; /* first: its calls find the replay around it */
	char *const *paths;
	size_t path_count;
	struct part *parts;
	size_t part_count, part_found; /* the one that the last line was of */

	/* while it is applied */
	const struct gc_replay_run *run;
	struct gc_positions *positions;
	struct gc_worker_counters counters;
	struct gc_pipeline pipeline;
	struct gc_arena arena; /* of the records that are not applied yet */
	size_t assignment_found;
	struct gc_err halt; /* GC_OK: none is halted */
};

/* ---- what the files have ---- */

static bool is_of(struct gc_span topic, int32_t partition, const struct gc_message *message)
{
	return partition == message->partition && gc_span_equal(topic, message->topic);
}

static struct part *part_of(struct gc_replay *replay, const struct gc_message *message)
{
	size_t i = replay->part_found;

	for (size_t n = 0; n < replay->part_count; n++, i = (i + 1) % replay->part_count) {
		if (is_of(gc_span_of(replay->parts[i].topic), replay->parts[i].partition, message)) {
			replay->part_found = i;
			return &replay->parts[i];
		}
	}
	replay->parts = gc_realloc(replay->parts, (replay->part_count + 1) * sizeof(*replay->parts));
	replay->part_found = replay->part_count++;
	replay->parts[replay->part_found] = (struct part){ .topic = gc_malloc(message->topic.len + 1),
							   .partition = message->partition,
							   .first = message->offset };
	memcpy(replay->parts[replay->part_found].topic, message->topic.ptr, message->topic.len);
	replay->parts[replay->part_found].topic[message->topic.len] = '\0';
	return &replay->parts[replay->part_found];
}

static enum gc_verdict note_record(struct gc_replay *replay, const struct gc_capture *capture, const struct gc_message *message,
				   struct gc_err *err)
{
	const char *place = gc_capture_place(capture);
	struct part *part;

	if (message->topic.len == 0 || message->offset < 0)
		return gc_fail(err, GC_FATAL, "no_offset", place,
			       "the record does not say where it stood on its topic; each must have topic, partition and offset");
	part = part_of(replay, message);
	if (message->offset < part->end)
		return gc_fail(err, GC_FATAL, "order", place,
			       "offset %" PRId64 " of %s[%d] stands behind offset %" PRId64
			       "; name the files in the order of their records, and each once",
			       message->offset, part->topic, part->partition, part->end - 1);
	part->end = message->offset + 1;
	return GC_OK;
}

/* Each record of one file, until `take` says otherwise. */
static enum gc_verdict fail_stopped(struct gc_err *err)
{
	return gc_fail(err, GC_RETRY, "stopped", "", "stopped by a signal; the same command goes on where it was");
}

static enum gc_verdict each_record(struct gc_replay *replay, const char *path,
				   enum gc_verdict (*take)(struct gc_replay *replay, const struct gc_capture *capture,
							   const struct gc_message *message, struct gc_err *err),
				   struct gc_err *err)
{
	const struct gc_message *message;
	struct gc_capture *capture;
	enum gc_verdict verdict = gc_capture_open(path, &capture, err);

	if (verdict != GC_OK)
		return verdict;
	do {
		verdict = gc_capture_next(capture, &message, err);
		if (verdict == GC_OK && message)
			verdict = take(replay, capture, message, err);
		if (verdict == GC_OK && gc_stop_was_asked())
			verdict = fail_stopped(err);
	} while (verdict == GC_OK && message);
	gc_capture_close(capture);
	return verdict;
}

enum gc_verdict gc_replay_open(char *const *paths, size_t count, struct gc_replay **ret_replay, struct gc_err *err)
{
	struct gc_replay *replay = gc_calloc(1, sizeof(*replay));
	enum gc_verdict verdict = GC_OK;

	replay->paths = paths;
	replay->path_count = count;
	for (size_t i = 0; verdict == GC_OK && i < count; i++) {
		if (strcmp(paths[i], "-") == 0)
			verdict = gc_fail(err, GC_FATAL, "stdin", "stdin",
					  "capture files are read twice, which cannot be done with stdin: name files");
		else
			verdict = each_record(replay, paths[i], note_record, err);
	}
	if (verdict == GC_REJECT) /* a line that is no record */
		verdict = err->verdict = GC_FATAL;
	if (verdict == GC_OK)
		*ret_replay = replay;
	else
		gc_replay_close(replay);
	return verdict;
}

void gc_replay_close(struct gc_replay *replay)
{
	if (!replay)
		return;
	for (size_t i = 0; i < replay->part_count; i++)
		free(replay->parts[i].topic);
	free(replay->parts);
	free(replay);
}

bool gc_replay_has(const struct gc_replay *replay, const char *topic, int32_t partition, int64_t *ret_first, int64_t *ret_end)
{
	for (size_t i = 0; i < replay->part_count; i++) {
		if (replay->parts[i].partition == partition && strcmp(replay->parts[i].topic, topic) == 0) {
			*ret_first = replay->parts[i].first;
			*ret_end = replay->parts[i].end;
			return true;
		}
	}
	return false;
}

/* ---- the source ---- */

static void halt_assignment(struct gc_source *source, struct gc_assignment *assignment, const struct gc_err *why)
{
	(void)assignment;
	((struct gc_replay *)source)->halt = *why;
}

static void assignment_recovered(struct gc_source *source, struct gc_assignment *assignment)
{
	(void)source;
	(void)assignment;
}

/* Headers are with the message. */
static const struct gc_source_calls replay_calls = { NULL, halt_assignment, assignment_recovered };

static enum gc_verdict claim(struct gc_replay *replay, struct gc_err *err)
{
	const struct gc_replay_run *run = replay->run;
	struct gc_claim *claims = gc_calloc(run->count + 1, sizeof(*claims));
	char owner[192], host[128] = "";
	enum gc_verdict verdict;

	gethostname(host, sizeof(host) - 1);
	snprintf(owner, sizeof(owner), "%s:%d:files", host, (int)getpid());
	replay->source.assignments = gc_calloc(run->count + 1, sizeof(*replay->source.assignments));
	replay->source.assignment_count = run->count;
	for (size_t i = 0; i < run->count; i++) {
		const struct gc_stream_config *stream = gc_config_stream_of(run->config, gc_span_of(run->places[i].topic));

		replay->source.assignments[i] = (struct gc_assignment){
			.position = gc_position_get(replay->positions, run->places[i].topic, run->places[i].partition),
			.partition = run->places[i].partition,
			.stream = gc_stream_find(gc_span_of(stream->name)),
			.unit = stream->time_unit,
			.applies_truncate = stream->truncate == GC_APPLY,
		};
		claims[i] = (struct gc_claim){ .stream = stream->name,
					       .topic = gc_span_of(run->places[i].topic),
					       .partition = run->places[i].partition };
	}
	verdict = gc_pg_claim(replay->pipeline.pg, run->config->kafka_group_id, owner, claims, run->count, err);
	for (size_t i = 0; verdict == GC_OK && i < run->count; i++) {
		replay->source.assignments[i].offset_id = claims[i].offset_id;
		replay->source.assignments[i].owner_epoch = claims[i].owner_epoch;
		replay->source.assignments[i].next_offset = claims[i].next_offset;
		replay->source.assignments[i].last_hash = claims[i].last_hash;
		replay->source.assignments[i].order = claims[i].order;
		replay->source.assignments[i].truncated = claims[i].truncated;
	}
	free(claims);
	return verdict;
}

/* ---- applying ---- */

/* What ends by being tried again is; a database that is away is not waited for. */
static enum gc_verdict attempt(void *arg, size_t from, size_t to, const struct gc_err *reject_reason, struct gc_err *err)
{
	struct gc_pipeline *pipeline = &((struct gc_replay *)arg)->pipeline;
	bool has_forgotten = false;
	enum gc_verdict verdict = GC_OK;

	for (int i = 0; i < ATTEMPTS_MAX; i++) {
		verdict = gc_pipeline_try(pipeline, from, to, reject_reason, err);
		if (verdict == GC_REJECT && strcmp(err->code, GC_PG_NO_PARTITION) == 0 && !has_forgotten) {
			gc_dimension_cache_clear(&pipeline->cache);
			has_forgotten = true;
			continue;
		}
		if (verdict != GC_RETRY || gc_pg_is_lost(pipeline->pg) || gc_stop_was_asked() || gc_sqlstate_wants_less(err->code))
			break;
		gc_sleep_us(ATTEMPT_WAIT_US);
	}
	return verdict;
}

static bool is_over(void *arg)
{
	(void)arg;
	return gc_stop_was_asked();
}

static enum gc_verdict apply_records(struct gc_replay *replay, struct gc_err *err)
{
	const struct gc_retry_policy policy = { attempt, is_over, replay };
	enum gc_verdict verdict = GC_OK;

	replay->pipeline.done = 0;
	while (verdict == GC_OK && replay->pipeline.done < replay->source.record_count && !gc_stop_was_asked())
		verdict = gc_pipeline_run(&replay->pipeline, &policy, err);
	if (verdict == GC_OK && replay->pipeline.done < replay->source.record_count)
		verdict = fail_stopped(err);
	replay->source.record_count = replay->source.record_bytes = 0;
	gc_arena_reset(&replay->arena, ARENA_KEEP_BYTES);
	if (verdict == GC_FENCED) /* by another one that goes on with it */
		verdict = err->verdict = GC_RETRY;
	if (verdict == GC_OK && replay->halt.verdict != GC_OK) {
		*err = replay->halt;
		verdict = err->verdict;
	}
	replay->run->each(replay->run->arg, gc_counter_get(&replay->counters.records));
	return verdict;
}

static struct gc_span keep(struct gc_arena *arena, struct gc_span text)
{
	return text.ptr ? gc_arena_dup(arena, text) : text;
}

static struct gc_header *keep_headers(struct gc_arena *arena, const struct gc_message *message)
{
	struct gc_header *headers = gc_arena_alloc(arena, (message->header_count + 1) * sizeof(*headers));

	for (size_t i = 0; i < message->header_count; i++)
		headers[i] = (struct gc_header){ keep(arena, message->headers[i].name), keep(arena, message->headers[i].value) };
	return headers;
}

static void keep_record(struct gc_replay *replay, struct gc_assignment *assignment, const struct gc_message *message)
{
	struct gc_source *source = &replay->source;
	struct gc_record *record;

	if (source->record_count == source->record_capacity) {
		source->record_capacity = source->record_capacity ? source->record_capacity * 2 : 1024;
		source->records = gc_realloc(source->records, source->record_capacity * sizeof(*source->records));
	}
	record = &source->records[source->record_count++];
	*record = (struct gc_record){ .message = *message, .assignment = (uint32_t)(assignment - source->assignments) };
	record->message.topic = gc_span_of(assignment->position->topic);
	record->message.key = keep(&replay->arena, message->key);
	record->message.value = keep(&replay->arena, message->value);
	record->message.headers = keep_headers(&replay->arena, message);
	gc_clock_read(&assignment->clock, &record->message);
	source->record_bytes += message->key.len + message->value.len;
}

static struct gc_assignment *assignment_of(struct gc_replay *replay, const struct gc_message *message)
{
	size_t count = replay->source.assignment_count, i = replay->assignment_found;

	for (size_t n = 0; n < count; n++, i = (i + 1) % count) {
		struct gc_assignment *assignment = &replay->source.assignments[i];

		if (is_of(gc_span_of(assignment->position->topic), assignment->partition, message)) {
			replay->assignment_found = i;
			return assignment;
		}
	}
	return NULL;
}

static enum gc_verdict take_record(struct gc_replay *replay, const struct gc_capture *capture, const struct gc_message *message,
				   struct gc_err *err)
{
	struct gc_assignment *assignment = assignment_of(replay, message);

	(void)capture;
	if (!assignment || message->offset < assignment->next_offset ||
	    message->offset >= replay->run->limits[assignment - replay->source.assignments])
		return GC_OK;
	keep_record(replay, assignment, message);
	if (replay->source.record_count < (size_t)replay->run->config->run_batch_records &&
	    replay->source.record_bytes < (size_t)replay->run->config->run_batch_bytes)
		return GC_OK;
	return apply_records(replay, err);
}

static enum gc_verdict apply_files(struct gc_replay *replay, struct gc_err *err)
{
	enum gc_verdict verdict = gc_pg_open_writer(replay->run->config, "gracecube worker 1", &replay->pipeline.cache,
						    &replay->pipeline.pg, err);

	if (verdict == GC_OK)
		verdict = claim(replay, err);
	for (size_t i = 0; verdict == GC_OK && i < replay->path_count; i++)
		verdict = each_record(replay, replay->paths[i], take_record, err);
	return verdict == GC_OK ? apply_records(replay, err) : verdict;
}

enum gc_verdict gc_replay_apply(struct gc_replay *replay, const struct gc_replay_run *run, int64_t *ret_applied, struct gc_err *err)
{
	enum gc_verdict verdict;

	replay->run = run;
	replay->source = (struct gc_source){ .calls = &replay_calls };
	replay->halt.verdict = GC_OK;
	replay->assignment_found = 0;
	replay->positions = gc_positions_new();
	replay->counters = (struct gc_worker_counters){ 0 };
	gc_counters_init(&replay->counters);
	gc_arena_init(&replay->arena);
	gc_pipeline_init(&replay->pipeline, run->config, &replay->source, &replay->counters, run->config->run_cache_entries);
	verdict = run->count > 0 ? apply_files(replay, err) : GC_OK;
	*ret_applied = gc_counter_get(&replay->counters.records);
	gc_pipeline_done(&replay->pipeline);
	gc_arena_done(&replay->arena);
	gc_counters_done(&replay->counters);
	gc_positions_free(replay->positions);
	free(replay->source.records);
	free(replay->source.assignments);
	return verdict;
}
