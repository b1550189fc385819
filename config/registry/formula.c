/* Formulas: what a metric is, as measures over the rows of its fact.
 *
 *     count, count(condition), sum(value), distinct(value), max(value), min(value)
 *     average(value), percentile(value, 0.95), ratio(measure, measure)
 *
 * Guarantee: nothing is made of what is a mean or a percentile already. A ratio is of sums, so that the parts of an answer add up.
 * Threads: no shared state.
 */
#include "registry.h"

#include <gracecube/human.h>

#include <stdlib.h>

const char *const gc_measure_names[] = { "count", "sum", "distinct", "max", "min", "percentile", NULL };
static const char *const words[] = { "count", "sum", "distinct", "max", "min", "average", "percentile", "ratio", NULL };

bool gc_measure_is_same(const struct gc_measure *a, const struct gc_measure *b)
{
	return a->kind == b->kind && a->units == b->units && a->share == b->share &&
	       strcmp(a->condition ? a->condition : "", b->condition ? b->condition : "") == 0 &&
	       strcmp(a->value ? a->value : "", b->value ? b->value : "") == 0;
}

/* Both may be NULL. */
static const char *both(struct gc_arena *arena, const char *one, const char *other)
{
	if (!one || !other)
		return one ? one : other;
	return gc_arena_printf(arena, "%s AND %s", one, other).ptr;
}

static int64_t units_of(enum gc_column_type type)
{
	return type == GC_COLUMN_SECONDS ? 1000000 : type == GC_COLUMN_NUMBER ? 1000000000 : 1;
}

static bool is_number(enum gc_column_type type)
{
	return type == GC_COLUMN_WHOLE || type == GC_COLUMN_SECONDS || type == GC_COLUMN_NUMBER;
}

/* (value) or the beginning of (value, …): what it measures, and its rows that have it. */
static bool take_value(struct gc_parser *parser, const char *of, const char *condition, struct gc_measure *ret_measure,
		       struct gc_measure *ret_with_value)
{
	struct gc_arena *arena = parser->scope->arena;
	struct gc_value value;
	size_t at;

	if (!gc_parser_expect(parser, "("))
		return false;
	at = parser->token.at;
	for (size_t i = 0; words[i]; i++) {
		if (gc_parser_is(parser, words[i]))
			return gc_parser_fail(parser, at, "%s is over a column of %s, not over another %s: that would be wrong", of,
					      parser->scope->fact->name, words[i]);
	}
	if (!gc_parser_value(parser, &value))
		return false;
	if (ret_measure->kind != GC_MEASURE_DISTINCT && !is_number(value.type))
		return gc_parser_fail(parser, at, "%s is over a number, and this is a %s", of, gc_column_type_names[value.type]);
	ret_measure->condition = condition;
	ret_measure->value = value.sql;
	if (ret_measure->kind == GC_MEASURE_SUM)
		ret_measure->units = units_of(value.type);
	if (ret_with_value)
		*ret_with_value = (struct gc_measure){ .kind = GC_MEASURE_COUNT,
						       .condition = both(arena, condition,
									 gc_arena_printf(arena, "%s IS NOT NULL", value.sql).ptr) };
	return true;
}

static bool take_count(struct gc_parser *parser, const char *condition, struct gc_measure *ret_measure)
{
	const char *own;

	*ret_measure = (struct gc_measure){ .kind = GC_MEASURE_COUNT, .condition = condition };
	if (!gc_parser_take(parser, "("))
		return !parser->failed;
	if (!gc_parser_condition(parser, &own) || !gc_parser_expect(parser, ")"))
		return false;
	ret_measure->condition = both(parser->scope->arena, condition, own);
	return true;
}

static bool fail_word(struct gc_parser *parser, const char *allowed)
{
	struct gc_nearest nearest = { .word = "" };
	const char *word;

	if (parser->token.kind == GC_TOKEN_END)
		return gc_parser_fail(parser, parser->token.at, "ends where one of %s should stand", allowed);
	word = nearest.word = gc_parser_word(parser);
	if (gc_registry_find(parser->scope->registry, word))
		return gc_parser_fail(
			parser, parser->token.at,
			"%s is a metric, and no metric may be made of others: an average of averages or a percentile of percentiles is wrong; say it over columns of %s",
			word, parser->scope->fact->name);
	for (size_t i = 0; words[i]; i++)
		gc_nearest_offer(&nearest, words[i]);
	if (nearest.best && strstr(allowed, nearest.best))
		return gc_parser_fail(parser, parser->token.at, "there is no measure \"%.60s\"; did you mean %s?", word,
				      nearest.best);
	return gc_parser_fail(parser, parser->token.at, "one of %s should stand here, not \"%.60s\"", allowed, word);
}

