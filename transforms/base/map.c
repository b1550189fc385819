/* Map from bytes to int64 with linear probing; at most two thirds full, doubling.
 *
 * Nothing is ever taken out alone, so a probe ends at the first empty slot. Each key is an allocation of its own.
 * Threads: one map belongs to one thread.
 */
#include <stdlib.h>

#include <gracecube/arena.h>
#include <gracecube/map.h>

#define CAPACITY_MIN ((size_t)16)

struct gc_map_slot {
	uint64_t hash;
	char *key; /* NULL: empty */
	size_t key_bytes;
	int64_t value;
};

void gc_map_init(struct gc_map *map)
{
	*map = (struct gc_map){ 0 };
}

void gc_map_done(struct gc_map *map)
{
	for (size_t i = 0; i < map->capacity; i++)
		free(map->slots[i].key);
	free(map->slots);
	gc_map_init(map);
}

void gc_map_clear(struct gc_map *map)
{
	gc_map_done(map);
}

/* The key's slot, or the empty one where it belongs. The capacity is a power of two and never full. */
static struct gc_map_slot *find_slot(const struct gc_map *map, uint64_t hash, struct gc_span key)
{
	size_t mask = map->capacity - 1;

	for (size_t i = (size_t)hash & mask;; i = (i + 1) & mask) {
		struct gc_map_slot *slot = &map->slots[i];
		struct gc_span held = { slot->key, slot->key_bytes };

		if (!slot->key || (slot->hash == hash && gc_span_equal(held, key)))
			return slot;
	}
}

bool gc_map_get(const struct gc_map *map, struct gc_span key, int64_t *ret_value)
{
	if (map->count == 0)
		return false;
	const struct gc_map_slot *slot = find_slot(map, gc_span_hash(key), key);
	if (!slot->key)
		return false;
	*ret_value = slot->value;
	return true;
}

static void grow(struct gc_map *map)
{
	struct gc_map larger = { .count = map->count, .capacity = map->capacity ? map->capacity * 2 : CAPACITY_MIN };

	larger.slots = gc_calloc(larger.capacity, sizeof(*larger.slots));
	for (size_t i = 0; i < map->capacity; i++) {
		const struct gc_map_slot *slot = &map->slots[i];

		if (slot->key)
			*find_slot(&larger, slot->hash, (struct gc_span){ slot->key, slot->key_bytes }) = *slot;
	}
	free(map->slots);
	*map = larger;
}

static char *copy_key(struct gc_span key)
{
	char *copy = gc_malloc(key.len);

	if (key.len)
		memcpy(copy, key.ptr, key.len);
	return copy;
}

void gc_map_put(struct gc_map *map, struct gc_span key, int64_t value)
{
	uint64_t hash = gc_span_hash(key);

	if ((map->count + 1) * 3 > map->capacity * 2)
		grow(map);
	struct gc_map_slot *slot = find_slot(map, hash, key);
	if (!slot->key) {
		*slot = (struct gc_map_slot){ .hash = hash, .key = copy_key(key), .key_bytes = key.len };
		map->count++;
	}
	slot->value = value;
}
