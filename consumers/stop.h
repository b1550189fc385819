/* The wish to stop, by SIGINT or SIGTERM. Threads: signals may come to any; the flag is read by all. */
#ifndef GRACECUBE_STOP_H
#define GRACECUBE_STOP_H

#include <stdbool.h>

/* From now on the first signal is a wish, a second one ends the process at once with 128 + its number. A reader that went away
 * (SIGPIPE) is an error of the write, no end. */
void gc_stop_on_signals(void);
bool gc_stop_was_asked(void);

#endif
