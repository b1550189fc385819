/* Targets: Grace's own metrics_catalog.yaml, whose thresholds and playbooks are those of the metrics here of the same name.
 *
 * It is read as Grace has it: a list `metrics`, of which metric_id, unit, thresholds, playbooks and playbook_id say something here; whatever else is
 * there is passed over. An id is a metric's name, or has its category before it: autonomy.approvals_pending. Thresholds are bands, good: {upper: 3},
 * or numbers; ms and percent become seconds and ratios. What is wrong is refused with its place; what is of no metric here is told, not refused.
 * Threads: one thread reads.
 */
#include "read.h"

#include <gracecube/human.h>

#include <stdio.h>
#include <stdlib.h>

#define TARGETS_MAX 1000

enum { TARGET_ID, TARGET_UNIT, TARGET_THRESHOLDS, TARGET_PLAYBOOK, TARGET_PLAYBOOKS };
static const char *const target_words[] = { "metric_id", "unit", "thresholds", "playbook_id", "playbooks", NULL };

enum { BAND_LOWER, BAND_UPPER };
static const char *const band_words[] = { "lower", "upper", NULL };

/* What Grace calls a unit, what it is here, and how many of these it is. */
static const struct {
	const char *theirs, *ours;
	double factor;
} units[] = {
	{ "count", "count", 1 },    { "ratio", "ratio", 1 }, { "percent", "ratio", 0.01 }, { "seconds", "seconds", 1 },
	{ "ms", "seconds", 0.001 }, { "score", "score", 1 }, { "ratio", "score", 1 },      { "percent", "score", 0.01 },
};

/* ---- which metric ---- */

static struct gc_definition *find_metric(struct gc_registry *registry, const char *id)
{
	const char *dot = strrchr(id, '.');
	const struct gc_definition *metric = gc_registry_find(registry, dot ? dot + 1 : id);

	return metric ? &registry->metrics[metric - registry->metrics] : NULL;
}

/* The entries that mean something here. */
static enum gc_verdict take_entries(struct gc_reader *reader, const yaml_node_t *entry, struct gc_taken *ret_taken,
				    struct gc_err *err)
{
	*ret_taken = (struct gc_taken){ .own = entry };
	if (entry->type != YAML_MAPPING_NODE)
		return gc_reader_fail(reader, entry, err, "a metric must be a section that begins with metric_id");
	for (const yaml_node_pair_t *pair = entry->data.mapping.pairs.start; pair < entry->data.mapping.pairs.top; pair++) {
		const yaml_node_t *key = gc_yaml_node(&reader->yaml, pair->key);
		int index;

		if (gc_yaml_check_key(&reader->yaml, key, err) ||
		    gc_yaml_check_once(&reader->yaml, entry, pair, gc_yaml_text(key), err))
			return GC_FATAL;
		index = gc_choice_find(target_words, gc_span_of(gc_yaml_text(key)));
		if (index >= 0)
			ret_taken->nodes[index] = gc_yaml_node(&reader->yaml, pair->value);
	}
	return gc_reader_need(reader, ret_taken, "a metric", target_words, TARGET_ID, err);
}

/* ---- thresholds ---- */

static enum gc_verdict find_factor(struct gc_reader *reader, const yaml_node_t *node, const struct gc_definition *metric,
				   double *ret_factor, struct gc_err *err)
{
	const char *allowed[sizeof(units) / sizeof(units[0]) + 1] = { NULL };
	size_t count = 0;
	char list[200];

	*ret_factor = 1;
	for (size_t i = 0; node && i < sizeof(units) / sizeof(units[0]); i++) {
		if (strcmp(units[i].ours, metric->unit) != 0)
			continue;
		if (gc_yaml_is_text(node) && strcmp(gc_yaml_text(node), units[i].theirs) == 0) {
			*ret_factor = units[i].factor;
			return GC_OK;
		}
		allowed[count++] = units[i].theirs;
	}
	return node ? gc_reader_fail(reader, node, err, "the unit of %s is %s here, so it may be %s", metric->name, metric->unit,
				     gc_choices_print(allowed, list, sizeof(list)))
		    : GC_OK;
}

struct band {
	const yaml_node_t *node;
	bool has[2];
	double ends[2];
};

/* A number alone is the end towards the worse, whichever that is. */
static enum gc_verdict take_band(struct gc_reader *reader, const yaml_node_t *node, const char *name, struct band *ret_band,
				 struct gc_err *err)
{
	struct gc_taken taken;

