/* The registry for other tools: an Apache Ossie semantic model (core spec 0.1.1, https://github.com/apache/ossie), in JSON.
 *
 * A fact is a dataset with its columns; a dimension whose members have a table is one, too, and related to it; a metric is one expression. What
 * the format has no word for (unit, how it adds, thresholds, what it may be cut by) stands in an extension, under gracecube: version 0.1.1 has
 * names for its own vendors alone.
 * Threads: no shared state.
 */
#include "export.h"

#include <stdlib.h>
#include <string.h>

/* ---- expressions ---- */

static const struct {
	const char *before, *behind;
} aggregates[] = {
	[GC_MEASURE_COUNT] = { "COUNT(", ")" },
	[GC_MEASURE_SUM] = { "SUM(", ")" },
	[GC_MEASURE_DISTINCT] = { "COUNT(DISTINCT ", ")" },
	[GC_MEASURE_MAX] = { "MAX(", ")" },
	[GC_MEASURE_MIN] = { "MIN(", ")" },
	[GC_MEASURE_PERCENTILE] = { "WITHIN GROUP (ORDER BY ", ")" },
};

/* Columns by the name of their dataset. */
static void put_measure(const struct gc_measure *measure, const struct gc_fact *fact, FILE *out)
{
	char prefix[120];

	snprintf(prefix, sizeof(prefix), "%s.", fact->name);
	if (measure->kind == GC_MEASURE_PERCENTILE)
		fprintf(out, "PERCENTILE_DISC(%g) ", measure->share);
	fputs(aggregates[measure->kind].before, out);
	gc_export_value(measure, fact, prefix, out);
	fputs(aggregates[measure->kind].behind, out);
}

static void put_metric(const struct gc_definition *metric, FILE *out)
{
	fputs(metric->is_ratio ? "CAST(" : "", out);
	put_measure(&metric->value, metric->fact, out);
	if (!metric->is_ratio)
		return;
	fputs(" AS DOUBLE PRECISION) / NULLIF(", out);
	put_measure(&metric->per, metric->fact, out);
	fputs(", 0)", out);
}

static json_t *expression_json(const char *sql)
{
	return gc_export_sure(json_pack("{s:[{s:s, s:s}]}", "dialects", "dialect", "ANSI_SQL", "expression", sql));
}

/* ---- metrics ---- */

static json_t *extension_json(const struct gc_definition *metric)
{
	json_t *cuts = json_array(), *data, *extension;
	char *text;

	for (size_t i = 0; i < metric->cut_count; i++)
		json_array_append_new(cuts, json_string(metric->cuts[i]->name));
	data = gc_export_sure(json_pack("{s:{s:s, s:s, s:s, s:s, s:s, s:s*, s:o, s:o}}", "gracecube", "label", metric->label,
					"unit", metric->unit, "additivity", gc_additivity_names[metric->additivity], "better",
					gc_better_names[metric->better], "formula", metric->formula, "filter", metric->filter,
					"dimensions", cuts, "thresholds", gc_export_thresholds(metric)));
	text = gc_export_text(data);
	extension = json_pack("[{s:s, s:s}]", "vendor_name", "COMMON", "data", text);
	free(text);
	return gc_export_sure(extension);
}

static json_t *metric_json(const struct gc_definition *metric)
{
	char *sql = NULL;
	size_t bytes;
	FILE *out = open_memstream(&sql, &bytes);
	json_t *json;

	if (!out)
		abort();
	put_metric(metric, out);
	fclose(out);
	json = gc_export_sure(json_pack("{s:s, s:s, s:o, s:o}", "name", metric->name, "description", metric->about, "expression",
					expression_json(sql), "custom_extensions", extension_json(metric)));
	free(sql);
	return json;
}

/* ---- datasets ---- */

static json_t *dataset_json(const char *name, const char *schema, const char *table, const char *about, json_t *take_fields)
{
	char source[GC_SCHEMA_BYTES + 80];

	snprintf(source, sizeof(source), "%s.%s", schema, table);
	return gc_export_sure(json_pack("{s:s, s:s, s:s, s:o}", "name", name, "source", source, "description", about, "fields",
					take_fields));
}

