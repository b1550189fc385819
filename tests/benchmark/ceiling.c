/* The plain ceiling: how fast PostgreSQL takes the rows of these events when nothing else is asked of it: no Kafka, no keys
 * to look up, no versions, no rollups, no position; a table of the same columns, partitioned by month, with the same primary
 * key; one prepared INSERT … SELECT FROM unnest(binary arrays) ON CONFLICT DO UPDATE a transaction, batches of 6,000 rows
 * sorted by key. Rows are decoded beforehand: the clock runs over encoding and the database alone.
 *
 *     ceiling CONNINFO CAPTURE EVENTS plain|coalesced CONNECTIONS
 *
 * plain: every event is written, as a row of its own. An event whose key is in the batch already goes to the next batch.
 * coalesced: of each key only the last event of every 6,000 is written, as gracecube does it. Deletes are left out.
 * Connections, one or two, share the keys; they are made before the clock starts. Prints one JSON object.
 * Threads: one a connection; rows are only read.
 */
#include "events.h"

#include <endian.h>
#include <gracecube/batch.h>
#include <gracecube/map.h>
#include <libpq-fe.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#define BATCH_ROWS 6000
#define COLUMNS_MAX 64
#define CONNECTIONS_MAX 2
#define POSTGRES_EPOCH_US (INT64_C(946684800) * GC_SECOND_US)

enum type { TYPE_TEXT, TYPE_BOOL, TYPE_INT4, TYPE_INT8, TYPE_FLOAT8, TYPE_TIME };

static const struct {
	const char *name;
	uint32_t element, array; /* oids */
} types[] = {
	[TYPE_TEXT] = { "text", 25, 1009 },
	[TYPE_BOOL] = { "boolean", 16, 1000 },
	[TYPE_INT4] = { "integer", 23, 1007 },
	[TYPE_INT8] = { "bigint", 20, 1016 },
	[TYPE_FLOAT8] = { "double precision", 701, 1022 },
	[TYPE_TIME] = { "timestamp with time zone", 1184, 1185 },
};

struct column {
	char name[64];
	enum type type;
	int from; /* column of the stream's target, -1 where the fact computes it */
};

struct row {
	struct gc_span key;
	int64_t created_us;
	struct gc_value *values; /* one a column */
};

struct list {
	struct row **rows;
	size_t count;
};

/* Batches of one connection. */
struct plan {
	struct list *batches;
	size_t count;
};

struct table {
	struct column columns[COLUMNS_MAX];
	int column_count;
	struct row *rows;
	size_t row_count;
	struct gc_arena arena;
};

static void stop(const char *what, const char *why)
{
	fprintf(stderr, "ceiling: %s: %s\n", what, why);
	exit(1);
}

static PGresult *ask(PGconn *pg, const char *sql)
{
	PGresult *result = PQexec(pg, sql);

	if (PQresultStatus(result) != PGRES_TUPLES_OK && PQresultStatus(result) != PGRES_COMMAND_OK)
		stop(sql, PQerrorMessage(pg));
	return result;
}

static void tell(PGconn *pg, const char *sql)
{
	PQclear(ask(pg, sql));
}

static PGconn *connect_to(const char *conninfo)
{
	PGconn *pg = PQconnectdb(conninfo);

	if (PQstatus(pg) != CONNECTION_OK)
		stop("connection", PQerrorMessage(pg));
	tell(pg, "SET client_min_messages = warning; SET jit = off");
	return pg;
}

/* ---- the rows ---- */

static enum type type_named(const char *name)
{
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		if (strcmp(types[i].name, name) == 0)
			return (enum type)i;
	}
	stop("a column's type is not known here", name);
	return TYPE_TEXT;
}

/* The columns of the fact as they stand; loaded_at is the table's default there and here. */
static void read_columns(PGconn *pg, const struct gc_target *target, struct table *table)
{
	PGresult *result = ask(pg, "SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute WHERE attrelid ="
				   " 'cube.fact_verification_executions'::regclass AND attnum > 0 AND NOT attisdropped"
				   " AND attname <> 'loaded_at' ORDER BY attnum");

	for (int i = 0; i < PQntuples(result) && i < COLUMNS_MAX; i++) {
		struct column *column = &table->columns[table->column_count++];

		snprintf(column->name, sizeof(column->name), "%s", PQgetvalue(result, i, 0));
		column->type = type_named(PQgetvalue(result, i, 1));
		column->from = -1;
		for (int c = 0; c < target->column_count; c++) {
			if (strcmp(target->columns[c].name, column->name) == 0)
				column->from = c;
		}
	}
	PQclear(result);
}

