/* One batch = one transaction = one pipeline round trip, in the order of the guarantee:
 *
 *     BEGIN
 *     the fence           cube.advance() moves the offsets by compare-and-set, or everything behind it is void
 *     the mission gate    see cube.mission_gate()
 *     the link locks      keys of other streams that rows link to, in one sorted pass
 *     the rows            one merge a target, and a round of it; statement triggers keep the rollups
 *     dead letters, quality issues
 *     COMMIT
 *
 * So each record changes the cube exactly once, or is in the dead letters: rows, rollups, dead letters and the position are one
 * commit, and a writer whose position is not the cube's writes nothing. Threads: one connection belongs to one worker.
 */
#include "pg.h"

#include <gracecube/base64.h>
#include <stdlib.h>

static void send_fence(struct gc_pg *pg, struct gc_batch *batch)
{
	struct gc_pg_parameters p;
	struct gc_partition_batch *parts;
	size_t count = gc_batch_partitions(batch, &parts);
	struct gc_span *orders = gc_arena_alloc(gc_batch_arena(batch), count * sizeof(*orders));

	gc_pg_parameters_init(&p, gc_batch_arena(batch));
	for (size_t i = 0; i < count; i++)
		orders[i] = gc_order_text(&parts[i].order, gc_batch_arena(batch));
	gc_pg_add_int8s(&p, &parts->offset_id, sizeof(*parts), count);
	gc_pg_add_int8s(&p, &parts->owner_epoch, sizeof(*parts), count);
	gc_pg_add_int8s(&p, &parts->from_offset, sizeof(*parts), count);
	gc_pg_add_int8s(&p, &parts->to_offset, sizeof(*parts), count);
	gc_pg_add_int8s(&p, &parts->applied, sizeof(*parts), count);
	gc_pg_add_int8s(&p, &parts->superseded, sizeof(*parts), count);
	gc_pg_add_int8s(&p, &parts->dead, sizeof(*parts), count);
	gc_pg_add_int8s(&p, &parts->ignored, sizeof(*parts), count);
	gc_pg_add_int8s(&p, &parts->last_kafka_us, sizeof(*parts), count);
	gc_pg_add_int8s(&p, &parts->last_hash, sizeof(*parts), count);
	gc_pg_add_int8s(&p, &parts->contradicting, sizeof(*parts), count);
	gc_pg_add_texts(&p, orders, sizeof(*orders), count);
	gc_pg_add_int8s(&p, &parts->snapshot_us, sizeof(*parts), count);
	gc_pg_send_prepared(pg, GC_PG_ADVANCE, &p);
}

static bool names_missions(const struct gc_batch *batch)
{
	const struct gc_target *const *targets;
	size_t count = gc_batch_targets(batch, &targets);

	for (size_t i = 0; i < count; i++) {
		if (targets[i]->names_missions)
			return true;
	}
	return false;
}

static void send_gate(struct gc_pg *pg, struct gc_batch *batch)
{
	struct gc_pg_parameters none;

	gc_pg_parameters_init(&none, gc_batch_arena(batch));
	if (gc_batch_introduces_missions(batch))
		gc_pg_send_prepared(pg, GC_PG_GATE_ALONE, &none);
	else if (names_missions(batch))
		gc_pg_send_prepared(pg, GC_PG_GATE_SHARED, &none);
}

static void send_locks(struct gc_pg *pg, struct gc_batch *batch)
{
	const struct gc_link *links;
	size_t count = gc_batch_links(batch, &links);

	for (size_t from = 0, to; from < count; from = to) {
		struct gc_pg_parameters p;

		for (to = from + 1; to < count && strcmp(links[to].target, links[from].target) == 0;)
			to++;
		gc_pg_parameters_init(&p, gc_batch_arena(batch));
		gc_pg_add_texts(&p, &links[from].key, sizeof(*links), to - from);
		gc_pg_send(pg, gc_arena_printf(gc_batch_arena(batch), "SELECT cube.lock_%s($1)", links[from].target).ptr, &p);
	}
}

