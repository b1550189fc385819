/* The Model Context Protocol: see mcp.h.
 *
 * What is wrong with a message is an error of JSON-RPC; what is wrong with a question is told as a tool's result, in words, so that the agent reads
 * it and asks better. Threads: no shared state.
 */
#include "http/api/mcp.h"

#include "http/api/openapi.h"

#include <gracecube/arena.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#define PART_BYTES_MAX 1000
#define METHOD_NOT_FOUND (-32601)
#define INVALID_PARAMS (-32602)

/* In the order in which they are asked. */
const struct gc_tool gc_tools[] = {
	{ "list_metrics", "Metrics",
	  "All metrics of Grace's data cube: what each says, its unit, how it is computed, by which dimensions it may be cut, whether it adds up. The other "
	  "tools take their names.",
	  "/api/cube/metrics" },
	{ "describe_metric", "One metric", "What one metric says: its unit, formula, dimensions, thresholds.",
	  "/api/cube/metrics/{name}/definition" },
	{ "query_metric", "A metric's values",
	  "A metric in a window of time: for the whole of it, or by grain and by members of dimensions, filtered, beside the period before. value is numerator "
	  "/ denominator where it is a ratio; n is how many rows it rests on, and few say little. Times are UTC.",
	  "/api/cube/metrics/{name}" },
	{ "explain_change", "Why a metric changed",
	  "Which members of which dimensions made the change of a metric from the period before. The first row is the whole; over each dimension the parts add "
	  "up to it exactly. Of a ratio or an average, rate is the part that a member made by being better or worse itself, mix by being more or less of all. "
	  "Name a few dimensions in by, and a small limit, for a short answer. Percentiles and distinct counts do not add and are refused.",
	  "/api/cube/metrics/{name}/explain" },
	{ "freshness", "How fresh the cube is",
	  "How far each stream of records has come, and when: whether a number may still change.", "/api/cube/metrics/freshness" },
	{ "contract_timeline", "A contract's story",
	  "Everything that is known of one contract, in order: asked for, approved, executed, verified, rolled back, and what followed.",
	  "/api/cube/executions/{contract_id}/timeline" },
	{ .name = NULL },
};

static const char instructions[] =
	"Numbers of Grace, an agentic system: executions, verifications, errors, approvals, missions, each defined once. list_metrics has the names; "
	"query_metric answers them, explain_change says why one changed. Compare only what you have asked for: metrics that do not add up over members are "
	"refused with the reason. as_of is the commit that an answer is of.";

const char *const gc_mcp_revisions[] = { "2025-11-25", "2025-06-18", "2025-03-26", NULL };

bool gc_mcp_speaks(const char *revision)
{
	for (size_t i = 0; gc_mcp_revisions[i]; i++) {
		if (strcmp(gc_mcp_revisions[i], revision) == 0)
			return true;
	}
	return false;
}

/* "http://localhost:6274", with any port. */
bool gc_mcp_may_come_from(const char *origin)
{
	static const char *const own[] = { "localhost", "127.0.0.1", "[::1]", NULL };
	const char *host = strstr(origin, "://");
	size_t len;

	if (!host)
		return false;
	host += 3;
	len = *host == '[' ? strcspn(host, "]") + 1 : strcspn(host, ":/");
	for (size_t i = 0; own[i]; i++) {
		if (strlen(own[i]) == len && strncasecmp(own[i], host, len) == 0 && (host[len] == '\0' || host[len] == ':'))
			return true;
	}
	return false;
}

/* Without memory the process ends, as gc_malloc() has it. */
static json_t *sure(json_t *json)
{
	if (!json)
		abort();
	return json;
}

/* ---- messages ---- */

static const struct gc_route *route_of(const char *path)
{
	const struct gc_route *route = gc_routes;

	while (route->path && strcmp(route->path, path) != 0)
		route++;
	return route->path ? route : NULL;
}

static const struct gc_tool *find_tool(const char *name)
{
	for (const struct gc_tool *tool = gc_tools; name && tool->name; tool++) {
		if (strcmp(tool->name, name) == 0)
			return tool;
	}
	return NULL;
}

static const json_t *parameters_of(const struct gc_mcp *mcp)
{
	return json_object_get(mcp->message, "params");
}

