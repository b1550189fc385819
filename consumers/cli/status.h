/* Inside of `gracecube status`: where every partition stood at one moment, and how that is shown. Threads: the main thread. */
#ifndef GRACECUBE_CLI_STATUS_H
#define GRACECUBE_CLI_STATUS_H

#include <gracecube/arena.h>
#include <gracecube/config.h>
#include <gracecube/err.h>

enum gc_partition_state {
	GC_PARTITION_OK,      /* everything up to Kafka's end is in the cube */
	GC_PARTITION_BEHIND,  /* records wait, and the position moves */
	GC_PARTITION_HALTED,  /* it cannot be read or applied, and is tried again */
	GC_PARTITION_STALLED, /* records wait, and the position has not moved for a minute */
	GC_PARTITION_UNREAD,  /* in Kafka; nobody has claimed it yet */
	GC_PARTITION_AHEAD,   /* the position is beyond Kafka's end: another topic under the same name */
	GC_PARTITION_GONE,    /* has a position, is not in Kafka */
	GC_PARTITION_UNKNOWN, /* Kafka did not answer */
	GC_PARTITION_COUNT,
};

/* A partition that stands still, or a topic of which none can be read. */
struct gc_halt_status {
	const char *topic, *code, *reason;
	int32_t partition; /* -1: the whole topic */
	int64_t since_us;
};

struct gc_partition_status {
	const char *stream, *topic;
	int32_t partition;
	bool has_row;
	int64_t first_offset, next_offset, applied, superseded, contradicting, dead, ignored, expired;
	const char *owner;
	bool owner_is_connected;
	int64_t data_through_us, moved_us;
	const struct gc_halt_status *halt; /* NULL: it does not stand still */
	bool in_kafka;
	int64_t low, high; /* -1: not known */
	enum gc_partition_state state;
	int64_t lag; /* records, -1: not known */
};

/* All of one moment. */
struct gc_snapshot {
	const struct gc_config *cfg;
	struct gc_arena arena;
	struct gc_partition_status *partitions;
	size_t count, capacity, row_count; /* the rows come first until all is sorted */
	int64_t now_us;                    /* the database's */
	int64_t lost;                      /* records that retention deleted unread */
	const char *other_groups;          /* names, NULL when there are none */
	struct gc_err kafka;               /* why Kafka did not answer; GC_OK when it did */
	struct gc_halt_status *halts;
	size_t halt_count;
};

/* A table with a line of totals, and notes. */
void gc_snapshot_print(const struct gc_snapshot *snapshot);
void gc_snapshot_print_json(const struct gc_snapshot *snapshot, bool on_one_line);

#endif