/* A measure that may be a part of a ratio. */
static bool take_measure(struct gc_parser *parser, const char *condition, struct gc_measure *ret_measure,
			 struct gc_measure *ret_with_value)
{
	static const char *const others[] = { "average", "percentile", "ratio" };

	if (gc_parser_take(parser, "count"))
		return take_count(parser, condition, ret_measure);
	for (int kind = GC_MEASURE_SUM; kind <= GC_MEASURE_MIN; kind++) {
		if (!gc_parser_take(parser, gc_measure_names[kind]))
			continue;
		*ret_measure = (struct gc_measure){ .kind = (enum gc_measure_kind)kind };
		return take_value(parser, gc_measure_names[kind], condition, ret_measure, ret_with_value) &&
		       gc_parser_expect(parser, ")");
	}
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		if (gc_parser_is(parser, others[i]))
			return gc_parser_fail(parser, parser->token.at, "no ratio may be made of a%s %s; it is of counts and sums",
					      i == 0 ? "n" : "", others[i]);
	}
	return fail_word(parser, "count, sum, distinct, max, min");
}

static bool is_additive(const struct gc_measure *measure)
{
	return measure->kind == GC_MEASURE_COUNT || measure->kind == GC_MEASURE_SUM;
}

static bool take_ratio(struct gc_parser *parser, struct gc_definition *metric)
{
	metric->is_ratio = true;
	if (!gc_parser_expect(parser, "(") || !take_measure(parser, metric->condition, &metric->value, NULL) ||
	    !gc_parser_expect(parser, ",") || !take_measure(parser, metric->condition, &metric->per, NULL) ||
	    !gc_parser_expect(parser, ")"))
		return false;
	if (metric->per.kind == GC_MEASURE_COUNT)
		metric->n = metric->per;
	metric->additivity = is_additive(&metric->value) && is_additive(&metric->per) ? GC_ADDITIVE_BY_PARTS : GC_NOT_ADDITIVE;
	return true;
}

static bool take_average(struct gc_parser *parser, struct gc_definition *metric)
{
	metric->is_ratio = true;
	metric->value = (struct gc_measure){ .kind = GC_MEASURE_SUM };
	metric->additivity = GC_ADDITIVE_BY_PARTS;
	if (!take_value(parser, "average", metric->condition, &metric->value, &metric->per) || !gc_parser_expect(parser, ")"))
		return false;
	metric->n = metric->per;
	return true;
}

static bool take_percentile(struct gc_parser *parser, struct gc_definition *metric)
{
	metric->value = (struct gc_measure){ .kind = GC_MEASURE_PERCENTILE };
	metric->additivity = GC_NOT_ADDITIVE;
	if (!take_value(parser, "percentile", metric->condition, &metric->value, &metric->n) || !gc_parser_expect(parser, ","))
		return false;
	if (parser->token.kind == GC_TOKEN_NUMBER)
		metric->value.share = strtod(gc_parser_word(parser), NULL);
	if (metric->value.share <= 0 || metric->value.share >= 1)
		return gc_parser_fail(parser, parser->token.at, "a share between 0 and 1 should stand here, like 0.95");
	gc_parser_next(parser);
	return gc_parser_expect(parser, ")");
}

static bool take_formula(struct gc_parser *parser, struct gc_definition *metric)
{
	metric->n = (struct gc_measure){ .kind = GC_MEASURE_COUNT, .condition = metric->condition };
	if (gc_parser_take(parser, "ratio"))
		return take_ratio(parser, metric);
	if (gc_parser_take(parser, "average"))
		return take_average(parser, metric);
	if (gc_parser_take(parser, "percentile"))
		return take_percentile(parser, metric);
	for (int kind = GC_MEASURE_COUNT; kind <= GC_MEASURE_MIN; kind++) {
		if (!gc_parser_is(parser, gc_measure_names[kind]))
			continue;
		if (!take_measure(parser, metric->condition, &metric->value, kind >= GC_MEASURE_MAX ? &metric->n : NULL))
			return false;
		metric->additivity = is_additive(&metric->value) ? GC_ADDITIVE : GC_NOT_ADDITIVE;
		return true;
	}
	return fail_word(parser, "count, sum, distinct, max, min, average, percentile, ratio");
}

bool gc_formula_compile(const struct gc_scope *scope, const char *text, struct gc_definition *metric, struct gc_mistake *mistake)
{
	struct gc_parser parser;

	gc_parser_begin(&parser, scope, text, mistake);
	return take_formula(&parser, metric) && gc_parser_end(&parser);
}

bool gc_measure_compile(const struct gc_scope *scope, const char *text, struct gc_measure *ret_measure, struct gc_mistake *mistake)
{
	struct gc_parser parser;

	gc_parser_begin(&parser, scope, text, mistake);
	return take_measure(&parser, NULL, ret_measure, NULL) && gc_parser_end(&parser);
}
