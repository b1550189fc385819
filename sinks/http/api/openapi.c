/* The OpenAPI document: see openapi.h. json_pack() takes over what it is given by "o", and leaves out what is NULL by "s*".
 *
 * Threads: a document belongs to one thread.
 */
#include "http/api/openapi.h"

#include <stdio.h>
#include <stdlib.h>

/* Without memory the process ends, as gc_malloc() has it. */
static json_t *sure(json_t *json)
{
	if (!json)
		abort();
	return json;
}

/* ---- parameters ---- */

static json_t *list(const char *const *items)
{
	json_t *array = sure(json_array());

	for (; *items; items++)
		json_array_append_new(array, json_string(*items));
	return array;
}

json_t *gc_openapi_schema(const struct gc_parameter *parameter, int64_t row_limit)
{
	json_t *schema = NULL;

	switch (parameter->type) {
	case GC_PARAMETER_INTEGER:
		schema = json_pack("{s:s, s:I, s:I}", "type", "integer", "minimum", (json_int_t)parameter->min, "maximum",
				   (json_int_t)(parameter->max ? parameter->max : row_limit));
		if (parameter->initially)
			json_object_set_new(schema, "default", json_integer(strtoll(parameter->initially, NULL, 10)));
		break;
	case GC_PARAMETER_CHOICE:
		schema = json_pack("{s:s, s:o, s:s*}", "type", "string", "enum", list(parameter->choices), "default",
				   parameter->initially);
		break;
	case GC_PARAMETER_TIME:
		schema = json_pack("{s:s, s:[ss]}", "type", "string", "examples", "2026-11-05", "2026-11-05T10:17:30Z");
		break;
	case GC_PARAMETER_TEXT:
		schema = json_pack("{s:s, s:i, s:s*}", "type", "string", "minLength", 1, "pattern", parameter->pattern);
		break;
	}
	return sure(schema);
}

static json_t *parameters_of(const struct gc_route *route, int64_t row_limit)
{
	struct gc_span part = gc_route_part(route);
	json_t *parameters = sure(json_array());
	const struct gc_filter *filter;

	if (part.ptr)
		json_array_append_new(parameters, json_pack("{s:s%, s:s, s:b, s:{s:s}}", "name", part.ptr, part.len, "in", "path",
							    "required", 1, "schema", "type", "string"));
	for (size_t n = 0; (filter = gc_route_filter(route, n)); n++)
		json_array_append_new(parameters, json_pack("{s:s, s:s, s:s, s:o}", "name", filter->parameter->name, "in", "query",
							    "description", filter->parameter->meaning, "schema",
							    gc_openapi_schema(filter->parameter, row_limit)));
	return parameters;
}

/* ---- columns ---- */

static const struct {
	const char *type, *format; /* type NULL: any JSON */
} cells[] = {
	[GC_CELL_TEXT] = { "string", NULL },   [GC_CELL_INTEGER] = { "integer", NULL },
	[GC_CELL_NUMBER] = { "number", NULL }, [GC_CELL_BOOLEAN] = { "boolean", NULL },
	[GC_CELL_DATE] = { "string", "date" }, [GC_CELL_TIME] = { "string", "date-time" },
	[GC_CELL_JSON] = { NULL, NULL },
};

void gc_openapi_add_column(json_t *columns, const char *name, enum gc_cell cell, const char *meaning)
{
	json_t *column = cells[cell].type
				 ? json_pack("{s:[ss], s:s*}", "type", cells[cell].type, "null", "format", cells[cell].format)
				 : json_pack("{s:s}", "description", "any JSON");

	if (meaning)
		json_object_set_new(sure(column), "description", json_string(meaning));
	json_object_set_new(columns, name, sure(column));
}

/* ---- answers ---- */

bool gc_openapi_has_rows(const struct gc_route *route)
{
	return route->answer == GC_ANSWER_ROWS || route->answer == GC_ANSWER_ROW;
}

static json_t *headers(void)
{
	return sure(json_pack("{s:{s:{s:s}}, s:{s:s}, s:{s:s}}", "ETag", "schema", "type", "string", "X-Cube-As-Of", "$ref",
			      "#/components/headers/AsOf", "X-Cube-Records", "$ref", "#/components/headers/Records"));
}

static json_t *headers_of_rows(void)
{
	json_t *all = headers();

	json_object_set_new(all, "Link", json_pack("{s:s}", "$ref", "#/components/headers/Link"));
	json_object_set_new(all, "X-Cube-More", json_pack("{s:s}", "$ref", "#/components/headers/More"));
	return all;
}

static json_t *rows_answer(json_t *columns)
{
	return sure(json_pack("{s:s, s:o, s:{s:{s:{s:s, s:{s:s, s:o}}}, s:{s:{s:s}}}}", "description", "Rows.", "headers",
			      headers_of_rows(), "content", "application/json", "schema", "type", "array", "items", "type",
			      "object", "properties", columns, "text/csv", "schema", "type", "string"));
}

