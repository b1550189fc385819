/* Retention of a run: throws old data away now and then, as `gracecube retention` does, when the options say so.
 *
 * Threads: one of its own, on a connection of its own; start and stop from the main thread.
 */
#ifndef GRACECUBE_RETAIN_H
#define GRACECUBE_RETAIN_H

#include <gracecube/config.h>

struct gc_retainer;
struct gc_run;

/* NULL where no option is set. It waits until no record does, for another retention.interval at most. */
struct gc_retainer *gc_retain_start(const struct gc_config *config, struct gc_run *run);
/* NULL is allowed. Returns when the step at hand is done. */
void gc_retain_stop(struct gc_retainer *retainer);

#endif
