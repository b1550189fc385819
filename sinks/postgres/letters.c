/* Dead letters that are worked off: read, retried, discarded, taken from elsewhere.
 *
 * A retry is one transaction as a worker's batch is: each letter is a partition of its own with one record, whose row of cube.etl_offset lives
 * within the transaction alone (cube.begin_retry() and cube.end_retry()). So the rows and what became of the letter are one commit, the version
 * fence makes a second time harmless, and the partition that the letter came from keeps its ledger.
 * Threads: one connection belongs to one thread.
 */
#include "pg.h"

#include <gracecube/base64.h>
#include <gracecube/json.h>
#include <stdio.h>
#include <stdlib.h>

const char *const gc_letter_states[] = { "waiting", "retried", "kept", "discarded", "any", NULL };
const char *const gc_letter_outcomes[GC_LETTER_OUTCOMES] = { "refused", "applied", "superseded", "ignored" };

/* ---- reading ---- */

#define SELECTED                                                                                                                   \
	" FROM cube.etl_dead_letter d WHERE ($1::bigint[] IS NULL OR d.dead_letter_id = ANY ($1))"                                 \
	" AND ($1 IS NOT NULL OR d.group_id = $2::text) AND ($3::text IS NULL OR d.topic = $3)"                                    \
	" AND ($4::text IS NULL OR d.stream = $4) AND ($5::text IS NULL OR d.error_code = $5)"                                     \
	" AND d.dead_at >= to_timestamp($6::bigint / 1e6) AND " GC_LETTER_IS(                                                      \
		"$7") " AND d.dead_letter_id > $8::bigint AND d.dead_letter_id <= $9::bigint"
#define US(column) "(extract(epoch FROM " column ") * 1000000)::bigint"

static const char count_sql[] = "SELECT count(*), coalesce(max(d.dead_letter_id), 0)" SELECTED;

/* The first one whatever its size, and so many more as the bytes allow. */
static const char read_sql[] = "SELECT dead_letter_id, tries, " US("dead_at") ", topic, partition, kafka_offset, coalesce(" US(
	"kafka_timestamp") ", -1), stream,"
			   " error_code, error_where, reason, headers, key, value, (SELECT max(o.truncated) FROM cube.etl_offset o"
			   " WHERE o.group_id = d.group_id AND o.topic = d.topic) FROM (SELECT d.*, sum(cube.dead_letter_bytes(d.key, d.value, d.headers))"
			   " OVER (ORDER BY d.dead_letter_id ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS before FROM (SELECT d.*" SELECTED
			   " ORDER BY d.dead_letter_id LIMIT $10::bigint) d) d WHERE coalesce(before, 0) < $11::bigint ORDER BY dead_letter_id";

enum read_column {
	READ_ID,
	READ_TRIES,
	READ_DEAD_US,
	READ_TOPIC,
	READ_PARTITION,
	READ_OFFSET,
	READ_KAFKA_US,
	READ_STREAM,
	READ_CODE,
	READ_WHERE,
	READ_REASON,
	READ_HEADERS,
	READ_KEY,
	READ_VALUE,
	READ_TRUNCATED,
};

static void add_selection(struct gc_pg_parameters *p, const struct gc_letter_selection *selection)
{
	gc_pg_add_text(p, selection->ids);
	gc_pg_add_text(p, selection->group);
	gc_pg_add_text(p, selection->topic);
	gc_pg_add_text(p, selection->stream);
	gc_pg_add_text(p, selection->code);
	gc_pg_add_number(p, selection->since_us);
	gc_pg_add_text(p, gc_letter_states[selection->state]);
	gc_pg_add_number(p, selection->after_id);
	gc_pg_add_number(p, selection->last_id);
	p->types[0] = 0; /* a list of numbers, as the statement says */
}

/* One statement on its own; *ret_result is the caller's to clear. */
static enum gc_verdict ask(struct gc_pg *pg, const char *sql, const struct gc_pg_parameters *p, const char *doing,
			   PGresult **ret_result, struct gc_err *err)
{
	PGresult *result = PQexecParams(pg->conn, gc_pg_sql(pg, sql), p->count, p->types, p->values, p->lengths, p->formats, 0);
	enum gc_verdict verdict;

	if (PQresultStatus(result) == PGRES_TUPLES_OK) {
		*ret_result = result;
		return GC_OK;
	}
	verdict = gc_pg_fail(pg, result, doing, err);
	PQclear(result);
	return verdict;
}

static int64_t number(const PGresult *result, int row, int column)
{
	return strtoll(PQgetvalue(result, row, column), NULL, 10);
}

