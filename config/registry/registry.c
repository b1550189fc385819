/* The registry as a whole: read from its files, asked, handed to the cube as JSON. See gracecube/registry.h. */
#include "registry.h"

#include <gracecube/human.h>

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>

const char *const gc_better_names[] = { "neither", "up", "down", NULL };
const char *const gc_additivity_names[] = { "additive", "by_parts", "none", NULL };
const char *const gc_threshold_names[] = { "good", "warning", "critical", NULL };
const char *const gc_metric_units[] = { "count", "ratio", "seconds", "score", NULL };

#define OWN_PATH "config/metrics.yaml"

/* ---- reading ---- */

static enum gc_verdict read_metrics(struct gc_registry *registry, const char *path, struct gc_span text, struct gc_err *err)
{
	return gc_registry_read(registry, path, text, false, err);
}

static enum gc_verdict read_file(struct gc_registry *registry, const char *path,
				 enum gc_verdict (*read)(struct gc_registry *registry, const char *path, struct gc_span text,
							 struct gc_err *err),
				 struct gc_err *err)
{
	FILE *in = fopen(path, "re");
	char *bytes = NULL;
	size_t len = 0;
	enum gc_verdict verdict;

	if (!in)
		return gc_fail(err, GC_FATAL, "config_unreadable", path, "cannot be read: %s", strerror(errno));
	verdict = gc_yaml_read(path, in, &bytes, &len, err);
	fclose(in);
	if (verdict == GC_OK)
		verdict = read(registry, path, (struct gc_span){ bytes, len }, err);
	free(bytes);
	return verdict;
}

enum gc_verdict gc_registry_load(const char *files, const char *targets, struct gc_registry **ret_registry, struct gc_err *err)
{
	struct gc_registry *registry = gc_calloc(1, sizeof(*registry));
	struct gc_span rest = gc_span_of(files), item;
	enum gc_verdict verdict;

	gc_arena_init(&registry->arena);
	verdict = gc_registry_read(registry, OWN_PATH, gc_span_of(gc_registry_text), true, err);
	while (verdict == GC_OK && gc_span_next_item(&rest, ',', &item)) {
		char *path = gc_span_strdup(item);

		verdict = read_file(registry, path, read_metrics, err);
		free(path);
	}
	if (verdict == GC_OK && *targets)
		verdict = read_file(registry, targets, gc_targets_read, err);
	*ret_registry = registry;
	return verdict;
}

void gc_registry_free(struct gc_registry *registry)
{
	if (!registry)
		return;
	gc_arena_done(&registry->arena);
	free(registry);
}

/* ---- asking ---- */

const struct gc_definition *gc_registry_at(const struct gc_registry *registry, size_t index)
{
	return index < registry->metric_count ? &registry->metrics[index] : NULL;
}

const struct gc_definition *gc_registry_find(const struct gc_registry *registry, const char *name)
{
	for (size_t i = 0; i < registry->metric_count; i++) {
		if (strcmp(registry->metrics[i].name, name) == 0)
			return &registry->metrics[i];
	}
	return NULL;
}

const char *gc_registry_nearest(const struct gc_registry *registry, const char *name)
{
	struct gc_nearest nearest = { .word = name };

	for (size_t i = 0; i < registry->metric_count; i++)
		gc_nearest_offer(&nearest, registry->metrics[i].name);
	return nearest.best;
}

const struct gc_fact *gc_registry_fact(const struct gc_registry *registry, size_t index)
{
	return index < registry->fact_count ? &registry->facts[index] : NULL;
}

const struct gc_targets *gc_registry_targets(const struct gc_registry *registry)
{
	return &registry->targets;
}

/* ---- sums ---- */

const struct gc_kept *gc_sums_find(const struct gc_sums *sums, const struct gc_measure *measure)
{
	for (size_t i = 0; i < sums->kept_count; i++) {
		if (gc_measure_is_same(&sums->kept[i].measure, measure))
			return &sums->kept[i];
	}
	return NULL;
}

bool gc_sums_hold(const struct gc_sums *sums, const struct gc_definition *metric)
{
	if (metric->value.kind == GC_MEASURE_PERCENTILE)
		return sums->histogram && !metric->condition && strcmp(sums->histogram, metric->value.value) == 0;
	return gc_sums_find(sums, &metric->value) && gc_sums_find(sums, &metric->n) &&
	       (!metric->is_ratio || gc_sums_find(sums, &metric->per));
}

/* ---- as JSON ---- */

static void add_all(json_t *to, json_t *take_from)
{
	json_object_update(to, take_from);
	json_decref(take_from);
}

static json_t *measure_json(const struct gc_measure *measure)
{
	return json_pack("{s:s, s:s*, s:s*, s:I, s:f}", "kind", gc_measure_names[measure->kind], "condition", measure->condition,
			 "value", measure->value, "units", (json_int_t)(measure->units ? measure->units : 1), "share",
			 measure->share);
}

static json_t *cut_json(const struct gc_cut *cut)
{
	return json_pack("{s:s, s:s*, s:s*, s:s*}", "column", cut->column, "table", cut->table, "key", cut->key, "shows",
			 cut->shows);
}

