/* Alert rules for Prometheus, made from the thresholds of the registry. They compare gracecube_metric, which `serve` keeps (sinks/http/server/gauges.c),
 * with the numbers themselves, so that Prometheus shows what is meant.
 *
 * Threads: no shared state.
 */
#include "export.h"

#include <gracecube/human.h>

#include <stdlib.h>
#include <string.h>

#define RUNBOOK "deploy/RUNBOOK.md#gracecubemetricthreshold"

/* By the unit, as Prometheus' templates print a value. */
static const struct {
	const char *unit, *value;
} shown_as[] = {
	{ "ratio", "{{ $value | humanizePercentage }}" },
	{ "seconds", "{{ $value | humanizeDuration }}" },
	{ "count", "{{ $value }}" },
	{ "score", "{{ $value | humanize }}" },
};

static const char *value_of(const struct gc_definition *metric)
{
	size_t i = 0;

	while (strcmp(shown_as[i].unit, metric->unit) != 0)
		i++;
	return shown_as[i].value;
}

/* What people wrote is no template. */
static void put_text(const char *text, FILE *out)
{
	for (; *text; text++) {
		if (text[0] == '{' && text[1] == '{')
			fputs("{{ \"{\" }}", out);
		else
			fputc(*text, out);
	}
}

/* Takes the stream. */
static json_t *close_text(FILE *out, char **text)
{
	json_t *json = NULL;

	if (fclose(out) == 0)
		json = json_string(*text);
	free(*text);
	return gc_export_sure(json);
}

static FILE *open_text(char **ret_text, size_t *ret_bytes)
{
	FILE *out = open_memstream(ret_text, ret_bytes);

	if (!out)
		abort();
	return out;
}

/* Several processes of `serve` say the same: the worst of them counts, and is one alert. */
static json_t *expression(const struct gc_definition *metric, enum gc_threshold threshold)
{
	bool is_up = metric->better == GC_BETTER_UP;
	char *text;
	size_t bytes;
	FILE *out = open_text(&text, &bytes);

	fprintf(out, "%s by (name) (gracecube_metric{name=\"%s\"}) %s %s", is_up ? "min" : "max", metric->name, is_up ? "<" : ">",
		metric->thresholds[threshold]);
	if (metric->rows_min)
		fprintf(out, " and max by (name) (gracecube_metric_rows{name=\"%s\"}) >= %lld", metric->name,
			(long long)metric->rows_min);
	return close_text(out, &text);
}

static json_t *summary(const struct gc_definition *metric, enum gc_threshold threshold)
{
	char number[40], *text;
	size_t bytes;
	FILE *out = open_text(&text, &bytes);

	put_text(metric->label, out);
	fprintf(out, " is %s %s.", metric->better == GC_BETTER_UP ? "below" : "above",
		gc_threshold_print(metric, threshold, number, sizeof(number)));
	return close_text(out, &text);
}

static json_t *description(const struct gc_definition *metric)
{
	char words[40], *text;
	size_t bytes;
	FILE *out = open_text(&text, &bytes);

	fputs(value_of(metric), out);
	if (metric->over_us)
		fprintf(out, " over %s", gc_human_print(metric->over_us, GC_HUMAN_TIME, words, sizeof(words)));
	if (metric->thresholds[GC_GOOD])
		fprintf(out, "; good is %s or %s", gc_threshold_print(metric, GC_GOOD, words, sizeof(words)),
			metric->better == GC_BETTER_UP ? "more" : "less");
	fputs(". ", out);
	put_text(metric->about, out);
	return close_text(out, &text);
}

static json_t *playbook(const struct gc_definition *metric)
{
	char *text;
	size_t bytes;
	FILE *out;

	if (!metric->playbook)
		return NULL;
	out = open_text(&text, &bytes);
	put_text(metric->playbook, out);
	return close_text(out, &text);
}

/* The label name is that of the series, and tells one rule from another, too. */
static json_t *rule(const struct gc_definition *metric, enum gc_threshold threshold)
{
	return gc_export_sure(json_pack("{s:s, s:o, s:s, s:{s:s, s:s}, s:{s:o, s:o, s:o*, s:s}}", "alert",
					"GracecubeMetricThreshold", "expr", expression(metric, threshold), "for", "5m", "labels",
					"name", metric->name, "severity", gc_threshold_names[threshold], "annotations", "summary",
					summary(metric, threshold), "description", description(metric), "playbook_id",
					playbook(metric), "runbook_url", RUNBOOK));
}

void gc_registry_alerts(const struct gc_registry *registry, FILE *out)
{
	json_t *rules = json_array(), *file;

	for (size_t i = 0; i < registry->metric_count; i++) {
		for (int threshold = GC_WARNING; threshold < GC_THRESHOLDS; threshold++) {
			if (registry->metrics[i].thresholds[threshold])
				json_array_append_new(rules, rule(&registry->metrics[i], (enum gc_threshold)threshold));
		}
	}
	fputs("# Alerts on metrics that have thresholds, made by `gracecube metrics alerts`; do not edit. For your own metrics and targets run it with\n"
	      "# your configuration, and give Prometheus what it prints instead of this file.\n",
	      out);
	file = gc_export_sure(json_pack("{s:[{s:s, s:o}]}", "groups", "name", "gracecube-metrics", "rules", rules));
	gc_export_yaml(file, out);
	json_decref(file);
}
