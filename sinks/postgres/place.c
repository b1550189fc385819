/* May a cube be in this schema of this database? What only the server knows: its key words, its time zones, what is there already.
 * Threads: one connection belongs to one worker.
 */
#include "schema.h"

#include <stdlib.h>

static enum gc_verdict check_zone(struct gc_pg *pg, const char *zone, struct gc_err *err)
{
	enum gc_verdict verdict = gc_pg_query(pg, "SELECT now() AT TIME ZONE $1", &zone, 1, NULL, NULL, err);

	if (verdict == GC_OK || strncmp(err->code, "22", 2) != 0)
		return verdict;
	return gc_fail(err, GC_FATAL, "cube.business_zone", zone,
		       "the database knows no time zone %s; cube.business_zone takes a name of pg_timezone_names", zone);
}

static void take_count(void *arg, const char *const *values, int columns)
{
	(void)columns;
	*(long *)arg = strtol(values[0], NULL, 10);
}

/* SQL names the schema without quotes. */
static enum gc_verdict check_key_word(struct gc_pg *pg, const char *schema, struct gc_err *err)
{
	static const char sql[] = "SELECT count(*) FROM pg_get_keywords() WHERE word = $1 AND catcode <> 'U'";
	long found = 0;
	enum gc_verdict verdict = gc_pg_query(pg, sql, &schema, 1, take_count, &found, err);

	if (verdict != GC_OK || found == 0)
		return verdict;
	return gc_fail(err, GC_FATAL, "cube.schema", "cube.schema", "%s is a key word of SQL; choose another name", schema);
}

enum gc_verdict gc_place_check(struct gc_pg *pg, const struct gc_config *config, struct gc_err *err)
{
	enum gc_verdict verdict = check_zone(pg, config->cube_business_zone, err);

	return verdict == GC_OK ? check_key_word(pg, config->cube_schema, err) : verdict;
}

enum gc_verdict gc_place_check_free(struct gc_pg *pg, const struct gc_config *config, struct gc_err *err)
{
	static const char sql[] =
		"SELECT count(*) FROM (SELECT relnamespace FROM pg_class UNION ALL SELECT pronamespace FROM pg_proc) o"
		" WHERE o.relnamespace = to_regnamespace($1)";
	const char *schema = config->cube_schema;
	long found = 0;
	enum gc_verdict verdict = gc_pg_query(pg, sql, &schema, 1, take_count, &found, err);

	if (verdict != GC_OK || found == 0)
		return verdict;
	return gc_fail(err, GC_FATAL, "cube.schema", "cube.schema",
		       "the schema %s holds %ld tables and functions that are no cube's; name another schema, or empty it", schema,
		       found);
}
