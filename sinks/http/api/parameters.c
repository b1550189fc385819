/* Parameters of a request: every one is known, given once and of its type, or the answer is 422 with what is allowed.
 * Threads: no shared state.
 */
#include "http/api/routes.h"
#include "http/api/text.h"

#include <gracecube/arena.h>
#include <gracecube/human.h>
#include <gracecube/time.h>
#include <ctype.h>
#include <inttypes.h>
#include <regex.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define VALUE_BYTES_MAX 1000

bool gc_problem_set(struct gc_problem *problem, int status, const char *format, ...)
{
	va_list arguments;

	*problem = (struct gc_problem){ .status = status };
	va_start(arguments, format);
	vsnprintf(problem->detail, sizeof(problem->detail), format, arguments);
	va_end(arguments);
	return false;
}

/* What it takes besides its own. */
static const struct gc_filter *others_of(const struct gc_route *route)
{
	static const struct gc_filter none = { NULL, NULL };

	if (route->answer != GC_ANSWER_ROWS && route->answer != GC_ANSWER_ROW)
		return &none;
	return route->limit == GC_LIMITS_ITSELF ? gc_form_filters : gc_common_filters;
}

const struct gc_filter *gc_route_filter(const struct gc_route *route, size_t n)
{
	const struct gc_filter *others = others_of(route);
	size_t own = 0;

	while (route->filters && route->filters[own].parameter)
		own++;
	if (n < own)
		return &route->filters[n];
	for (n -= own; others->parameter && n > 0; n--)
		others++;
	return others->parameter ? others : NULL;
}

static const struct gc_parameter *find_parameter(const struct gc_route *route, struct gc_span name)
{
	const struct gc_filter *filter;

	for (size_t n = 0; (filter = gc_route_filter(route, n)); n++) {
		if (gc_span_equal(gc_span_of(filter->parameter->name), name))
			return filter->parameter;
	}
	return NULL;
}

/* ---- what is allowed, in words ---- */

static void add_word(char *to, size_t bytes, const char *word)
{
	size_t len = strlen(to);

	snprintf(to + len, bytes - len, "%s%s", len ? ", " : "", word);
}

static void describe_names(const struct gc_route *route, char *to, size_t bytes)
{
	const struct gc_filter *filter;

	for (size_t n = 0; (filter = gc_route_filter(route, n)); n++)
		add_word(to, bytes, filter->parameter->name);
}

static int64_t largest(const struct gc_parameter *parameter, int64_t row_limit)
{
	return parameter->max ? parameter->max : row_limit;
}

static void describe_allowed(const struct gc_parameter *parameter, int64_t row_limit, char *to, size_t bytes)
{
	switch (parameter->type) {
	case GC_PARAMETER_INTEGER:
		gc_human_domain(GC_HUMAN_COUNT, parameter->min, largest(parameter, row_limit), to, bytes);
		break;
	case GC_PARAMETER_TIME:
		snprintf(to, bytes, "a date like 2026-11-05, or a time like 2026-11-05T10:17:30Z");
		break;
	case GC_PARAMETER_CHOICE:
		gc_choices_print(parameter->choices, to, bytes);
		break;
	case GC_PARAMETER_TEXT:
		if (parameter->pattern)
			snprintf(to, bytes, "text that fits %s", parameter->pattern);
		else
			snprintf(to, bytes, "UTF-8 text of 1 to %d bytes", VALUE_BYTES_MAX);
		break;
	}
}

/* ---- checks: each fills the text for the database and returns false when the value is not allowed ---- */

static bool check_integer(const struct gc_parameter *parameter, struct gc_span value, int64_t row_limit)
{
	int64_t number;

	return gc_span_int64(value, &number) && number >= parameter->min && number <= largest(parameter, row_limit);
}

/* A bare number would be an epoch to gc_time_parse(). */
static bool check_time(struct gc_span value, char *normal, size_t bytes)
{
	int64_t us;

	if (value.len < 10 || value.ptr[4] != '-' || !gc_time_parse(value, GC_UNIT_AUTO, &us))
		return false;
	gc_time_format(us, normal, bytes);
	return true;
}

static bool fits_pattern(const char *pattern, const char *text)
{
	regex_t compiled;
	bool fits = false;

	if (regcomp(&compiled, pattern, REG_EXTENDED | REG_NOSUB) == 0) {
		fits = regexec(&compiled, text, 0, NULL, 0) == 0;
		regfree(&compiled);
	}
	return fits;
}

static bool check_value(const struct gc_parameter *parameter, struct gc_span value, int64_t row_limit, char *normal, size_t bytes)
{
	if (value.len == 0 || value.len > VALUE_BYTES_MAX || memchr(value.ptr, '\0', value.len) || !gc_span_is_utf8(value))
		return false;
	snprintf(normal, bytes, "%.*s", (int)value.len, value.ptr);
	switch (parameter->type) {
	case GC_PARAMETER_INTEGER:
		return check_integer(parameter, value, row_limit);
	case GC_PARAMETER_TIME:
		return check_time(value, normal, bytes);
	case GC_PARAMETER_CHOICE:
		return gc_choice_find(parameter->choices, value) >= 0;
	case GC_PARAMETER_TEXT:
		return !parameter->pattern || fits_pattern(parameter->pattern, normal);
	}
	return false;
}

