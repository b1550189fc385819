/* Routes: the way from a path to its row, parameters and what is allowed, and the SQL that comes of it. */
#include "unit.h"

#include <stdio.h>
#include <string.h>

#include <http/api/openapi.h>

#define RATE "/api/cube/metrics/verification-success-rate"

static const struct gc_route *route_of(const char *path)
{
	struct gc_span part;
	const struct gc_route *route = gc_route_find(path, &part);

	assert_non_null(route);
	return route;
}

static void paths_find_their_route(void **state)
{
	static const struct {
		const char *path, *route, *part;
	} cases[] = {
		{ "/", "/", NULL },
		{ RATE, RATE, NULL },
		{ "/api/cube/executions", "/api/cube/executions", NULL },
		{ "/api/cube/executions/c-1", "/api/cube/executions/{contract_id}", "c-1" },
		{ "/api/cube/executions/a/b c", "/api/cube/executions/{contract_id}", "a/b c" },
		{ "/api/cube/executions/c-1/timeline", "/api/cube/executions/{contract_id}/timeline", "c-1" },
		{ "/api/cube/executions/timeline", "/api/cube/executions/{contract_id}", "timeline" },
		{ "/assets/app.js", "/assets/{file}", "app.js" },
		/* the registry knows whether there is such a metric */
		{ "/api/cube/metrics", "/api/cube/metrics", NULL },
		{ "/api/cube/metrics/errors", "/api/cube/metrics/{name}", "errors" },
		{ "/api/cube/metrics/approvals", "/api/cube/metrics/approvals", NULL },
		{ "/api/cube/metrics/errors/explain", "/api/cube/metrics/{name}/explain", "errors" },
		{ RATE "/", "/api/cube/metrics/{name}", "verification-success-rate/" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct gc_span part;
		const struct gc_route *route = gc_route_find(cases[i].path, &part);

		assert_non_null(route);
		assert_string_equal(route->path, cases[i].route);
		assert_true(gc_span_equal(part, gc_span_of(cases[i].part)));
	}
}

static void other_paths_find_none(void **state)
{
	static const char *const paths[] = {
		"", "//", "/api", "/api/", "/api/cube", "/api/cube/metrics/", "/api/cube/executions/", "/assets/", "/API/cube/me"
	};
	struct gc_span part;

	(void)state;
	for (size_t i = 0; i < COUNT(paths); i++)
		assert_null(gc_route_find(paths[i], &part));
}

/* The rest of the program relies on it. */
static void every_row_is_whole(void **state)
{
	struct gc_span part;

	(void)state;
	for (const struct gc_route *route = gc_routes; route->path; route++) {
		bool has_rows = route->answer == GC_ANSWER_ROWS || route->answer == GC_ANSWER_ROW;

		assert_non_null(route->summary);
		assert_true(!has_rows || route->view || route->sql);
		assert_true(!has_rows || route->access > GC_ACCESS_ANYBODY);
		assert_true(strncmp(route->path, "/api/", 5) != 0 || route->access > GC_ACCESS_ANYBODY);
		assert_ptr_equal(gc_route_find(route->path, &part), route);
	}
}

static int put(const char *path, const char *name, const char *text, struct gc_problem *problem)
{
	struct gc_values values = { .row_limit = 10000 };
	const struct gc_route *route = route_of(path);
	bool good = gc_values_put(&values, route, gc_span_of(name), gc_span_of(text), problem) &&
		    gc_values_finish(&values, route, problem);

	gc_values_done(&values);
	return good ? 200 : problem->status;
}

static void values_are_checked(void **state)
{
	static const struct {
		const char *path, *name, *text;
		int status;
	} cases[] = {
		{ RATE, "days", "1", 200 },
		{ RATE, "days", "90", 200 },
		{ RATE, "days", "0", 422 },
		{ RATE, "days", "91", 422 },
		{ RATE, "days", "-1", 422 },
		{ RATE, "days", "7.0", 422 },
		{ RATE, "days", "", 422 },
		{ RATE, "days", " 7", 422 },
		{ RATE, "days", "99999999999999999999", 422 },
		{ RATE, "tier", "tier_1", 200 },
		{ RATE, "tier", "tier_3", 200 },
		{ RATE, "tier", "tier_4", 422 },
		{ RATE, "tier", "Tier_1", 422 },
		{ RATE, "tier", "tier_1 ", 422 },
		{ RATE, "tier", "tier_1\ntier_2", 422 },
		{ RATE, "tier", "", 422 },
		{ RATE, "Tier", "tier_1", 422 },
		{ RATE, "nonsense", "1", 422 },
		{ RATE, "", "", 422 },
		{ RATE, "format", "csv", 200 },
		{ RATE, "format", "xml", 422 },
		{ RATE, "bom", "true", 200 },
		{ RATE, "bom", "yes", 422 },
		{ RATE, "limit", "1", 200 },
		{ RATE, "limit", "10000", 200 },
		{ RATE, "limit", "10001", 422 },
		{ RATE, "limit", "0", 422 },
		{ RATE, "offset", "0", 200 },
		{ RATE, "from", "2026-11-05", 200 },
		{ RATE, "from", "2026-11-05T10:17:30Z", 200 },
		{ RATE, "from", "2026-11-05T10:17:30+02:00", 200 },
		{ RATE, "from", "2026-02-30", 422 },
		{ RATE, "from", "yesterday", 422 },
		{ RATE, "from", "1795392000", 422 },
		{ "/api/cube/executions", "tier", "tier_4", 200 },
		{ "/api/cube/executions", "tier", "unknown", 200 },
		{ "/api/cube/executions", "tier", "tier_100", 422 },
		{ "/api/cube/executions", "status", "it's; DROP TABLE x --", 200 },
		{ "/api/cube/executions", "q", "\xff\xfe", 422 },
		{ "/api/cube/executions", "confidence_from", "0.95", 200 },
		{ "/api/cube/executions", "confidence_to", "1", 200 },
		{ "/api/cube/executions", "confidence_to", "1.5", 422 },
		{ "/api/cube/executions", "confidence_from", "NaN", 422 },
		{ "/api/cube/executions", "confidence_from", ".", 422 },
		{ "/api/cube/executions", "hour", "0", 200 },
		{ "/api/cube/executions", "hour", "24", 422 },
		{ "/api/cube/executions", "weekday", "7", 200 },
		{ "/api/cube/executions", "weekday", "0", 422 },
		{ "/api/cube/events", "token", "abc", 422 },
		{ "/api/cube/events", "format", "csv", 422 },
		{ "/api/cube/me", "token", "abc", 422 },
		{ "/api/cube/metrics/mission-performance", "days", "7", 422 },
	};
	struct gc_problem problem;

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		int status = put(cases[i].path, cases[i].name, cases[i].text, &problem);

		if (status != cases[i].status)
			fail_msg("%s?%s=%s: %d, expected %d", cases[i].path, cases[i].name, cases[i].text, status, cases[i].status);
	}
}

