/* Messages of the Model Context Protocol: which are read, what tools are, and what becomes of arguments and answers. */
#include "unit.h"

#include <stdlib.h>
#include <string.h>

#include <http/api/mcp.h>
#include <http/api/openapi.h>

/* The rest relies on it. */
static void every_tool_has_a_route(void **state)
{
	struct gc_span part;

	(void)state;
	for (const struct gc_tool *tool = gc_tools; tool->name; tool++) {
		const struct gc_route *route = gc_route_find(tool->path, &part);

		assert_non_null(route);
		assert_string_equal(route->path, tool->path);
		assert_true(gc_openapi_has_rows(route));
		assert_string_equal(gc_route_methods(route), "GET, HEAD");
	}
}

static void messages_are_read(void **state)
{
	static const struct {
		const char *text;
		bool good;
		const char *method, *tool;
		bool wants_answer;
	} cases[] = {
		{ "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}", true, "ping", NULL, true },
		{ "{\"jsonrpc\":\"2.0\",\"id\":\"a\",\"method\":\"ping\",\"params\":{}}", true, "ping", NULL, true },
		{ "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/initialized\"}", true, "notifications/initialized", NULL,
		  false },
		{ "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}", true, NULL, NULL, true },
		{ "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"params\":{\"name\":\"freshness\"}}", true,
		  "tools/call", "freshness", true },
		{ "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"params\":{\"name\":\"none\"}}", true, "tools/call",
		  NULL, true },
		{ "{\"jsonrpc\":\"2.0\",\"method\":\"tools/call\",\"params\":{\"name\":\"freshness\"}}", true, "tools/call", NULL,
		  false },
		{ "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"params\":[]}", true, "tools/call", NULL, true },
		{ "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":7}", false, NULL, NULL, false },
		{ "{\"jsonrpc\":\"1.0\",\"id\":1,\"method\":\"ping\"}", false, NULL, NULL, false },
		{ "{\"jsonrpc\":\"2.0\",\"id\":null,\"method\":\"ping\"}", false, NULL, NULL, false },
		{ "{\"jsonrpc\":\"2.0\",\"id\":1.5,\"method\":\"ping\"}", false, NULL, NULL, false },
		{ "{\"jsonrpc\":\"2.0\",\"id\":1,\"id\":2,\"method\":\"ping\"}", false, NULL, NULL, false },
		{ "[{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}]", false, NULL, NULL, false },
		{ "{\"jsonrpc\":\"2.0\"}", false, NULL, NULL, false },
		{ "\"ping\"", false, NULL, NULL, false },
		{ "\xff", false, NULL, NULL, false },
		{ "", false, NULL, NULL, false },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct gc_mcp mcp;
		struct gc_problem problem = { .status = 0 };
		bool good = gc_mcp_read(&mcp, gc_span_of(cases[i].text), &problem);

		if (good != cases[i].good)
			fail_msg("%s: %s", cases[i].text, problem.detail);
		assert_int_equal(problem.status, good ? 0 : 400);
		if (good) {
			assert_string_equal(mcp.method ? mcp.method : "", cases[i].method ? cases[i].method : "");
			assert_string_equal(mcp.tool ? mcp.tool->name : "", cases[i].tool ? cases[i].tool : "");
			assert_int_equal(mcp.id != NULL, cases[i].wants_answer);
		}
		gc_mcp_done(&mcp);
	}
}

static void pages_of_other_hosts_are_known(void **state)
{
	static const struct {
		const char *origin;
		bool may;
	} cases[] = {
		{ "http://localhost", true },
		{ "http://localhost:6274", true },
		{ "https://127.0.0.1:8080", true },
		{ "http://[::1]:3000", true },
		{ "http://LOCALHOST", true },
		{ "http://localhost.evil.example", false },
		{ "http://evil.example:8080", false },
		{ "http://evil.example/localhost", false },
		{ "http://localhost@evil.example", false },
		{ "http://[::1", false },
		{ "http://[::1]x", false },
		{ "http://", false },
		{ "localhost", false },
		{ "null", false },
		{ "", false },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		if (gc_mcp_may_come_from(cases[i].origin) != cases[i].may)
			fail_msg("%s", cases[i].origin);
	}
}

/* ---- arguments ---- */

static int put(const char *text, struct gc_values *values, char **ret_part, struct gc_problem *problem)
{
	struct gc_mcp mcp;
	bool good;

	*problem = (struct gc_problem){ .status = 0 };
	*values = (struct gc_values){ .row_limit = 1000 };
	*ret_part = NULL;
	assert_true(gc_mcp_read(&mcp, gc_span_of(text), problem));
	assert_non_null(mcp.tool);
	good = gc_mcp_put_arguments(&mcp, values, ret_part, problem);
	gc_mcp_done(&mcp);
	return good ? 200 : problem->status;
}

#define CALL(arguments)                                                                                                            \
	"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"params\":{\"name\":\"query_metric\",\"arguments\":" arguments   \
	"}}"

