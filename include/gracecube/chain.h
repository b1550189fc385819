/* The chain of Grace's immutable log: each entry is hashed together with the hash of the one before it.
 *
 * Threads: no shared state.
 */
#ifndef GRACECUBE_CHAIN_H
#define GRACECUBE_CHAIN_H

#include <gracecube/arena.h>

#define GC_CHAIN_HASH_BYTES 65 /* with its NUL */

struct gc_chain_entry {
	int64_t sequence;
	struct gc_span actor, action, resource, payload, result, previous_hash; /* as they stand; NULL is hashed as "None" */
};

/* sha256 over "sequence:actor:action:resource:payload:result:previous_hash" in hexadecimal digits; false when OpenSSL refuses. Its
 * time is not in it. */
bool gc_chain_hash(const struct gc_chain_entry *entry, struct gc_arena *arena, char hex[GC_CHAIN_HASH_BYTES]);

#endif