static json_t *other_answer(const struct gc_route *route)
{
	bool is_stream = route->answer == GC_ANSWER_EVENTS;

	return sure(json_pack("{s:s, s:o, s:{s:{s:{s:s}}}}", "description", "The answer.", "headers", headers(), "content",
			      is_stream ? "text/event-stream" : "application/json", "schema", "type",
			      is_stream ? "string" : "object"));
}

static void add_problems(json_t *responses, const struct gc_route *route)
{
	static const struct {
		const char *status, *when;
	} problems[] = { { "401", "No token, or none that is valid." },
			 { "403", "The token's role or tier does not reach this." },
			 { "404", "There is no such record." },
			 { "422", "A parameter is unknown or not allowed." },
			 { "429", "Too many requests or event streams of this token wait or are open already." },
			 { "503", "The database does not answer, or not in time." } };

	for (size_t i = 0; i < sizeof(problems) / sizeof(problems[0]); i++) {
		if (strcmp(problems[i].status, "404") == 0 && route->answer != GC_ANSWER_ROW)
			continue;
		json_object_set_new(responses, problems[i].status,
				    json_pack("{s:s, s:{s:{s:{s:s}}}}", "description", problems[i].when, "content",
					      "application/problem+json", "schema", "$ref", "#/components/schemas/Problem"));
	}
}

/* ---- the document ---- */

bool gc_openapi_has(const struct gc_route *route)
{
	return route->access != GC_ACCESS_ANYBODY && route->answer != GC_ANSWER_MCP;
}

/* "/api/cube/executions/{contract_id}/timeline" → "executions_contract_id_timeline" */
static void name_operation(const char *path, char *id, size_t bytes)
{
	size_t len = 0;

	path += strncmp(path, "/api/", 5) == 0 ? 5 : 1;
	path += strncmp(path, "cube/", 5) == 0 ? 5 : 0;
	for (; *path && len + 1 < bytes; path++) {
		if (*path != '{' && *path != '}')
			id[len++] = (char)(strchr("/-.", *path) ? '_' : *path);
	}
	id[len] = '\0';
}

void gc_openapi_add_route(json_t *document, const struct gc_route *route, json_t *columns, const char *meaning,
			  const struct gc_config *config)
{
	json_t *responses = sure(json_pack("{s:o}", "200", columns ? rows_answer(columns) : other_answer(route)));
	char id[100], about[2000];

	name_operation(route->path, id, sizeof(id));
	snprintf(about, sizeof(about), "%s%sNeeds a token with the role %s or more.", meaning ? meaning : "", meaning ? " " : "",
		 gc_access_names[route->access]);
	if (route->view)
		snprintf(about + strlen(about), sizeof(about) - strlen(about), " The same in SQL: %s.%s.", config->cube_schema,
			 route->view);
	add_problems(responses, route);
	json_object_set_new(json_object_get(document, "paths"), route->path,
			    sure(json_pack("{s:{s:s, s:s, s:s, s:o, s:o}}", "get", "operationId", id, "summary", route->summary,
					   "description", about, "parameters", parameters_of(route, config->serve_row_limit),
					   "responses", responses)));
}

static json_t *problem_schema(void)
{
	return sure(json_pack("{s:s, s:[sss], s:{s:{s:s}, s:{s:s}, s:{s:s}, s:{s:s}, s:{s:s}, s:{s:s}}}", "type", "object",
			      "required", "type", "title", "status", "properties", "type", "type", "string", "title", "type",
			      "string", "status", "type", "integer", "detail", "type", "string", "parameter", "type", "string",
			      "allowed", "type", "string"));
}

static json_t *components(void)
{
	return sure(json_pack(
		"{s:{s:{s:s, s:s}}, s:{s:{s:s, s:{s:s, s:s}}, s:{s:s, s:{s:s}}, s:{s:s, s:{s:s}}, s:{s:s, s:{s:s}}}, s:{s:o}}",
		"securitySchemes", "token", "type", "http", "scheme", "bearer", "headers", "AsOf", "description",
		"The newest commit that the answer holds.", "schema", "type", "string", "format", "date-time", "Records",
		"description",
		"How many records the cube of the answer accounts for; it grows with every commit, so answers with the "
		"same number are of the same commit.",
		"schema", "type", "integer", "Link", "description",
		"Where the rows go on: an address with rel=\"next\" (RFC 8288); not there when these are the last.", "schema",
		"type", "string", "More", "description", "Are there rows behind these?", "schema", "type", "boolean", "schemas",
		"Problem", problem_schema()));
}

json_t *gc_openapi_new(void)
{
	return sure(json_pack("{s:s, s:{s:s, s:s, s:s}, s:[{s:s}], s:[{s:[]}], s:o, s:{}}", "openapi", "3.1.0", "info", "title",
			      "gracecube", "version", GRACECUBE_VERSION, "description",
			      "The Grace Data Cube. Every answer says by X-Cube-As-Of and X-Cube-Records which commit it is of.",
			      "servers", "url", "/", "security", "token", "components", components(), "paths"));
}

void gc_openapi_put(const json_t *document, struct gc_text *text)
{
	char *line = json_dumps(document, JSON_COMPACT);

	if (!line)
		abort();
	gc_text_puts(text, line);
	gc_text_puts(text, "\n");
	free(line);
}