static void arguments_are_parameters(void **state)
{
	static const struct {
		const char *text;
		int status;
		const char *parameter;
	} cases[] = {
		{ CALL("{\"name\":\"errors\"}"), 200, "" },
		{ CALL("{\"name\":\"errors\",\"days\":7,\"by\":\"tier\",\"compare\":null}"), 200, "" },
		{ CALL("{\"name\":\"errors\",\"days\":\"7\"}"), 200, "" },
		{ CALL("{\"name\":\"errors\",\"days\":7.5}"), 422, "days" },
		{ CALL("{\"name\":\"errors\",\"days\":91}"), 422, "days" },
		{ CALL("{\"name\":\"errors\",\"by\":[\"tier\"]}"), 422, "by" },
		{ CALL("{\"name\":\"errors\",\"format\":\"csv\"}"), 422, "format" },
		{ CALL("{\"name\":\"errors\",\"as\":\"csv\"}"), 422, "as" },
		{ CALL("{\"name\":\"errors\",\"nonsense\":1}"), 422, "nonsense" },
		{ CALL("{\"name\":\"errors\",\"nonsense\":null}"), 422, "nonsense" },
		{ CALL("{\"name\":\"errors\",\"from\":\"2026-11-05\",\"days\":7}"), 422, "days" },
		{ CALL("{\"name\":\"\"}"), 422, "name" },
		{ CALL("{\"name\":7}"), 422, "name" },
		{ CALL("{}"), 422, "name" },
		{ CALL("null"), 422, "name" },
		{ CALL("[]"), 422, "arguments" },
	};
	struct gc_values values;
	struct gc_problem problem;
	char *part;

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		int status = put(cases[i].text, &values, &part, &problem);

		if (status != cases[i].status)
			fail_msg("%s: %d, %s", cases[i].text, status, problem.detail);
		assert_string_equal(problem.parameter, cases[i].parameter);
		if (status == 200)
			assert_string_equal(part, "errors");
		/* what it is told to use instead is no form that it would be refused, too */
		if (strcmp(problem.parameter, "nonsense") == 0)
			assert_string_equal(problem.allowed, "name, by, from, to, days, grain, where, compare, limit, offset");
		gc_values_done(&values);
		free(part);
	}
}

/* ---- answers ---- */

static void answers_have_the_id_of_their_message(void **state)
{
	static const struct {
		const char *text, *answer;
	} cases[] = {
		{ "{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"ping\"}", "{\"jsonrpc\":\"2.0\",\"id\":7,\"result\":{}}" },
		{ "{\"jsonrpc\":\"2.0\",\"id\":\"a\\\"b\",\"method\":\"ping\"}",
		  "{\"jsonrpc\":\"2.0\",\"id\":\"a\\\"b\",\"result\":{}}" },
		{ "{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"sing\"}",
		  "{\"jsonrpc\":\"2.0\",\"id\":7,\"error\":{\"code\":-32601,\"message\":\"There is no method \\\"sing\\\" here; there are initialize, "
		  "ping, tools/list and tools/call.\"}}" },
		{ "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/initialized\"}", "" },
		{ "{\"jsonrpc\":\"2.0\",\"id\":7,\"result\":{}}", "" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct gc_text answer = { NULL, 0, 0 };
		struct gc_problem problem;
		struct gc_mcp mcp;

		assert_true(gc_mcp_read(&mcp, gc_span_of(cases[i].text), &problem));
		gc_mcp_answer(&mcp, 1000, &answer);
		assert_string_equal(answer.ptr ? answer.ptr : "", cases[i].answer);
		gc_text_done(&answer);
		gc_mcp_done(&mcp);
	}
}

static void a_route_s_answer_is_a_result(void **state)
{
	static const struct {
		struct gc_mcp_rows rows;
		const char *answer;
	} cases[] = {
		{ { { "[\n{\"a\":\"x\"}\n]\n", 13 }, 200, "2026-11-05T00:00:00Z", "12", true },
		  "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"content\":[{\"type\":\"text\",\"text\":\"{\\\"as_of\\\":\\\"2026-11-05T00:00:00Z\\\","
		  "\\\"records\\\":12,\\\"more\\\":true,\\\"rows\\\":[\\n{\\\"a\\\":\\\"x\\\"}\\n]}\"}],\"structuredContent\":{\"as_of\":"
		  "\"2026-11-05T00:00:00Z\",\"records\":12,\"more\":true,\"rows\":[\n{\"a\":\"x\"}\n]},\"isError\":false}}" },
		{ { { "{\"status\":422,\"detail\":\"No.\",\"parameter\":\"by\",\"allowed\":\"tier\"}", 63 }, 422, "", "", false },
		  "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"content\":[{\"type\":\"text\",\"text\":\"No. Parameter: by. Allowed: "
		  "tier.\"}],\"isError\":true}}" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct gc_text answer = { NULL, 0, 0 };
		struct gc_problem problem;
		struct gc_mcp mcp;

		assert_true(gc_mcp_read(&mcp, gc_span_of(CALL("{\"name\":\"errors\"}")), &problem));
		gc_mcp_put_rows(&mcp, &cases[i].rows, &answer);
		assert_string_equal(answer.ptr, cases[i].answer);
		gc_text_done(&answer);
		gc_mcp_done(&mcp);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_tool_has_a_route),
		cmocka_unit_test(messages_are_read),
		cmocka_unit_test(pages_of_other_hosts_are_known),
		cmocka_unit_test(arguments_are_parameters),
		cmocka_unit_test(answers_have_the_id_of_their_message),
		cmocka_unit_test(a_route_s_answer_is_a_result),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
