/* The registry of metrics: what the program carries is whole, what people write is read or refused at its place, and no text becomes SQL that is
 * not columns, comparisons and arithmetic. */
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

/* A metric `mine` of executions with this formula and, unless NULL, this filter. */
static enum gc_verdict load_formula(const char *formula, const char *filter, struct gc_registry **ret_registry, struct gc_err *err)
{
	char text[6000];

	snprintf(
		text, sizeof(text),
		"metrics:\n  mine:\n    label: Mine\n    about: Of mine.\n    unit: count\n    fact: executions\n%s%s%s    formula: %s\n",
		filter ? "    filter: " : "", filter ? filter : "", filter ? "\n" : "", formula);
	return load(text, strlen(text), ret_registry, err);
}

/* ---- the program's own ---- */

static void own_metrics_are_whole(void **state)
{
	/* names that others rely on */
	static const char *const names[] = { "executions",
					     "verification_success_rate",
					     "rollback_rate",
					     "duration_avg",
					     "duration_p95",
					     "confidence_avg",
					     "errors",
					     "auto_resolution_rate",
					     "time_to_resolve_avg",
					     "approvals_requested",
					     "approval_rate",
					     "decision_time_avg",
					     "missions",
					     "mission_success_rate",
					     "compliance_rate",
					     "playbook_success_rate" };
	struct gc_registry *registry;
	struct gc_err err;
	size_t count = 0;

	(void)state;
	assert_int_equal(gc_registry_load("", "", &registry, &err), GC_OK);
	for (const struct gc_definition *metric; (metric = gc_registry_at(registry, count)); count++) {
		assert_ptr_equal(gc_registry_find(registry, metric->name), metric);
		assert_int_equal(metric->about[strlen(metric->about) - 1], '.');
		assert_true(metric->is_ratio == (metric->per.kind != GC_MEASURE_COUNT || metric->per.condition ||
						 metric->per.value || strstr(metric->formula, ", count)") != NULL));
	}
	assert_in_range(count, 40, 1000);
	for (size_t i = 0; i < COUNT(names); i++)
		assert_non_null(gc_registry_find(registry, names[i]));
	gc_registry_free(registry);
}

static bool from_rollup(const struct gc_registry *registry, const char *name)
{
	const struct gc_definition *metric = gc_registry_find(registry, name);

	for (size_t i = 0; i < metric->fact->sums_count; i++) {
		if (gc_sums_hold(&metric->fact->sums[i], metric))
			return true;
	}
	return false;
}

static void rollups_are_found(void **state)
{
	static const char *const kept[] = { "executions",
					    "verification_success_rate",
					    "rollback_rate",
					    "duration_avg",
					    "duration_p50",
					    "duration_p99",
					    "confidence_avg",
					    "snapshot_coverage",
					    "errors",
					    "time_to_resolve_avg",
					    "approvals_requested",
					    "decision_time_avg",
					    "compliance_rate",
					    "principles_failed",
					    "playbook_success_rate",
					    "tasks",
					    "task_queue_time_avg",
					    "guardrail_pass_rate",
					    "benchmark_pass_rate",
					    "snapshot_restore_rate" };
	static const char *const read[] = { "executions_open",   "missions",      "time_to_resolve_p95",
					    "calibration_error", "shard_silence", "verification_success_rate_of_ended" };
	struct gc_registry *registry;
	struct gc_err err;

	(void)state;
	assert_int_equal(gc_registry_load("", "", &registry, &err), GC_OK);
	for (size_t i = 0; i < COUNT(kept); i++) {
		if (!from_rollup(registry, kept[i]))
			fail_msg("no rollup has %s", kept[i]);
	}
	for (size_t i = 0; i < COUNT(read); i++)
		assert_false(from_rollup(registry, read[i]));
	gc_registry_free(registry);
}

/* ---- expressions ---- */

