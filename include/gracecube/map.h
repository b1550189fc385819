/* Map from bytes to int64: open addressing, own copies of the keys. For the dimension caches and their like.
 *
 * Threads: one map belongs to one thread.
 */
#ifndef GRACECUBE_MAP_H
#define GRACECUBE_MAP_H

#include <gracecube/span.h>

struct gc_map_slot;

struct gc_map {
	struct gc_map_slot *slots;
	size_t count, capacity;
};

void gc_map_init(struct gc_map *map);
void gc_map_done(struct gc_map *map);
/* Forgets all; keeps no memory. */
void gc_map_clear(struct gc_map *map);
bool gc_map_get(const struct gc_map *map, struct gc_span key, int64_t *ret_value);
/* Adds or replaces; copies the key. */
void gc_map_put(struct gc_map *map, struct gc_span key, int64_t value);

#endif
