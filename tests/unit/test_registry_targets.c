/* Thresholds of metrics, and those that Grace's own catalog holds them to: said in words, refused at their place, taken where a metric has the name. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <gracecube/registry.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static char path[] = "/tmp/metrics-test-XXXXXX";

/* A file with this text, beside the program's own. */
static enum gc_verdict load(const char *text, size_t len, struct gc_registry **ret_registry, struct gc_err *err)
{
	FILE *out = fopen(path, "w");

	assert_non_null(out);
	assert_int_equal(fwrite(text, 1, len, out), len);
	assert_int_equal(fclose(out), 0);
	return gc_registry_load(path, "", ret_registry, err);
}

/* ---- thresholds ---- */

static void thresholds_are_said_in_words(void **state)
{
	static const struct {
		const char *unit, *thresholds, *words;
	} cases[] = {
		{ "count", "better: down\n    thresholds: {warning: 3}", "warning above 3, over 1d" },
		{ "count", "better: up\n    thresholds: {good: 7, critical: 0, over: all}", "good from 7, critical below 0" },
		{ "ratio", "better: up\n    thresholds: {good: 0.955, rows: 20}", "good from 95.5 %, over 1d, of 20 rows or more" },
		{ "seconds", "better: down\n    thresholds: {good: 0.5, warning: 90, critical: 7200, over: 7d}",
		  "good up to 500ms, warning above 90s, critical above 2h, over 7d" },
		{ "score", "better: down", "" },
	};
	char words[300];

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct gc_registry *registry;
		struct gc_err err;
		char text[600];
		const char *said;

		snprintf(
			text, sizeof(text),
			"metrics:\n  mine:\n    label: M\n    about: A.\n    unit: %s\n    fact: executions\n    formula: count\n    %s\n",
			cases[i].unit, cases[i].thresholds);
		assert_int_equal(load(text, strlen(text), &registry, &err), GC_OK);
		said = gc_thresholds_print(gc_registry_find(registry, "mine"), words, sizeof(words));
		assert_string_equal(said ? said : "", cases[i].words);
		gc_registry_free(registry);
	}
}

/* ---- targets ---- */

/* As Grace has its catalog; targets of this text, beside a metric `mine` whose thresholds a file of its own has. */
static enum gc_verdict load_targets(const char *text, struct gc_registry **ret_registry, struct gc_err *err)
{
	static const char mine[] =
		"metrics:\n  mine:\n    label: M\n    about: A.\n    unit: seconds\n    fact: executions\n    formula: average(duration_seconds)\n"
		"    better: down\n    thresholds: {good: 10, warning: 20, over: 7d, rows: 5}\n"
		"  neither:\n    label: N\n    about: A.\n    unit: ratio\n    fact: executions\n    formula: ratio(count, count)\n";
	char targets[sizeof(path) + 10];
	enum gc_verdict verdict;
	FILE *out;

	snprintf(targets, sizeof(targets), "%s.targets", path);
	out = fopen(targets, "w");
	assert_non_null(out);
	fputs(text, out);
	assert_int_equal(fclose(out), 0);
	out = fopen(path, "w");
	assert_non_null(out);
	fputs(mine, out);
	assert_int_equal(fclose(out), 0);
	verdict = gc_registry_load(path, targets, ret_registry, err);
	unlink(targets);
	return verdict;
}

#define TARGET(id, rest) "# ours\nversion: 3\nmetrics:\n  - metric_id: " id "\n    category: x\n    description: \"d\"\n" rest

static void targets_win(void **state)
{
	static const struct {
		const char *text, *name, *words, *playbook;
	} cases[] = {
		{ TARGET("autonomy.mine",
			 "    unit: ms\n    thresholds:\n      good: { upper: 350 }\n      warning: { lower: 350, upper: 500 }\n"
			 "      critical: { lower: 500 }\n    playbooks:\n      - scale\n      - fail-over\n    tags: [a]\n"),
		  "mine", "good up to 350ms, warning above 350ms, critical above 500ms, over 7d, of 5 rows or more",
		  "scale,fail-over" },
		{ TARGET("mine", "    thresholds: {critical: 60}\n    playbook_id: one\n"), "mine",
		  "critical above 1m, over 7d, of 5 rows or more", "one" },
		{ TARGET("mine", "    playbook_id: one\n"), "mine", "good up to 10s, warning above 20s, over 7d, of 5 rows or more",
		  "one" },
		{ TARGET("neither",
			 "    unit: percent\n    thresholds: {good: {lower: 85}, warning: {lower: 70, upper: 85}, critical: {upper: 70}}\n"),
		  "neither", "good from 85 %, warning below 85 %, critical below 70 %, over 1d", "" },
		{ TARGET("neither", "    thresholds: {warning: {upper: 0.5, lower: 0.4}, critical: {upper: 0.4}}\n"), "neither",
		  "warning below 50 %, critical below 40 %, over 1d", "" },
		{ TARGET("approvals_pending",
			 "    thresholds: {good: {upper: 3}, warning: {lower: 3, upper: 7}, critical: {lower: 7}}\n"),
		  "approvals_pending", "good up to 3, warning above 3, critical above 7", "" },
	};
	char words[300];

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		const struct gc_definition *metric;
		struct gc_registry *registry;
		struct gc_err err = { .text = "" };
		const char *said;

		if (load_targets(cases[i].text, &registry, &err) != GC_OK)
			fail_msg("%zu: %s: %s", i, err.where, err.text);
		metric = gc_registry_find(registry, cases[i].name);
		said = gc_thresholds_print(metric, words, sizeof(words));
		assert_string_equal(said ? said : "", cases[i].words);
		assert_string_equal(metric->playbook ? metric->playbook : "", cases[i].playbook);
		assert_int_equal(metric->target_line, 4);
		assert_int_equal(gc_registry_targets(registry)->taken, 1);
		assert_int_equal(gc_registry_targets(registry)->stranger_count, 0);
		gc_registry_free(registry);
	}
}

