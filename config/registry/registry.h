/* Inside of the registry: what reading, expressions and formulas share. Others include gracecube/registry.h. */
#ifndef GRACECUBE_CONFIG_REGISTRY_H
#define GRACECUBE_CONFIG_REGISTRY_H

#include <gracecube/arena.h>
#include <gracecube/registry.h>

#include "document.h"

struct gc_registry {
	struct gc_arena arena;
	struct gc_cut *dimensions; /* whose members have a table; column NULL */
	size_t dimension_count;
	struct gc_fact *facts;
	size_t fact_count;
	struct gc_definition *metrics;
	size_t metric_count;
	struct gc_targets targets;
};

/* The text that is built in, config/metrics.yaml. */
extern const char gc_registry_text[];

/* ---- expressions: expression.c, formula.c ---- */

/* Where a text is wrong, from 0, and why. */
struct gc_mistake {
	size_t at;
	char text[400];
};

/* What a text may name. */
struct gc_scope {
	const struct gc_registry *registry; /* to tell that a name is a metric's */
	const struct gc_fact *fact;
	struct gc_arena *arena;
};

/* Longer, or with more parentheses within each other, is refused. */
#define GC_EXPRESSION_BYTES_MAX 1000
#define GC_EXPRESSION_DEPTH_MAX 24

/* The SQL of a condition, and of a formula's measures. False with the mistake. */
bool gc_condition_compile(const struct gc_scope *scope, const char *text, const char **ret_sql, struct gc_mistake *mistake);
/* Fills value, per, is_ratio, n and additivity of the metric, whose condition stands already. */
bool gc_formula_compile(const struct gc_scope *scope, const char *text, struct gc_definition *metric, struct gc_mistake *mistake);
/* One measure, as sums name it. */
bool gc_measure_compile(const struct gc_scope *scope, const char *text, struct gc_measure *ret_measure, struct gc_mistake *mistake);
/* A column's value as measures have it. */
const char *gc_column_sql(const struct gc_scope *scope, const char *name);

/* ---- the parser, which formula.c goes on with ---- */

enum gc_token_kind { GC_TOKEN_END, GC_TOKEN_NAME, GC_TOKEN_NUMBER, GC_TOKEN_TEXT, GC_TOKEN_SIGN };

struct gc_parser {
	const struct gc_scope *scope;
	const char *text;
	struct gc_mistake *mistake;
	bool failed;
	int depth;
	struct gc_token {
		enum gc_token_kind kind;
		size_t at, len;
		char sign[3]; /* "<=", and "*", "/", "-" for their typographic forms */
	} token;              /* the next one */
};

/* What an expression is, and its SQL. */
struct gc_value {
	enum gc_column_type type;
	bool is_column, is_null;
	const char *sql;
};

void gc_parser_begin(struct gc_parser *parser, const struct gc_scope *scope, const char *text, struct gc_mistake *mistake);
void gc_parser_next(struct gc_parser *parser);
bool gc_parser_is(const struct gc_parser *parser, const char *word); /* a sign or a name */
bool gc_parser_take(struct gc_parser *parser, const char *word);
bool gc_parser_expect(struct gc_parser *parser, const char *sign);
/* Returns false, so that a rule can `return gc_parser_fail(…)`; the first mistake stays. */
bool gc_parser_fail(struct gc_parser *parser, size_t at, const char *format, ...) __attribute__((format(printf, 3, 4)));
bool gc_parser_condition(struct gc_parser *parser, const char **ret_sql);
bool gc_parser_value(struct gc_parser *parser, struct gc_value *ret_value);
bool gc_parser_end(struct gc_parser *parser);
const char *gc_parser_word(struct gc_parser *parser); /* the token's text, in the arena */

/* ---- reading: read_metrics.c ---- */

enum gc_verdict gc_registry_read(struct gc_registry *registry, const char *path, struct gc_span text, bool is_own,
				 struct gc_err *err) GC_MUST_CHECK;
/* Once all metrics are there: targets.c. */
enum gc_verdict gc_targets_read(struct gc_registry *registry, const char *path, struct gc_span text,
				struct gc_err *err) GC_MUST_CHECK;

#endif
