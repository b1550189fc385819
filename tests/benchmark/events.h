/* Events: a backlog of contract events, as many as are wanted, from a capture (breadth.py makes one): its records as they stand, again
 * and again; each time contracts and their plans get other ids, log positions go on, and all else stays byte for byte. So the breadth
 * of the capture stays: its hours, actors, tiers, the order of changes, what is deleted and what is sent again.
 *
 * The same arguments give the same events. Threads: one of these belongs to one thread.
 */
#ifndef GRACECUBE_BENCH_EVENTS_H
#define GRACECUBE_BENCH_EVENTS_H

#include <gracecube/err.h>
#include <gracecube/message.h>

struct bench_events;

struct bench_events_options {
	const char *capture; /* of action_contracts */
	uint64_t count;
	uint64_t salt;     /* other events with other ids */
	bool changes_only; /* without deletes, tombstones, and what is sent again: each event can be seen in the cube */
};

enum gc_verdict bench_events_open(const struct bench_events_options *options, struct bench_events **ret_events,
				  struct gc_err *err) GC_MUST_CHECK;
void bench_events_close(struct bench_events *events);
/* False at the end. Key, value and headers live until the next call; offset counts from 0. */
bool bench_events_next(struct bench_events *events, struct gc_message *ret_message);

#endif
