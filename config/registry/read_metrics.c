/* Metrics, and a file as a whole: see read.h. Threads: one thread reads. */
#include "read.h"

#include <gracecube/human.h>

#include <stdlib.h>

/* ---- metrics ---- */

enum {
	METRIC_LABEL,
	METRIC_ABOUT,
	METRIC_UNIT,
	METRIC_FACT,
	METRIC_FORMULA,
	METRIC_FILTER,
	METRIC_DIMENSIONS,
	METRIC_BETTER,
	METRIC_THRESHOLDS
};
static const char *const metric_words[] = { "label",  "about",      "unit",   "fact",       "formula",
					    "filter", "dimensions", "better", "thresholds", NULL };

/* The API answers something else by these names: see sinks/http/api/routes.c. */
static const char *const taken_names[] = { "approvals", "compliance", "freshness", "lag", NULL };

static enum gc_verdict find_fact(struct gc_reader *reader, const yaml_node_t *node, const struct gc_fact **ret_fact,
				 struct gc_err *err)
{
	const char *names[FACTS_MAX + 1] = { NULL };
	int index;

	for (size_t i = 0; i < reader->registry->fact_count; i++)
		names[i] = reader->registry->facts[i].name;
	if (gc_reader_choice(reader, node, "fact", names, &index, err))
		return GC_FATAL;
	*ret_fact = &reader->registry->facts[index];
	return GC_OK;
}

static enum gc_verdict take_metric_cut(struct gc_reader *reader, const yaml_node_t *node, struct gc_definition *metric,
				       struct gc_err *err)
{
	const struct gc_fact *fact = metric->fact;
	const char *names[DIMENSIONS_MAX + 1] = { NULL };
	int index;

	for (size_t i = 0; i < fact->refusal_count; i++) {
		if (gc_yaml_is_text(node) && strcmp(gc_yaml_text(node), fact->refusals[i].cut) == 0)
			return gc_reader_fail(reader, node, err, "%s", fact->refusals[i].reason);
	}
	for (size_t i = 0; i < fact->cut_count; i++)
		names[i] = fact->cuts[i].name;
	if (gc_reader_choice(reader, node, "a dimension", names, &index, err))
		return GC_FATAL;
	metric->cuts[metric->cut_count++] = &fact->cuts[index];
	return GC_OK;
}

/* All of its fact, unless it says which. */
static enum gc_verdict take_metric_cuts(struct gc_reader *reader, const yaml_node_t *node, struct gc_definition *metric,
					struct gc_err *err)
{
	const struct gc_fact *fact = metric->fact;

	metric->cuts = gc_arena_zalloc(&reader->registry->arena, (fact->cut_count + 1) * sizeof(struct gc_cut *));
	for (; !node && metric->cut_count < fact->cut_count; metric->cut_count++)
		metric->cuts[metric->cut_count] = &fact->cuts[metric->cut_count];
	if (!node)
		return GC_OK;
	if (node->type != YAML_SEQUENCE_NODE)
		return gc_reader_fail(reader, node, err, "dimensions must be a list: [tier, component]");
	for (const yaml_node_item_t *item = node->data.sequence.items.start; item < node->data.sequence.items.top; item++) {
		const yaml_node_t *cut = gc_yaml_node(&reader->yaml, *item);

		if (metric->cut_count == fact->cut_count)
			return gc_reader_fail(reader, cut, err, "there are more dimensions here than %s has", fact->name);
		if (take_metric_cut(reader, cut, metric, err))
			return GC_FATAL;
	}
	return GC_OK;
}

static enum gc_verdict take_formula(struct gc_reader *reader, const struct gc_taken *taken, struct gc_definition *metric,
				    struct gc_err *err)
{
	const struct gc_scope scope = gc_reader_scope(reader, metric->fact);
	const yaml_node_t *filter = taken->nodes[METRIC_FILTER], *formula = taken->nodes[METRIC_FORMULA];
	struct gc_mistake mistake;

	if (filter && gc_reader_text(reader, filter, "filter", &metric->filter, err))
		return GC_FATAL;
	if (filter && !gc_condition_compile(&scope, gc_yaml_text(filter), &metric->condition, &mistake))
		return gc_reader_inside(reader, filter, "filter", &mistake, err);
	if (gc_reader_text(reader, formula, "formula", &metric->formula, err))
		return GC_FATAL;
	return gc_formula_compile(&scope, gc_yaml_text(formula), metric, &mistake)
		       ? GC_OK
		       : gc_reader_inside(reader, formula, "formula", &mistake, err);
}

static enum gc_verdict take_words(struct gc_reader *reader, const struct gc_taken *taken, struct gc_definition *metric,
				  struct gc_err *err)
{
	const yaml_node_t *better = taken->nodes[METRIC_BETTER], *thresholds = taken->nodes[METRIC_THRESHOLDS];
	int choice = GC_BETTER_NEITHER, unit;