static void a_nul_is_refused(void **state)
{
	struct gc_values values = { .row_limit = 10 };
	struct gc_problem problem;

	(void)state;
	assert_false(gc_values_put(&values, route_of("/api/cube/executions"), GC_LIT("status"), GC_LIT("a\0b"), &problem));
	assert_int_equal(problem.status, 422);
	gc_values_done(&values);
}

static void problems_say_what_is_allowed(void **state)
{
	struct gc_problem problem;

	(void)state;
	assert_int_equal(put(RATE, "days", "91", &problem), 422);
	assert_string_equal(problem.parameter, "days");
	assert_string_equal(problem.allowed, "a whole number from 1 to 90");
	assert_string_equal(problem.detail, "The value is not allowed.");
	assert_int_equal(put(RATE, "from", "2026-11-05T10:17:30 01:00", &problem), 422);
	assert_string_equal(problem.detail, "The value is not allowed. A + in an address means a blank: write it as %2B.");
	assert_int_equal(put(RATE, "tier", "x", &problem), 422);
	assert_string_equal(problem.allowed, "text that fits ^tier_[123]$");
	assert_int_equal(put(RATE, "day", "7", &problem), 422);
	assert_string_equal(problem.parameter, "day");
	assert_string_equal(problem.allowed, "tier, component, days, from, to, format, limit, offset, bom");
}

