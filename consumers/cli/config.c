/* gracecube config: the configuration as it is, and the pages about it.
 *
 * Threads: the main thread.
 */
#include <jansson.h>
#include <limits.h>
#include <stdlib.h>

#include "cli/command.h"
#include "service/metrics.h"

/* -- show -- */

/* A column is as wide as its longest text, but a list of many topics does not push the origins out of sight. */
#define VALUE_WIDTH_MAX 60

struct table {
	int name_width, value_width;
};

static void widen(int *width, const char *text, int max)
{
	int len = (int)strlen(text);
	if (len > *width)
		*width = len < max ? len : max;
}

static void measure_row(void *context, const char *name, const char *value, const char *origin)
{
	struct table *table = context;
	(void)origin;
	widen(&table->name_width, name, INT_MAX);
	widen(&table->value_width, value, VALUE_WIDTH_MAX);
}

static void print_row(void *context, const char *name, const char *value, const char *origin)
{
	const struct table *table = context;
	printf("%-*s  %-*s  %s\n", table->name_width, name, table->value_width, *value ? value : "\"\"", origin);
}

static void print_table(const struct gc_config *cfg)
{
	struct table table = { 0, 0 };
	gc_config_each(cfg, measure_row, &table);
	print_row(&table, "option", "value", "origin");
	gc_config_each(cfg, print_row, &table);
}

static void append_row(void *context, const char *name, const char *value, const char *origin)
{
	json_array_append_new(context, json_pack("{s:s, s:s, s:s}", "name", name, "value", value, "origin", origin));
}

static void print_json(const struct gc_config *cfg)
{
	json_t *options = json_array();
	gc_config_each(cfg, append_row, options);
	json_t *all = json_pack("{s:s?, s:o}", "file", cfg->path, "options", options);
	json_dumpf(all, stdout, JSON_INDENT(2));
	putchar('\n');
	json_decref(all);
}

static int run_show(struct gc_command_line *line)
{
	struct gc_config cfg;
	struct gc_err err;
	if (gc_command_config(line, &cfg, &err))
		return gc_command_fail(&err);
	if (line->json)
		print_json(&cfg);
	else
		print_table(&cfg);
	gc_config_free(&cfg);
	return GC_EXIT_DONE;
}

/* -- pages; they need no configuration, so they can be made where it is broken -- */

static int print_page(void (*page)(const char *const *stream_names, FILE *out))
{
	const char **names = gc_command_stream_names();
	page(names, stdout);
	free(names);
	return GC_EXIT_DONE;
}

static int run_sample(struct gc_command_line *line)
{
	if (line->json)
		return gc_command_misuse(line, "--json goes with show");
	return print_page(gc_config_sample);
}

static int run_reference(struct gc_command_line *line)
{
	if (line->json)
		return gc_command_misuse(line, "--json goes with show");
	return print_page(gc_config_reference);
}

static int run_manual(struct gc_command_line *line)
{
	if (line->json)
		return gc_command_misuse(line, "--json goes with show");
	const char **names = gc_command_stream_names();
	gc_config_manual(names, "gracecube config manual", stdout);
	free(names);
	return GC_EXIT_DONE;
}

static int run_metrics(struct gc_command_line *line)
{
	if (line->json)
		return gc_command_misuse(line, "--json goes with show");
	gc_metrics_page(stdout);
	return GC_EXIT_DONE;
}

static const struct gc_verb verbs[] = {
	{ "show", "every option with its value and where that comes from", run_show, 0, 0 },
	{ "sample", "a file with every option and its default (YAML)", run_sample, 0, 0 },
	{ "reference", "the page about all options (Markdown)", run_reference, 0, 0 },
	{ "manual", "the same as a manual page, gracecube.yaml(5) (troff)", run_manual, 0, 0 },
	{ "metrics", "the page about all metrics (Markdown)", run_metrics, 0, 0 },
	{ .name = NULL },
};

const struct gc_command gc_command_config_pages = {
	.name = "config",
	.summary = "shows the configuration, a sample of it, or its reference",
	.usage = "config show|sample|reference|manual|metrics [options]",
	.help = "Examples:\n"
		"  gracecube config show\n"
		"  gracecube config show -c /etc/gracecube.yaml -s run.workers=4 --json\n"
		"  gracecube config sample > config/gracecube.yaml\n"
		"\n"
		"Order of precedence: flag, environment, file, default. Passwords and other secrets are shown as ***.\n"
		"`config show` is also the check of a file: it ends with 78 and the place of the first mistake.\n"
		"\n"
		"Exit codes: 0; 2 when a flag is wrong; 78 when the configuration is.\n",
	.has_json = true,
	.verbs = verbs,
};