static bool is_message(const struct gc_mcp *mcp)
{
	const char *version = json_string_value(json_object_get(mcp->message, "jsonrpc"));
	const json_t *id = mcp->id;

	if (!version || strcmp(version, "2.0") != 0 || (id && !json_is_string(id) && !json_is_integer(id)))
		return false;
	return mcp->method || (id && (json_object_get(mcp->message, "result") || json_object_get(mcp->message, "error")));
}

bool gc_mcp_read(struct gc_mcp *mcp, struct gc_span text, struct gc_problem *problem)
{
	json_error_t error;

	*mcp = (struct gc_mcp){ .message = json_loadb(text.ptr ? text.ptr : "", text.len, JSON_REJECT_DUPLICATES, &error) };
	if (!mcp->message)
		return gc_problem_set(problem, 400, "The body is no JSON, line %d, column %d: %s.", error.line, error.column,
				      error.text);
	if (json_is_array(mcp->message))
		return gc_problem_set(problem, 400, "A request has one message of JSON-RPC, no batch of them.");
	mcp->method = json_string_value(json_object_get(mcp->message, "method"));
	mcp->id = json_object_get(mcp->message, "id");
	if (!is_message(mcp))
		return gc_problem_set(problem, 400,
				      "The body is no message of JSON-RPC 2.0: {\"jsonrpc\": \"2.0\", \"id\": 1, \"method\": …}.");
	if (mcp->method && mcp->id && strcmp(mcp->method, "tools/call") == 0)
		mcp->tool = find_tool(json_string_value(json_object_get(parameters_of(mcp), "name")));
	if (mcp->tool)
		mcp->route = route_of(mcp->tool->path);
	return true;
}

void gc_mcp_done(struct gc_mcp *mcp)
{
	json_decref(mcp->message);
	*mcp = (struct gc_mcp){ .message = NULL };
}

/* ---- arguments ---- */

static bool refuse_argument(struct gc_problem *problem, const char *name, const char *detail, const char *allowed)
{
	gc_problem_set(problem, 422, "%s", detail);
	snprintf(problem->parameter, sizeof(problem->parameter), "%s", name);
	snprintf(problem->allowed, sizeof(problem->allowed), "%s", allowed);
	return false;
}

static const struct gc_parameter *find_parameter(const struct gc_route *route, const char *name)
{
	const struct gc_filter *filter;

	for (size_t n = 0; (filter = gc_route_filter(route, n)); n++) {
		if (strcmp(filter->parameter->name, name) == 0)
			return filter->parameter;
	}
	return NULL;
}

/* What the tool's schema has; the route takes more, for forms that a tool does not answer in. */
static bool refuse_name(const struct gc_route *route, const char *name, struct gc_problem *problem)
{
	const struct gc_filter *filter;
	struct gc_text names = { NULL, 0, 0 };
	struct gc_span part = gc_route_part(route);

	gc_text_add(&names, part);
	for (size_t n = 0; (filter = gc_route_filter(route, n)); n++) {
		if (!filter->parameter->is_form)
			gc_text_printf(&names, "%s%s", names.len ? ", " : "", filter->parameter->name);
	}
	refuse_argument(problem, name, "There is no such parameter here.", names.len ? names.ptr : "none");
	gc_text_done(&names);
	return false;
}

static bool put_argument(const struct gc_mcp *mcp, struct gc_values *values, const char *name, const json_t *value,
			 struct gc_problem *problem)
{
	const struct gc_parameter *parameter = find_parameter(mcp->route, name);
	char number[32];

	if (!parameter)
		return refuse_name(mcp->route, name, problem);
	if (json_is_null(value))
		return true;
	if (parameter->is_form)
		return refuse_argument(problem, name, "Tools answer in one form.", "");
	if (json_is_integer(value)) {
		snprintf(number, sizeof(number), "%lld", (long long)json_integer_value(value));
		return gc_values_put(values, mcp->route, gc_span_of(name), gc_span_of(number), problem);
	}
	if (!json_is_string(value))
		return refuse_argument(problem, name, "The value is not allowed.", "a text or a whole number");
	return gc_values_put(values, mcp->route, gc_span_of(name), gc_span_of(json_string_value(value)), problem);
}

static bool take_part(const char *name, const json_t *value, char **ret_part, struct gc_problem *problem)
{
	size_t len = json_string_length(value);

	if (len == 0 || len > PART_BYTES_MAX)
		return refuse_argument(problem, name, value ? "The value is not allowed." : "It is missing.",
				       "text of 1 to 1000 bytes");
	*ret_part = gc_strdup(json_string_value(value));
	return true;
}