enum gc_verdict gc_pg_count_letters(struct gc_pg *pg, const struct gc_letter_selection *selection, int64_t *ret_count,
				    int64_t *ret_last_id, struct gc_err *err)
{
	struct gc_arena arena;
	struct gc_pg_parameters p;
	PGresult *result;
	enum gc_verdict verdict;

	gc_arena_init(&arena);
	gc_pg_parameters_init(&p, &arena);
	add_selection(&p, selection);
	verdict = ask(pg, count_sql, &p, "dead letters", &result, err);
	if (verdict == GC_OK) {
		*ret_count = number(result, 0, 0);
		*ret_last_id = number(result, 0, 1);
		PQclear(result);
	}
	gc_arena_done(&arena);
	return verdict;
}

static struct gc_span take_text(const PGresult *result, int row, int column, struct gc_arena *arena)
{
	return gc_arena_dup(arena, (struct gc_span){ PQgetvalue(result, row, column), (size_t)PQgetlength(result, row, column) });
}

static struct gc_span take_bytes(const PGresult *result, int row, int column, struct gc_arena *arena)
{
	struct gc_span bytes = GC_SPAN_NULL;
	unsigned char *unescaped;
	size_t len;

	if (PQgetisnull(result, row, column))
		return bytes;
	unescaped = PQunescapeBytea((const unsigned char *)PQgetvalue(result, row, column), &len);
	if (unescaped)
		bytes = gc_arena_dup(arena, (struct gc_span){ (const char *)unescaped, len });
	PQfreemem(unescaped);
	return bytes;
}

static struct gc_span decode(const struct gc_json *base64, struct gc_arena *arena)
{
	struct gc_span bytes = GC_SPAN_NULL;

	if (base64 && base64->type == GC_JSON_STRING && !gc_base64_decode(gc_json_text(base64, arena, NULL), arena, &bytes))
		return GC_SPAN_NULL;
	return bytes;
}

/* As gc_pg_headers() wrote them. */
static void take_headers(const PGresult *result, int row, struct gc_arena *arena, struct gc_message *message)
{
	const struct gc_json *list;
	struct gc_header *headers;
	struct gc_err ignored;
	size_t count = 0;

	if (gc_json_parse(take_text(result, row, READ_HEADERS, arena), arena, &list, &ignored) != GC_OK)
		return;
	for (const struct gc_json *pair = gc_json_first(list); pair; pair = gc_json_next(list, pair))
		count++;
	headers = gc_arena_alloc(arena, count * sizeof(*headers));
	message->headers = headers;
	message->header_count = count;
	for (const struct gc_json *pair = gc_json_first(list); pair; pair = gc_json_next(list, pair)) {
		const struct gc_json *name = gc_json_first(pair);

		*headers++ = (struct gc_header){ decode(name, arena), decode(name ? gc_json_next(pair, name) : NULL, arena) };
	}
}

static void take_letter(const PGresult *result, int row, struct gc_arena *arena, struct gc_letter *letter)
{
	*letter = (struct gc_letter){
		.id = number(result, row, READ_ID),
		.tries = number(result, row, READ_TRIES),
		.dead_us = number(result, row, READ_DEAD_US),
		.stream = take_text(result, row, READ_STREAM, arena),
		.code = take_text(result, row, READ_CODE, arena),
		.where = take_text(result, row, READ_WHERE, arena),
		.reason = take_text(result, row, READ_REASON, arena),
		.truncated = gc_pg_read_place(PQgetvalue(result, row, READ_TRUNCATED)),
		.message = { .topic = take_text(result, row, READ_TOPIC, arena),
			     .partition = (int32_t)number(result, row, READ_PARTITION),
			     .offset = number(result, row, READ_OFFSET),
			     .timestamp_us = number(result, row, READ_KAFKA_US),
			     .key = take_bytes(result, row, READ_KEY, arena),
			     .value = take_bytes(result, row, READ_VALUE, arena) },
	};
	take_headers(result, row, arena, &letter->message);
}

enum gc_verdict gc_pg_read_letters(struct gc_pg *pg, const struct gc_letter_selection *selection, int64_t count_max,
				   int64_t bytes_max, struct gc_arena *arena, struct gc_letter **ret_letters, size_t *ret_count,
				   struct gc_err *err)
{
	struct gc_pg_parameters p;
	struct gc_letter *letters;
	PGresult *result;
	int rows;

	gc_pg_parameters_init(&p, arena);
	add_selection(&p, selection);
	gc_pg_add_number(&p, count_max);
	gc_pg_add_number(&p, bytes_max);
	if (ask(pg, read_sql, &p, "dead letters", &result, err) != GC_OK)
		return err->verdict;
	rows = PQntuples(result);
	letters = gc_arena_alloc(arena, (size_t)rows * sizeof(*letters));
	for (int row = 0; row < rows; row++)
		take_letter(result, row, arena, &letters[row]);
	PQclear(result);
	*ret_letters = letters;
	*ret_count = (size_t)rows;
	return GC_OK;
}

