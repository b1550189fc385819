/* Places: which of two records of one key is the newer one.
 *
 * Each record gets a place alone: from its own time and log position, and from what stood before it in its partition. Places are compared as
 * numbers, by gc_version_compare(), so the order is one, whatever arrives when. The rule is stated in deploy/RUNBOOK.md, "Which record is the
 * newer one"; in short:
 *
 *   a change of a source      where its own time says, but behind all that was new of its source before it in the partition, its snapshot too.
 *                             It is new when its position or its time is beyond those of every change before it. One that is not new was sent
 *                             again, or out of turn: it stands where its own time says
 *   a row of a snapshot       where its own time says; an incremental one has no position. One of a full snapshot that is later, at a lower
 *                             position, than the changes before it is of a source that was restored or moved: positions begin again there
 *   a row without a position  where its own time says, but not before those before it in the partition
 *   a tombstone               where its delete stands, the last one of the partition; else where its own time says; in a partition without
 *                             positions as a row without one
 *
 * A record's own time is the source's, else Kafka's. So what stood before can only push a record back, never pull it forward: who does not
 * know all of it, as a group that reads from the middle of a topic, is wrong only where clocks contradict each other.
 *
 * Threads: an order belongs to whoever has the partition.
 */
#ifndef GRACECUBE_ORDER_H
#define GRACECUBE_ORDER_H

#include <gracecube/stream.h>

/* Databases whose changes come through one partition, and are told apart: the latest ones. */
#define GC_ORDER_SOURCES 4

struct gc_source_order {
	int64_t source;         /* which, see gc_change; 0: none */
	int64_t at_us, at_lsn;  /* the latest place given to what is new */
	int64_t change_us, lsn; /* the latest time and the highest position of its changes, since the positions began */
};

/* What a partition's records so far say of the places of those to come. Numbers all: it is kept beside the offset, as an array. */
struct gc_order {
	int64_t row_us; /* the latest place of a row without a position; 0: there was none */
	/* the last delete with a position: the hash of its key, its place, its own time */
	int64_t deleted_key, deleted_us, deleted_lsn, deleted_own_us;
	struct gc_source_order sources[GC_ORDER_SOURCES]; /* the latest one first */
};
#define GC_ORDER_NUMBERS (sizeof(struct gc_order) / sizeof(int64_t))

/* Gives the next record of the partition its place: change->version.at_us. A time of the source that is not to be believed goes to
 * change->disbelieved_us. */
void gc_order_place(struct gc_order *order, struct gc_change *change);

/* As text, in the form of a bigint[] of PostgreSQL; an order that is none of ours reads as an empty one. */
struct gc_span gc_order_text(const struct gc_order *order, struct gc_arena *arena);
struct gc_order gc_order_read(const char *text);

#endif
