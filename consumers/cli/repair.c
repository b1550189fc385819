/* Repairs: see repair.h, and sinks/sql/code/2_engine/repair.sql for what is repaired and why that is right while writers go on.
 *
 * Threads: no shared state.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <gracecube/arena.h>
#include <gracecube/log.h>
#include <gracecube/time.h>

#include "cli/output.h"
#include "cli/repair.h"

/* Each changes up to 20,000 links; a step has a hundred thousand facts, unless one day has more. */
#define ROUNDS_MAX 1000
/* A deadlock with a writer is over at once; a lock is waited for ten seconds each time. */
#define ATTEMPTS_MAX 20
#define PAUSE_US (GC_SECOND_US / 5)

/* ---- what is left ---- */

static const struct {
	const char *check, *what_to_do;
} advice[] = {
	{ "triggers are on",
	  "nothing is repaired while a trigger is off or missing, since it would differ again with the next record: as the cube's owner "
	  "ALTER TABLE cube.<fact> ENABLE TRIGGER ALL, or, where one is missing, DELETE FROM cube.schema_file WHERE file LIKE "
	  "'code/2%' and `gracecube migrate`; then repair again" },
	{ "months are attached",
	  "nothing is repaired while a month stands apart from its fact, since it would differ again once it is attached: as the cube's owner "
	  "ALTER TABLE cube.<fact> ATTACH PARTITION … FOR VALUES FROM ('2026-09-01+0') TO ('2026-10-01+0'); then repair again" },
	{ "rollups are filled",
	  "a rollup that is new is not filled yet, and no view reads it before: `gracecube migrate` goes on with it" },
	{ "ledger closed",
	  "positions and their ledger are not touched: only the processes that read know them. Put the row of cube.etl_offset back "
	  "from a backup, or make a new cube from Kafka" },
	{ "dead letters are in the ledger",
	  "dead letters and their ledger are not touched: put the row of cube.etl_offset back from a backup, or "
	  "delete the dead letters that were added by hand" },
	{ "dead letters are counted",
	  "they are counted by a trigger, which was off while some were written or deleted; set letters, bytes and worked of the row of "
	  "cube.etl_dead_letter_ledger to what is said to be kept" },
	{ "positions are within Kafka",
	  "positions are not touched: see whether kafka.brokers names the right cluster; a position that was moved by "
	  "hand is put back by hand, in next_offset and its ledger; a topic that was made anew needs a new kafka.group_id" },
	{ "each key has its one fact",
	  "facts are not touched: put back what was deleted, from a backup or by a new cube from Kafka, and delete by SQL "
	  "what is there twice; where the facts are right as they are, --repair --accept-facts has their keys say so" },
	{ "rollup equals facts",
	  "the row ledger of these days says that facts were changed, added or deleted behind the triggers; facts are not "
	  "touched: put them back, from a backup or by a new cube from Kafka; where they are right as they are, "
	  "--repair --accept-facts has the ledger say so" },
	{ "each fact has its minute",
	  "facts are not touched: a fact's time_key is not the minute of its created_at; correct it by SQL, with the "
	  "triggers on" },
	{ "no orphans",
	  "facts and members of dimensions are not touched: put the member back from a backup, or have the facts name another by SQL, "
	  "with the triggers on" },
	{ "ranges do not overlap, one is current",
	  "members of dimensions are not made up: put the member back from a backup, then repair again" },
	{ "history is what its versions say",
	  "members of dimensions are not made up: put the member back from a backup, then repair again" },
	{ NULL, "it changes faster than it can be repaired, or a lock was not given: repair again" },
};

const char *gc_repair_advice(const char *check)
{
	size_t i = 0;

	while (advice[i].check && strcmp(advice[i].check, check) != 0)
		i++;
	return advice[i].what_to_do;
}

/* ---- what was changed ---- */

void gc_repair_init(struct gc_repair *repair)
{
	*repair = (struct gc_repair){ .shown = json_array() };
}

void gc_repair_done(struct gc_repair *repair)
{
	json_decref(repair->shown);
	free(repair->first);
	*repair = (struct gc_repair){ .shown = NULL };
}