/* ---- retrying ---- */

static void send_begin(struct gc_pg *pg, struct gc_batch *batch, const struct gc_letter *letters)
{
	struct gc_pg_parameters p;
	struct gc_partition_batch *parts;
	size_t count = gc_batch_partitions(batch, &parts);

	gc_pg_parameters_init(&p, gc_batch_arena(batch));
	gc_pg_add_int8s(&p, &parts->offset_id, sizeof(*parts), count);
	gc_pg_add_int8s(&p, &letters->tries, sizeof(*letters), count);
	gc_pg_add_int8s(&p, &parts->applied, sizeof(*parts), count);
	gc_pg_add_int8s(&p, &parts->superseded, sizeof(*parts), count);
	gc_pg_add_int8s(&p, &parts->dead, sizeof(*parts), count);
	gc_pg_add_int8s(&p, &parts->ignored, sizeof(*parts), count);
	gc_pg_send(pg, "SELECT cube.begin_retry($1, $2, $3, $4, $5, $6)", &p);
}

/* Letters that were refused again, as columns. */
struct refusal {
	int64_t offset_id;
	struct gc_span code, where, reason;
};

static void send_end(struct gc_pg *pg, struct gc_batch *batch, const char *by)
{
	struct gc_arena *arena = gc_batch_arena(batch);
	struct gc_pg_parameters p;
	struct gc_partition_batch *parts;
	const struct gc_dead_letter *dead;
	size_t count = gc_batch_partitions(batch, &parts), refused = gc_batch_dead_letters(batch, &dead);
	struct refusal *refusals = gc_arena_alloc(arena, (refused + 1) * sizeof(*refusals));

	for (size_t i = 0; i < refused; i++)
		refusals[i] = (struct refusal){ parts[dead[i].partition].offset_id, gc_span_of(dead[i].code),
						gc_span_of(dead[i].where), dead[i].reason };
	gc_pg_parameters_init(&p, arena);
	gc_pg_add_int8s(&p, &parts->offset_id, sizeof(*parts), count);
	gc_pg_add_text(&p, by);
	gc_pg_add_int8s(&p, &refusals->offset_id, sizeof(*refusals), refused);
	gc_pg_add_texts(&p, &refusals->code, sizeof(*refusals), refused);
	gc_pg_add_texts(&p, &refusals->where, sizeof(*refusals), refused);
	gc_pg_add_texts(&p, &refusals->reason, sizeof(*refusals), refused);
	gc_pg_send(pg, "SELECT * FROM cube.end_retry($1, $2, $3, $4, $5, $6)", &p);
}

struct retry {
	struct gc_letter *letters;
	size_t count;
	int end; /* which statement is cube.end_retry() */
};

static enum gc_letter_outcome outcome_of(const PGresult *result, int row)
{
	for (int outcome = GC_LETTER_APPLIED; !PQgetisnull(result, row, 1) && outcome < GC_LETTER_OUTCOMES; outcome++) {
		if (strcmp(PQgetvalue(result, row, 1), gc_letter_outcomes[outcome]) == 0)
			return (enum gc_letter_outcome)outcome;
	}
	return GC_LETTER_REFUSED;
}

static void take_outcomes(void *argument, int n, const PGresult *result)
{
	struct retry *retry = argument;

	for (int row = 0; n == retry->end && row < PQntuples(result); row++) {
		int64_t id = -number(result, row, 0);

		for (size_t i = 0; i < retry->count; i++) {
			if (retry->letters[i].id == id)
				retry->letters[i].outcome = outcome_of(result, row);
		}
	}
}

/* Its texts live as long as the batch. */
static void take_reasons(struct gc_batch *batch, struct gc_letter *letters)
{
	const struct gc_dead_letter *dead;
	size_t refused = gc_batch_dead_letters(batch, &dead);

	for (size_t i = 0; i < refused; i++) {
		struct gc_letter *letter = &letters[dead[i].partition];

		letter->code = gc_arena_dup(gc_batch_arena(batch), gc_span_of(dead[i].code));
		letter->where = gc_arena_dup(gc_batch_arena(batch), gc_span_of(dead[i].where));
		letter->reason = dead[i].reason;
	}
}