/* Any number will do for a member's key. */
static void learn_members(struct gc_dimension_cache *cache, const struct gc_row *row)
{
	for (int c = 0; c < row->target->column_count; c++) {
		enum gc_kind kind = row->target->columns[c].kind;
		int32_t key;

		if (kind >= GC_COMPONENT && row->values[c].state == GC_VALUE_SET &&
		    !gc_dimension_cache_find(cache, (enum gc_dimension)(kind - GC_COMPONENT), row->values[c].text, &key))
			gc_dimension_cache_put(cache, (enum gc_dimension)(kind - GC_COMPONENT), row->values[c].text,
					       1 + (int32_t)cache->members[kind - GC_COMPONENT].count);
	}
}

static void set_integer(struct gc_value *value, int64_t integer)
{
	*value = (struct gc_value){ GC_VALUE_SET, { .integer = integer } };
}

/* What the cube computes in the database, and the program sends no column for. */
static void compute_value(struct row *row, const struct table *table, int c)
{
	const char *name = table->columns[c].name;

	if (strcmp(name, "time_key") == 0)
		set_integer(&row->values[c], row->created_us / GC_MINUTE_US);
	else if (strcmp(name, "mission_key") == 0 || strcmp(name, "created_snapshot") == 0)
		set_integer(&row->values[c], 0);
}

static void keep_row(struct table *table, const struct gc_row *decoded)
{
	struct row *row = &table->rows[table->row_count++];

	row->key = gc_arena_dup(&table->arena, decoded->key);
	row->created_us = decoded->values[decoded->target->created_at].integer;
	row->values = gc_arena_zalloc(&table->arena, (size_t)table->column_count * sizeof(*row->values));
	for (int c = 0; c < table->column_count; c++) {
		if (table->columns[c].from < 0) {
			compute_value(row, table, c);
			continue;
		}
		row->values[c] = decoded->values[table->columns[c].from];
		if (table->columns[c].type == TYPE_TEXT && row->values[c].state == GC_VALUE_SET)
			row->values[c].text = gc_arena_dup(&table->arena, row->values[c].text);
	}
}

static void decode_rows(const struct bench_events_options *options, const struct gc_stream *stream, struct table *table)
{
	struct bench_events *events = NULL;
	struct gc_dimension_cache cache;
	struct gc_message message;
	struct gc_err err;
	struct gc_batch *batch;

	if (bench_events_open(options, &events, &err) != GC_OK)
		stop(err.where, err.text);
	gc_dimension_cache_init(&cache, INT64_MAX);
	batch = gc_batch_new(&cache, 1 << 20, 512);
	gc_arena_init(&table->arena);
	table->rows = gc_malloc(options->count * sizeof(*table->rows));
	while (bench_events_next(events, &message)) {
		struct gc_row *const *rows;

		gc_batch_reset(batch);
		gc_batch_partition(batch, message.topic, 0, 1, 1, message.offset, NULL);
		gc_batch_add(batch, 0, stream, GC_UNIT_AUTO, &message);
		gc_batch_coalesce(batch);
		if (gc_batch_rows(batch, stream->targets[0], &rows) != 1)
			stop("an event makes no row", message.value.ptr);
		if (rows[0]->deleted)
			continue;
		learn_members(&cache, rows[0]);
		gc_batch_assign_keys(batch);
		keep_row(table, rows[0]);
	}
	gc_batch_free(batch);
	gc_dimension_cache_done(&cache);
	bench_events_close(events);
}

/* ---- the batches ---- */

static int compare_rows(const void *a, const void *b)
{
	return gc_span_compare((*(struct row *const *)a)->key, (*(struct row *const *)b)->key);
}

static void sort_batches(struct plan *plan)
{
	while (plan->count > 0 && plan->batches[plan->count - 1].count == 0)
		plan->count--;
	for (size_t b = 0; b < plan->count; b++)
		qsort(plan->batches[b].rows, plan->batches[b].count, sizeof(struct row *), compare_rows);
}