/* ---- values ---- */

static void name_parameter(struct gc_problem *problem, struct gc_span name)
{
	snprintf(problem->parameter, sizeof(problem->parameter), "%.*s", (int)name.len, name.ptr);
	if (!gc_span_is_utf8(gc_span_of(problem->parameter)))
		problem->parameter[0] = '\0';
}

static bool refuse_unknown(const struct gc_route *route, struct gc_span name, struct gc_problem *problem)
{
	gc_problem_set(problem, 422, "There is no such parameter here.");
	name_parameter(problem, name);
	describe_names(route, problem->allowed, sizeof(problem->allowed));
	return false;
}

/* An address has a blank where a + stood that was not written as %2B: 2026-11-05T10:17:30 01:00. */
#define PLUS_HINT " A + in an address means a blank: write it as %2B."
static bool lost_a_plus(const struct gc_parameter *parameter, struct gc_span value)
{
	return parameter->type == GC_PARAMETER_TIME && value.len > 16 && memchr(value.ptr + 16, ' ', value.len - 16);
}

static void add_value(struct gc_values *values, const struct gc_parameter *parameter, const char *text, bool is_default)
{
	if (values->count < GC_VALUES_MAX)
		values->items[values->count++] = (struct gc_given){ parameter, gc_strdup(text), is_default };
}

bool gc_values_put(struct gc_values *values, const struct gc_route *route, struct gc_span name, struct gc_span value,
		   struct gc_problem *problem)
{
	const struct gc_parameter *parameter = find_parameter(route, name);
	char normal[VALUE_BYTES_MAX + 1] = "";

	if (!parameter)
		return refuse_unknown(route, name, problem);
	if (gc_values_get(values, parameter->name)) {
		gc_problem_set(problem, 422, "The parameter is given twice.");
		name_parameter(problem, name);
		return false;
	}
	if (!check_value(parameter, value, values->row_limit, normal, sizeof(normal))) {
		gc_problem_set(problem, 422, "The value is not allowed.%s", lost_a_plus(parameter, value) ? PLUS_HINT : "");
		name_parameter(problem, name);
		describe_allowed(parameter, values->row_limit, problem->allowed, sizeof(problem->allowed));
		return false;
	}
	add_value(values, parameter, normal, false);
	return true;
}

static bool is_reversed(const struct gc_values *values)
{
	const char *from = gc_values_get(values, "from"), *to = gc_values_get(values, "to");
	int64_t from_us, to_us;

	return from && to && gc_time_parse(gc_span_of(from), GC_UNIT_AUTO, &from_us) &&
	       gc_time_parse(gc_span_of(to), GC_UNIT_AUTO, &to_us) && from_us > to_us;
}

bool gc_values_finish(struct gc_values *values, const struct gc_route *route, struct gc_problem *problem)
{
	const struct gc_filter *filter;

	for (size_t i = 0; i < values->count; i++) {
		const struct gc_parameter *parameter = values->items[i].parameter;

		if (!parameter->instead_of || !gc_values_get(values, parameter->instead_of))
			continue;
		gc_problem_set(problem, 422, "Give either %s or %s, not both.", parameter->name, parameter->instead_of);
		name_parameter(problem, gc_span_of(parameter->name));
		return false;
	}
	if (is_reversed(values)) {
		gc_problem_set(problem, 422, "The begin is later than the end.");
		name_parameter(problem, GC_LIT("from"));
		return false;
	}
	for (size_t n = 0; (filter = gc_route_filter(route, n)); n++) {
		if (filter->parameter->initially && !gc_values_get(values, filter->parameter->name))
			add_value(values, filter->parameter, filter->parameter->initially, true);
	}
	return true;
}

const char *gc_values_get(const struct gc_values *values, const char *name)
{
	for (size_t i = 0; i < values->count; i++) {
		if (strcmp(values->items[i].parameter->name, name) == 0)
			return values->items[i].text;
	}
	return NULL;
}

/* ---- the next page ---- */

/* What RFC 3986 reserves for nothing, and the slashes of a path. */
static void put_escaped(struct gc_text *address, const char *text, const char *also)
{
	for (; *text; text++) {
		if (isalnum((unsigned char)*text) || strchr("-._~", *text) || strchr(also, *text))
			gc_text_add(address, (struct gc_span){ text, 1 });
		else
			gc_text_printf(address, "%%%02X", (unsigned char)*text);
	}
}

void gc_next_page(struct gc_text *address, const char *path, const struct gc_values *values, int64_t rows)
{
	const char *offset = gc_values_get(values, "offset");
	int64_t before = offset ? strtoll(offset, NULL, 10) : 0;

	put_escaped(address, path, "/");
	gc_text_printf(address, "?offset=%" PRId64, before + rows);
	for (size_t i = 0; i < values->count; i++) {
		const struct gc_given *given = &values->items[i];

		if (given->is_default || strcmp(given->parameter->name, "offset") == 0)
			continue;
		gc_text_printf(address, "&%s=", given->parameter->name);
		put_escaped(address, given->text, "");
	}
}

void gc_values_done(struct gc_values *values)
{
	for (size_t i = 0; i < values->count; i++)
		free(values->items[i].text);
	values->count = 0;
}