bool gc_mcp_put_arguments(const struct gc_mcp *mcp, struct gc_values *values, char **ret_part, struct gc_problem *problem)
{
	json_t *arguments = json_object_get(parameters_of(mcp), "arguments"), *value;
	struct gc_span part = gc_route_part(mcp->route);
	char part_name[64];
	const char *name;

	snprintf(part_name, sizeof(part_name), "%.*s", (int)part.len, part.ptr ? part.ptr : "");
	if (arguments && !json_is_object(arguments) && !json_is_null(arguments))
		return refuse_argument(problem, "arguments", "The value is not allowed.", "an object");
	if (part.ptr && !take_part(part_name, json_object_get(arguments, part_name), ret_part, problem))
		return false;
	json_object_foreach(arguments, name, value)
	{
		if (strcmp(name, part_name) != 0 && !put_argument(mcp, values, name, value, problem))
			return false;
	}
	return gc_values_finish(values, mcp->route, problem);
}

void gc_mcp_put_call(const struct gc_mcp *mcp, struct gc_text *query)
{
	json_t *arguments = json_object_get(parameters_of(mcp), "arguments"), *value;
	const char *name;

	gc_text_printf(query, "tool=%s", mcp->tool->name);
	json_object_foreach(arguments, name, value)
	{
		char *text = json_is_string(value) ? gc_strdup(json_string_value(value))
						   : json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);

		gc_text_printf(query, "&%s=%s", name, text ? text : "");
		free(text);
	}
}

/* ---- tools, as they are told ---- */

static void add_parameter(json_t *properties, const struct gc_parameter *parameter, int64_t row_limit)
{
	json_t *schema = gc_openapi_schema(parameter, row_limit);

	json_object_set_new(schema, "description", json_string(parameter->meaning));
	json_object_set_new(properties, parameter->name, schema);
}

static json_t *input_schema(const struct gc_route *route, int64_t row_limit)
{
	struct gc_span part = gc_route_part(route);
	json_t *properties = sure(json_object()), *required = sure(json_array());
	const struct gc_filter *filter;

	if (part.ptr) {
		json_object_setn_new(properties, part.ptr, part.len,
				     json_pack("{s:s, s:i, s:i}", "type", "string", "minLength", 1, "maxLength", PART_BYTES_MAX));
		json_array_append_new(required, json_stringn(part.ptr, part.len));
	}
	for (size_t n = 0; (filter = gc_route_filter(route, n)); n++) {
		if (!filter->parameter->is_form)
			add_parameter(properties, filter->parameter, row_limit);
	}
	return sure(json_pack("{s:s, s:o, s:o, s:b}", "type", "object", "properties", properties, "required", required,
			      "additionalProperties", 0));
}

static json_t *tool_json(const struct gc_tool *tool, int64_t row_limit)
{
	const struct gc_route *route = route_of(tool->path);
	char about[1000];

	snprintf(about, sizeof(about), "%s Needs a token with the role %s or more.", tool->about, gc_access_names[route->access]);
	return sure(json_pack("{s:s, s:s, s:s, s:o, s:{s:b, s:b, s:b}}", "name", tool->name, "title", tool->title, "description",
			      about, "inputSchema", input_schema(route, row_limit), "annotations", "readOnlyHint", 1,
			      "idempotentHint", 1, "openWorldHint", 0));
}

/* ---- methods ---- */

static json_t *answer_initialize(const struct gc_mcp *mcp, int64_t row_limit)
{
	const char *asked = json_string_value(json_object_get(parameters_of(mcp), "protocolVersion"));

	(void)row_limit;
	return json_pack("{s:s, s:{s:{}}, s:{s:s, s:s, s:s}, s:s}", "protocolVersion",
			 asked && gc_mcp_speaks(asked) ? asked : gc_mcp_revisions[0], "capabilities", "tools", "serverInfo", "name",
			 "gracecube", "title", "The Grace Data Cube", "version", GRACECUBE_VERSION, "instructions", instructions);
}

static json_t *answer_ping(const struct gc_mcp *mcp, int64_t row_limit)
{
	(void)mcp;
	(void)row_limit;
	return json_object();
}

