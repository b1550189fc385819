/* Expressions: what people write of a fact's columns, and the SQL of it.
 *
 *     condition  and or not, = <> < <= > >=, in (…), not in (…), between … and …, is null, is not null, a column that is true or false
 *     value      columns, numbers, 'texts', true, false, now, + - * / (also − × ÷), parentheses
 *
 * Guarantee: nothing else gets into the SQL. A name is a column of the fact or it is refused; numbers and texts are taken as they
 * stand when each character of them is allowed. A text has neither a backslash nor a control character, so it is one string whatever the
 * server's settings.
 * Threads: no shared state.
 */
#include "registry.h"

#include <gracecube/human.h>

const char *const gc_column_type_names[] = { "text", "boolean", "time", "whole", "seconds", "number", NULL };

/* ---- names ---- */

static const struct gc_fact_column *find_column(const struct gc_fact *fact, const char *name)
{
	for (size_t i = 0; i < fact->column_count; i++) {
		if (strcmp(fact->columns[i].name, name) == 0)
			return &fact->columns[i];
	}
	return NULL;
}

static void list_columns(const struct gc_fact *fact, char *to, size_t bytes)
{
	size_t len = 0;

	*to = '\0';
	for (size_t i = 0; i < fact->column_count && len < bytes; i++)
		len += (size_t)snprintf(to + len, bytes - len, "%s%s", i ? ", " : "", fact->columns[i].name);
}

static bool fail_column(struct gc_parser *parser, const char *name)
{
	const struct gc_fact *fact = parser->scope->fact;
	struct gc_nearest nearest = { .word = name };
	char columns[300];

	if (gc_registry_find(parser->scope->registry, name))
		return gc_parser_fail(
			parser, parser->token.at,
			"%s is a metric, and no metric may be made of others: an average of averages or a percentile of percentiles is wrong; say it over columns of %s",
			name, fact->name);
	for (size_t i = 0; i < fact->column_count; i++)
		gc_nearest_offer(&nearest, fact->columns[i].name);
	if (nearest.best)
		return gc_parser_fail(parser, parser->token.at, "%s has no column %.60s; did you mean %s?", fact->name, name,
				      nearest.best);
	list_columns(fact, columns, sizeof(columns));
	return gc_parser_fail(parser, parser->token.at, "%s has no column %.60s; it has %s", fact->name, name, columns);
}

const char *gc_column_sql(const struct gc_scope *scope, const char *name)
{
	return gc_arena_printf(scope->arena, "f.%s", name).ptr;
}

/* ---- values ---- */

static struct gc_value value_of(enum gc_column_type type, const char *sql)
{
	return (struct gc_value){ .type = type, .sql = sql };
}

static bool is_number(enum gc_column_type type)
{
	return type == GC_COLUMN_WHOLE || type == GC_COLUMN_SECONDS || type == GC_COLUMN_NUMBER;
}

static bool take_column(struct gc_parser *parser, struct gc_value *ret_value)
{
	const char *name = gc_parser_word(parser);
	const struct gc_fact_column *column = find_column(parser->scope->fact, name);

	if (!column)
		return fail_column(parser, name);
	gc_parser_next(parser);
	*ret_value = (struct gc_value){ .type = column->type, .is_column = true, .sql = gc_column_sql(parser->scope, name) };
	return !parser->failed;
}

static bool is_word_of_ours(const struct gc_parser *parser)
{
	static const char *const words[] = { "and", "or", "not", "in", "between", "is", "null" };

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (gc_parser_is(parser, words[i]))
			return true;
	}
	return false;
}

static bool take_word(struct gc_parser *parser, struct gc_value *ret_value)
{
	if (gc_parser_is(parser, "true") || gc_parser_is(parser, "false"))
		*ret_value = value_of(GC_COLUMN_BOOLEAN, gc_parser_word(parser));
	else if (gc_parser_is(parser, "now"))
		*ret_value = value_of(GC_COLUMN_TIME, "now()");
	else if (is_word_of_ours(parser))
		return gc_parser_fail(parser, parser->token.at, "a column or a value should stand here, not \"%s\"",
				      gc_parser_word(parser));
	else
		return take_column(parser, ret_value);
	gc_parser_next(parser);
	return !parser->failed;
}

static bool go_deeper(struct gc_parser *parser)
{
	if (++parser->depth <= GC_EXPRESSION_DEPTH_MAX)
		return true;
	return gc_parser_fail(parser, parser->token.at, "has more than %d parentheses or signs within each other",
			      GC_EXPRESSION_DEPTH_MAX);
}