/* ---- together ---- */

struct asked {
	struct gc_values values;
	struct gc_query query;
	struct gc_problem problem;
	char part[100]; /* the query borrows it */
	bool good;
};

static void ask(struct asked *asked, const char *path, const char *const *pairs)
{
	struct gc_span part;
	const struct gc_route *route = gc_route_find(path, &part);

	*asked = (struct asked){ .values.row_limit = 500, .good = true };
	snprintf(asked->part, sizeof(asked->part), "%.*s", (int)part.len, part.ptr ? part.ptr : "");
	for (; asked->good && *pairs; pairs += 2)
		asked->good = gc_values_put(&asked->values, route, gc_span_of(pairs[0]), gc_span_of(pairs[1]), &asked->problem);
	asked->good = asked->good && gc_values_finish(&asked->values, route, &asked->problem);
	if (asked->good)
		gc_query_make(&asked->query, route, &asked->values, asked->part);
}

static void done(struct asked *asked)
{
	gc_values_done(&asked->values);
	gc_query_done(&asked->query);
}

static void what_excludes_each_other_is_refused(void **state)
{
	struct asked asked;

	(void)state;
	ask(&asked, RATE, (const char *const[]){ "from", "2026-11-05", "days", "3", NULL });
	assert_false(asked.good);
	assert_string_equal(asked.problem.parameter, "days");
	done(&asked);
	ask(&asked, RATE, (const char *const[]){ "days", "3", "days", "3", NULL });
	assert_false(asked.good);
	done(&asked);
	ask(&asked, RATE, (const char *const[]){ "from", "2026-11-06", "to", "2026-11-05T23:59:59Z", NULL });
	assert_false(asked.good);
	assert_string_equal(asked.problem.parameter, "from");
	done(&asked);
	ask(&asked, RATE,
	    (const char *const[]){ "from", "2026-11-06", "to", "2026-11-06T01:00:00+01:00", NULL }); /* nothing, but no mistake */
	assert_true(asked.good);
	done(&asked);
	ask(&asked, RATE, (const char *const[]){ "from", "2026-11-05", NULL }); /* the default of days gives way */
	assert_true(asked.good);
	done(&asked);
}

static void a_route_names_its_parameters(void **state)
{
	struct asked asked;

	(void)state;
	ask(&asked, RATE, (const char *const[]){ "tier", "tier_2", NULL });
	assert_string_equal(
		asked.query.sql,
		"SELECT * FROM cube.verification_success_rate($1, $2, coalesce($3::timestamptz, now() - make_interval(days => "
		"$4::int)), $5::timestamptz) LIMIT 501");
	assert_int_equal(asked.query.count, 5);
	assert_string_equal(asked.query.values[0], "tier_2");
	assert_null(asked.query.values[1]);
	assert_null(asked.query.values[2]);
	assert_string_equal(asked.query.values[3], "7");
	assert_null(asked.query.values[4]);
	done(&asked);
}

