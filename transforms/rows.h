/* How decode puts what it made into a batch, and what stays of it. Only for transforms/. */
#ifndef GRACECUBE_ROWS_H
#define GRACECUBE_ROWS_H

#include <gracecube/batch.h>

struct gc_row *gc_batch_put_row(struct gc_batch *batch, const struct gc_target *target, uint32_t partition,
				struct gc_version version, struct gc_span key);
void gc_batch_put_issue(struct gc_batch *batch, const struct gc_issue *issue);
void gc_batch_put_link(struct gc_batch *batch, const char *target, struct gc_span key);

/* The rows of one change; decode->rejected, and why, where there are none because of what it says. Of a TRUNCATE that is not refused there is no
 * row. */
struct gc_decode;
void gc_decode_change(struct gc_decode *decode, struct gc_change *change);

/* Of each key the row that stays, and what it needs; see gc_batch_rows() for what is left in front of the array. Returns how many. */
size_t gc_coalesce(struct gc_batch *batch, const struct gc_target *target, struct gc_row **rows, size_t count);

#endif