static struct list *batch_at(struct plan *plan, size_t number)
{
	while (plan->count <= number) {
		plan->batches = gc_realloc(plan->batches, (plan->count + 1) * sizeof(*plan->batches));
		plan->batches[plan->count++] = (struct list){ gc_malloc(BATCH_ROWS * sizeof(struct row *)), 0 };
	}
	return &plan->batches[number];
}

/* Every event: the first batch that has room and stands behind the last one with the key. */
static void plan_plain(struct plan *plan, const struct list *events)
{
	struct gc_map last;
	size_t open = 0;

	gc_map_init(&last);
	for (size_t i = 0; i < events->count; i++) {
		struct row *row = events->rows[i];
		int64_t behind = -1;
		size_t number = open;

		if (gc_map_get(&last, row->key, &behind) && (size_t)behind + 1 > number)
			number = (size_t)behind + 1;
		while (batch_at(plan, number)->count == BATCH_ROWS)
			number++;
		plan->batches[number].rows[plan->batches[number].count++] = row;
		gc_map_put(&last, row->key, (int64_t)number);
		while (batch_at(plan, open)->count == BATCH_ROWS)
			open++;
	}
	gc_map_clear(&last);
}

/* The last event of each key among 6,000. */
static void plan_coalesced(struct plan *plan, const struct list *events)
{
	for (size_t first = 0; first < events->count; first += BATCH_ROWS) {
		size_t n = events->count - first < BATCH_ROWS ? events->count - first : BATCH_ROWS;
		struct list *batch = batch_at(plan, first / BATCH_ROWS);
		struct gc_map place;
		int64_t at;

		gc_map_init(&place);
		for (size_t i = first; i < first + n; i++) {
			struct row *row = events->rows[i];

			if (!gc_map_get(&place, row->key, &at)) {
				at = (int64_t)batch->count++;
				gc_map_put(&place, row->key, at);
			}
			batch->rows[at] = row;
		}
		gc_map_clear(&place);
	}
}

static void make_plans(const struct table *table, int connections, bool coalesced, struct plan *plans)
{
	struct list shares[CONNECTIONS_MAX] = { { NULL, 0 } };

	for (int i = 0; i < connections; i++)
		shares[i].rows = gc_malloc(table->row_count * sizeof(struct row *));
	for (size_t i = 0; i < table->row_count; i++) {
		struct list *share = &shares[gc_span_hash(table->rows[i].key) % (uint64_t)connections];

		share->rows[share->count++] = &table->rows[i];
	}
	for (int i = 0; i < connections; i++) {
		plans[i] = (struct plan){ NULL, 0 };
		if (coalesced)
			plan_coalesced(&plans[i], &shares[i]);
		else
			plan_plain(&plans[i], &shares[i]);
		sort_batches(&plans[i]);
		free(shares[i].rows);
	}
}

static void free_plan(struct plan *plan)
{
	for (size_t b = 0; b < plan->count; b++)
		free(plan->batches[b].rows);
	free(plan->batches);
}

/* ---- the table ---- */

static void make_table(PGconn *pg, const struct table *table)
{
	int64_t first = INT64_MAX, last = 0;
	char sql[512], from[GC_TIME_TEXT_BYTES], to[GC_TIME_TEXT_BYTES];

	for (size_t i = 0; i < table->row_count; i++) {
		first = table->rows[i].created_us < first ? table->rows[i].created_us : first;
		last = table->rows[i].created_us > last ? table->rows[i].created_us : last;
	}
	tell(pg, "DROP SCHEMA IF EXISTS ceiling CASCADE; CREATE SCHEMA ceiling;"
		 "CREATE TABLE ceiling.fact (LIKE cube.fact_verification_executions INCLUDING DEFAULTS,"
		 " PRIMARY KEY (contract_id, created_at)) PARTITION BY RANGE (created_at)");
	snprintf(
		sql, sizeof(sql),
		"DO $$ DECLARE m timestamptz; n int := 0; BEGIN FOR m IN SELECT generate_series(date_trunc('month', timestamptz '%s', 'UTC'),"
		" '%s', interval '1 month') LOOP EXECUTE format('CREATE TABLE ceiling.%%I PARTITION OF ceiling.fact FOR VALUES FROM (%%L) TO (%%L)"
		" WITH (fillfactor = 85)', 'fact_' || n, m, m + interval '1 month'); n := n + 1; END LOOP; END $$",
		gc_time_format(first, from, sizeof(from)), gc_time_format(last, to, sizeof(to)));
	tell(pg, "SET TimeZone = 'UTC'");
	tell(pg, sql);
	tell(pg, "CHECKPOINT");
}

