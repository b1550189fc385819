/* Coalescing: of several versions of a row in one batch the cube gets as few as it takes to end the same as if each had been a batch of
 * its own. The records of a key are taken in the order in which they came, each against the one that stands, by the rule that the merge
 * functions of the cube have (gc_version_compare()); so where a batch ends decides nothing.
 *
 * Nearly always one row a key stays. Where a newer version says "as it was" (GC_KEEPS) of a column of which the one before says something,
 * both do, and go to the merge one after the other, in rounds: the one before may be a late one, older than what the cube has, and then the
 * cube's own value holds. Only the merge knows.
 *
 * Threads: one batch belongs to one worker.
 */
#include "decode.h"
#include "rows.h"

#include <stdlib.h>

static int compare_numbers(size_t a, size_t b)
{
	return (a > b) - (a < b);
}

static int by_key(const void *a, const void *b)
{
	const struct gc_row *left = *(struct gc_row *const *)a, *right = *(struct gc_row *const *)b;
	int order = gc_span_compare(left->key, right->key);

	return order ? order : compare_numbers(left->number, right->number);
}

static int by_round(const void *a, const void *b)
{
	const struct gc_row *left = *(struct gc_row *const *)a, *right = *(struct gc_row *const *)b;
	int order = compare_numbers(left->round, right->round);

	return order ? order : gc_span_compare(left->key, right->key);
}

/* ---- what a row needs ---- */

/* What GC_KEEPS means for each kind: see there. */
static bool is_unavailable(const struct gc_row *row, int column)
{
	const struct gc_value *value = &row->values[column];

	switch (row->target->columns[column].kind) {
	case GC_TEXT:
		return gc_span_equal(gc_row_get_text(row, column), GC_LIT(GC_UNAVAILABLE));
	case GC_FLOAT8:
		return value->state == GC_VALUE_SET && isnan(value->real);
	default:
		return value->state != GC_VALUE_SET;
	}
}

/* Does it matter to the row what the cube made of the one before? */
static bool needs(const struct gc_row *row, const struct gc_row *before)
{
	for (int i = 1; i < row->target->column_count && !row->deleted; i++) {
		if (row->target->columns[i].flags & GC_KEEPS && is_unavailable(row, i) &&
		    (before->deleted || !is_unavailable(before, i)))
			return true;
	}
	return false;
}

/* ---- one key ---- */

static void supersede(struct gc_batch *batch, struct gc_row *row)
{
	struct gc_partition_batch *partitions;

	gc_batch_partitions(batch, &partitions);
	row->superseded = true;
	if (row->counts_in_ledger) {
		partitions[row->partition].applied--;
		partitions[row->partition].superseded++;
	}
}

/* One that is refused although its own time is the later one. */
static void note_contradiction(struct gc_batch *batch, const struct gc_row *row, const struct gc_row *standing)
{
	struct gc_partition_batch *partitions;

	gc_batch_partitions(batch, &partitions);
	if (row->counts_in_ledger && gc_version_own_us(&row->version) > gc_version_own_us(&standing->version))
		partitions[row->partition].contradicting++;
}

static bool replaces(const struct gc_row *row, const struct gc_row *standing)
{
	return gc_version_compare(row->version, standing->version) > 0;
}

/* A step that the source never makes is said, wherever the two versions meet: here, or in the cube's own trigger. */
static void check_step(struct gc_batch *batch, const struct gc_row *before, const struct gc_row *row)
{
	const struct gc_target *target = row->target;
	struct gc_span from, to;

	if (!target->is_backward || before->deleted || row->deleted)
		return;
	from = gc_row_get_text(before, target->state_column);
	to = gc_row_get_text(row, target->state_column);
	if (target->is_backward(from, to))
		gc_batch_put_issue(batch, &(struct gc_issue){
						  .partition = row->partition,
						  .offset = row->version.offset,
						  .kafka_us = row->version.kafka_us,
						  .stream = target->name,
						  .key = row->key,
						  .raw = gc_arena_printf(gc_batch_arena(batch), "%.*s -> %.*s", (int)from.len,
									 from.ptr, (int)to.len, to.ptr),
						  .field = target->columns[target->state_column].name,
						  .rule = GC_BACKWARD_STEP,
					  });
}

/* `stack` holds what stands of the key so far, each needed by the next. What the row does not need goes. Returns the new depth. */
static size_t put_on(struct gc_batch *batch, struct gc_row **stack, size_t depth, struct gc_row *row)
{
	if (depth > 0 && !replaces(row, stack[depth - 1])) {
		note_contradiction(batch, row, stack[depth - 1]);
		supersede(batch, row);
		return depth;
	}
	for (size_t top = depth; depth > 0 && !needs(row, stack[depth - 1]); depth--) {
		if (depth == top)
			check_step(batch, stack[depth - 1], row);
		supersede(batch, stack[depth - 1]);
	}
	row->round = depth;
	stack[depth] = row;
	return depth + 1;
}

/* ---- all of a target ---- */

size_t gc_coalesce(struct gc_batch *batch, const struct gc_target *target, struct gc_row **rows, size_t count)
{
	size_t kept = 0, first = 0; /* of the key */
	bool has_rounds = false;

	qsort(rows, count, sizeof(*rows), by_key);
	if (target->keep_versions)
		return count;
	for (size_t i = 0; i < count; i++) {
		if (i > 0 && !gc_span_equal(rows[i]->key, rows[kept - 1]->key))
			first = kept;
		kept = first + put_on(batch, rows + first, kept - first, rows[i]);
		has_rounds |= kept - first > 1;
	}
	if (has_rounds)
		qsort(rows, kept, sizeof(*rows), by_round);
	return kept;
}
