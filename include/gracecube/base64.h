/* Base64 as of RFC 4648, section 4. Threads: no shared state. */
#ifndef GRACECUBE_BASE64_H
#define GRACECUBE_BASE64_H

#include <gracecube/arena.h>

/* How many characters so many bytes become. */
size_t gc_base64_bytes(size_t bytes);
/* Writes them, without a NUL; returns the place behind them. */
char *gc_base64_put(char *at, struct gc_span bytes);
/* White space is skipped (PostgreSQL breaks lines). False when it is anything else. */
bool gc_base64_decode(struct gc_span text, struct gc_arena *arena, struct gc_span *ret_bytes);

#endif
