/* Trickle: new records made after captured ones, a few a second and without end, so that a demonstration lives.
 *
 * What happened in the capture happens again in its order, one record after the other at an even pace: contracts go from pending
 * to their end, missions progress, errors are resolved, approvals decided. Rows of a snapshot, what a connector sent twice, rows
 * that hardly ever change (members, playbooks, policies) and stories that last longer than a week are left out. When all has
 * happened, it begins anew. Each round gives all that it makes names and numbers of its own, everywhere they are mentioned, so it
 * adds to the cube and changes nothing that is there; the log's chain is continued, with true hashes.
 * Times: a record travels at the moment when it is due. The times in a row and its later versions keep their distances, and none
 * is later than the moment when it is told.
 * Threads: belongs to one thread.
 */
#ifndef GRACECUBE_TRICKLE_H
#define GRACECUBE_TRICKLE_H

#include <gracecube/config.h>
#include <gracecube/message.h>

/* Larger captures are used up to here. */
#define GC_TRICKLE_BYTES ((size_t)128 << 20)

struct gc_trickle;

/* Reads the files. GC_FATAL when one cannot be read, or nothing happens in them. per_second: of records, at least 1. */
enum gc_verdict gc_trickle_open(const struct gc_config *config, char *const *paths, size_t count, int64_t per_second,
				struct gc_trickle **ret_trickle, struct gc_err *err) GC_MUST_CHECK;
void gc_trickle_close(struct gc_trickle *trickle);
/* How long until the next record is due, 0 when it is. now_us: the wall clock. After a pause (a machine that slept) it goes on from
 * there, without a burst. */
int64_t gc_trickle_wait_us(struct gc_trickle *trickle, int64_t now_us);
/* The next record, as of the moment when it is due; lives until the next call. */
const struct gc_message *gc_trickle_next(struct gc_trickle *trickle);

#endif
