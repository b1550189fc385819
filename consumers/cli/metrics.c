/* gracecube metrics: what the cube's numbers mean, and the numbers.
 *
 * list, show, check, export, alerts and reference read the registry and ask no server; query and explain (metrics_ask.c) ask the cube.
 * Threads: the main thread.
 */
#include <inttypes.h>
#include <stdlib.h>

#include <gracecube/human.h>
#include <gracecube/registry.h>
#include <gracecube/sink.h>

#include "cli/metrics.h"
#include "cli/output.h"

const char *const gc_metrics_grains[] = { "all", "minute", "hour", "day", "week", "month", NULL };
const char *const gc_metrics_comparisons[] = { "none", "previous", "week", "month", NULL };

/* In the order of their names. */
static const char *const formats[] = { "ossie", "metricflow", NULL };
static void (*const exports[])(const struct gc_registry *registry, const char *schema, FILE *out) = {
	gc_registry_ossie,
	gc_registry_metricflow,
};

static const struct gc_flag flags[] = {
	{ "from", 0, "TIME", "query, explain: begin, included", GC_FLAG_TIME,
	  .offset = offsetof(struct gc_metrics_options, from_us) },
	{ "to", 0, "TIME", "query, explain: end, not included", GC_FLAG_TIME,
	  .offset = offsetof(struct gc_metrics_options, to_us) },
	{ "grain", 0, "GRAIN", "query: a value for each of these; all is one for the whole window", GC_FLAG_CHOICE,
	  .offset = offsetof(struct gc_metrics_options, grain), .initially = "all", .choices = gc_metrics_grains },
	{ "by", 0, "DIMENSIONS", "query: a value for each member; explain: these alone", GC_FLAG_LIST,
	  .offset = offsetof(struct gc_metrics_options, by) },
	{ "where", 0, "FILTER", "query, explain: members, like tier=tier_1,tier_2;component!=hunter", GC_FLAG_TEXT,
	  .offset = offsetof(struct gc_metrics_options, where) },
	{ "compare", 0, "PERIOD", "query: beside it the period before; explain: that the change is from, else previous",
	  GC_FLAG_CHOICE, .offset = offsetof(struct gc_metrics_options, compare), .initially = "none",
	  .choices = gc_metrics_comparisons },
	{ "limit", 'n', "N", "explain: so many members of a dimension, the largest parts, and all others in one row", GC_FLAG_INT,
	  .offset = offsetof(struct gc_metrics_options, limit), .initially = "10", .min = 1, .max = 10000 },
	{ "format", 0, "FORMAT", "export: ossie is an Apache Ossie semantic model (0.1.1, JSON), metricflow is for dbt (YAML)",
	  GC_FLAG_CHOICE, .offset = offsetof(struct gc_metrics_options, format), .initially = "ossie", .choices = formats },
	{ .name = NULL },
};

/* ---- without a server ---- */

/* The registry of the configuration, or of these files. */
static enum gc_verdict load(const struct gc_command_line *line, const char *files, struct gc_registry **ret_registry,
			    struct gc_err *err)
{
	struct gc_config cfg;
	enum gc_verdict verdict = gc_command_config(line, &cfg, err);

	if (verdict != GC_OK)
		return verdict;
	verdict = gc_registry_load(files ? files : cfg.cube_metrics_files, cfg.cube_targets_file, ret_registry, err);
	gc_config_free(&cfg);
	return verdict;
}

static json_t *cuts_json(const struct gc_definition *metric)
{
	json_t *cuts = json_array();

	for (size_t i = 0; i < metric->cut_count; i++)
		json_array_append_new(cuts, json_string(metric->cuts[i]->name));
	return cuts;
}

static json_t *thresholds_json(const struct gc_definition *metric)
{
	json_t *json = json_object();

	for (int i = 0; i < GC_THRESHOLDS; i++) {
		if (metric->thresholds[i])
			json_object_set_new(json, gc_threshold_names[i], json_real(strtod(metric->thresholds[i], NULL)));
	}
	if (metric->thresholds_file)
		json_object_update_new(json, json_pack("{s:I, s:I, s:s, s:s*}", "over_seconds",
						       (json_int_t)(metric->over_us / GC_SECOND_US), "min_rows",
						       (json_int_t)metric->rows_min, "from", metric->thresholds_file, "playbook",
						       metric->playbook));
	return json;
}

