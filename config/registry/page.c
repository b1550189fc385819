/* The reference page of metrics, made from the registry. Threads: no shared state. */
#include "registry.h"

/* A bar would begin another cell. */
static void put_cell(const char *text, FILE *out)
{
	for (; *text; text++)
		fprintf(out, *text == '|' ? "\\%c" : "%c", *text);
}

static void put_metric(const struct gc_definition *metric, FILE *out)
{
	char thresholds[300];

	fprintf(out, "| `%s` | **%s.** ", metric->name, metric->label);
	put_cell(metric->about, out);
	if (gc_thresholds_print(metric, thresholds, sizeof(thresholds)))
		fprintf(out, " Thresholds: %s.", thresholds);
	fprintf(out, " | %s | `", metric->unit);
	put_cell(metric->formula, out);
	fputs("`", out);
	if (metric->filter) {
		fputs(", of rows with `", out);
		put_cell(metric->filter, out);
		fputs("`", out);
	}
	for (size_t i = 0; metric->cut_count < metric->fact->cut_count && i < metric->cut_count; i++)
		fprintf(out, "%s%s", i ? ", " : "; only by ", metric->cuts[i]->name);
	fprintf(out, " | %s |\n", gc_additivity_names[metric->additivity]);
}

static void put_cuts(const struct gc_fact *fact, FILE *out)
{
	for (size_t i = 0; i < fact->cut_count; i++)
		fprintf(out, "%s`%s`", i ? ", " : "\nBy ", fact->cuts[i].name);
	fputs(fact->cut_count ? ".\n" : "", out);
}

static void put_columns(const struct gc_fact *fact, FILE *out)
{
	for (size_t i = 0; i < fact->column_count; i++)
		fprintf(out, "%s`%s` (%s)", i ? ", " : "\nColumns for formulas and filters: ", fact->columns[i].name,
			gc_column_type_names[fact->columns[i].type]);
	fputs(".\n", out);
}

static void put_fact(const struct gc_registry *registry, const struct gc_fact *fact, FILE *out)
{
	const struct gc_definition *metric;

	fprintf(out, "\n## %s\n\n`%s`: %s%s%s.\n\n| name | what it says | unit | formula | adds |\n|---|---|---|---|---|\n",
		fact->name, fact->table, fact->about, fact->time ? ", by its " : "", fact->time ? fact->time : "");
	for (size_t i = 0; (metric = gc_registry_at(registry, i)); i++) {
		if (metric->fact == fact)
			put_metric(metric, out);
	}
	put_cuts(fact, out);
	put_columns(fact, out);
	for (size_t i = 0; i < fact->refusal_count; i++)
		fprintf(out, "\nNot by %s: %s.\n", fact->refusals[i].cut, fact->refusals[i].reason);
}

static void put_dimensions(const struct gc_registry *registry, FILE *out)
{
	fputs("\n## Dimensions\n\n| name | what it is |\n|---|---|\n", out);
	for (size_t i = 0; i < registry->dimension_count; i++)
		fprintf(out, "| `%s` | %s |\n", registry->dimensions[i].name, registry->dimensions[i].about);
}

void gc_registry_page(const struct gc_registry *registry, FILE *out)
{
	const struct gc_fact *fact;

	fputs("# Metrics of the cube\n\n"
	      "Made by `gracecube metrics reference` from [metrics.yaml](metrics.yaml); do not edit.\n\n"
	      "Each is one number, whoever asks: `SELECT * FROM cube.metric('errors', '2026-11-01', '2026-12-01', 'day', ARRAY['severity'],\n"
	      "'{\"component\": \"hunter\"}')` in SQL, `/api/cube/metrics/errors?from=2026-11-01&grain=day&by=severity&where=component=hunter` over HTTP,\n"
	      "`gracecube metrics query errors --grain day --by severity`. How it adds: `additive` values of parts add up; `by_parts` add\n"
	      "numerators and denominators, never values; `none` has to be asked for again. What is not known is the member `unknown`.\n\n"
	      "Where a metric has thresholds, `serve` answers it in /metrics as `gracecube_metric{name=\"…\"}`, and Prometheus has alerts on it\n"
	      "([metric_rules.yaml](../deploy/prometheus/metric_rules.yaml)).\n",
	      out);
	for (size_t i = 0; (fact = gc_registry_fact(registry, i)); i++)
		put_fact(registry, fact, out);
	put_dimensions(registry, out);
}
