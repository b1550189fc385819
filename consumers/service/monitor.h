/* Monitor: asks the database once a second whether it answers and has the right schema, and now and then for the metrics that only it
 * knows. On a connection and in a thread of its own, so that a probe is answered at once whatever the database does.
 *
 * Threads: one of its own; everything else may be called from any thread.
 */
#ifndef GRACECUBE_MONITOR_H
#define GRACECUBE_MONITOR_H

#include <gracecube/config.h>

struct gc_monitor;

/* What the database says. Numbers are of the whole group, whoever reads; -1: not known. */
struct gc_database_facts {
	bool reachable; /* it answered within the last seconds */
	bool schema_is_right;
	char why[256];                       /* it is not reachable, or the schema is not right */
	double verified_s, verified_equal_s; /* epoch: the last `verify`, and the last one that found nothing */
	int64_t verify_differing;
	double closing_s;                                    /* epoch: since when a month is being dropped; 0: none is */
	double links_waiting, linking_s;                     /* names whose very many links wait; epoch: since when, 0: none do */
	double snapshot_age;                                 /* transactions since the oldest one that is held was taken */
	double keys_used_ratio;                              /* of the 2^31 keys of the dimension that has used most */
	double letters_kept, letters_bytes, letters_dropped; /* dead letters, of all groups */
	double letters_full;                                 /* of the room for them, 1 is all of it */
	struct gc_stream_facts {
		double last_record_s;  /* epoch, Kafka's time of the newest record in the cube */
		int64_t dead_letters;  /* that wait for a decision */
		int64_t expired;       /* records of months that are dropped */
		int64_t contradicting; /* superseded although their own time is the later one */
	} *streams;                    /* one for each of gc_streams; owned by the monitor */
};

struct gc_monitor *gc_monitor_start(const struct gc_config *config);
/* NULL is allowed. */
void gc_monitor_stop(struct gc_monitor *monitor);
/* A copy of what is known; `streams` is valid inside of `use` only. */
void gc_monitor_read(struct gc_monitor *monitor, void (*use)(void *arg, const struct gc_database_facts *facts), void *arg);

#endif
