/* What a cube has from the configuration: settings that SQL reads, and the metrics of the registry. Threads: none. */
#include "migration.h"

#include <stdio.h>
#include <stdlib.h>

static void take_number(void *arg, const char *const *values, int columns)
{
	(void)columns;
	*(int64_t *)arg = strtoll(values[0], NULL, 10);
}

static void take_kept(void *arg, const char *const *values, int columns)
{
	const struct migration *m = arg;

	(void)columns;
	if (m->answer->kept)
		m->answer->kept(m->answer->arg, values[0], strtoll(values[1], NULL, 10));
}

/* Both are asked first, so that whoever may not write can see that there is nothing to write. */
enum gc_verdict gc_migration_write_settings(struct migration *m, struct gc_err *err)
{
	static const char same[] = "SELECT count(*) FROM cube.setting WHERE (name, value) IN (('cube.business_days', $1),"
				   " ('cube.business_hours', $2), ('cube.business_zone', $3), ('serve.audit_retention', $4))";
	static const char sql[] =
		"INSERT INTO cube.setting (name, value) VALUES ('cube.business_days', $1), ('cube.business_hours', $2),"
		" ('cube.business_zone', $3), ('serve.audit_retention', $4) ON CONFLICT (name) DO UPDATE SET value = excluded.value, loaded_at = now()"
		" WHERE setting.value <> excluded.value";
	char audit_us[24];
	const char *values[] = { m->config->cube_business_days, m->config->cube_business_hours, m->config->cube_business_zone,
				 audit_us };
	int64_t equal = 0;
	enum gc_verdict verdict;

	snprintf(audit_us, sizeof(audit_us), "%lld", (long long)m->config->serve_audit_retention_us);
	verdict = gc_pg_query(m->pg, same, values, 4, take_number, &equal, err);
	return verdict != GC_OK || equal == 4 ? verdict : gc_pg_query(m->pg, sql, values, 4, NULL, NULL, err);
}

/* All of them are a line each in `gracecube metrics check`. */
void gc_migration_tell_targets(const struct migration *m)
{
	const struct gc_targets *targets = gc_registry_targets(m->registry);

	if (targets->stranger_count)
		gc_info("targets of what is no metric here are passed over; gracecube metrics check lists them",
			GC_S("file", targets->file), GC_I("taken", targets->taken), GC_I("passed_over", targets->stranger_count),
			GC_S("first", targets->strangers[0].id));
}

enum gc_verdict gc_migration_put_metrics(struct migration *m, struct gc_err *err)
{
	static const char differ[] = "SELECT count(*) FROM cube.metrics_that_differ($1::jsonb, $2::jsonb)";
	static const char put[] = "SELECT cube.put_metrics($1::jsonb, $2::jsonb)";
	static const char kept[] =
		"SELECT file, count(*) FROM cube.metric_definition, LATERAL unnest(ARRAY[definition ->> 'file', nullif(definition ->> 'thresholds_from', definition ->> 'file')]) file"
		" WHERE NOT $1::jsonb ? file GROUP BY 1 ORDER BY 1";
	char *definitions = gc_registry_json(m->registry),
	     *files = gc_registry_files_json(m->config->cube_metrics_files, m->config->cube_targets_file);
	const char *values[] = { definitions, m->answer->prune_metrics ? NULL : files };
	const char *named = files;
	enum gc_verdict verdict = gc_pg_query(m->pg, differ, values, 2, take_number, &m->answer->metrics, err);

	if (verdict == GC_OK && m->answer->metrics && !m->answer->dry_run)
		verdict = gc_pg_query(m->pg, put, values, 2, take_number, &m->answer->metrics, err);
	if (verdict == GC_OK)
		verdict = gc_pg_query(m->pg, kept, &named, 1, take_kept, m, err);
	free(definitions);
	free(files);
	return verdict;
}
