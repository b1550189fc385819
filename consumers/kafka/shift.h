/* Times moved inside a record: what an old capture says of its own days it says of these.
 *
 * Moved are the members that name a time (…_at, timestamp, effective_from, effective_to, ts_ms and its like), at any depth, also in
 * JSON within text, in whatever unit or form they stand: epochs in s, ms, µs and ns, whole, with a fraction or in text, and dates
 * with and without clock, fraction and zone. Each keeps its unit, form and number of digits, so all distances stay what they were.
 *
 * Left as they are: filler (times before 1973: a delete's `before` has 0 and 1970 there), what reads as no time, names that only
 * contain one (contract-…-1795280205.92), and whatever lies below an object that signs itself, which is one with a member …_hash:
 * the signature would no longer fit. immutable_log's hash covers its payload, not its timestamp.
 * Threads: no shared state.
 */
#ifndef GRACECUBE_SHIFT_H
#define GRACECUBE_SHIFT_H

#include <gracecube/arena.h>
#include <gracecube/message.h>

/* In whole seconds, which every unit can carry exactly. */
struct gc_shift {
	int64_t row_s;     /* of what the record tells */
	int64_t journey_s; /* of how it came here: source.ts_ms, ts_us, __source_ts_ms …, the timestamp in Kafka */
};

/* The JSON with its times moved; itself where nothing is to be moved, or where it is no JSON. */
struct gc_span gc_shift_json(struct gc_span json, const struct gc_shift *shift, struct gc_arena *arena);
/* Value and timestamp; a key stays, it is a name. */
void gc_shift_message(struct gc_message *message, const struct gc_shift *shift, struct gc_arena *arena);
/* The oldest and the newest time that the record tells of itself; false where it tells none. */
bool gc_shift_range(struct gc_span json, struct gc_arena *arena, int64_t *ret_oldest_us, int64_t *ret_newest_us);

#endif
