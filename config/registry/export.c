/* What the exports for other tools share. Threads: no shared state. */
#include "export.h"

#include <gracecube/registry.h>

#include <stdlib.h>
#include <string.h>

json_t *gc_export_sure(json_t *json)
{
	if (!json)
		abort();
	return json;
}

char *gc_export_text(json_t *json)
{
	char *text = json_dumps(gc_export_sure(json), JSON_COMPACT | JSON_REAL_PRECISION(15));

	json_decref(json);
	if (!text)
		abort();
	return text;
}

json_t *gc_export_find(const json_t *list, const char *name)
{
	json_t *item;
	size_t i;

	json_array_foreach(list, i, item)
	{
		if (strcmp(json_string_value(json_object_get(item, "name")), name) == 0)
			return item;
	}
	return NULL;
}

/* ---- expressions ---- */

static bool is_word(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
}

/* The registry's SQL has f. before each column; what stands in a text stays. */
static void put_sql(const char *sql, const char *prefix, FILE *out)
{
	bool is_text = false;

	for (const char *c = sql; *c; c++) {
		is_text = is_text != (*c == '\'');
		if (!is_text && c[0] == 'f' && c[1] == '.' && (c == sql || !is_word(c[-1]))) {
			fputs(prefix, out);
			c++;
		} else {
			fputc(*c, out);
		}
	}
}

void gc_export_value(const struct gc_measure *measure, const struct gc_fact *fact, const char *prefix, FILE *out)
{
	const char *conditions[] = { fact->condition, measure->condition };
	const char *before = "CASE WHEN ";

	for (size_t i = 0; i < sizeof(conditions) / sizeof(conditions[0]); i++) {
		if (!conditions[i])
			continue;
		fprintf(out, "%s(", before);
		put_sql(conditions[i], prefix, out);
		fputs(")", out);
		before = " AND ";
	}
	fputs(fact->condition || measure->condition ? " THEN " : "", out);
	put_sql(measure->value ? measure->value : "1", prefix, out);
	fputs(fact->condition || measure->condition ? " END" : "", out);
}

/* ---- definitions ---- */

json_t *gc_export_thresholds(const struct gc_definition *metric)
{
	json_t *thresholds = json_object();

	for (int i = 0; i < GC_THRESHOLDS; i++) {
		if (metric->thresholds[i])
			json_object_set_new(thresholds, gc_threshold_names[i], json_real(strtod(metric->thresholds[i], NULL)));
	}
	return thresholds;
}

bool gc_export_is_related(const struct gc_fact *fact, size_t cut)
{
	const struct gc_cut *own = &fact->cuts[cut];

	if (!own->table || strcmp(own->table, fact->table) == 0)
		return true;
	for (size_t i = 0; i < cut; i++) {
		if (fact->cuts[i].table && strcmp(fact->cuts[i].column, own->column) == 0)
			return true;
	}
	return false;
}
