/* Metrics of `run`: every one is a row of the table in metrics.c. The page deploy/METRICS.md is about all tables: this one, that of
 * `serve`, and that of the process.
 *
 * Threads: may be called from any thread while the run lives.
 */
#ifndef GRACECUBE_METRICS_H
#define GRACECUBE_METRICS_H

#include "service/monitor.h"
#include "worker/run.h"

#include <stdio.h>

/* Where the rows read. `run` is NULL before it has started and while it ends: what it counts is then left out. */
struct gc_metrics_source {
	struct gc_run *run;
	const struct gc_database_facts *database;
};

void gc_run_metrics_print(const struct gc_metrics_source *source, FILE *out);
/* Markdown. */
void gc_metrics_page(FILE *out);

#endif