static json_t *field_json(const char *name, const char *label, const char *about, bool is_time)
{
	return gc_export_sure(json_pack("{s:s, s:o, s:{s:b}, s:s*, s:s*}", "name", name, "expression", expression_json(name),
					"dimension", "is_time", is_time, "label", label, "description", about));
}

/* Columns for formulas, and those by which the fact is cut. */
static json_t *fact_json(const struct gc_fact *fact, const char *schema)
{
	json_t *fields = json_array();

	for (size_t i = 0; i < fact->column_count; i++)
		json_array_append_new(fields,
				      field_json(fact->columns[i].name, NULL, NULL, fact->columns[i].type == GC_COLUMN_TIME));
	for (size_t i = 0; i < fact->cut_count; i++) {
		if (!gc_export_find(fields, fact->cuts[i].column))
			json_array_append_new(fields,
					      field_json(fact->cuts[i].column, fact->cuts[i].table ? NULL : fact->cuts[i].name,
							 fact->cuts[i].table ? NULL : fact->cuts[i].about, false));
	}
	return dataset_json(fact->name, schema, fact->table, fact->about, fields);
}

static json_t *find_dataset(const json_t *datasets, const char *name)
{
	json_t *dataset;
	size_t i;

	json_array_foreach(datasets, i, dataset)
	{
		if (strcmp(json_string_value(json_object_get(dataset, "name")), name) == 0)
			return dataset;
	}
	return NULL;
}

/* The table of a dimension once, with each column that some dimension shows. */
static void add_dimension(json_t *datasets, const struct gc_cut *cut, const char *schema)
{
	json_t *dataset = find_dataset(datasets, cut->table), *fields;

	if (!dataset) {
		dataset = dataset_json(cut->table, schema, cut->table, "members of a dimension", json_array());
		json_object_set_new(dataset, "primary_key", gc_export_sure(json_pack("[s]", cut->key)));
		json_array_append_new(json_object_get(dataset, "fields"), field_json(cut->key, NULL, NULL, false));
		json_array_append_new(datasets, dataset);
	}
	fields = json_object_get(dataset, "fields");
	if (!gc_export_find(fields, cut->shows))
		json_array_append_new(fields, field_json(cut->shows, cut->name, cut->about, false));
}

/* One for each key of a fact, whatever of its members is shown. */
static void add_relationships(json_t *relationships, const struct gc_fact *fact)
{
	for (size_t i = 0; i < fact->cut_count; i++) {
		const struct gc_cut *cut = &fact->cuts[i];
		char name[160];

		if (gc_export_is_related(fact, i))
			continue;
		snprintf(name, sizeof(name), "%s_%s", fact->name, cut->column);
		json_array_append_new(relationships, gc_export_sure(json_pack("{s:s, s:s, s:s, s:[s], s:[s]}", "name", name, "from",
									      fact->name, "to", cut->table, "from_columns",
									      cut->column, "to_columns", cut->key)));
	}
}

void gc_registry_ossie(const struct gc_registry *registry, const char *schema, FILE *out)
{
	json_t *datasets = json_array(), *relationships = json_array(), *metrics = json_array(), *model;

	for (size_t i = 0; i < registry->fact_count; i++)
		json_array_append_new(datasets, fact_json(&registry->facts[i], schema));
	for (size_t i = 0; i < registry->dimension_count; i++) {
		if (registry->dimensions[i].table)
			add_dimension(datasets, &registry->dimensions[i], schema);
	}
	for (size_t i = 0; i < registry->fact_count; i++)
		add_relationships(relationships, &registry->facts[i]);
	for (size_t i = 0; i < registry->metric_count; i++)
		json_array_append_new(metrics, metric_json(&registry->metrics[i]));
	model = gc_export_sure(json_pack("{s:s, s:[{s:s, s:s, s:o, s:o, s:o}]}", "version", "0.1.1", "semantic_model", "name",
					 "grace_cube", "description",
					 "The Grace Data Cube: executions, errors, approvals, missions and what else Grace does.",
					 "datasets", datasets, "relationships", relationships, "metrics", metrics));
	json_dumpf(model, out, JSON_INDENT(2) | JSON_REAL_PRECISION(15));
	fputc('\n', out);
	json_decref(model);
}