static bool take_primary(struct gc_parser *parser, struct gc_value *ret_value);

static bool take_inside(struct gc_parser *parser, struct gc_value *ret_value)
{
	struct gc_value inner;

	if (!go_deeper(parser))
		return false;
	if (!gc_parser_value(parser, &inner) || !gc_parser_expect(parser, ")"))
		return false;
	parser->depth--;
	/* what is more than a name has parentheses in its SQL already */
	*ret_value = value_of(inner.type, inner.sql);
	return true;
}

static bool negate(struct gc_parser *parser, struct gc_value *ret_value)
{
	size_t at = parser->token.at;
	struct gc_value inner;

	if (!go_deeper(parser))
		return false;
	if (!take_primary(parser, &inner))
		return false;
	parser->depth--;
	if (!is_number(inner.type))
		return gc_parser_fail(parser, at, "- goes before a number, not before a %s", gc_column_type_names[inner.type]);
	*ret_value = value_of(inner.type, gc_arena_printf(parser->scope->arena, "(- %s)", inner.sql).ptr);
	return true;
}

static bool take_primary(struct gc_parser *parser, struct gc_value *ret_value)
{
	enum gc_token_kind kind = parser->token.kind;

	if (kind == GC_TOKEN_NUMBER || kind == GC_TOKEN_TEXT) {
		bool is_whole = kind == GC_TOKEN_NUMBER && !memchr(parser->text + parser->token.at, '.', parser->token.len);

		*ret_value = value_of(kind == GC_TOKEN_TEXT ? GC_COLUMN_TEXT
				      : is_whole            ? GC_COLUMN_WHOLE
							    : GC_COLUMN_NUMBER,
				      gc_parser_word(parser));
		gc_parser_next(parser);
		return !parser->failed;
	}
	if (kind == GC_TOKEN_NAME)
		return take_word(parser, ret_value);
	if (gc_parser_take(parser, "-"))
		return negate(parser, ret_value);
	if (gc_parser_take(parser, "("))
		return take_inside(parser, ret_value);
	if (kind == GC_TOKEN_END)
		return gc_parser_fail(parser, parser->token.at, "ends where a column or a value should stand");
	return gc_parser_fail(parser, parser->token.at, "a column or a value should stand here, not \"%s\"",
			      gc_parser_word(parser));
}

/* In arithmetic a boolean counts as 1 or 0, and a measure to nine decimals, as sums have it: the product of two floating-point numbers may be
 * too small for one, which PostgreSQL answers with an error. */
static const char *as_number(struct gc_parser *parser, const struct gc_value *value)
{
	bool is_float = value->is_column && (value->type == GC_COLUMN_NUMBER || value->type == GC_COLUMN_SECONDS);

	if (value->type == GC_COLUMN_BOOLEAN)
		return gc_arena_printf(parser->scope->arena, "CAST(%s AS int)", value->sql).ptr;
	return is_float ? gc_arena_printf(parser->scope->arena, "round(CAST(%s AS numeric), 9)", value->sql).ptr : value->sql;
}

static bool counts(enum gc_column_type type)
{
	return is_number(type) || type == GC_COLUMN_BOOLEAN;
}

static bool is_whole(enum gc_column_type type)
{
	return type == GC_COLUMN_WHOLE || type == GC_COLUMN_BOOLEAN;
}

/* Times: a difference is seconds; seconds before or behind a time are a time. */
static bool combine_times(struct gc_parser *parser, char sign, size_t at, const struct gc_value *right, struct gc_value *left)
{
	struct gc_arena *arena = parser->scope->arena;

	if (sign == '-' && left->type == GC_COLUMN_TIME && right->type == GC_COLUMN_TIME)
		*left = value_of(GC_COLUMN_SECONDS,
				 gc_arena_printf(arena, "extract(epoch FROM %s - %s)", left->sql, right->sql).ptr);
	else if ((sign == '-' || sign == '+') && left->type == GC_COLUMN_TIME && is_number(right->type))
		*left = value_of(GC_COLUMN_TIME,
				 gc_arena_printf(arena, "(%s %c make_interval(secs => CAST(%s AS double precision)))", left->sql,
						 sign, right->sql)
					 .ptr);
	else
		return gc_parser_fail(parser, at, "\"%c\" does not go between a %s and a %s", sign,
				      gc_column_type_names[left->type], gc_column_type_names[right->type]);
	return true;
}