static void prepare(PGconn *pg, const struct table *table)
{
	char names[2048] = "", parameters[2048] = "", updates[4096] = "", sql[2048 + 2048 + 4096 + 256];
	Oid oids[COLUMNS_MAX];
	PGresult *result;

	for (int c = 0; c < table->column_count; c++) {
		const char *name = table->columns[c].name, *comma = c ? ", " : "";
		size_t n = strlen(names), p = strlen(parameters), u = strlen(updates);

		oids[c] = types[table->columns[c].type].array;
		snprintf(names + n, sizeof(names) - n, "%s%s", comma, name);
		snprintf(parameters + p, sizeof(parameters) - p, "%s$%d", comma, c + 1);
		if (strcmp(name, "contract_id") != 0 && strcmp(name, "created_at") != 0)
			snprintf(updates + u, sizeof(updates) - u, "%s = excluded.%s, ", name, name);
	}
	snprintf(sql, sizeof(sql),
		 "INSERT INTO ceiling.fact (%s) SELECT * FROM unnest(%s) ON CONFLICT (contract_id, created_at) DO UPDATE SET %s"
		 "loaded_at = excluded.loaded_at",
		 names, parameters, updates);
	result = PQprepare(pg, "upsert", sql, table->column_count, oids);
	if (PQresultStatus(result) != PGRES_COMMAND_OK)
		stop("upsert", PQerrorMessage(pg));
	PQclear(result);
}

/* ---- the clock ---- */

static char *put_int32(char *at, int32_t value)
{
	uint32_t big = htobe32((uint32_t)value);

	memcpy(at, &big, sizeof(big));
	return at + sizeof(big);
}

static char *put_int64(char *at, int64_t value)
{
	uint64_t big = htobe64((uint64_t)value);

	memcpy(at, &big, sizeof(big));
	return at + sizeof(big);
}

static char *put_value(char *at, enum type type, const struct gc_value *value)
{
	int64_t bits;

	if (value->state == GC_VALUE_NULL)
		return put_int32(at, -1);
	switch (type) {
	case TYPE_TEXT:
		at = put_int32(at, (int32_t)value->text.len);
		memcpy(at, value->text.ptr, value->text.len);
		return at + value->text.len;
	case TYPE_BOOL:
		at = put_int32(at, 1);
		*at = value->integer != 0;
		return at + 1;
	case TYPE_INT4:
		return put_int32(put_int32(at, 4), (int32_t)value->integer);
	case TYPE_FLOAT8:
		memcpy(&bits, &value->real, sizeof(bits));
		return put_int64(put_int32(at, 8), bits);
	case TYPE_TIME:
		return put_int64(put_int32(at, 8), value->integer - POSTGRES_EPOCH_US);
	case TYPE_INT8:
		break;
	}
	return put_int64(put_int32(at, 8), value->integer);
}

/* array_recv in PostgreSQL's src/backend/utils/adt/arrayfuncs.c reads this. */
static char *put_array(char *at, const struct list *batch, enum type type, int c)
{
	at = put_int32(at, 1);
	at = put_int32(at, 1);
	at = put_int32(at, (int32_t)types[type].element);
	at = put_int32(at, (int32_t)batch->count);
	at = put_int32(at, 1);
	for (size_t i = 0; i < batch->count; i++)
		at = put_value(at, type, &batch->rows[i]->values[c]);
	return at;
}

static size_t bytes_at_most(const struct list *batch, const struct table *table)
{
	size_t bytes = (size_t)table->column_count * (20 + batch->count * 12);

	for (int c = 0; c < table->column_count; c++) {
		for (size_t i = 0; table->columns[c].type == TYPE_TEXT && i < batch->count; i++)
			bytes += batch->rows[i]->values[c].state == GC_VALUE_SET ? batch->rows[i]->values[c].text.len : 0;
	}
	return bytes;
}