/* `rows` are of one round: each key once. */
static void send_merge(struct gc_pg *pg, struct gc_batch *batch, const struct gc_target *target, struct gc_row *const *rows,
		       size_t count)
{
	struct gc_pg_parameters p;
	struct gc_partition_batch *partitions;

	gc_batch_partitions(batch, &partitions);
	gc_pg_parameters_init(&p, gc_batch_arena(batch));
	for (int c = 0; c < target->column_count; c++)
		gc_pg_add_column(&p, rows, count, c);
	gc_pg_add_versions(&p, rows, count, partitions);
	gc_pg_send_prepared(pg, gc_pg_merge_name(target, gc_batch_arena(batch)).ptr, &p);
}

static void send_rows(struct gc_pg *pg, struct gc_batch *batch)
{
	const struct gc_target *const *targets;
	size_t target_count = gc_batch_targets(batch, &targets);

	for (size_t t = 0; t < target_count; t++) {
		struct gc_row *const *rows;
		size_t count = gc_batch_rows(batch, targets[t], &rows);

		for (size_t from = 0, to; from < count; from = to) {
			for (to = from + 1; to < count && rows[to]->round == rows[from]->round;)
				to++;
			send_merge(pg, batch, targets[t], rows + from, to - from);
		}
	}
}

static char *put_text(char *at, const char *text)
{
	size_t len = strlen(text);

	memcpy(at, text, len);
	return at + len;
}

/* A record may have very many: the room is measured first. */
struct gc_span gc_pg_headers(struct gc_arena *arena, const struct gc_header *headers, size_t count)
{
	size_t bytes = sizeof("[]");
	char *json, *at;

	for (size_t i = 0; i < count; i++)
		bytes += sizeof(", [\"\", null]") + gc_base64_bytes(headers[i].name.len) + gc_base64_bytes(headers[i].value.len);
	json = gc_arena_alloc(arena, bytes);
	at = put_text(json, "[");
	for (size_t i = 0; i < count; i++) {
		const struct gc_header *h = &headers[i];

		at = put_text(at, i > 0 ? ", [\"" : "[\"");
		at = gc_base64_put(at, h->name);
		at = put_text(at, h->value.ptr ? "\", \"" : "\", null]");
		if (h->value.ptr)
			at = put_text(gc_base64_put(at, h->value), "\"]");
	}
	at = put_text(at, "]");
	return (struct gc_span){ json, (size_t)(at - json) };
}

/* Dead letters as columns. */
struct dead_row {
	int64_t offset_id, offset, kafka_us;
	struct gc_span stream, key, value, headers, code, where, reason;
};

static void send_dead_letters(struct gc_pg *pg, struct gc_batch *batch)
{
	struct gc_arena *arena = gc_batch_arena(batch);
	const struct gc_dead_letter *letters;
	size_t count = gc_batch_dead_letters(batch, &letters);
	struct dead_row *rows = gc_arena_alloc(arena, count * sizeof(*rows));
	struct gc_partition_batch *parts;
	struct gc_pg_parameters p;

	if (count == 0)
		return;
	gc_batch_partitions(batch, &parts);
	for (size_t i = 0; i < count; i++) {
		const struct gc_message *m = letters[i].message;

		rows[i] = (struct dead_row){ parts[letters[i].partition].offset_id,
					     m->offset,
					     m->timestamp_us,
					     gc_span_of(letters[i].stream),
					     m->key,
					     m->value,
					     gc_pg_headers(arena, letters[i].headers, letters[i].header_count),
					     gc_span_of(letters[i].code),
					     gc_span_of(letters[i].where),
					     letters[i].reason };
	}
	gc_pg_parameters_init(&p, arena);
	gc_pg_add_int8s(&p, &rows->offset_id, sizeof(*rows), count);
	gc_pg_add_int8s(&p, &rows->offset, sizeof(*rows), count);
	gc_pg_add_int8s(&p, &rows->kafka_us, sizeof(*rows), count);
	gc_pg_add_texts(&p, &rows->stream, sizeof(*rows), count);
	gc_pg_add_byteas(&p, &rows->key, sizeof(*rows), count);
	gc_pg_add_byteas(&p, &rows->value, sizeof(*rows), count);
	gc_pg_add_texts(&p, &rows->headers, sizeof(*rows), count);
	gc_pg_add_texts(&p, &rows->code, sizeof(*rows), count);
	gc_pg_add_texts(&p, &rows->where, sizeof(*rows), count);
	gc_pg_add_texts(&p, &rows->reason, sizeof(*rows), count);
	gc_pg_add_bound(&p, pg);
	gc_pg_send(pg, "SELECT cube.add_dead_letters($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13 <> 0)", &p);
}