static bool combine(struct gc_parser *parser, char sign, size_t at, const struct gc_value *right, struct gc_value *left)
{
	bool is_sum = sign == '+' || sign == '-';
	enum gc_column_type type = GC_COLUMN_NUMBER;

	if (!counts(left->type) || !counts(right->type))
		return combine_times(parser, sign, at, right, left);
	if (is_sum && left->type == GC_COLUMN_SECONDS && right->type == GC_COLUMN_SECONDS)
		type = GC_COLUMN_SECONDS;
	else if (sign != '/' && is_whole(left->type) && is_whole(right->type))
		type = GC_COLUMN_WHOLE;
	if (sign == '/')
		*left = value_of(type, gc_arena_printf(parser->scope->arena, "(CAST(%s AS numeric) / nullif(%s, 0))",
						       as_number(parser, left), as_number(parser, right))
					       .ptr);
	else
		*left = value_of(type, gc_arena_printf(parser->scope->arena, "(%s %c %s)", as_number(parser, left), sign,
						       as_number(parser, right))
					       .ptr);
	return true;
}

static bool take_signed(struct gc_parser *parser, const char *one, const char *other,
			bool (*operand)(struct gc_parser *parser, struct gc_value *ret_value), struct gc_value *ret_value)
{
	struct gc_value right;

	if (!operand(parser, ret_value))
		return false;
	while (gc_parser_is(parser, one) || gc_parser_is(parser, other)) {
		char sign = *parser->token.sign;
		size_t at = parser->token.at;

		gc_parser_next(parser);
		if (parser->failed || !operand(parser, &right) || !combine(parser, sign, at, &right, ret_value))
			return false;
	}
	return true;
}

static bool take_product(struct gc_parser *parser, struct gc_value *ret_value)
{
	return take_signed(parser, "*", "/", take_primary, ret_value);
}

bool gc_parser_value(struct gc_parser *parser, struct gc_value *ret_value)
{
	return take_signed(parser, "+", "-", take_product, ret_value);
}

/* ---- conditions ---- */

static bool can_compare(enum gc_column_type a, enum gc_column_type b)
{
	return a == b || (is_number(a) && is_number(b));
}

static bool check_compared(struct gc_parser *parser, size_t at, const struct gc_value *left, const struct gc_value *right)
{
	if (can_compare(left->type, right->type))
		return true;
	return gc_parser_fail(parser, at, "a %s cannot be compared with a %s%s", gc_column_type_names[left->type],
			      gc_column_type_names[right->type],
			      left->type == GC_COLUMN_TEXT || right->type == GC_COLUMN_TEXT ? "; a text stands in quotes: 'failed'"
											    : "");
}

static bool take_list(struct gc_parser *parser, const struct gc_value *left, bool is_not, const char **ret_sql)
{
	struct gc_arena *arena = parser->scope->arena;
	const char *items = "";

	if (!gc_parser_expect(parser, "("))
		return false;
	do {
		size_t at = parser->token.at;
		struct gc_value item;

		if (!gc_parser_value(parser, &item) || !check_compared(parser, at, left, &item))
			return false;
		items = gc_arena_printf(arena, "%s%s%s", items, *items ? ", " : "", item.sql).ptr;
	} while (gc_parser_take(parser, ","));
	if (!gc_parser_expect(parser, ")"))
		return false;
	*ret_sql = gc_arena_printf(arena, "%s %sIN (%s)", left->sql, is_not ? "NOT " : "", items).ptr;
	return true;
}

static bool take_between(struct gc_parser *parser, const struct gc_value *left, bool is_not, const char **ret_sql)
{
	size_t at = parser->token.at;
	struct gc_value low, high;

	if (!gc_parser_value(parser, &low) || !check_compared(parser, at, left, &low) || !gc_parser_expect(parser, "and"))
		return false;
	at = parser->token.at;
	if (!gc_parser_value(parser, &high) || !check_compared(parser, at, left, &high))
		return false;
	*ret_sql = gc_arena_printf(parser->scope->arena, "%s %sBETWEEN %s AND %s", left->sql, is_not ? "NOT " : "", low.sql,
				   high.sql)
			   .ptr;
	return true;
}

static bool take_null(struct gc_parser *parser, const struct gc_value *left, const char **ret_sql)
{
	bool is_not = gc_parser_take(parser, "not");

	if (!gc_parser_expect(parser, "null"))
		return false;
	*ret_sql = gc_arena_printf(parser->scope->arena, "%s IS %sNULL", left->sql, is_not ? "NOT " : "").ptr;
	return true;
}

static bool take_comparison_sign(struct gc_parser *parser, const char **ret_sign)
{
	static const char *const comparisons[] = { "=", "<>", "<=", ">=", "<", ">" };

	for (size_t i = 0; i < sizeof(comparisons) / sizeof(comparisons[0]); i++) {
		*ret_sign = comparisons[i];
		if (gc_parser_take(parser, comparisons[i]))
			return true;
	}
	return false;
}