struct runner {
	PGconn *pg;
	const struct table *table;
	const struct plan *plan;
	pthread_barrier_t *start;
	char *buffer;
	size_t capacity;
};

static void upsert(struct runner *r, const struct list *batch)
{
	const char *values[COLUMNS_MAX];
	int lengths[COLUMNS_MAX], formats[COLUMNS_MAX];
	size_t bytes = bytes_at_most(batch, r->table);
	PGresult *result;
	char *at;

	if (bytes > r->capacity)
		r->buffer = gc_realloc(r->buffer, r->capacity = bytes);
	at = r->buffer;
	for (int c = 0; c < r->table->column_count; c++) {
		values[c] = at;
		formats[c] = 1;
		at = put_array(at, batch, r->table->columns[c].type, c);
		lengths[c] = (int)(at - values[c]);
	}
	result = PQexecPrepared(r->pg, "upsert", r->table->column_count, values, lengths, formats, 0);
	if (PQresultStatus(result) != PGRES_COMMAND_OK)
		stop("upsert", PQerrorMessage(r->pg));
	PQclear(result);
}

static void *run(void *argument)
{
	struct runner *r = argument;

	pthread_barrier_wait(r->start);
	for (size_t b = 0; b < r->plan->count; b++)
		upsert(r, &r->plan->batches[b]);
	return NULL;
}

static void measure(const char *conninfo, const struct table *table, int connections, bool coalesced)
{
	struct runner runners[CONNECTIONS_MAX] = { { .pg = NULL } };
	struct plan plans[CONNECTIONS_MAX];
	pthread_t threads[CONNECTIONS_MAX];
	pthread_barrier_t start;
	PGconn *pg = connect_to(conninfo);
	size_t rows = 0, batches = 0;
	int64_t started;
	double seconds;

	make_plans(table, connections, coalesced, plans);
	make_table(pg, table);
	pthread_barrier_init(&start, NULL, (unsigned)connections + 1);
	for (int i = 0; i < connections; i++) {
		runners[i] = (struct runner){ .pg = connect_to(conninfo), .table = table, .plan = &plans[i], .start = &start };
		prepare(runners[i].pg, table);
		if (pthread_create(&threads[i], NULL, run, &runners[i]) != 0)
			stop("threads", "none left");
	}
	pthread_barrier_wait(&start);
	started = gc_monotonic_us();
	for (int i = 0; i < connections; i++)
		pthread_join(threads[i], NULL);
	seconds = (double)(gc_monotonic_us() - started) / 1e6;
	for (int i = 0; i < connections; i++) {
		for (size_t b = 0; b < plans[i].count; b++)
			rows += plans[i].batches[b].count;
		batches += plans[i].count;
		free_plan(&plans[i]);
		PQfinish(runners[i].pg);
		free(runners[i].buffer);
	}
	pthread_barrier_destroy(&start);
	tell(pg, "DROP SCHEMA ceiling CASCADE");
	PQfinish(pg);
	printf("{\"events\": %zu, \"seconds\": %.3f, \"row_versions\": %zu, \"batches\": %zu}\n", table->row_count, seconds, rows,
	       batches);
}

int main(int argc, char **argv)
{
	const struct gc_stream *stream = gc_stream_find(GC_LIT("action_contracts"));
	struct bench_events_options options = { .salt = 2 };
	struct table table = { .column_count = 0 };
	int connections;
	PGconn *pg;

	if (argc != 6) {
		fputs("usage: ceiling CONNINFO CAPTURE EVENTS plain|coalesced CONNECTIONS\n", stderr);
		return 2;
	}
	options.capture = argv[2];
	options.count = strtoull(argv[3], NULL, 10);
	connections = strcmp(argv[5], "2") == 0 ? 2 : 1;
	pg = connect_to(argv[1]);
	read_columns(pg, stream->targets[0], &table);
	PQfinish(pg);
	decode_rows(&options, stream, &table);
	measure(argv[1], &table, connections, strcmp(argv[4], "coalesced") == 0);
	free(table.rows);
	gc_arena_done(&table.arena);
	return 0;
}
