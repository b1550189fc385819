/* Positions: where each partition that this process has ever held stands, for metrics, probes, progress and the throttle of the sandbox.
 *
 * Threads: the registry is shared by all behind a lock of its own; what moves in a position is atomic, and moved by the worker that
 * holds it. A position lives as long as its registry.
 */
#ifndef GRACECUBE_POSITIONS_H
#define GRACECUBE_POSITIONS_H

#include <gracecube/err.h>
#include <gracecube/metric.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct gc_position {
	char *topic;
	int32_t partition;
	_Atomic int64_t next_offset;
	_Atomic int64_t target;               /* high watermark when it was claimed */
	_Atomic int64_t limit;                /* no record at or behind it is taken; INT64_MAX: there is none */
	_Atomic int64_t holder;               /* index of the worker that reads it, 0 for none here */
	_Atomic int64_t given_up_us;          /* monotonic: taken from a worker here, not claimed here since; 0 */
	_Atomic int64_t lag;                  /* records behind Kafka's end */
	_Atomic int64_t oldest_us;            /* Kafka's time of the first record that is fetched and not in the cube, 0 for none */
	_Atomic int64_t data_us;              /* Kafka's time of the newest record in the cube, as far as this process knows; 0 */
	_Atomic int64_t records, bytes, lost; /* fetched; found deleted by retention */
	_Atomic int64_t halted_us;            /* wall clock: since when it is halted; 0: it is read */
	_Atomic int64_t told_us;              /* what the cube knows of that; -1: it is not known what it knows */
	struct gc_err halt;                   /* why; behind the registry's lock */
};

/* Stands for a whole topic, of which no partition is known. */
#define GC_WHOLE_TOPIC (-1)

struct gc_positions;

struct gc_positions *gc_positions_new(void);
/* NULL is allowed. */
void gc_positions_free(struct gc_positions *positions);

/* Made when there is none yet. */
struct gc_position *gc_position_get(struct gc_positions *positions, const char *topic, int32_t partition);
/* NULL when there is none yet. */
struct gc_position *gc_position_find(struct gc_positions *positions, const char *topic, int32_t partition);
/* Behind the lock: `each` asks for no position. */
void gc_positions_each(struct gc_positions *positions, void (*each)(void *arg, const struct gc_position *position), void *arg);

/* Marks it as halted, and why. Logged once, and once more when it is over. */
void gc_position_halt(struct gc_positions *positions, struct gc_position *position, const struct gc_err *why);
void gc_position_heal(struct gc_positions *positions, struct gc_position *position);
static inline int64_t gc_position_halted_us(const struct gc_position *position)
{
	return atomic_load(&((struct gc_position *)position)->halted_us);
}

#endif