struct issue_row {
	int64_t offset_id, offset, kafka_us;
	struct gc_span stream, key, field, raw, rule;
};

void gc_pg_send_issues(struct gc_pg *pg, struct gc_batch *batch)
{
	struct gc_arena *arena = gc_batch_arena(batch);
	const struct gc_issue *issues;
	size_t count = gc_batch_issues(batch, &issues);
	struct issue_row *rows = gc_arena_alloc(arena, count * sizeof(*rows));
	struct gc_partition_batch *parts;
	struct gc_pg_parameters p;

	if (count == 0)
		return;
	gc_batch_partitions(batch, &parts);
	for (size_t i = 0; i < count; i++)
		rows[i] = (struct issue_row){ parts[issues[i].partition].offset_id,
					      issues[i].offset,
					      issues[i].kafka_us,
					      gc_span_of(issues[i].stream),
					      issues[i].key,
					      gc_span_of(issues[i].field),
					      issues[i].raw,
					      gc_span_of(issues[i].rule) };
	gc_pg_parameters_init(&p, arena);
	gc_pg_add_int8s(&p, &rows->offset_id, sizeof(*rows), count);
	gc_pg_add_int8s(&p, &rows->offset, sizeof(*rows), count);
	gc_pg_add_int8s(&p, &rows->kafka_us, sizeof(*rows), count);
	gc_pg_add_texts(&p, &rows->stream, sizeof(*rows), count);
	gc_pg_add_texts(&p, &rows->key, sizeof(*rows), count);
	gc_pg_add_texts(&p, &rows->field, sizeof(*rows), count);
	gc_pg_add_texts(&p, &rows->raw, sizeof(*rows), count);
	gc_pg_add_texts(&p, &rows->rule, sizeof(*rows), count);
	gc_pg_send(pg, "SELECT cube.add_quality_issues($1, $2, $3, $4, $5, $6, $7, $8)", &p);
}

void gc_pg_send_changes(struct gc_pg *pg, struct gc_batch *batch, struct gc_pg_merges *ret_merges)
{
	send_gate(pg, batch);
	send_locks(pg, batch);
	ret_merges->first = pg->statements;
	send_rows(pg, batch);
	ret_merges->end = pg->statements;
	ret_merges->superseded = 0;
}

enum gc_verdict gc_pg_judge(const struct gc_pg *pg, const struct gc_pg_merges *merges, enum gc_verdict verdict, struct gc_err *err)
{
	if (verdict == GC_REJECT && (pg->failed < merges->first || pg->failed >= merges->end))
		verdict = err->verdict = GC_FATAL;
	return verdict;
}

/* Merge functions answer how many records were older than what is there. */
static void read_answer(void *argument, int n, const PGresult *result)
{
	struct gc_pg_merges *merges = argument;

	if (n >= merges->first && n < merges->end && PQntuples(result) == 1)
		merges->superseded += strtoll(PQgetvalue(result, 0, 0), NULL, 10);
}

enum gc_verdict gc_pg_apply(struct gc_pg *pg, struct gc_batch *batch, int64_t *ret_superseded, struct gc_err *err)
{
	struct gc_pg_merges merges;
	enum gc_verdict verdict = gc_pg_begin(pg, err);

	if (verdict != GC_OK)
		return verdict;
	send_fence(pg, batch);
	gc_pg_send_changes(pg, batch, &merges);
	send_dead_letters(pg, batch);
	gc_pg_send_issues(pg, batch);
	verdict = gc_pg_judge(pg, &merges, gc_pg_commit(pg, read_answer, &merges, err), err);
	if (verdict == GC_OK)
		*ret_superseded = merges.superseded;
	return verdict;
}