static json_t *metric_json(const struct gc_definition *metric)
{
	return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s?, s:o, s:s, s:s, s:o, s:b, s:s, s:I}", "name", metric->name, "label",
			 metric->label, "about", metric->about, "unit", metric->unit, "fact", metric->fact->name, "formula",
			 metric->formula, "filter", metric->filter, "dimensions", cuts_json(metric), "additivity",
			 gc_additivity_names[metric->additivity], "better", gc_better_names[metric->better], "thresholds",
			 thresholds_json(metric), "has_time", metric->fact->time != NULL, "file", metric->file, "line",
			 (json_int_t)metric->line);
}

static void print_list(const struct gc_registry *registry)
{
	static const struct gc_table_column columns[] = {
		{ "name", false, 0 }, { "unit", false, 0 }, { "fact", false, 0 }, { "about", false, 90 }
	};
	const struct gc_definition *metric;
	struct gc_table table;

	gc_table_init(&table, columns, sizeof(columns) / sizeof(columns[0]));
	for (size_t i = 0; (metric = gc_registry_at(registry, i)); i++) {
		gc_table_add(&table, metric->name);
		gc_table_add(&table, metric->unit);
		gc_table_add(&table, metric->fact->name);
		gc_table_add(&table, metric->about);
	}
	gc_table_print(&table, stdout);
	gc_table_done(&table);
}

static void print_list_json(const struct gc_registry *registry)
{
	const struct gc_definition *metric;
	json_t *all = json_array();

	for (size_t i = 0; (metric = gc_registry_at(registry, i)); i++)
		json_array_append_new(all, metric_json(metric));
	gc_output_print_json(all, false);
}

static int run_list(struct gc_command_line *line)
{
	struct gc_registry *registry = NULL;
	struct gc_err err;
	int code = GC_EXIT_DONE;

	if (load(line, NULL, &registry, &err))
		code = gc_command_fail(&err);
	else if (line->json)
		print_list_json(registry);
	else
		print_list(registry);
	gc_registry_free(registry);
	return code;
}

static void print_member(const char *name, const char *value)
{
	if (value)
		printf("  %-11s %s\n", name, value);
}

static void print_metric(const struct gc_definition *metric, const struct gc_targets *targets)
{
	char thresholds[300];

	printf("%s: %s\n  %s\n", metric->name, metric->label, metric->about);
	print_member("unit", metric->unit);
	print_member("formula", metric->formula);
	print_member("of rows", metric->filter);
	printf("  %-11s %s (%s): %s\n", "fact", metric->fact->name, metric->fact->table, metric->fact->about);
	printf("  %-11s ", "dimensions");
	for (size_t i = 0; i < metric->cut_count; i++)
		printf("%s%s", i ? ", " : "", metric->cuts[i]->name);
	puts(metric->cut_count ? "" : "none");
	print_member("adds", gc_additivity_names[metric->additivity]);
	print_member("better", gc_better_names[metric->better]);
	print_member("thresholds", gc_thresholds_print(metric, thresholds, sizeof(thresholds)));
	print_member("playbook", metric->playbook);
	printf("  %-11s %s:%zu\n", "defined in", metric->file, metric->line);
	if (metric->target_line)
		printf("  %-11s %s:%zu\n", "held to by", targets->file, metric->target_line);
}

static enum gc_verdict fail_name(const struct gc_registry *registry, const char *name, struct gc_err *err)
{
	const char *nearest = gc_registry_nearest(registry, name);

	if (nearest)
		return gc_fail(err, GC_REJECT, "no_metric", "metrics", "there is no metric %.80s; did you mean %s?", name, nearest);
	return gc_fail(err, GC_REJECT, "no_metric", "metrics", "there is no metric %.80s; `gracecube metrics list` shows all",
		       name);
}

