/* Thresholds of a metric: read from a file, and said in words.
 *
 * From `good` on a metric is as it should be; beyond `warning`, and beyond `critical`, it is not: below where more is better, above where less
 * is. They hold of the window that ends now and is `over` so long, and of answers that rest on `rows` rows at least; these two alone are for
 * thresholds that a file of targets has (targets.c).
 * Threads: one thread reads.
 */
#include "read.h"

#include <gracecube/human.h>
#include <gracecube/time.h>

#include <stdlib.h>

enum { THRESHOLD_OVER = GC_THRESHOLDS, THRESHOLD_ROWS };
static const char *const threshold_words[] = { "good", "warning", "critical", "over", "rows", NULL };

#define OVER_US_MAX (3650 * GC_DAY_US)
#define ROWS_MAX 1000000000

/* ---- reading ---- */

enum gc_verdict gc_read_threshold(const struct gc_reader *reader, const yaml_node_t *node, const char *name, double *ret_number,
				  struct gc_err *err)
{
	const char *text = gc_yaml_is_text(node) ? gc_yaml_text(node) : "";

	/* as JSON has numbers, too */
	if (strspn(text, "0123456789.") != strlen(text) || *text == '.' || !gc_span_double(gc_span_of(text), ret_number))
		return gc_reader_fail(reader, node, err, "%s must be a number, like 0.95", name);
	return GC_OK;
}

/* Each further one is worse, or the same. */
enum gc_verdict gc_check_thresholds(const struct gc_reader *reader, const yaml_node_t *const *nodes,
				    const struct gc_definition *metric, struct gc_err *err)
{
	bool is_up = metric->better == GC_BETTER_UP;
	int before = -1;

	for (int i = 0; i < GC_THRESHOLDS; i++) {
		double worse, better;

		if (!nodes[i])
			continue;
		worse = strtod(metric->thresholds[i], NULL);
		better = before < 0 ? worse : strtod(metric->thresholds[before], NULL);
		if (is_up ? worse > better : worse < better)
			return gc_reader_fail(reader, nodes[i], err, "%s is better %s, so %s must not be %s %s", metric->name,
					      gc_better_names[metric->better], gc_threshold_names[i], is_up ? "above" : "below",
					      gc_threshold_names[before]);
		before = i;
	}
	return GC_OK;
}

static enum gc_verdict take_over(struct gc_reader *reader, const yaml_node_t *node, struct gc_definition *metric,
				 struct gc_err *err)
{
	const char *text;

	if (!node)
		return GC_OK;
	if (!metric->fact->time)
		return gc_reader_fail(reader, node, err, "%s says how things are now; leave out over", metric->fact->name);
	if (gc_reader_text(reader, node, "over", &text, err))
		return GC_FATAL;
	if (strcmp(text, "all") == 0) {
		metric->over_us = 0;
		return GC_OK;
	}
	if (!gc_human_parse(text, GC_HUMAN_TIME, &metric->over_us) || metric->over_us < GC_MINUTE_US ||
	    metric->over_us > OVER_US_MAX || metric->over_us % GC_SECOND_US)
		return gc_reader_fail(reader, node, err, "over must be a duration from 1m to 3650d, like 1d, or all");
	return GC_OK;
}

static enum gc_verdict take_rows(struct gc_reader *reader, const yaml_node_t *node, struct gc_definition *metric,
				 struct gc_err *err)
{
	const char *text;

	if (!node)
		return GC_OK;
	if (gc_reader_text(reader, node, "rows", &text, err))
		return GC_FATAL;
	return gc_human_parse(text, GC_HUMAN_COUNT, &metric->rows_min) && metric->rows_min <= ROWS_MAX
		       ? GC_OK
		       : gc_reader_fail(reader, node, err, "rows must be a whole number up to %d", ROWS_MAX);
}

enum gc_verdict gc_read_thresholds(struct gc_reader *reader, const yaml_node_t *node, struct gc_definition *metric,
				   struct gc_err *err)
{
	struct gc_taken taken;

	if (gc_reader_entries(reader, node, "thresholds", threshold_words, &taken, err))
		return GC_FATAL;
	if (metric->better == GC_BETTER_NEITHER)
		return gc_reader_fail(reader, node, err, "thresholds need `better`: up or down");
	for (int i = 0; i < GC_THRESHOLDS; i++) {
		double number;

		if (!taken.nodes[i])
			continue;
		if (gc_read_threshold(reader, taken.nodes[i], gc_threshold_names[i], &number, err))
			return GC_FATAL;
		metric->thresholds[i] = gc_arena_dup(&reader->registry->arena, gc_span_of(gc_yaml_text(taken.nodes[i]))).ptr;
		metric->thresholds_file = metric->file;
	}
	if (!metric->thresholds_file && !taken.nodes[THRESHOLD_OVER] && !taken.nodes[THRESHOLD_ROWS])
		return gc_reader_fail(reader, node, err, "thresholds need good, warning or critical");
	return gc_check_thresholds(reader, taken.nodes, metric, err) ||
			       take_over(reader, taken.nodes[THRESHOLD_OVER], metric, err) ||
			       take_rows(reader, taken.nodes[THRESHOLD_ROWS], metric, err)
		       ? GC_FATAL
		       : GC_OK;
}

/* ---- in words ---- */

const char *gc_threshold_print(const struct gc_definition *metric, enum gc_threshold threshold, char *buffer, size_t bytes)
{
	double number = strtod(metric->thresholds[threshold], NULL);

	if (strcmp(metric->unit, "ratio") == 0)
		snprintf(buffer, bytes, "%.10g %%", number * 100);
	else if (strcmp(metric->unit, "seconds") == 0 && number > 0)
		gc_human_print((int64_t)(number * GC_SECOND_US), GC_HUMAN_TIME, buffer, bytes);
	else
		snprintf(buffer, bytes, "%s", metric->thresholds[threshold]);
	return buffer;
}

const char *gc_thresholds_print(const struct gc_definition *metric, char *buffer, size_t bytes)
{
	bool is_up = metric->better == GC_BETTER_UP;
	const char *beyond[GC_THRESHOLDS] = { is_up ? "from" : "up to", is_up ? "below" : "above", is_up ? "below" : "above" };
	char text[40];
	size_t len = 0;

	if (!metric->thresholds_file)
		return NULL;
	buffer[0] = '\0';
	for (int i = 0; i < GC_THRESHOLDS; i++) {
		if (metric->thresholds[i])
			len += (size_t)snprintf(buffer + len, bytes - len, "%s%s %s %s", len ? ", " : "", gc_threshold_names[i],
						beyond[i], gc_threshold_print(metric, (enum gc_threshold)i, text, sizeof(text)));
	}
	if (metric->over_us)
		len += (size_t)snprintf(buffer + len, bytes - len, ", over %s",
					gc_human_print(metric->over_us, GC_HUMAN_TIME, text, sizeof(text)));
	if (metric->rows_min)
		snprintf(buffer + len, bytes - len, ", of %lld rows or more", (long long)metric->rows_min);
	return buffer;
}