static void expressions_become_sql(void **state)
{
	static const struct {
		const char *formula, *filter, *value, *condition;
	} cases[] = {
		{ "count", NULL, NULL, NULL },
		{ "count(was_successful)", NULL, NULL, "f.was_successful" },
		{ "count(not was_successful)", NULL, NULL, "NOT (f.was_successful)" },
		{ "count", "contract_status = 'failed'", NULL, "f.contract_status = 'failed'" },
		{ "count(was_rolled_back)", "tier_key <> 0 or actor_key = 1", NULL,
		  "(f.tier_key <> 0 OR f.actor_key = 1) AND f.was_rolled_back" },
		{ "count(contract_status in ('a', 'it''s') and tier_key not in (1,2))", NULL, NULL,
		  "f.contract_status IN ('a', 'it''s') AND f.tier_key NOT IN (1, 2)" },
		{ "count(duration_seconds between 1 and 2.5)", NULL, NULL, "f.duration_seconds BETWEEN 1 AND 2.5" },
		{ "count(drift_score is not null)", NULL, NULL, "f.drift_score IS NOT NULL" },
		{ "count((tier_key + 1) * 2 > 3)", NULL, NULL, "((f.tier_key + 1) * 2) > 3" },
		{ "count((was_successful and was_rolled_back))", NULL, NULL, "(f.was_successful AND f.was_rolled_back)" },
		{ "count(verified_at - created_at > 60)", NULL, NULL, "extract(epoch FROM f.verified_at - f.created_at) > 60" },
		{ "count(created_at > now - 86400)", NULL, NULL,
		  "f.created_at > (now() - make_interval(secs => CAST(86400 AS double precision)))" },
		{ "sum(duration_seconds)", NULL, "f.duration_seconds", NULL },
		{ "average(confidence_score \xE2\x88\x92 was_successful)", NULL,
		  "(round(CAST(f.confidence_score AS numeric), 9) - CAST(f.was_successful AS int))", NULL },
		{ "average(tier_key \xC3\x97 2 \xC3\xB7 actor_key)", NULL,
		  "(CAST((f.tier_key * 2) AS numeric) / nullif(f.actor_key, 0))", NULL },
		{ "distinct(contract_id)", "mission_key <> 0", "f.contract_id", "f.mission_key <> 0" },
		{ "percentile(duration_seconds, 0.95)", NULL, "f.duration_seconds", NULL },
		{ "max(-drift_score)", NULL, "(- f.drift_score)", NULL },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		const struct gc_definition *metric;
		struct gc_registry *registry;
		struct gc_err err = { .text = "" };

		if (load_formula(cases[i].formula, cases[i].filter, &registry, &err) != GC_OK)
			fail_msg("%s: %s: %s", cases[i].formula, err.where, err.text);
		metric = gc_registry_find(registry, "mine");
		assert_string_equal(metric->value.value ? metric->value.value : "", cases[i].value ? cases[i].value : "");
		assert_string_equal(metric->value.condition ? metric->value.condition : "",
				    cases[i].condition ? cases[i].condition : "");
		gc_registry_free(registry);
	}
}