	if (gc_reader_text(reader, taken->nodes[METRIC_LABEL], "label", &metric->label, err) ||
	    gc_reader_text(reader, taken->nodes[METRIC_ABOUT], "about", &metric->about, err) ||
	    gc_reader_choice(reader, taken->nodes[METRIC_UNIT], "unit", gc_metric_units, &unit, err) ||
	    (better && gc_reader_choice(reader, better, "better", gc_better_names, &choice, err)))
		return GC_FATAL;
	metric->unit = gc_metric_units[unit];
	metric->better = (enum gc_better)choice;
	metric->over_us = metric->fact->time ? GC_DAY_US : 0;
	return thresholds ? gc_read_thresholds(reader, thresholds, metric, err) : GC_OK;
}

static enum gc_verdict check_new(struct gc_reader *reader, const char *name, const yaml_node_t *key, struct gc_err *err)
{
	const struct gc_definition *other = gc_registry_find(reader->registry, name);

	if (other)
		return gc_reader_fail(reader, key, err, "there is a metric %s already, in %s:%zu; choose another name", name,
				      other->file, other->line);
	if (gc_choice_find(taken_names, gc_span_of(name)) >= 0)
		return gc_reader_fail(reader, key, err,
				      "%s cannot be a metric's name, since /api/cube/metrics/%s answers something else", name,
				      name);
	if (reader->registry->metric_count == METRICS_MAX)
		return gc_reader_fail(reader, key, err, "there are more than %d metrics", METRICS_MAX);
	return GC_OK;
}

static enum gc_verdict take_metric(struct gc_reader *reader, const char *name, const yaml_node_t *key, const yaml_node_t *value,
				   void *arg, struct gc_err *err)
{
	static const int needed[] = { METRIC_LABEL, METRIC_ABOUT, METRIC_UNIT, METRIC_FACT, METRIC_FORMULA };
	struct gc_definition *metric = &reader->registry->metrics[reader->registry->metric_count];
	struct gc_taken taken;

	(void)arg;
	if (check_new(reader, name, key, err) || gc_reader_entries(reader, value, name, metric_words, &taken, err))
		return GC_FATAL;
	for (size_t i = 0; i < sizeof(needed) / sizeof(needed[0]); i++) {
		if (!taken.nodes[needed[i]])
			return gc_reader_fail(reader, key, err, "%s needs %s", name, metric_words[needed[i]]);
	}
	*metric = (struct gc_definition){ .name = name, .line = key->start_mark.line + 1 };
	metric->file = gc_arena_dup(&reader->registry->arena, gc_span_of(reader->yaml.path)).ptr;
	if (find_fact(reader, taken.nodes[METRIC_FACT], &metric->fact, err) || take_words(reader, &taken, metric, err) ||
	    take_formula(reader, &taken, metric, err) || take_metric_cuts(reader, taken.nodes[METRIC_DIMENSIONS], metric, err))
		return GC_FATAL;
	reader->registry->metric_count++;
	return GC_OK;
}

/* ---- a file ---- */

enum { FILE_METRICS, FILE_DIMENSIONS, FILE_FACTS };
static const char *const own_words[] = { "metrics", "dimensions", "facts", NULL };
static const char *const other_words[] = { "metrics", NULL };

static void make_room(struct gc_registry *registry)
{
	registry->dimensions = gc_arena_zalloc(&registry->arena, (DIMENSIONS_MAX + 1) * sizeof(*registry->dimensions));
	registry->facts = gc_arena_zalloc(&registry->arena, (FACTS_MAX + 1) * sizeof(*registry->facts));
	registry->metrics = gc_arena_zalloc(&registry->arena, (METRICS_MAX + 1) * sizeof(*registry->metrics));
}

static enum gc_verdict take_file(void *arg, const yaml_node_t *root, struct gc_err *err)
{
	struct gc_reader *reader = arg;
	struct gc_taken taken;

	if (!reader->registry->metrics)
		make_room(reader->registry);
	if (gc_reader_entries(reader, root, "a file of metrics", reader->is_own ? own_words : other_words, &taken, err))
		return GC_FATAL;
	if ((taken.nodes[FILE_DIMENSIONS] &&
	     gc_reader_each(reader, taken.nodes[FILE_DIMENSIONS], "dimensions", gc_read_dimension, NULL, err)) ||
	    (taken.nodes[FILE_FACTS] && gc_reader_each(reader, taken.nodes[FILE_FACTS], "facts", gc_read_fact, NULL, err)))
		return GC_FATAL;
	if (!taken.nodes[FILE_METRICS] || gc_yaml_is_nothing(taken.nodes[FILE_METRICS]))
		return GC_OK;
	return gc_reader_each(reader, taken.nodes[FILE_METRICS], "metrics", take_metric, NULL, err);
}

enum gc_verdict gc_registry_read(struct gc_registry *registry, const char *path, struct gc_span text, bool is_own,
				 struct gc_err *err)
{
	struct gc_reader reader = { .registry = registry, .yaml = { .path = path, .bytes = text }, .is_own = is_own };

	return gc_yaml_walk(&reader.yaml, take_file, &reader, err);
}