static int run_show(struct gc_command_line *line)
{
	struct gc_registry *registry = NULL;
	const struct gc_definition *metric = NULL;
	struct gc_err err;
	enum gc_verdict verdict = load(line, NULL, &registry, &err);

	if (verdict == GC_OK && !(metric = gc_registry_find(registry, line->args[0])))
		verdict = fail_name(registry, line->args[0], &err);
	if (metric && line->json)
		gc_output_print_json(metric_json(metric), false);
	else if (metric)
		print_metric(metric, gc_registry_targets(registry));
	gc_registry_free(registry);
	return verdict == GC_OK ? GC_EXIT_DONE : gc_command_fail(&err);
}

char *gc_metrics_join(char *const *words, int count)
{
	size_t bytes = 1;
	char *text;

	for (int i = 0; i < count; i++)
		bytes += strlen(words[i]) + 1;
	text = gc_calloc(1, bytes);
	for (int i = 0; i < count; i++)
		snprintf(text + strlen(text), bytes - strlen(text), "%s%s", i ? "," : "", words[i]);
	return text;
}

static void print_check_json(size_t count, const struct gc_targets *targets)
{
	json_t *strangers = json_array();

	for (size_t i = 0; i < targets->stranger_count; i++)
		json_array_append_new(strangers, json_pack("{s:o, s:I}", "metric_id", gc_output_text_json(targets->strangers[i].id),
							   "line", (json_int_t)targets->strangers[i].line));
	gc_output_print_json(json_pack("{s:I, s:I, s:o}", "metrics", (json_int_t)count, "targets", (json_int_t)targets->taken,
				       "passed_over", strangers),
			     false);
}

static void print_check(const struct gc_registry *registry, size_t count, const struct gc_targets *targets)
{
	const struct gc_definition *metric;
	struct gc_arena arena;

	printf("metrics: %zu, and all are well defined\n", count);
	if (!targets->file)
		return;
	gc_arena_init(&arena);
	printf("targets: of %zu of them\n", targets->taken);
	for (size_t i = 0; (metric = gc_registry_at(registry, i)); i++) {
		if (metric->target_line)
			printf("  %s:%zu: %s\n", targets->file, metric->target_line, metric->name);
	}
	for (size_t i = 0; i < targets->stranger_count; i++)
		printf("  %s:%zu: %s is no metric here, and passed over\n", targets->file, targets->strangers[i].line,
		       gc_output_escape(gc_span_of(targets->strangers[i].id), false, &arena));
	gc_arena_done(&arena);
}

static int run_check(struct gc_command_line *line)
{
	char *files = line->arg_count ? gc_metrics_join(line->args, line->arg_count) : NULL;
	struct gc_registry *registry = NULL;
	struct gc_err err;
	size_t count = 0;
	enum gc_verdict verdict = load(line, files, &registry, &err);

	while (verdict == GC_OK && gc_registry_at(registry, count))
		count++;
	if (verdict == GC_OK && line->json)
		print_check_json(count, gc_registry_targets(registry));
	else if (verdict == GC_OK)
		print_check(registry, count, gc_registry_targets(registry));
	gc_registry_free(registry);
	free(files);
	return verdict == GC_OK ? GC_EXIT_DONE : gc_command_fail(&err);
}

static int run_export(struct gc_command_line *line)
{
	const struct gc_metrics_options *options = line->options;
	struct gc_registry *registry = NULL;
	struct gc_config cfg;
	struct gc_err err;
	enum gc_verdict verdict;

	if (line->json)
		return gc_command_misuse(line, "--json does not go with export, whose form is that of --format");
	if (gc_command_config(line, &cfg, &err))
		return gc_command_fail(&err);
	verdict = gc_registry_load(cfg.cube_metrics_files, cfg.cube_targets_file, &registry, &err);
	if (verdict == GC_OK)
		exports[options->format](registry, cfg.cube_schema, stdout);
	gc_registry_free(registry);
	gc_config_free(&cfg);
	return verdict == GC_OK ? GC_EXIT_DONE : gc_command_fail(&err);
}

static int run_alerts(struct gc_command_line *line)
{
	struct gc_registry *registry = NULL;
	struct gc_err err;
	enum gc_verdict verdict;

	if (line->json)
		return gc_command_misuse(line, "--json does not go with alerts, which are YAML");
	verdict = load(line, NULL, &registry, &err);
	if (verdict == GC_OK)
		gc_registry_alerts(registry, stdout);
	gc_registry_free(registry);
	return verdict == GC_OK ? GC_EXIT_DONE : gc_command_fail(&err);
}