static json_t *answer_tools(const struct gc_mcp *mcp, int64_t row_limit)
{
	json_t *tools = sure(json_array());

	(void)mcp;
	for (const struct gc_tool *tool = gc_tools; tool->name; tool++)
		json_array_append_new(tools, tool_json(tool, row_limit));
	return json_pack("{s:o}", "tools", tools);
}

static const struct {
	const char *name;
	json_t *(*answer)(const struct gc_mcp *mcp, int64_t row_limit);
} methods[] = {
	{ "initialize", answer_initialize },
	{ "ping", answer_ping },
	{ "tools/list", answer_tools },
};

/* A call that comes here is of no tool that there is. */
static json_t *refuse_method(const struct gc_mcp *mcp)
{
	const char *tool = json_string_value(json_object_get(parameters_of(mcp), "name"));
	bool is_call = strcmp(mcp->method, "tools/call") == 0;
	char text[300];

	if (is_call)
		snprintf(text, sizeof(text), "There is no tool \"%.60s\"; tools/list has those that there are.", tool ? tool : "");
	else
		snprintf(text, sizeof(text),
			 "There is no method \"%.60s\" here; there are initialize, ping, tools/list and tools/call.", mcp->method);
	return json_pack("{s:i, s:s}", "code", is_call ? INVALID_PARAMS : METHOD_NOT_FOUND, "message", text);
}

void gc_mcp_answer(const struct gc_mcp *mcp, int64_t row_limit, struct gc_text *answer)
{
	json_t *result = NULL, *message;
	char *line;

	if (!mcp->method || !mcp->id)
		return;
	for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
		if (strcmp(methods[i].name, mcp->method) == 0)
			result = sure(methods[i].answer(mcp, row_limit));
	}
	message = sure(json_pack("{s:s, s:O}", "jsonrpc", "2.0", "id", mcp->id));
	json_object_set_new(message, result ? "result" : "error", result ? result : sure(refuse_method(mcp)));
	line = json_dumps(message, JSON_COMPACT);
	json_decref(message);
	if (!line)
		abort();
	gc_text_puts(answer, line);
	free(line);
}

/* ---- what tools answer ---- */

static void add_sentence(struct gc_text *words, const char *before, const json_t *problem, const char *member, const char *after)
{
	const char *text = json_string_value(json_object_get(problem, member));

	if (text)
		gc_text_printf(words, "%s%s%s", before, text, after);
}

/* RFC 9457 in words. */
static void put_words(struct gc_text *words, struct gc_span body)
{
	json_t *problem = json_loadb(body.ptr, body.len, 0, NULL);

	add_sentence(words, "", problem, "detail", "");
	add_sentence(words, " Parameter: ", problem, "parameter", ".");
	add_sentence(words, " Allowed: ", problem, "allowed", ".");
	json_decref(problem);
}

static void put_object(struct gc_text *object, const struct gc_mcp_rows *rows)
{
	gc_json_put_member(object, "as_of", *rows->as_of ? rows->as_of : NULL);
	gc_text_printf(object, ",\"records\":%s,\"more\":%s,\"rows\":", *rows->records ? rows->records : "null",
		       rows->has_more ? "true" : "false");
	gc_text_add(object, rows->body);
	gc_text_puts(object, "}");
}

void gc_mcp_put_rows(const struct gc_mcp *mcp, const struct gc_mcp_rows *rows, struct gc_text *answer)
{
	char *id = json_dumps(mcp->id, JSON_ENCODE_ANY);
	struct gc_text said = { NULL, 0, 0 };
	bool is_good = rows->status == 200;

	if (!id)
		abort();
	if (is_good)
		put_object(&said, rows);
	else
		put_words(&said, rows->body);
	gc_text_printf(answer, "{\"jsonrpc\":\"2.0\",\"id\":%s,\"result\":{\"content\":[{\"type\":\"text\",\"text\":", id);
	gc_json_put_text(answer, (struct gc_span){ said.ptr, said.len });
	gc_text_puts(answer, "}],");
	if (is_good) {
		gc_text_puts(answer, "\"structuredContent\":");
		gc_text_add(answer, (struct gc_span){ said.ptr, said.len });
		gc_text_puts(answer, ",");
	}
	gc_text_printf(answer, "\"isError\":%s}}", is_good ? "false" : "true");
	gc_text_done(&said);
	free(id);
}
