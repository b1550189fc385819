/* Health: what probes and Prometheus ask of a run, over HTTP on http.listen.
 *
 *     /livez     every worker's loop has turned lately: nothing else, or an outage of the database would restart every process
 *     /readyz    the schema is right, the database answers, the assignment is held, and what waits moves; ?verbose shows each
 *     /metrics   see metrics.h
 *
 * Threads: the server's own, and the monitor's; the functions below belong to the main thread.
 */
#ifndef GRACECUBE_HEALTH_H
#define GRACECUBE_HEALTH_H

#include "worker/run.h"

struct gc_health;

/* Starts the monitor and, unless http.listen is empty, the server. GC_FATAL with code "http.listen" when the address is taken. */
enum gc_verdict gc_health_start(const struct gc_config *config, struct gc_health **ret_health, struct gc_err *err) GC_MUST_CHECK;
/* The run to look at; NULL before there is one, and before it ends. */
void gc_health_watch(struct gc_health *health, struct gc_run *run);
/* What /readyz answers. */
bool gc_health_is_ready(struct gc_health *health);
/* NULL is allowed. */
void gc_health_stop(struct gc_health *health);

#endif