/* {"day": "2026-11-05", "tier_key": 2} as "day 2026-11-05, tier_key 2"; free it. */
static char *words_of(const json_t *object)
{
	char *text = NULL;
	size_t bytes;
	FILE *out = open_memstream(&text, &bytes);
	const char *name, *separator = "";
	json_t *value;

	if (!out)
		abort();
	json_object_foreach((json_t *)object, name, value)
	{
		char *number = json_is_string(value) ? NULL : json_dumps(value, JSON_ENCODE_ANY);

		fprintf(out, "%s%s %s", separator, name, number ? number : json_string_value(value));
		separator = ", ";
		free(number);
	}
	fclose(out);
	return text;
}

static void take_change(void *arg, const char *const *values, int columns)
{
	static const char *const names[] = { "cell", "before", "after" };
	struct gc_repair *repair = arg;
	json_t *change;

	(void)columns;
	if (repair->changes++ >= GC_REPAIR_SHOWN)
		return;
	change = json_pack("{s:o}", "table", gc_output_text_json(values[0]));
	for (int i = 0; i < 3; i++) {
		json_t *part = values[i + 1] ? json_loads(values[i + 1], JSON_DECODE_ANY, NULL) : NULL;

		json_object_set_new(change, names[i], part ? part : json_null());
	}
	if (!repair->first) {
		char *cell = words_of(json_object_get(change, "cell"));
		size_t bytes = strlen(values[0]) + strlen(cell) + sizeof("repaired: , first ");

		repair->first = gc_realloc(NULL, bytes);
		snprintf(repair->first, bytes, "repaired, first %s: %s", values[0], cell);
		free(cell);
	}
	json_array_append_new(repair->shown, change);
}

const char *gc_repair_first(const struct gc_repair *repair)
{
	return repair->first;
}

void gc_repair_print(const struct gc_repair *repair)
{
	static const struct gc_table_column columns[] = {
		{ "changed", false, 0 }, { "cell", false, 0 }, { "before", false, 120 }, { "after", false, 120 }
	};
	struct gc_table table;
	size_t i;
	json_t *change;

	gc_table_init(&table, columns, sizeof(columns) / sizeof(columns[0]));
	json_array_foreach(repair->shown, i, change)
	{
		static const char *const names[] = { "cell", "before", "after" };

		gc_table_add(&table, json_string_value(json_object_get(change, "table")));
		for (size_t n = 0; n < sizeof(names) / sizeof(names[0]); n++) {
			const json_t *part = json_object_get(change, names[n]);
			char *words = json_is_object(part) ? words_of(part) : NULL;

			gc_table_add(&table, words);
			free(words);
		}
	}
	gc_table_print(&table, stdout);
	gc_table_done(&table);
	if (repair->changes > GC_REPAIR_SHOWN)
		printf("… and %" PRId64 " more\n", repair->changes - GC_REPAIR_SHOWN);
}

void gc_repair_add_json(const struct gc_repair *repair, json_t *answer)
{
	json_object_set_new(answer, "changes", json_integer(repair->changes));
	json_object_set(answer, "changed", repair->shown);
}

/* ---- a step ---- */

enum gc_verdict gc_repair_step(struct gc_repair *repair, struct gc_pg *pg, const char *const *values, struct gc_err *err)
{
	static const char sql[] =
		"SELECT relation, cell, before, after FROM cube.repair_step($1, $2, $3, $4, to_timestamp($5::bigint / 1e6), $6::boolean)";
	int64_t before;
	int attempts = 0;
	enum gc_verdict verdict;

	for (int round = 0; round < ROUNDS_MAX; round++) {
		before = repair->changes;
		while ((verdict = gc_pg_query(pg, sql, values, 6, take_change, repair, err)) == GC_RETRY && !gc_pg_is_lost(pg) &&
		       ++attempts < ATTEMPTS_MAX) {
			gc_info("a step of the repair is tried again", GC_S("kind", values[0]), GC_S("of", values[1]),
				GC_ERR_FIELDS(err));
			gc_sleep_us(PAUSE_US);
		}
		if (verdict == GC_REJECT || (verdict == GC_RETRY && !gc_pg_is_lost(pg))) {
			gc_warn("a step cannot be repaired", GC_S("kind", values[0]), GC_S("of", values[1]), GC_ERR_FIELDS(err));
			return GC_OK;
		}
		if (verdict || repair->changes == before)
			return verdict;
	}
	return GC_OK;
}
