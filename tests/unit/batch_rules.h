/* What holds of every coalesced batch whose keys are not assigned yet, whatever came in. For the fixtures and the fuzzer. */
#ifndef GRACECUBE_TESTS_BATCH_RULES_H
#define GRACECUBE_TESTS_BATCH_RULES_H

#include <math.h>

#include <gracecube/batch.h>

/* What PostgreSQL takes as a text. */
static inline bool is_clean(struct gc_span text)
{
	return gc_span_is_utf8(text) && (text.len == 0 || !memchr(text.ptr, 0, text.len));
}

static inline const char *broken_rule_of_value(const struct gc_column *column, const struct gc_value *value)
{
	enum gc_kind kind = column->kind;

	if ((kind == GC_TEXT || kind >= GC_COMPONENT) && !is_clean(value->text))
		return "a text holds what PostgreSQL refuses";
	if (kind >= GC_COMPONENT && value->text.len == 0)
		return "a natural key is empty";
	if (kind == GC_TIME && (value->integer < GC_TIME_MIN_US || value->integer >= GC_TIME_END_US))
		return "a time is out of range";
	if (kind == GC_FLOAT8 && !isfinite(value->real) && !(column->flags & GC_KEEPS && isnan(value->real))) /* "as it was" */
		return "a measure is not finite";
	if (kind == GC_INT4 && (value->integer < INT32_MIN || value->integer > INT32_MAX))
		return "a 4-byte integer is none";
	if (kind == GC_BOOL && value->integer != 0 && value->integer != 1)
		return "a truth is neither";
	return NULL;
}

static inline const char *broken_rule_of_row(const struct gc_row *row)
{
	const struct gc_target *target = row->target;

	if (row->key.len == 0 || !is_clean(row->key))
		return "a row has no key, or one that PostgreSQL refuses";
	if (!row->deleted && target->created_at >= 0 && row->values[target->created_at].state != GC_VALUE_SET)
		return "a fact has no created_at";
	for (int i = 0; i < target->column_count; i++) {
		const char *broken = NULL;

		if (row->values[i].state != GC_VALUE_SET)
			continue;
		if (row->deleted && i > 0)
			return "a deletion mark has values";
		broken = broken_rule_of_value(&target->columns[i], &row->values[i]);
		if (broken)
			return broken;
	}
	return NULL;
}

static inline const char *broken_rule_of_target(const struct gc_batch *batch, const struct gc_target *target)
{
	struct gc_row *const *rows = NULL;
	size_t count = gc_batch_rows(batch, target, &rows);
	const char *broken = NULL;

	for (size_t r = 0; r < count && !broken; r++) {
		bool is_next_round = r > 0 && rows[r]->round == rows[r - 1]->round + 1;
		int order = r > 0 && !is_next_round ? gc_span_compare(rows[r - 1]->key, rows[r]->key) : -1;

		broken = broken_rule_of_row(rows[r]);
		if (order > 0 || (order == 0 && !target->keep_versions))
			broken = "the rows of a round are not sorted, or a key stands twice";
		if (rows[r]->round != (r > 0 ? rows[r - 1]->round : 0) && !is_next_round)
			broken = "the rounds are not one after the other";
	}
	return broken;
}

static inline const char *broken_rule_of_rows(const struct gc_batch *batch)
{
	const struct gc_target *const *targets = NULL;
	size_t count = gc_batch_targets(batch, &targets);
	const char *broken = NULL;

	for (size_t t = 0; t < count && !broken; t++)
		broken = broken_rule_of_target(batch, targets[t]);
	return broken;
}

static inline const char *broken_rule_of_letters(const struct gc_batch *batch)
{
	const struct gc_dead_letter *letters = NULL;
	size_t count = gc_batch_dead_letters(batch, &letters);

	for (size_t i = 0; i < count; i++) {
		struct gc_span code = gc_span_of(letters[i].code), where = gc_span_of(letters[i].where);

		if (letters[i].reason.len == 0 || !is_clean(letters[i].reason))
			return "a dead letter's reason is missing or not UTF-8";
		if (code.len == 0 || where.len == 0 || !is_clean(code) || !is_clean(where))
			return "a dead letter's code or place is missing or not UTF-8";
	}
	return NULL;
}

static inline const char *broken_rule_of_issues(const struct gc_batch *batch)
{
	const struct gc_issue *issues = NULL;
	size_t count = gc_batch_issues(batch, &issues);

	for (size_t i = 0; i < count; i++) {
		if (!issues[i].field || !issues[i].rule || !is_clean(issues[i].key) || !is_clean(issues[i].raw))
			return "a quality issue is incomplete or not UTF-8";
	}
	return NULL;
}

static inline const char *broken_rule_of_links(const struct gc_batch *batch)
{
	const struct gc_link *links = NULL;
	size_t count = gc_batch_links(batch, &links);

	for (size_t i = 0; i < count; i++) {
		int order = i > 0 ? strcmp(links[i - 1].target, links[i].target) : -1;

		if (links[i].key.len == 0 || !is_clean(links[i].key))
			return "a link's key is empty, or one that PostgreSQL refuses";
		if (order > 0 || (order == 0 && gc_span_compare(links[i - 1].key, links[i].key) >= 0))
			return "the links are not sorted, or one stands twice";
	}
	return NULL;
}

static inline const char *broken_rule_of_ledger(const struct gc_batch *batch)
{
	struct gc_partition_batch *parts = NULL;
	size_t count = gc_batch_partitions(batch, &parts);

	for (size_t i = 0; i < count; i++) {
		if (parts[i].applied < 0 || parts[i].superseded < 0 || parts[i].dead < 0 || parts[i].ignored < 0 ||
		    parts[i].applied + parts[i].superseded + parts[i].dead + parts[i].ignored !=
			    parts[i].to_offset - parts[i].from_offset)
			return "the ledger does not close";
	}
	return NULL;
}

/* The first rule that is broken, NULL when all hold. */
static inline const char *broken_rule(const struct gc_batch *batch)
{
	const char *broken = broken_rule_of_rows(batch);

	if (!broken)
		broken = broken_rule_of_letters(batch);
	if (!broken)
		broken = broken_rule_of_issues(batch);
	if (!broken)
		broken = broken_rule_of_links(batch);
	return broken ? broken : broken_rule_of_ledger(batch);
}

#endif
