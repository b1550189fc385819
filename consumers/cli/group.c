/* Which consumer group a command means: see group.h. */
#include <stdio.h>
#include <stdlib.h>

#include <gracecube/arena.h>

#include "cli/group.h"

static const char groups_sql[] =
	"WITH groups AS (SELECT group_id, max(updated_at) AS moved FROM cube.etl_offset GROUP BY 1)"
	" SELECT (array_agg(group_id ORDER BY moved DESC, group_id))[1],"
	" array_to_string((array_agg(group_id ORDER BY moved DESC, group_id))[2:4], ', '), greatest(count(*) - 4, 0)"
	" FROM groups HAVING count(*) > 0 AND NOT bool_or(group_id = $1)";

static void take_group(void *arg, const char *const *values, int columns)
{
	struct gc_config *cfg = arg;

	(void)columns;
	fprintf(stderr, "gracecube: group %s (kafka.group_id) has read nothing: this is %s, which moved last", cfg->kafka_group_id,
		values[0]);
	if (values[1][0] != '\0')
		fprintf(stderr, " (there are %s%s)", values[1], strcmp(values[2], "0") == 0 ? " too" : " and more");
	fprintf(stderr, "\n");
	free(cfg->kafka_group_id);
	cfg->kafka_group_id = gc_strdup(values[0]);
}

enum gc_verdict gc_group_settle(struct gc_config *cfg, struct gc_pg *pg, struct gc_err *err)
{
	const char *group = cfg->kafka_group_id;
	char initially[GC_GROUP_BYTES];

	if (strcmp(group, gc_config_default_group(cfg, initially)) != 0 || gc_config_is_chosen(cfg, "kafka.group_id"))
		return GC_OK;
	return gc_pg_query(pg, groups_sql, &group, 1, take_group, cfg, err);
}