static void targets_are_checked(void **state)
{
	static const struct {
		const char *text, *place, *says;
	} cases[] = {
		{ "metrics:\n  mine: {}\n", ":2:3", "a list of what begins with metric_id" },
		{ "targets: []\n", ":1:1", "needs metrics" },
		{ "metrics:\n  - thresholds: {}\n", ":2:5", "a metric needs metric_id" },
		{ "metrics:\n  - mine\n", ":2:5", "must be a section" },
		{ TARGET("mine", "    unit: percent\n    thresholds: {good: 1}\n"), ":7:11",
		  "the unit of mine is seconds here, so it may be seconds, ms" },
		{ TARGET("mine", "    thresholds: {god: 1}\n"), ":7:18", "did you mean good?" },
		{ TARGET("mine", "    thresholds: {good: low}\n"), ":7:24", "good must be a number" },
		{ TARGET("mine", "    thresholds: {good: {uper: 1}}\n"), ":7:25", "did you mean upper?" },
		{ TARGET("mine", "    thresholds: {good: {upper: -1}}\n"), ":7:32", "upper must be a number" },
		{ TARGET("mine", "    thresholds: {good: {lower: 1}}\n"), ":7:24",
		  "good of mine needs upper, since down is better" },
		{ TARGET("mine", "    thresholds: {warning: {lower: 9, upper: 5}}\n"), ":7:35",
		  "lower of warning is above its upper" },
		{ TARGET("mine", "    thresholds: {warning: {lower: 9}, critical: {lower: 5}}\n"), ":7:49",
		  "critical must not be below warning" },
		{ TARGET("neither", "    thresholds: {good: 1}\n"), ":7:17", "whether more or less of neither is better" },
		{ TARGET("mine", "    playbooks: scale\n"), ":7:16", "playbooks must be a list" },
		{ TARGET("mine", "    playbooks: [[]]\n"), ":7:17", "a playbook must be a text" },
		{ TARGET("mine", "  - metric_id: executor.mine\n"), ":7:16", "mine has its targets in line 4 already" },
		{ TARGET("mine", "    unit: s\n    unit: ms\n"), ":8:5", "unit is given twice" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct gc_registry *registry;
		struct gc_err err = { .text = "" };
		enum gc_verdict verdict = load_targets(cases[i].text, &registry, &err);
		char where[200];

		snprintf(where, sizeof(where), "%s.targets%s", path, cases[i].place);
		if (verdict != GC_FATAL || !strstr(err.text, cases[i].says) || strcmp(err.where, where) != 0)
			fail_msg("%zu: %s: %s", i, err.where, err.text);
		gc_registry_free(registry);
	}
}

/* Of what is not here nothing is looked at but its id. */
static void strangers_are_told(void **state)
{
	const struct gc_targets *targets;
	struct gc_registry *registry;
	struct gc_err err = { .text = "" };

	(void)state;
	if (load_targets(TARGET("infra.cpu", "    unit: furlongs\n  - metric_id: mine\n  - metric_id: api.latency_p95\n"),
			 &registry, &err) != GC_OK)
		fail_msg("%s: %s", err.where, err.text);
	targets = gc_registry_targets(registry);
	assert_int_equal(targets->taken, 1);
	assert_int_equal(targets->stranger_count, 2);
	assert_string_equal(targets->strangers[0].id, "infra.cpu");
	assert_int_equal(targets->strangers[0].line, 4);
	assert_string_equal(targets->strangers[1].id, "api.latency_p95");
	assert_int_equal(targets->strangers[1].line, 9);
	gc_registry_free(registry);
}

static int make_path(void **state)
{
	(void)state;
	return mkstemp(path) < 0;
}

static int drop_path(void **state)
{
	(void)state;
	return unlink(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(thresholds_are_said_in_words),
		cmocka_unit_test(targets_win),
		cmocka_unit_test(targets_are_checked),
		cmocka_unit_test(strangers_are_told),
	};

	return cmocka_run_group_tests(tests, make_path, drop_path);
}
