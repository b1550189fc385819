/* The registry for dbt: semantic models and metrics of MetricFlow (https://docs.getdbt.com/docs/build/semantic-models), in YAML.
 *
 * A fact is a semantic model with a measure or two for each metric; a table of members is one, too, and joined by its entity. What the format has no
 * word for stands in config.meta. A fact without a time says how things are now, which MetricFlow does not know: it is left out, and named.
 * Threads: no shared state.
 */
#include "export.h"

#include <stdlib.h>
#include <string.h>

/* ---- semantic models ---- */

/* "tier" of dim_tier: facts are joined to its members by this name. */
static const char *entity_of(const char *table)
{
	return strncmp(table, "dim_", 4) == 0 ? table + 4 : table;
}

static json_t *model_json(const char *name, const char *about, const char *table)
{
	char model[120];

	snprintf(model, sizeof(model), "ref('%s')", table);
	return gc_export_sure(json_pack("{s:s, s:s, s:s, s:[], s:[]}", "name", name, "description", about, "model", model,
					"entities", "dimensions"));
}

static void add_entity(json_t *model, const char *table, const char *type, const char *column)
{
	json_t *entities = json_object_get(model, "entities");
	const char *name = entity_of(table);

	if (!gc_export_find(entities, name))
		json_array_append_new(entities,
				      gc_export_sure(json_pack("{s:s, s:s, s:s}", "name", name, "type", type, "expr", column)));
}

static void add_category(json_t *model, const char *name, const char *about, const char *column)
{
	json_t *dimensions = json_object_get(model, "dimensions");

	if (!gc_export_find(dimensions, name))
		json_array_append_new(dimensions, gc_export_sure(json_pack("{s:s, s:s, s:s, s:s}", "name", name, "description",
									   about, "type", "categorical", "expr", column)));
}

static void add_times(json_t *model, const struct gc_fact *fact)
{
	for (size_t i = 0; i < fact->column_count; i++) {
		if (fact->columns[i].type == GC_COLUMN_TIME)
			json_array_append_new(json_object_get(model, "dimensions"),
					      gc_export_sure(json_pack("{s:s, s:s, s:{s:s}}", "name", fact->columns[i].name, "type",
								       "time", "type_params", "time_granularity", "second")));
	}
	json_object_set_new(model, "defaults", gc_export_sure(json_pack("{s:s}", "agg_time_dimension", fact->time)));
}

static json_t *fact_json(const struct gc_fact *fact)
{
	json_t *model = model_json(fact->name, fact->about, fact->table);
	bool is_primary = false;

	for (size_t i = 0; i < fact->cut_count; i++) {
		const struct gc_cut *cut = &fact->cuts[i];
		bool is_own = cut->table && strcmp(cut->table, fact->table) == 0;

		if (cut->table)
			add_entity(model, cut->table, is_own ? "primary" : "foreign", cut->column);
		if (!cut->table || is_own)
			add_category(model, is_own ? cut->shows : cut->name, cut->about, is_own ? cut->shows : cut->column);
		is_primary = is_primary || is_own;
	}
	if (!is_primary)
		json_object_set_new(model, "primary_entity", json_string(fact->name));
	add_times(model, fact);
	json_object_set_new(model, "measures", json_array());
	return model;
}

static bool is_fact(const struct gc_registry *registry, const char *table)
{
	for (size_t i = 0; i < registry->fact_count; i++) {
		if (registry->facts[i].time && strcmp(registry->facts[i].table, table) == 0)
			return true;
	}
	return false;
}

/* Of tables that are a fact's own, the fact has them. */
static void add_members(json_t *models, const struct gc_registry *registry)
{
	for (size_t i = 0; i < registry->dimension_count; i++) {
		const struct gc_cut *cut = &registry->dimensions[i];
		json_t *model;

		if (!cut->table || is_fact(registry, cut->table))
			continue;
		model = gc_export_find(models, cut->table);
		if (!model) {
			model = model_json(cut->table, "Members of a dimension.", cut->table);
			add_entity(model, cut->table, "primary", cut->key);
			json_array_append_new(models, model);
		}
		add_category(model, cut->shows, cut->about, cut->shows);
	}
}

/* ---- metrics ---- */

static const char *const aggregations[] = {
	[GC_MEASURE_COUNT] = "count", [GC_MEASURE_SUM] = "sum", [GC_MEASURE_DISTINCT] = "count_distinct",
	[GC_MEASURE_MAX] = "max",     [GC_MEASURE_MIN] = "min", [GC_MEASURE_PERCENTILE] = "percentile",
};