static int run_reference(struct gc_command_line *line)
{
	struct gc_registry *registry = NULL;
	struct gc_err err;
	enum gc_verdict verdict;

	if (line->json)
		return gc_command_misuse(line, "--json does not go with reference");
	verdict = gc_registry_load("", "", &registry, &err);
	if (verdict == GC_OK)
		gc_registry_page(registry, stdout);
	gc_registry_free(registry);
	return verdict == GC_OK ? GC_EXIT_DONE : gc_command_fail(&err);
}

static const struct gc_verb verbs[] = {
	{ "list", "all metrics, in a line each", run_list, .args_max = 0 },
	{ "show", "what one metric says and how it is computed", run_show, .args_min = 1, .args_max = 1 },
	{ "check", "looks at files of metrics; without one at those of cube.metrics_files", run_check, .args_max = -1 },
	{ "query", "asks the cube for a metric's values", gc_metrics_query, .args_min = 1, .args_max = 1 },
	{ "explain", "why a metric changed: what each member made of it", gc_metrics_explain, .args_min = 1, .args_max = 1 },
	{ "export", "all metrics in an open format, for other tools", run_export, .args_max = 0 },
	{ "alerts", "alert rules for Prometheus, of the metrics that have thresholds", run_alerts, .args_max = 0 },
	{ "reference", "the page about the program's own metrics (Markdown)", run_reference, .args_max = 0 },
	{ .name = NULL },
};

const struct gc_command gc_command_metrics = {
	.name = "metrics",
	.summary = "says what each number of the cube means, and answers it",
	.usage =
		"metrics list | show NAME | check [FILE…] | query NAME [options] | explain NAME [options] | export [--format FORMAT] | alerts | reference",
	.help = "Examples:\n"
		"  gracecube metrics list\n"
		"  gracecube metrics show mission_success_rate\n"
		"  gracecube metrics check my-metrics.yaml            before it goes into cube.metrics_files\n"
		"  gracecube metrics query verification_success_rate --from 2026-11-01 --by tier\n"
		"  gracecube metrics query errors --from 2026-11-01 --grain day --by severity --where component=hunter --json\n"
		"  gracecube metrics query approvals_requested --from 2026-11-01 --to 2026-12-01 --compare previous\n"
		"  gracecube metrics explain verification_success_rate --from 2026-11-09 --to 2026-11-16 --by tier,component\n"
		"  gracecube metrics export >grace_cube.json\n"
		"  gracecube metrics export --format metricflow >models/grace_cube.yml\n"
		"  gracecube metrics alerts >/etc/prometheus/metric_rules.yaml\n"
		"\n"
		"Every metric is defined once, in config/metrics.yaml, which the program carries, or in a file of cube.metrics_files; `gracecube migrate`\n"
		"puts them into the cube. cube.targets_file takes thresholds from Grace's own metrics_catalog.yaml. SQL (cube.metric), the API and query answer the same. Days, weeks and months are of UTC.\n"
		"explain answers as cube.metric_change does: over each dimension the parts sum up to the change; of a ratio or an average mix is the part\n"
		"that a member made by being more or less of all, rate by being better or worse itself.\n"
		"list, show, check, export, alerts and reference ask no server.\n"
		"\n"
		"A file of your own has the section metrics, and in it by name: label, about, unit (count, ratio, seconds, score), fact, formula, and where\n"
		"wanted filter, dimensions, better (up, down), thresholds (good, warning, critical, and over: 1d, rows: 20). A formula is count, count(condition), sum(value),\n"
		"average(value), percentile(value, 0.95), distinct(value), max(value), min(value) or ratio(measure, measure) over columns of the fact.\n"
		"\n"
		"Exit codes: 0 done; 1 no such metric; 2 a question without a right answer; 69 PostgreSQL not reachable; 78 a definition, or the\n"
		"configuration, is wrong.\n",
	.flags = flags,
	.options_bytes = sizeof(struct gc_metrics_options),
	.has_json = true,
	.verbs = verbs,
};
