/* SQL of a request. Its text is put together from constants of the table of routes; what the client says is always a parameter.
 * Threads: no shared state.
 */
#include "http/api/routes.h"
#include "http/api/text.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

static int add_parameter(struct gc_query *query, const char *value)
{
	query->values[query->count] = value;
	return ++query->count;
}

/* ":name" but not "::type". */
static const char *next_name(const char *sql)
{
	for (const char *c = sql; *c; c++) {
		if (*c != ':')
			continue;
		if (islower((unsigned char)c[1]))
			return c;
		c += c[1] == ':';
	}
	return NULL;
}

/* What a route's own SQL names: each name is one parameter, NULL when it was not given. */
struct names {
	const struct gc_values *values;
	struct gc_span part_name;
	const char *part;
	struct gc_span seen[GC_VALUES_MAX];
	int numbers[GC_VALUES_MAX];
	size_t count;
};

static const char *value_of(const struct names *names, struct gc_span name)
{
	char text[64];

	if (gc_span_equal(name, names->part_name))
		return names->part;
	snprintf(text, sizeof(text), "%.*s", (int)name.len, name.ptr);
	return gc_values_get(names->values, text);
}

static int number_of(struct names *names, struct gc_query *query, struct gc_span name)
{
	for (size_t i = 0; i < names->count; i++) {
		if (gc_span_equal(names->seen[i], name))
			return names->numbers[i];
	}
	names->seen[names->count] = name;
	names->numbers[names->count] = add_parameter(query, value_of(names, name));
	return names->numbers[names->count++];
}

static void put_named(struct gc_text *sql, struct gc_query *query, const char *text, struct names *names)
{
	const char *name;

	for (; (name = next_name(text)); text = name) {
		struct gc_span word = { name + 1, strspn(name + 1, "abcdefghijklmnopqrstuvwxyz_") };

		gc_text_add(sql, (struct gc_span){ text, (size_t)(name - text) });
		gc_text_printf(sql, "$%d", number_of(names, query, word));
		name += 1 + word.len;
	}
	gc_text_puts(sql, text);
}

static void put_condition(struct gc_text *sql, struct gc_query *query, const char *condition, const char *value, bool is_first)
{
	int number = add_parameter(query, value);

	gc_text_puts(sql, is_first ? " WHERE " : " AND ");
	for (const char *dollar; (dollar = strchr(condition, '$')); condition = dollar + 1) {
		gc_text_add(sql, (struct gc_span){ condition, (size_t)(dollar - condition) });
		gc_text_printf(sql, "$%d", number);
	}
	gc_text_puts(sql, condition);
}

static void put_conditions(struct gc_text *sql, struct gc_query *query, const struct gc_route *route,
			   const struct gc_values *values)
{
	bool is_first = true;

	for (const struct gc_filter *filter = route->filters; filter && filter->parameter; filter++) {
		const char *value = filter->condition ? gc_values_get(values, filter->parameter->name) : NULL;

		if (!value)
			continue;
		put_condition(sql, query, filter->condition, value, is_first);
		is_first = false;
	}
}

/* Limit and offset are part of the text: they are numbers that were checked, and a plan depends on the limit. */
static void put_page(struct gc_text *sql, struct gc_query *query, const struct gc_route *route, const struct gc_values *values)
{
	const char *limit = gc_values_get(values, "limit"), *offset = gc_values_get(values, "offset");
	bool is_short = route->limit && route->limit < values->row_limit && !values->wants_all;
	int64_t wanted = is_short ? route->limit : values->row_limit;

	query->limit = INT64_MAX;
	if (route->limit == GC_LIMITS_ITSELF)
		return;
	if (limit)
		wanted = strtoll(limit, NULL, 10);
	query->limit = wanted;
	gc_text_printf(sql, " LIMIT %" PRId64, wanted + 1);
	if (offset)
		gc_text_printf(sql, " OFFSET %lld", strtoll(offset, NULL, 10));
}

void gc_query_make(struct gc_query *query, const struct gc_route *route, const struct gc_values *values, const char *part)
{
	struct gc_text sql = { NULL, 0, 0 };
	struct names names = { .values = values, .part_name = gc_route_part(route), .part = part };

	*query = (struct gc_query){ .count = 0 };
	if (route->sql)
		put_named(&sql, query, route->sql, &names);
	else
		gc_text_printf(&sql, "SELECT * FROM cube.%s", route->view);
	put_conditions(&sql, query, route, values);
	if (route->order)
		gc_text_printf(&sql, " ORDER BY %s", route->order);
	put_page(&sql, query, route, values);
	query->sql = sql.ptr;
}

void gc_query_done(struct gc_query *query)
{
	free(query->sql);
	query->sql = NULL;
}