static json_t *cuts_json(const struct gc_definition *metric)
{
	json_t *cuts = json_object();

	for (size_t i = 0; i < metric->cut_count; i++)
		json_object_set_new(cuts, metric->cuts[i]->name, cut_json(metric->cuts[i]));
	return cuts;
}

/* In the order in which they were written, which an object in PostgreSQL does not keep. */
static json_t *names_json(const struct gc_definition *metric)
{
	json_t *names = json_array();

	for (size_t i = 0; i < metric->cut_count; i++)
		json_array_append_new(names, json_string(metric->cuts[i]->name));
	return names;
}

static const char *kept_column(const struct gc_sums *sums, const struct gc_measure *measure)
{
	const struct gc_kept *kept = gc_sums_find(sums, measure);

	return kept ? kept->column : NULL;
}

static json_t *sums_json(const struct gc_sums *sums, const struct gc_definition *metric)
{
	bool is_percentile = metric->value.kind == GC_MEASURE_PERCENTILE;
	json_t *cuts = json_object(), *json;

	for (size_t i = 0; i < sums->cut_count; i++)
		json_object_set_new(cuts, sums->cuts[i].name, json_string(sums->cuts[i].column));
	json = json_pack("{s:s, s:s, s:o}", "table", sums->table, "time", sums->time, "cuts", cuts);
	if (sums->together.cut)
		json_object_set_new(json, "together",
				    json_pack("{s:s, s:s, s:s}", "cut", sums->together.cut, "column", sums->together.column,
					      "value", sums->together.value));
	if (!is_percentile)
		add_all(json,
			json_pack("{s:s, s:s, s:s*}", "value", kept_column(sums, &metric->value), "n",
				  kept_column(sums, &metric->n), "per", metric->is_ratio ? kept_column(sums, &metric->per) : NULL));
	return json;
}

static json_t *all_sums_json(const struct gc_definition *metric)
{
	json_t *all = json_array();

	for (size_t i = 0; i < metric->fact->sums_count; i++) {
		if (gc_sums_hold(&metric->fact->sums[i], metric))
			json_array_append_new(all, sums_json(&metric->fact->sums[i], metric));
	}
	return all;
}

static json_t *refusals_json(const struct gc_fact *fact)
{
	json_t *refusals = json_object();

	for (size_t i = 0; i < fact->refusal_count; i++)
		json_object_set_new(refusals, fact->refusals[i].cut, json_string(fact->refusals[i].reason));
	return refusals;
}

static json_t *thresholds_json(const struct gc_definition *metric)
{
	json_t *thresholds = json_object();

	for (int i = 0; i < GC_THRESHOLDS; i++) {
		if (metric->thresholds[i])
			json_object_set_new(thresholds, gc_threshold_names[i], json_real(strtod(metric->thresholds[i], NULL)));
	}
	return thresholds;
}

static json_t *definition_json(const struct gc_definition *metric, size_t position)
{
	const struct gc_fact *fact = metric->fact;
	json_t *json = json_pack("{s:I, s:s, s:s, s:s, s:s, s:s, s:s*, s:s, s:s, s:s, s:o, s:o, s:o, s:o, s:o}", "position",
				 (json_int_t)position, "label", metric->label, "about", metric->about, "unit", metric->unit, "fact",
				 fact->name, "formula", metric->formula, "filter", metric->filter, "better",
				 gc_better_names[metric->better], "additivity", gc_additivity_names[metric->additivity], "file",
				 metric->file, "thresholds", thresholds_json(metric), "dimensions", names_json(metric), "cuts",
				 cuts_json(metric), "refuses", refusals_json(fact), "sums", all_sums_json(metric));

	if (!json)
		abort();
	if (metric->thresholds_file)
		add_all(json, json_pack("{s:s, s:I, s:I, s:s*}", "thresholds_from", metric->thresholds_file, "over_seconds",
					(json_int_t)(metric->over_us / GC_SECOND_US), "min_rows", (json_int_t)metric->rows_min,
					"playbook", metric->playbook));
	add_all(json, json_pack("{s:s, s:s*, s:s*, s:s*, s:s*}", "table", fact->table, "time", fact->time, "time_key",
				fact->time_key, "only", fact->condition, "condition", metric->condition));
	json_object_set_new(json, "value", measure_json(&metric->value));
	json_object_set_new(json, "n", measure_json(&metric->n));
	if (metric->is_ratio)
		json_object_set_new(json, "per", measure_json(&metric->per));
	return json;
}

/* Takes the JSON. */
static char *to_text(json_t *json)
{
	char *text = json_dumps(json, JSON_COMPACT | JSON_REAL_PRECISION(15));

	json_decref(json);
	if (!text)
		abort();
	return text;
}

char *gc_registry_json(const struct gc_registry *registry)
{
	json_t *all = json_object();

	for (size_t i = 0; i < registry->metric_count; i++)
		json_object_set_new(all, registry->metrics[i].name, definition_json(&registry->metrics[i], i + 1));
	return to_text(all);
}

char *gc_registry_files_json(const char *files, const char *targets)
{
	struct gc_span rest = gc_span_of(files), item;
	json_t *all = json_array();

	json_array_append_new(all, json_string(OWN_PATH));
	while (gc_span_next_item(&rest, ',', &item))
		json_array_append_new(all, json_stringn(item.ptr, item.len));
	if (*targets)
		json_array_append_new(all, json_string(targets));
	return to_text(all);
}
