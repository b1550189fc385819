/* Replay: capture files as the beginning of topics. Their records are applied as a worker applies those of Kafka, each at the offset that it had
 * on its topic, so whoever reads the topic afterwards goes on behind them.
 *
 * Guarantee: a record that was applied is not applied again, whatever is killed; one behind the limit of its partition is left to Kafka.
 * Threads: a replay belongs to one thread.
 */
#ifndef GRACECUBE_REPLAY_H
#define GRACECUBE_REPLAY_H

#include "kafka/consumer.h"

#include <gracecube/config.h>

struct gc_replay;

/* Reads the files through. GC_FATAL with the place of a line that is no record, has no offset, or stands behind a later one of its partition.
 * The paths must outlive it. */
enum gc_verdict gc_replay_open(char *const *paths, size_t count, struct gc_replay **ret_replay, struct gc_err *err) GC_MUST_CHECK;
/* NULL is allowed. */
void gc_replay_close(struct gc_replay *replay);
/* The first offset of a partition that the files have, and the one behind the last; false when they have none. */
bool gc_replay_has(const struct gc_replay *replay, const char *topic, int32_t partition, int64_t *ret_first, int64_t *ret_end);

struct gc_replay_run {
	const struct gc_config *config;
	const struct gc_place *places; /* which partitions are read, each from where the cube stands */
	const int64_t *limits;         /* no record at or behind it is read */
	size_t count;
	void (*each)(void *arg, int64_t applied); /* now and then: how many records so far */
	void *arg;
};
/* GC_RETRY when a signal asks to stop, or the database is away: the same again goes on. */
enum gc_verdict gc_replay_apply(struct gc_replay *replay, const struct gc_replay_run *run, int64_t *ret_applied,
				struct gc_err *err) GC_MUST_CHECK;

#endif