	*ret_band = (struct band){ .node = node };
	if (node->type == YAML_SCALAR_NODE) {
		if (gc_read_threshold(reader, node, name, &ret_band->ends[BAND_LOWER], err))
			return GC_FATAL;
		ret_band->ends[BAND_UPPER] = ret_band->ends[BAND_LOWER];
		ret_band->has[BAND_LOWER] = ret_band->has[BAND_UPPER] = true;
		return GC_OK;
	}
	if (gc_reader_entries(reader, node, name, band_words, &taken, err))
		return GC_FATAL;
	for (int end = BAND_LOWER; end <= BAND_UPPER; end++) {
		ret_band->has[end] = taken.nodes[end] != NULL;
		if (taken.nodes[end] && gc_read_threshold(reader, taken.nodes[end], band_words[end], &ret_band->ends[end], err))
			return GC_FATAL;
	}
	if (ret_band->has[BAND_LOWER] && ret_band->has[BAND_UPPER] && ret_band->ends[BAND_LOWER] > ret_band->ends[BAND_UPPER])
		return gc_reader_fail(reader, taken.nodes[BAND_LOWER], err, "lower of %s is above its upper", name);
	return GC_OK;
}

/* Where the registry does not say what is better, the open ends of good and critical do. */
static enum gc_better find_better(const struct gc_definition *metric, const struct band *bands)
{
	const struct band *good = &bands[GC_GOOD], *critical = &bands[GC_CRITICAL];

	if (metric->better != GC_BETTER_NEITHER)
		return metric->better;
	if (good->has[BAND_LOWER] != good->has[BAND_UPPER])
		return good->has[BAND_LOWER] ? GC_BETTER_UP : GC_BETTER_DOWN;
	if (critical->has[BAND_LOWER] != critical->has[BAND_UPPER])
		return critical->has[BAND_UPPER] ? GC_BETTER_UP : GC_BETTER_DOWN;
	return GC_BETTER_NEITHER;
}

/* Good reaches to its worse end, warning and critical begin at their better one. */
static int end_of(int threshold, enum gc_better better)
{
	return (better == GC_BETTER_UP) == (threshold == GC_GOOD) ? BAND_LOWER : BAND_UPPER;
}

static enum gc_verdict put_threshold(struct gc_reader *reader, const struct band *band, int threshold, double factor,
				     struct gc_definition *metric, struct gc_err *err)
{
	int end = end_of(threshold, metric->better);
	char number[40];

	if (!band->has[end])
		return gc_reader_fail(reader, band->node, err, "%s of %s needs %s, since %s is better",
				      gc_threshold_names[threshold], metric->name, band_words[end],
				      gc_better_names[metric->better]);
	snprintf(number, sizeof(number), "%.15g", band->ends[end] * factor);
	metric->thresholds[threshold] = gc_arena_dup(&reader->registry->arena, gc_span_of(number)).ptr;
	return GC_OK;
}

/* All of the registry's are replaced, so that no two files say one thing. */
static enum gc_verdict take_bands(struct gc_reader *reader, const yaml_node_t *node, double factor, struct gc_definition *metric,
				  struct gc_err *err)
{
	struct band bands[GC_THRESHOLDS] = { { .node = NULL } };
	struct gc_taken taken;

	if (gc_reader_entries(reader, node, "thresholds", gc_threshold_names, &taken, err))
		return GC_FATAL;
	for (int i = 0; i < GC_THRESHOLDS; i++) {
		metric->thresholds[i] = NULL;
		if (taken.nodes[i] && take_band(reader, taken.nodes[i], gc_threshold_names[i], &bands[i], err))
			return GC_FATAL;
	}
	metric->better = find_better(metric, bands);
	if (metric->better == GC_BETTER_NEITHER)
		return gc_reader_fail(reader, node, err,
				      "whether more or less of %s is better can not be told: give good one end, lower or upper",
				      metric->name);
	for (int i = 0; i < GC_THRESHOLDS; i++) {
		if (bands[i].node && put_threshold(reader, &bands[i], i, factor, metric, err))
			return GC_FATAL;
	}
	return gc_check_thresholds(reader, taken.nodes, metric, err);
}

static enum gc_verdict take_thresholds(struct gc_reader *reader, const struct gc_taken *taken, struct gc_definition *metric,
				       struct gc_err *err)
{
	const yaml_node_t *thresholds = taken->nodes[TARGET_THRESHOLDS];
	double factor;

	if (!thresholds)
		return GC_OK;
	if (find_factor(reader, taken->nodes[TARGET_UNIT], metric, &factor, err) ||
	    take_bands(reader, thresholds, factor, metric, err))
		return GC_FATAL;
	for (int i = 0; i < GC_THRESHOLDS; i++) {
		if (metric->thresholds[i])
			metric->thresholds_file = gc_arena_dup(&reader->registry->arena, gc_span_of(reader->yaml.path)).ptr;
	}
	return GC_OK;
}

/* ---- playbooks ---- */

static enum gc_verdict add_playbook(struct gc_reader *reader, const yaml_node_t *node, struct gc_definition *metric,
				    struct gc_err *err)
{
	const char *name;
	char all[400];