/* Whatever tries to be more than an expression, and whatever would be a wrong number. The column is that of the file. */
static void wrong_formulas_are_refused(void **state)
{
	static const struct {
		const char *formula;
		int column; /* 0: not looked at */
		const char *text;
	} cases[] = {
		{ "count(was_succesful)", 20, "did you mean was_successful?" },
		{ "coutn", 14, "did you mean count?" },
		{ "average(verification_success_rate)", 22, "is a metric" },
		{ "verification_success_rate", 14, "is a metric" },
		{ "average(average(duration_seconds))", 22, "not over another average" },
		{ "percentile(percentile(duration_seconds, 0.5), 0.5)", 25, "not over another percentile" },
		{ "ratio(average(duration_seconds), count)", 20, "it is of counts and sums" },
		{ "percentile(duration_seconds, 95)", 43, "a share between 0 and 1" },
		{ "percentile(duration_seconds, 0)", 43, "a share between 0 and 1" },
		{ "percentile(duration_seconds)", 41, "should stand here" },
		{ "sum(contract_status)", 18, "is over a number, and this is a text" },
		{ "count(contract_status)", 20, "a condition is needed" },
		{ "count(contract_status = 1)", 38, "a text stands in quotes" },
		{ "count(contract_status = failed)", 38, "has no column failed" },
		{ "count(was_successful) + 1", 36, "should end before \"+\"" },
		{ "count(was_successful", 0, "ends where \")\" should stand" },
		{ "count()", 20, "a column or a value" },
		{ "count(and)", 20, "a column or a value" },
		{ "count(was_successful and)", 38, "a column or a value" },
		{ "count(tier_key not 5)", 33, "behind \"not\" should stand" },
		{ "count(tier_key in ())", 33, "a column or a value" },
		{ "count(tier_key between 1 or 2)", 39, "should stand here" },
		{ "count(tier_key = 1.)", 31, "this is no number" },
		{ "count(tier_key = 1e9)", 31, "this is no number" },
		{ "count(tier_key = 99999999999999999999999)", 31, "this is no number" },
		{ "count(tier_key = 0x10)", 31, "this is no number" },
		{ "count(contract_status = 'a)", 38, "this text has no end" },
		{ "\"count(contract_status = 'a\\\\')\"", 0, "neither \\ nor control characters" },
		{ "count(contract_status = 'a'); DROP TABLE cube.dim_tier", 42, "does not belong here" },
		{ "count(tier_key = (SELECT 1))", 32, "lower-case letters" },
		{ "count(tier_key = (select 1))", 32, "has no column select" },
		{ "count(pg_sleep(10) is null)", 20, "has no column pg_sleep" },
		{ "count(tier_key = 1 -- x)", 0, "" },
		{ "count(tier_key = 1 /* x */)", 0, "" },
		{ "count(tier_key::text = 'a')", 28, "does not belong here" },
		{ "count(cube.dim_tier = 1)", 20, "has no column cube" },
		{ "count(contract_status = $1)", 38, "does not belong here" },
		{ "count(contract_status = E'x')", 38, "lower-case letters" },
		{ "count(contract_status || 'x' = 'y')", 36, "does not belong here" },
		{ "count(contract_status = 'a' or true) union", 51, "should end before \"union\"" },
		{ "count(\xC3\xA9 = 1)", 20, "does not belong here" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct gc_registry *registry;
		struct gc_err err = { .text = "" };
		char where[200];

		if (load_formula(cases[i].formula, NULL, &registry, &err) != GC_FATAL)
			fail_msg("%s was taken", cases[i].formula);
		if (!strstr(err.text, cases[i].text))
			fail_msg("%s: %s", cases[i].formula, err.text);
		snprintf(where, sizeof(where), "%s:7:%d", path, cases[i].column);
		if (cases[i].column && strcmp(err.where, where) != 0)
			fail_msg("%s: at %s, not at %s: %s", cases[i].formula, err.where, where, err.text);
		gc_registry_free(registry);
	}
}

static void depth_and_length_are_bounded(void **state)
{
	static const struct {
		char open, close;
		const char *inner, *text;
		int count;
	} cases[] = {
		{ '(', ')', "tier_key = 1", "within each other", 400 },
		{ '-', ' ', "tier_key", "within each other", 400 },
		{ '(', ')', "tier_key = 1", "is longer than", 2000 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct gc_registry *registry;
		struct gc_err err = { .text = "" };
		char formula[5000] = "count(";
		size_t len = strlen(formula);

		memset(formula + len, cases[i].open, (size_t)cases[i].count);
		snprintf(formula + len + cases[i].count, 100, "%s", cases[i].inner);
		len = strlen(formula);
		memset(formula + len, cases[i].close, (size_t)cases[i].count);
		snprintf(formula + len + cases[i].count, 10, ")");
		assert_int_equal(load_formula(formula, NULL, &registry, &err), GC_FATAL);
		if (!strstr(err.text, cases[i].text))
			fail_msg("%s", err.text);
		gc_registry_free(registry);
	}
}

/* The fuzzer's kind of input: rows of a good formula and of its words, cut, doubled and with any bytes in them. Nothing is taken that is not one
 * measure, and nothing but what the grammar has gets into SQL. */
static void any_bytes_are_read_or_refused(void **state)
{
	static const char *const words[] = { "count",    "(",
					     ")",        "sum",
					     "ratio",    ",",
					     "tier_key", "was_successful",
					     "'x'",      "'",
					     "\\",       "and",
					     "or",       "not",
					     "in",       "between",
					     "is",       "null",
					     "=",        "<>",
					     "<",        "+",
					     "-",        "*",
					     "/",        "1",
					     "0.5",      "now",
					     ";",        "--",
					     "$1",       "\x01",
					     "\xff",     "contract_status" };
	unsigned chance = 20261128;

	(void)state;
	for (int round = 0; round < 800; round++) {
		struct gc_registry *registry;
		struct gc_err err;
		char formula[400] = "count(";

		for (int n = 0; n < 14; n++) {
			chance = chance * 1664525u + 1013904223u;
			snprintf(formula + strlen(formula), sizeof(formula) - strlen(formula), "%s ",
				 words[(chance >> 16) % COUNT(words)]);
		}
		if (load_formula(formula, NULL, &registry, &err) == GC_OK) {
			const struct gc_measure *value = &gc_registry_find(registry, "mine")->value;

			assert_null(strpbrk(value->condition ? value->condition : "", ";\\$"));
			assert_null(strstr(value->condition ? value->condition : "", "--"));
		}
		gc_registry_free(registry);
	}
}

/* ---- files ---- */

#define GOOD "metrics:\n  mine:\n    label: Mine\n    about: Of mine.\n    unit: count\n    fact: executions\n    formula: count\n"

static void files_are_checked(void **state)
{
	static const struct {
		const char *text, *place, *says;
	} cases[] = {
		{ GOOD, NULL, NULL },
		{ "", NULL, NULL },
		{ "metrics:\n", NULL, NULL },
		{ GOOD
		  "    dimensions: [tier, component]\n    better: up\n    thresholds: {good: 0.95, warning: 0.9, critical: 0.8}\n",
		  NULL, NULL },
		{ "- a\n", ":1:1", "must be a section" },
		{ "metric:\n  a: b\n", ":1:1", "did you mean metrics?" },
		{ "facts:\n  a: b\n", ":1:1", "has no facts" },
		{ "metrics:\n  Mine: {}\n", ":2:3", "a name is of lower-case letters" },
		{ "metrics:\n  mine: {}\n", ":2:3", "mine needs label" },
		{ "metrics:\n  errors: {}\n", ":2:3", "there is a metric errors already, in config/metrics.yaml:" },
		{ "metrics:\n  freshness: {}\n", ":2:3", "cannot be a metric's name" },
		{ GOOD "  mine: {}\n", ":8:3", "mine is given twice, first in line 2" },
		{ GOOD "    lable: x\n", ":8:5", "did you mean label?" },
		{ GOOD "    dimensions: [tear]\n", ":8:18", "did you mean tier?" },
		{ GOOD "    dimensions: tier\n", ":8:17", "dimensions must be a list" },
		{ GOOD "    better: sideways\n", ":8:13", "allowed are neither, up, down" },
		{ GOOD "    thresholds: {good: 1}\n", ":8:17", "thresholds need `better`" },
		{ GOOD "    better: up\n    thresholds: {good: high}\n", ":9:24", "must be a number" },
		{ GOOD "    better: down\n    thresholds: {good: 1, warning: 1, critical: 5, over: all, rows: 20}\n", NULL, NULL },
		{ GOOD "    better: down\n    thresholds: {}\n", ":9:17", "need good, warning or critical" },
		{ GOOD "    better: down\n    thresholds: {good: 2, critical: 1}\n", ":9:37",
		  "mine is better down, so critical must not be below good" },
		{ GOOD "    better: up\n    thresholds: {warning: 1, critical: 2}\n", ":9:40",
		  "mine is better up, so critical must not be above warning" },
		{ GOOD "    better: up\n    thresholds: {good: 1, over: 1s}\n", ":9:33", "over must be a duration from 1m" },
		{ GOOD "    better: up\n    thresholds: {good: 1, over: ever}\n", ":9:33", "like 1d, or all" },
		{ GOOD "    better: up\n    thresholds: {good: 1, rows: many}\n", ":9:33", "rows must be a whole number" },
		{ GOOD "    better: up\n    thresholds: {good: 1, row: 2}\n", ":9:27", "did you mean rows?" },
		{ "metrics:\n  mine:\n    label: M\n    about: A.\n    unit: count\n    fact: shards\n    better: down\n    formula: count\n"
		  "    thresholds: {good: 1, over: 1d}\n",
		  ":9:33", "shards says how things are now" },
		{ GOOD "    filter: ''\n", ":8:13", "filter must be a text" },
		{ "metrics:\n  mine:\n    label: M\n    about: A.\n    unit: ms\n    fact: executions\n    formula: count\n",
		  ":5:11", "allowed are count, ratio, seconds, score" },
		{ "metrics:\n  mine:\n    label: M\n    about: A.\n    unit: count\n    fact: execution\n    formula: count\n",
		  ":6:11", "did you mean executions?" },
		{ "metrics:\n  mine:\n    label: M\n    about: A.\n    unit: count\n    fact: missions\n    dimensions: [tier]\n    formula: count\n",
		  ":7:18", "missions do not add over tiers" },
		{ "metrics: {mine: {label: [}}\n", ":1:26", "is not YAML" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct gc_registry *registry;
		struct gc_err err = { .text = "" };
		enum gc_verdict verdict = load(cases[i].text, strlen(cases[i].text), &registry, &err);
		char where[200];

		snprintf(where, sizeof(where), "%s%s", path, cases[i].place ? cases[i].place : "");
		if (!cases[i].says && verdict != GC_OK)
			fail_msg("%zu: %s", i, err.text);
		if (cases[i].says && (verdict != GC_FATAL || !strstr(err.text, cases[i].says) || strcmp(err.where, where) != 0))
			fail_msg("%zu: %s: %s", i, err.where, err.text);
		gc_registry_free(registry);
	}
}

static void what_cannot_be_read_is_told(void **state)
{
	struct gc_registry *registry;
	struct gc_err err;

	(void)state;
	assert_int_equal(gc_registry_load("/nonexistent/metrics.yaml", "", &registry, &err), GC_FATAL);
	assert_string_equal(err.where, "/nonexistent/metrics.yaml");
	gc_registry_free(registry);
	gc_registry_free(NULL);
}

/* ---- for other tools ---- */

static void contains(void (*export)(const struct gc_registry *registry, const char *schema, FILE *out),
		     const struct gc_registry *registry, const char *const *texts)
{
	char *written = NULL;
	size_t bytes;
	FILE *out = open_memstream(&written, &bytes);

	assert_non_null(out);
	export(registry, "sales", out);
	assert_int_equal(fclose(out), 0);
	for (; *texts; texts++) {
		if (!strstr(written, *texts))
			fail_msg("not exported: %s", *texts);
	}
	free(written);
}

/* What a text holds is no column, of rows that are not of the fact there are none, and a name is quoted where YAML would take it for a truth. */
static void exports_have_the_same_expressions(void **state)
{
	static const char *const of_ossie[] = {
		"\"source\": \"sales.fact_error_events\"",
		"\"CAST(COUNT(CASE WHEN (executions.was_successful) THEN 1 END) AS DOUBLE PRECISION) / NULLIF(COUNT(1), 0)\"",
		"\"COUNT(CASE WHEN (executions.contract_status = 'f.action_type') THEN 1 END)\"",
		"missions.started_at IS NOT NULL",
		"\"PERCENTILE_DISC(0.95) WITHIN GROUP (ORDER BY executions.duration_seconds)\"",
		NULL,
	};
	static const char *const of_metricflow[] = {
		"  model: \"ref('fact_error_events')\"\n",
		"  - name: mine_measure\n    agg: count\n    expr: \"CASE WHEN (contract_status = 'f.action_type') THEN 1 END\"\n",
		"  - name: tier\n    type: foreign\n    expr: tier_key\n",
		"  label: \"no\"\n",
		"# Not here, as these have no time: ",
		"    numerator: rollback_rate_numerator\n    denominator: rollback_rate_denominator\n",
		NULL,
	};
	static const char mine[] =
		"metrics:\n  mine:\n    label: 'no'\n    about: Of mine.\n    unit: count\n    fact: executions\n"
		"    formula: count\n    filter: contract_status = 'f.action_type'\n";
	struct gc_registry *registry;
	struct gc_err err;

	(void)state;
	assert_int_equal(load(mine, strlen(mine), &registry, &err), GC_OK);
	contains(gc_registry_ossie, registry, of_ossie);
	contains(gc_registry_metricflow, registry, of_metricflow);
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
		cmocka_unit_test(own_metrics_are_whole),
		cmocka_unit_test(rollups_are_found),
		cmocka_unit_test(expressions_become_sql),
		cmocka_unit_test(wrong_formulas_are_refused),
		cmocka_unit_test(depth_and_length_are_bounded),
		cmocka_unit_test(any_bytes_are_read_or_refused),
		cmocka_unit_test(files_are_checked),
		cmocka_unit_test(what_cannot_be_read_is_told),
		cmocka_unit_test(exports_have_the_same_expressions),
	};

	return cmocka_run_group_tests(tests, make_path, drop_path);
}