static void conditions_are_those_that_were_asked_for(void **state)
{
	struct asked asked;

	(void)state;
	ask(&asked, "/api/cube/metrics/daily-approvals",
	    (const char *const[]){ "to", "2026-11-05", "limit", "20", "offset", "40", NULL });
	assert_string_equal(
		asked.query.sql,
		"SELECT * FROM cube.cube_daily_approvals WHERE day < $1::timestamptz AT TIME ZONE 'UTC' ORDER BY day LIMIT 21 "
		"OFFSET 40");
	assert_string_equal(asked.query.values[0], "2026-11-05T00:00:00.000000Z");
	assert_int_equal(asked.query.limit, 20);
	done(&asked);
	ask(&asked, "/api/cube/approvals", (const char *const[]){ "status", "x' OR true --", NULL });
	assert_string_equal(
		asked.query.sql,
		"SELECT * FROM cube.approvals($1) WHERE status = $2 ORDER BY time_key DESC, created_at DESC, approval_id LIMIT "
		"101");
	assert_null(asked.query.values[0]);
	assert_string_equal(asked.query.values[1], "x' OR true --");
	done(&asked);
}

static void a_part_of_the_path_is_one_parameter(void **state)
{
	struct asked asked;

	(void)state;
	ask(&asked, "/api/cube/executions/c-1/timeline", (const char *const[]){ NULL });
	assert_int_equal(asked.query.count, 1);
	assert_string_equal(asked.query.values[0], "c-1");
	assert_non_null(strstr(asked.query.sql, "e.contract_id = $1"));
	assert_null(strchr(asked.query.sql, ':'));
	done(&asked);
}

/* A file is whole, up to the largest limit, unless it is asked to be shorter. */
static void files_have_another_limit(void **state)
{
	const struct gc_route *route = route_of("/api/cube/executions");
	struct gc_values values = { .row_limit = 500 };
	struct gc_problem problem;
	struct gc_query query;

	(void)state;
	gc_query_make(&query, route, &values, NULL);
	assert_int_equal(query.limit, 100);
	gc_query_done(&query);
	values.wants_all = true;
	gc_query_make(&query, route, &values, NULL);
	assert_int_equal(query.limit, 500);
	gc_query_done(&query);
	assert_true(gc_values_put(&values, route, GC_LIT("limit"), GC_LIT("20"), &problem));
	gc_query_make(&query, route, &values, NULL);
	assert_int_equal(query.limit, 20);
	gc_query_done(&query);
	gc_values_done(&values);
}

/* What adds up is not cut into pages: the route's own limit leaves a row for the rest. */
static void a_route_may_limit_itself(void **state)
{
	static const char path[] = "/api/cube/metrics/errors/explain";
	struct gc_problem problem;
	struct asked asked;

	(void)state;
	ask(&asked, path, (const char *const[]){ "limit", "3", "by", "severity", NULL });
	assert_string_equal(
		asked.query.sql,
		"SELECT * FROM cube.metric_change($1, coalesce($2::timestamptz, now() - make_interval(days => $3::int)), "
		"$4::timestamptz, $5, string_to_array($6, ','), cube.metric_filter($7), $8)");
	assert_string_equal(asked.query.values[4], "previous");
	assert_string_equal(asked.query.values[7], "3");
	assert_true(asked.query.limit > 1000000);
	done(&asked);
	assert_int_equal(put(path, "bom", "true", &problem), 200);
	assert_int_equal(put(path, "offset", "1", &problem), 422);
	assert_string_equal(problem.allowed, "by, from, to, days, where, compare, limit, as, format, bom");
}