static bool take_comparison(struct gc_parser *parser, const char **ret_sql)
{
	size_t at = parser->token.at, right_at;
	struct gc_value left, right;
	const char *sign;
	bool is_not;

	if (!gc_parser_value(parser, &left))
		return false;
	if (take_comparison_sign(parser, &sign)) {
		right_at = parser->token.at;
		if (!gc_parser_value(parser, &right) || !check_compared(parser, right_at, &left, &right))
			return false;
		*ret_sql = gc_arena_printf(parser->scope->arena, "%s %s %s", left.sql, sign, right.sql).ptr;
		return true;
	}
	if (gc_parser_take(parser, "is"))
		return take_null(parser, &left, ret_sql);
	is_not = gc_parser_take(parser, "not");
	if (gc_parser_take(parser, "in"))
		return take_list(parser, &left, is_not, ret_sql);
	if (gc_parser_take(parser, "between"))
		return take_between(parser, &left, is_not, ret_sql);
	if (parser->failed || is_not)
		return gc_parser_fail(parser, parser->token.at, "behind \"not\" should stand in or between");
	if (left.type != GC_COLUMN_BOOLEAN)
		return gc_parser_fail(parser, at, "a condition is needed: compare this %s with something",
				      gc_column_type_names[left.type]);
	*ret_sql = left.sql;
	return true;
}

/* What begins with a parenthesis may be a condition or a value, (a and b) or (a + b) > 1: the one that fits is taken. */
static bool take_parentheses(struct gc_parser *parser, const char **ret_sql)
{
	struct gc_parser before = *parser;
	struct gc_mistake first;

	gc_parser_next(parser);
	if (gc_parser_condition(parser, ret_sql) && gc_parser_take(parser, ")") &&
	    (parser->token.kind == GC_TOKEN_END || gc_parser_is(parser, ")") || gc_parser_is(parser, ",") ||
	     gc_parser_is(parser, "and") || gc_parser_is(parser, "or"))) {
		*ret_sql = gc_arena_printf(parser->scope->arena, "(%s)", *ret_sql).ptr;
		return true;
	}
	if (!parser->failed)
		gc_parser_fail(parser, parser->token.at, "\")\" should stand here");
	first = *parser->mistake;
	*parser = before;
	if (take_comparison(parser, ret_sql))
		return true;
	/* the mistake that lies further on is the one to tell of */
	if (first.at >= parser->mistake->at)
		*parser->mistake = first;
	return false;
}

static bool take_factor(struct gc_parser *parser, const char **ret_sql)
{
	if (gc_parser_take(parser, "not")) {
		if (!go_deeper(parser))
			return false;
		if (!take_factor(parser, ret_sql))
			return false;
		parser->depth--;
		*ret_sql = gc_arena_printf(parser->scope->arena, "NOT (%s)", *ret_sql).ptr;
		return true;
	}
	return gc_parser_is(parser, "(") ? take_parentheses(parser, ret_sql) : take_comparison(parser, ret_sql);
}

static bool take_term(struct gc_parser *parser, const char **ret_sql)
{
	const char *more;

	if (!take_factor(parser, ret_sql))
		return false;
	while (gc_parser_take(parser, "and")) {
		if (!take_factor(parser, &more))
			return false;
		*ret_sql = gc_arena_printf(parser->scope->arena, "%s AND %s", *ret_sql, more).ptr;
	}
	return !parser->failed;
}

bool gc_parser_condition(struct gc_parser *parser, const char **ret_sql)
{
	const char *more;
	bool has_more = false;

	if (!go_deeper(parser))
		return false;
	if (!take_term(parser, ret_sql))
		return false;
	for (; gc_parser_take(parser, "or"); has_more = true) {
		if (!take_term(parser, &more))
			return false;
		*ret_sql = gc_arena_printf(parser->scope->arena, "%s OR %s", *ret_sql, more).ptr;
	}
	parser->depth--;
	/* so that it can stand beside an AND */
	if (has_more)
		*ret_sql = gc_arena_printf(parser->scope->arena, "(%s)", *ret_sql).ptr;
	return !parser->failed;
}

bool gc_condition_compile(const struct gc_scope *scope, const char *text, const char **ret_sql, struct gc_mistake *mistake)
{
	struct gc_parser parser;

	gc_parser_begin(&parser, scope, text, mistake);
	return gc_parser_condition(&parser, ret_sql) && gc_parser_end(&parser);
}
