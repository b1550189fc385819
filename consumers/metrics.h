/* Metrics: every one is a row of the table in metrics.c, from which both the answer of /metrics (Prometheus text 0.0.4) and the page
 * deploy/METRICS.md are made.
 *
 * Threads: may be called from any thread while the run lives.
 */
#ifndef GRACECUBE_METRICS_H
#define GRACECUBE_METRICS_H

#include "monitor.h"
#include "run.h"

#include <stdio.h>

/* Where the rows read. `run` is NULL before it has started and while it ends: what it counts is then left out. */
struct gc_metrics_source {
	struct gc_run *run;
	const struct gc_database_facts *database;
};

void gc_metrics_print(const struct gc_metrics_source *source, FILE *out);
/* The page about them (Markdown). */
void gc_metrics_page(FILE *out);

#endif
