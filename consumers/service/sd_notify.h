/* systemd's readiness protocol: one datagram to $NOTIFY_SOCKET (sd_notify(3), "Standalone Implementations"). libsystemd is not
 * linked for it: the protocol is stable, and the library would be one more thing inside of a process that holds secrets.
 *
 * Threads: safe from any thread.
 */
#ifndef GRACECUBE_NOTIFY_H
#define GRACECUBE_NOTIFY_H

#include <stdint.h>

/* "READY=1", "STOPPING=1", "WATCHDOG=1", "STATUS=…", lines joined by \n. Does nothing where nobody listens. */
void gc_notify(const char *state);
/* How often systemd wants WATCHDOG=1, 0 for never: half of WatchdogSec, as sd_watchdog_enabled(3) advises. */
int64_t gc_notify_interval_us(void);

#endif
