/* Events: a backlog of contract events in the shape of real ones. Captured contracts of three states (pending, executing, and
 * how it ended) are multiplied with new keys; everything else of a message stays byte for byte as Debezium wrote it.
 *
 * Contracts come in the order of their created_at, which keeps its day, so days and tiers are as captured; within the day
 * it is spread. The next state of a contract comes 0 to 6,000 events after the last one, so that a batch of a worker holds
 * some of them together and others not (captured, most are neighbours: easier). Large contracts are chosen more often than
 * small ones by as much as it takes to make the mean value 2.5 kB, which is the mean of all captured contract events.
 * The same arguments give the same events. Threads: one of these belongs to one thread.
 */
#ifndef GRACECUBE_BENCH_EVENTS_H
#define GRACECUBE_BENCH_EVENTS_H

#include <gracecube/err.h>
#include <gracecube/message.h>

#define BENCH_STATES 3
#define BENCH_SPREAD 6000
#define BENCH_VALUE_BYTES 2500

struct bench_events;

struct bench_events_options {
	const char *capture; /* of action_contracts */
	uint64_t count;
	uint64_t salt;   /* other events with other keys */
	bool neighbours; /* the states of a contract follow one another */
	bool days_mixed; /* contracts come in no order of time */
};

enum gc_verdict bench_events_open(const struct bench_events_options *options, struct bench_events **ret_events,
				  struct gc_err *err) GC_MUST_CHECK;
void bench_events_close(struct bench_events *events);
/* False at the end. Key, value and headers live until the next call; offset counts from 0. */
bool bench_events_next(struct bench_events *events, struct gc_message *ret_message);
/* Contracts that it was made of. */
size_t bench_events_templates(const struct bench_events *events);

#endif