/* The same question, further on: what was not asked for is not in it. */
static void the_next_page_is_an_address(void **state)
{
	static const struct {
		const char *path, *pairs[9], *next;
		int64_t rows;
	} cases[] = {
		{ "/api/cube/executions", { NULL }, "/api/cube/executions?offset=100", 100 },
		{ RATE, { "tier", "tier_1" }, RATE "?offset=2&tier=tier_1", 2 },
		{ RATE, { "from", "2026-11-05" }, RATE "?offset=1&from=2026-11-05T00%3A00%3A00.000000Z", 1 },
		{ "/api/cube/executions",
		  { "offset", "40", "q", "a&b=c d/\xc3\xa9\"<", "limit", "20", "format", "csv" },
		  "/api/cube/executions?offset=60&q=a%26b%3Dc%20d%2F%C3%A9%22%3C&limit=20&format=csv",
		  20 },
		{ "/api/cube/executions/a b>/timeline", { NULL }, "/api/cube/executions/a%20b%3E/timeline?offset=10", 10 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct gc_text address = { NULL, 0, 0 };
		struct asked asked;

		ask(&asked, cases[i].path, cases[i].pairs);
		assert_true(asked.good);
		gc_next_page(&address, cases[i].path, &asked.values, cases[i].rows);
		assert_string_equal(address.ptr, cases[i].next);
		gc_text_done(&address);
		done(&asked);
	}
}

static json_t *document_of_all(void)
{
	static char schema[] = "sales";
	const struct gc_config config = { .cube_schema = schema, .serve_row_limit = 1234 };
	json_t *document = gc_openapi_new();

	for (const struct gc_route *route = gc_routes; route->path; route++) {
		json_t *columns = gc_openapi_has_rows(route) ? json_object() : NULL;

		if (!gc_openapi_has(route))
			continue;
		if (columns) {
			gc_openapi_add_column(columns, "at", GC_CELL_TIME, "when");
			gc_openapi_add_column(columns, "detail", GC_CELL_JSON, NULL);
		}
		gc_openapi_add_route(document, route, columns, "What it is.", &config);
	}
	return document;
}

/* Every operation has an id of its own, its parameters, and says what its rows hold. */
static void the_document_has_every_route(void **state)
{
	json_t *document = document_of_all(), *ids = json_object(), *path;
	struct gc_text text = { NULL, 0, 0 };
	const char *name;

	(void)state;
	json_object_foreach(json_object_get(document, "paths"), name, path)
	{
		json_t *get = json_object_get(path, "get"), *answer, *properties;

		json_object_set(ids, json_string_value(json_object_get(get, "operationId")), get);
		answer = json_object_get(json_object_get(get, "responses"), "200");
		properties = json_object_get(json_object_get(answer, "content"), "application/json");
		properties = json_object_get(json_object_get(json_object_get(properties, "schema"), "items"), "properties");
		if (strcmp(name, "/api/cube/metrics/error-trends") == 0)
			assert_non_null(strstr(json_string_value(json_object_get(get, "description")), "sales.cube_error_trends."));
		if (strcmp(name, "/api/cube/executions") == 0)
			assert_string_equal(json_string_value(json_object_get(json_object_get(properties, "at"), "format")),
					    "date-time");
		assert_non_null(answer);
		assert_true(json_array_size(json_object_get(get, "parameters")) >= (strchr(name, '{') ? 1 : 0));
	}
	assert_int_equal(json_object_size(ids), json_object_size(json_object_get(document, "paths")));
	gc_openapi_put(document, &text);
	assert_non_null(strstr(text.ptr, "\"/api/cube/executions\":{\"get\":{\"operationId\":\"executions\""));
	assert_non_null(strstr(text.ptr, "\"maximum\":1234"));
	gc_text_done(&text);
	json_decref(ids);
	json_decref(document);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(paths_find_their_route),
		cmocka_unit_test(other_paths_find_none),
		cmocka_unit_test(every_row_is_whole),
		cmocka_unit_test(values_are_checked),
		cmocka_unit_test(a_nul_is_refused),
		cmocka_unit_test(problems_say_what_is_allowed),
		cmocka_unit_test(what_excludes_each_other_is_refused),
		cmocka_unit_test(a_route_names_its_parameters),
		cmocka_unit_test(conditions_are_those_that_were_asked_for),
		cmocka_unit_test(a_part_of_the_path_is_one_parameter),
		cmocka_unit_test(files_have_another_limit),
		cmocka_unit_test(a_route_may_limit_itself),
		cmocka_unit_test(the_next_page_is_an_address),
		cmocka_unit_test(the_document_has_every_route),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