static void add_measure(json_t *model, const struct gc_definition *metric, const struct gc_measure *measure, const char *name)
{
	char *sql = NULL;
	size_t bytes;
	FILE *out = open_memstream(&sql, &bytes);
	json_t *json;

	if (!out)
		abort();
	gc_export_value(measure, metric->fact, "", out);
	fclose(out);
	json = gc_export_sure(json_pack("{s:s, s:s, s:s}", "name", name, "agg", aggregations[measure->kind], "expr", sql));
	free(sql);
	if (measure->kind == GC_MEASURE_PERCENTILE)
		json_object_set_new(json, "agg_params",
				    gc_export_sure(json_pack("{s:f, s:b}", "percentile", measure->share, "use_discrete_percentile",
							     1)));
	json_array_append_new(json_object_get(model, "measures"), json);
}

static json_t *named(const struct gc_definition *metric, const char *ending, const char *label, const char *type,
		     json_t *take_parameters)
{
	char name[120], text[200];

	snprintf(name, sizeof(name), "%s%s", metric->name, ending);
	snprintf(text, sizeof(text), "%s%s", metric->label, label);
	return gc_export_sure(json_pack("{s:s, s:s, s:s, s:s, s:o}", "name", name, "label", text, "description", metric->about,
					"type", type, "type_params", take_parameters));
}

/* A metric of one measure, which is in the model then. */
static json_t *simple(json_t *model, const struct gc_definition *metric, const struct gc_measure *measure, const char *ending,
		      const char *label)
{
	char name[120];

	snprintf(name, sizeof(name), "%s%s_measure", metric->name, ending);
	add_measure(model, metric, measure, name);
	return named(metric, ending, label, "simple", gc_export_sure(json_pack("{s:{s:s}}", "measure", "name", name)));
}

static json_t *ratio(json_t *metrics, json_t *model, const struct gc_definition *metric)
{
	char numerator[120], denominator[120];

	snprintf(numerator, sizeof(numerator), "%s_numerator", metric->name);
	snprintf(denominator, sizeof(denominator), "%s_denominator", metric->name);
	json_array_append_new(metrics, simple(model, metric, &metric->value, "_numerator", ", numerator"));
	json_array_append_new(metrics, simple(model, metric, &metric->per, "_denominator", ", denominator"));
	return named(metric, "", "", "ratio",
		     gc_export_sure(json_pack("{s:s, s:s}", "numerator", numerator, "denominator", denominator)));
}

static json_t *meta_json(const struct gc_definition *metric)
{
	json_t *cuts = json_array();

	for (size_t i = 0; i < metric->cut_count; i++)
		json_array_append_new(cuts, json_string(metric->cuts[i]->name));
	return gc_export_sure(json_pack("{s:{s:{s:s, s:s, s:s, s:s, s:s*, s:o, s:o}}}", "meta", "gracecube", "unit", metric->unit,
					"additivity", gc_additivity_names[metric->additivity], "better",
					gc_better_names[metric->better], "formula", metric->formula, "filter", metric->filter,
					"dimensions", cuts, "thresholds", gc_export_thresholds(metric)));
}

static void add_metric(json_t *metrics, json_t *models, const struct gc_definition *metric)
{
	json_t *model = gc_export_find(models, metric->fact->name), *json;

	json = metric->is_ratio ? ratio(metrics, model, metric) : simple(model, metric, &metric->value, "", "");
	json_object_set_new(json, "config", meta_json(metric));
	json_array_append_new(metrics, json);
}

/* ---- the file ---- */

/* What has to be there beside it. */
static void put_head(const struct gc_registry *registry, const json_t *models, const char *schema, FILE *out)
{
	const json_t *model;
	size_t i;

	fprintf(out,
		"# Semantic models and metrics of the cube in the schema %s, made by `gracecube metrics export --format metricflow`.\n"
		"# They are about models of these names, each of one line, SELECT * FROM {{ source('%s', '…') }}:\n#  ",
		schema, schema);
	json_array_foreach(models, i, model)
	{
		const char *reference = json_string_value(json_object_get(model, "model"));

		fprintf(out, " %.*s", (int)(strlen(reference) - strlen("ref('')")), reference + strlen("ref('"));
	}
	fputs("\n# Not here, as these have no time:", out);
	for (i = 0; i < registry->metric_count; i++) {
		if (!registry->metrics[i].fact->time)
			fprintf(out, " %s", registry->metrics[i].name);
	}
	fputs("\n", out);
}

void gc_registry_metricflow(const struct gc_registry *registry, const char *schema, FILE *out)
{
	json_t *models = json_array(), *metrics = json_array(), *file;

	for (size_t i = 0; i < registry->fact_count; i++) {
		if (registry->facts[i].time)
			json_array_append_new(models, fact_json(&registry->facts[i]));
	}
	add_members(models, registry);
	for (size_t i = 0; i < registry->metric_count; i++) {
		if (registry->metrics[i].fact->time)
			add_metric(metrics, models, &registry->metrics[i]);
	}
	put_head(registry, models, schema, out);
	file = gc_export_sure(json_pack("{s:o, s:o}", "semantic_models", models, "metrics", metrics));
	gc_export_yaml(file, out);
	json_decref(file);
}
