/* A batch: what has been read and decoded, until it is one transaction.
 *
 *     gc_batch_reset → gc_batch_partition … → gc_batch_add … → gc_batch_coalesce → (resolve misses) → gc_batch_assign_keys → sink
 *
 * Owns an arena; everything decoded lives there. Threads: one batch belongs to one worker.
 */
#ifndef GRACECUBE_BATCH_H
#define GRACECUBE_BATCH_H

#include <gracecube/dimension_cache.h>
#include <gracecube/order.h>

enum gc_value_state { GC_VALUE_NULL, GC_VALUE_SET };

struct gc_value {
	enum gc_value_state state;
	union {
		int64_t integer; /* GC_BOOL 0 or 1, GC_INT*, GC_TIME µs, surrogate keys once assigned */
		double real;
		struct gc_span text; /* GC_TEXT, and natural keys until surrogate keys are assigned */
	};
};

struct gc_row {
	const struct gc_target *target;
	struct gc_version version;
	struct gc_span key;
	uint32_t partition;    /* index into the batch's partitions */
	bool counts_in_ledger; /* its fate is the message's outcome in the ledger */
	bool deleted;
	bool superseded;         /* another version of the key, in the same batch, stands for it */
	size_t number;           /* of the rows of its target, in the order in which they came */
	size_t round;            /* see gc_batch_rows() */
	struct gc_value *values; /* one a column of the target; NULL for a delete */
};

/* One partition as this batch sees it. The ledger counts are of this batch alone. */
struct gc_partition_batch {
	struct gc_span topic;
	int32_t partition;
	int64_t offset_id; /* cube.etl_offset's row */
	int64_t owner_epoch;
	int64_t from_offset; /* the position before the batch: the fence's old value */
	int64_t to_offset;   /* and after it */
	int64_t applied, superseded, dead, ignored;
	int64_t contradicting;         /* of the superseded ones those whose own time is the later one */
	struct gc_order order;         /* behind its last record */
	bool applies_truncate;         /* a TRUNCATE is not refused */
	struct gc_version truncated;   /* the latest TRUNCATE of the topic that was applied; its place is 0 for none */
	int64_t snapshot_us;           /* time of the latest full snapshot of which the last row is in the batch; 0: none */
	int64_t last_kafka_us;         /* of the newest record of the batch */
	const struct gc_message *last; /* the batch's last record; it stands before to_offset */
	int64_t last_hash; /* its gc_message_hash(), once the batch is coalesced; without one, of the record before the batch */
};

struct gc_dead_letter {
	uint32_t partition;
	const struct gc_message *message;
	const char *stream;
	const struct gc_header *headers;
	size_t header_count;
	char code[32], where[128];
	struct gc_span reason;
};

struct gc_issue {
	uint32_t partition;
	int64_t offset, kafka_us;
	const char *stream;
	struct gc_span key, raw;
	const char *field, *rule;
};

/* A key of another target that a row links to: all are locked first, in one order, so that two workers never deadlock. */
struct gc_link {
	const char *target; /* name */
	struct gc_span key;
};

struct gc_batch;

struct gc_batch *gc_batch_new(struct gc_dimension_cache *cache, int64_t value_bytes_max, int64_t key_bytes_max);
void gc_batch_free(struct gc_batch *batch);

/* The headers of a message, in the arena; returns how many. */
typedef size_t (*gc_headers_fn)(const struct gc_message *message, struct gc_arena *arena, const struct gc_header **ret_headers);
/* Headers are asked for when a message becomes a dead letter, and of no other; without this, they are those of the message. */
void gc_batch_ask_headers(struct gc_batch *batch, gc_headers_fn ask);

void gc_batch_reset(struct gc_batch *batch);
/* Names a partition; the index is what gc_batch_add takes. `order`: as of from_offset; NULL where nothing stood before. */
uint32_t gc_batch_partition(struct gc_batch *batch, struct gc_span topic, int32_t partition, int64_t offset_id, int64_t owner_epoch,
			    int64_t from_offset, const struct gc_order *order);
/* What the dead letter of one says first. */
#define GC_TRUNCATE_REFUSED "the source emptied the table; its rows stay in the cube"

/* A TRUNCATE of the source, which is the one message of its batch: all of its topic that stands before it is to be deleted first. */
struct gc_truncate {
	struct gc_version version;
	int64_t source; /* see gc_change */
};
/* NULL where the batch is none. */
const struct gc_truncate *gc_batch_truncate(const struct gc_batch *batch);

/* Decodes one message. The message must live as long as the batch. Moves the partition's to_offset past it; offsets
 * skipped since the last one (compaction, transaction markers) count as ignored. False: it is a TRUNCATE, which begins a batch of its own;
 * nothing was added. */
bool gc_batch_add(struct gc_batch *batch, uint32_t partition, const struct gc_stream *stream, enum gc_time_unit unit,
		  const struct gc_message *message);
/* The message goes to the dead letters unread: the database refused it when it was alone. */
void gc_batch_add_dead(struct gc_batch *batch, uint32_t partition, const struct gc_stream *stream, const struct gc_message *message,
		       const struct gc_err *err);
/* Deletes a row, by its key in the cube, for no record of this batch: the ledger does not count it. */
void gc_batch_delete(struct gc_batch *batch, uint32_t partition, const struct gc_stream *stream, const struct gc_version *version,
		     struct gc_span key);
/* Coalesces: of each key the newest version stays, and what it needs. */
void gc_batch_coalesce(struct gc_batch *batch);
/* Replaces natural keys by surrogate keys; the cache must have all of them by now. */
void gc_batch_assign_keys(struct gc_batch *batch);

/* The batch is committed: the missions that it introduced may be cached. */
void gc_batch_committed(struct gc_batch *batch);

/* What a sink reads. */
size_t gc_batch_message_count(const struct gc_batch *batch);
size_t gc_batch_partitions(const struct gc_batch *batch, struct gc_partition_batch **ret_partitions);
/* Rows of one target that stay, by round; in each round every key stands once, sorted. Whoever writes them writes round after round. There
 * is one round, nearly always: see transforms/coalesce.c. Where every version counts there is one, and the versions of a key stand in it in
 * the order in which they came. */
size_t gc_batch_rows(const struct gc_batch *batch, const struct gc_target *target, struct gc_row *const **ret_rows);
size_t gc_batch_dead_letters(const struct gc_batch *batch, const struct gc_dead_letter **ret_letters);
size_t gc_batch_issues(const struct gc_batch *batch, const struct gc_issue **ret_issues);
/* Distinct keys to be locked first, sorted by target and key. */
size_t gc_batch_links(const struct gc_batch *batch, const struct gc_link **ret_links);
/* True when the batch may introduce a mission: batches whose contracts may name it wait for it (see cube.mission_gate). */
bool gc_batch_introduces_missions(const struct gc_batch *batch);
/* Targets that have rows, in the order of gc_streams; each once. */
size_t gc_batch_targets(const struct gc_batch *batch, const struct gc_target *const **ret_targets);
struct gc_arena *gc_batch_arena(struct gc_batch *batch);
/* What the cache did not have; owned by the batch. */
struct gc_misses *gc_batch_misses(struct gc_batch *batch);

#endif