enum gc_verdict gc_pg_retry_letters(struct gc_pg *pg, struct gc_batch *batch, const char *by, struct gc_letter *letters,
				    struct gc_err *err)
{
	struct gc_partition_batch *parts;
	struct retry retry = { .letters = letters, .count = gc_batch_partitions(batch, &parts) };
	struct gc_pg_merges merges;
	enum gc_verdict verdict = gc_pg_begin(pg, err);

	if (verdict != GC_OK)
		return verdict;
	send_begin(pg, batch, letters);
	gc_pg_send_changes(pg, batch, &merges);
	gc_pg_send_issues(pg, batch);
	retry.end = pg->statements;
	send_end(pg, batch, by);
	verdict = gc_pg_judge(pg, &merges, gc_pg_commit(pg, take_outcomes, &retry, err), err);
	if (verdict == GC_OK)
		take_reasons(batch, letters);
	return verdict;
}

/* ---- discarding and importing ---- */

/* The first of them by id; their bytes stay where they are. */
static const char discard_sql[] =
	"SELECT count(*), coalesce(max(dead_letter_id), 0), coalesce(cube.discard_dead_letters(array_agg(dead_letter_id ORDER BY dead_letter_id),"
	" $11, $12::bigint <> 0), 0) FROM (SELECT d.dead_letter_id" SELECTED " ORDER BY d.dead_letter_id LIMIT $10::bigint) d";

enum gc_verdict gc_pg_discard_letters(struct gc_pg *pg, struct gc_letter_selection *selection, int64_t count_max, const char *by,
				      int64_t *ret_found, int64_t *ret_discarded, struct gc_err *err)
{
	struct gc_arena arena;
	struct gc_pg_parameters p;
	PGresult *result;
	enum gc_verdict verdict;

	gc_arena_init(&arena);
	gc_pg_parameters_init(&p, &arena);
	add_selection(&p, selection);
	gc_pg_add_number(&p, count_max);
	gc_pg_add_text(&p, by);
	gc_pg_add_number(&p, selection->state != GC_LETTER_WAITING);
	verdict = ask(pg, discard_sql, &p, "cube.discard_dead_letters", &result, err);
	if (verdict == GC_OK) {
		*ret_found = number(result, 0, 0);
		selection->after_id = number(result, 0, 1);
		*ret_discarded = number(result, 0, 2);
		PQclear(result);
	}
	gc_arena_done(&arena);
	return verdict;
}

/* What a letter holds in another shape than its column has. */
struct import_row {
	int64_t partition;
	struct gc_span headers;
};

enum gc_verdict gc_pg_import_letters(struct gc_pg *pg, const char *group, const struct gc_letter *letters, size_t count,
				     int64_t *ret_imported, struct gc_err *err)
{
	static const char sql[] =
		"SELECT cube.import_dead_letters($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17 <> 0)";
	struct gc_arena arena;
	struct gc_pg_parameters p;
	struct import_row *rows;
	PGresult *result;
	enum gc_verdict verdict;

	gc_arena_init(&arena);
	rows = gc_arena_alloc(&arena, count * sizeof(*rows));
	for (size_t i = 0; i < count; i++)
		rows[i] = (struct import_row){ letters[i].message.partition,
					       gc_pg_headers(&arena, letters[i].message.headers, letters[i].message.header_count) };
	gc_pg_parameters_init(&p, &arena);
	gc_pg_add_text(&p, group);
	gc_pg_add_texts(&p, &letters->message.topic, sizeof(*letters), count);
	gc_pg_add_int8s(&p, &rows->partition, sizeof(*rows), count);
	gc_pg_add_int8s(&p, &letters->message.offset, sizeof(*letters), count);
	gc_pg_add_int8s(&p, &letters->message.timestamp_us, sizeof(*letters), count);
	gc_pg_add_texts(&p, &letters->stream, sizeof(*letters), count);
	gc_pg_add_byteas(&p, &letters->message.key, sizeof(*letters), count);
	gc_pg_add_byteas(&p, &letters->message.value, sizeof(*letters), count);
	gc_pg_add_texts(&p, &rows->headers, sizeof(*rows), count);
	gc_pg_add_texts(&p, &letters->code, sizeof(*letters), count);
	gc_pg_add_texts(&p, &letters->where, sizeof(*letters), count);
	gc_pg_add_texts(&p, &letters->reason, sizeof(*letters), count);
	gc_pg_add_int8s(&p, &letters->dead_us, sizeof(*letters), count);
	gc_pg_add_int8s(&p, &letters->tries, sizeof(*letters), count);
	gc_pg_add_bound(&p, pg);
	verdict = ask(pg, sql, &p, "cube.import_dead_letters", &result, err);
	if (verdict == GC_OK) {
		*ret_imported = number(result, 0, 0);
		PQclear(result);
	}
	gc_arena_done(&arena);
	return verdict;
}
