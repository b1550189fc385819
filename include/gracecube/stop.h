/* Requests to stop, by SIGINT or SIGTERM. Threads: signals may come to any; the flag is read by all. */
#ifndef GRACECUBE_STOP_H
#define GRACECUBE_STOP_H

#include <stdbool.h>
#include <stdint.h>

/* From now on the first signal requests a stop, a second one ends the process at once with 128 + its number. A reader that went away
 * (SIGPIPE) is an error of the write and ends nothing. A process that has not stopped limit_us after the request exits with code 69: it
 * waits for something that does not answer; 0: no limit. */
void gc_stop_on_signals(int64_t limit_us);
/* Stopping begins without a signal: the limit counts from now on. */
void gc_stop_begins(void);
bool gc_stop_was_asked(void);

#endif
