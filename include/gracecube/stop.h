/* The wish to stop, by SIGINT or SIGTERM. Threads: signals may come to any; the flag is read by all. */
#ifndef GRACECUBE_STOP_H
#define GRACECUBE_STOP_H

#include <stdbool.h>
#include <stdint.h>

/* From now on the first signal is a wish, a second one ends the process at once with 128 + its number. A reader that went away
 * (SIGPIPE) is an error of the write, no end. What has not ended limit_us after the wish is left as it is, with exit code 69: it waits for
 * something that is silent or frozen; 0: no limit. */
void gc_stop_on_signals(int64_t limit_us);
/* The end begins without a signal: the limit counts from now on. */
void gc_stop_begins(void);
bool gc_stop_was_asked(void);

#endif