	if (gc_reader_text(reader, node, "a playbook", &name, err))
		return GC_FATAL;
	if (snprintf(all, sizeof(all), "%s%s%s", metric->playbook ? metric->playbook : "", metric->playbook ? "," : "", name) >=
	    (int)sizeof(all))
		return gc_reader_fail(reader, node, err, "the playbooks of %s are longer than %zu bytes", metric->name,
				      sizeof(all) - 1);
	metric->playbook = gc_arena_dup(&reader->registry->arena, gc_span_of(all)).ptr;
	return GC_OK;
}

static enum gc_verdict take_playbooks(struct gc_reader *reader, const struct gc_taken *taken, struct gc_definition *metric,
				      struct gc_err *err)
{
	const yaml_node_t *one = taken->nodes[TARGET_PLAYBOOK], *many = taken->nodes[TARGET_PLAYBOOKS];

	if (one && add_playbook(reader, one, metric, err))
		return GC_FATAL;
	if (!many)
		return GC_OK;
	if (many->type != YAML_SEQUENCE_NODE)
		return gc_reader_fail(reader, many, err, "playbooks must be a list: [scale-workers]");
	for (const yaml_node_item_t *item = many->data.sequence.items.start; item < many->data.sequence.items.top; item++) {
		if (add_playbook(reader, gc_yaml_node(&reader->yaml, *item), metric, err))
			return GC_FATAL;
	}
	return GC_OK;
}

/* ---- the file ---- */

static enum gc_verdict take_target(struct gc_reader *reader, const yaml_node_t *entry, struct gc_err *err)
{
	struct gc_targets *targets = &reader->registry->targets;
	struct gc_taken taken;
	struct gc_definition *metric;
	size_t line = entry->start_mark.line + 1;
	const char *id;

	if (take_entries(reader, entry, &taken, err) || gc_reader_text(reader, taken.nodes[TARGET_ID], "metric_id", &id, err))
		return GC_FATAL;
	metric = find_metric(reader->registry, id);
	if (!metric) {
		targets->strangers[targets->stranger_count++] = (struct gc_stranger){ .id = id, .line = line };
		return GC_OK;
	}
	if (metric->target_line)
		return gc_reader_fail(reader, taken.nodes[TARGET_ID], err, "%s has its targets in line %zu already", metric->name,
				      metric->target_line);
	metric->target_line = line;
	metric->playbook = NULL;
	targets->taken++;
	return take_thresholds(reader, &taken, metric, err) || take_playbooks(reader, &taken, metric, err) ? GC_FATAL : GC_OK;
}

static enum gc_verdict take_list(void *arg, const yaml_node_t *root, struct gc_err *err)
{
	struct gc_reader *reader = arg;
	struct gc_targets *targets = &reader->registry->targets;
	const yaml_node_t *list = NULL;

	if (root->type != YAML_MAPPING_NODE)
		return gc_reader_fail(reader, root, err, "a file of targets must be a section with the list metrics");
	for (const yaml_node_pair_t *pair = root->data.mapping.pairs.start; pair < root->data.mapping.pairs.top; pair++) {
		const yaml_node_t *key = gc_yaml_node(&reader->yaml, pair->key);

		if (gc_yaml_check_key(&reader->yaml, key, err) ||
		    gc_yaml_check_once(&reader->yaml, root, pair, gc_yaml_text(key), err))
			return GC_FATAL;
		if (strcmp(gc_yaml_text(key), "metrics") == 0)
			list = gc_yaml_node(&reader->yaml, pair->value);
	}
	if (!list || list->type != YAML_SEQUENCE_NODE)
		return gc_reader_fail(reader, list ? list : root, err,
				      "a file of targets needs metrics, a list of what begins with metric_id");
	if (list->data.sequence.items.top - list->data.sequence.items.start > TARGETS_MAX)
		return gc_reader_fail(reader, list, err, "there are more than %d metrics", TARGETS_MAX);
	targets->strangers = gc_arena_zalloc(&reader->registry->arena, (TARGETS_MAX + 1) * sizeof(*targets->strangers));
	for (const yaml_node_item_t *item = list->data.sequence.items.start; item < list->data.sequence.items.top; item++) {
		if (take_target(reader, gc_yaml_node(&reader->yaml, *item), err))
			return GC_FATAL;
	}
	return GC_OK;
}

enum gc_verdict gc_targets_read(struct gc_registry *registry, const char *path, struct gc_span text, struct gc_err *err)
{
	struct gc_reader reader = { .registry = registry, .yaml = { .path = path, .bytes = text } };

	registry->targets.file = gc_arena_dup(&registry->arena, gc_span_of(path)).ptr;
	return gc_yaml_walk(&reader.yaml, take_list, &reader, err);
}
