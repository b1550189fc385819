/* Dimension cache: see dimension_cache.h. Threads: one per worker. */
#include <gracecube/dimension_cache.h>

void gc_dimension_cache_init(struct gc_dimension_cache *cache, int64_t limit)
{
	*cache = (struct gc_dimension_cache){ .limit = limit };
	for (int d = 0; d < GC_DIM_COUNT; d++)
		gc_map_init(&cache->members[d]);
	gc_map_init(&cache->declared_components);
	gc_map_init(&cache->known_missions);
	gc_map_init(&cache->partitions);
	gc_map_init(&cache->hours);
}

void gc_dimension_cache_clear(struct gc_dimension_cache *cache)
{
	for (int d = 0; d < GC_DIM_COUNT; d++)
		gc_map_clear(&cache->members[d]);
	gc_map_clear(&cache->declared_components);
	gc_map_clear(&cache->known_missions);
	gc_map_clear(&cache->partitions);
	gc_map_clear(&cache->hours);
}

void gc_dimension_cache_done(struct gc_dimension_cache *cache)
{
	gc_dimension_cache_clear(cache);
}

static void trim(const struct gc_dimension_cache *cache, struct gc_map *map)
{
	if ((int64_t)map->count > cache->limit)
		gc_map_clear(map);
}

/* A full map is emptied: simpler than LRU, and a refill is one round trip. Not while a batch is under way: what it has found once it must
 * find again, or a fact would point at the unknown member. */
void gc_dimension_cache_trim(struct gc_dimension_cache *cache)
{
	for (int d = 0; d < GC_DIM_COUNT; d++)
		trim(cache, &cache->members[d]);
	trim(cache, &cache->known_missions);
	trim(cache, &cache->partitions);
	trim(cache, &cache->hours);
}

bool gc_dimension_cache_find(struct gc_dimension_cache *cache, enum gc_dimension dimension, struct gc_span natural,
			     int32_t *ret_key)
{
	int64_t key = 0;

	if (natural.len > 0 && !gc_map_get(&cache->members[dimension], natural, &key)) {
		cache->missed++;
		return false;
	}
	cache->hits++;
	*ret_key = (int32_t)key;
	return true;
}

void gc_dimension_cache_put(struct gc_dimension_cache *cache, enum gc_dimension dimension, struct gc_span natural, int32_t key)
{
	gc_map_put(&cache->members[dimension], natural, key);
}

void gc_dimension_cache_declare_component(struct gc_dimension_cache *cache, struct gc_span name)
{
	gc_map_put(&cache->declared_components, name, 1);
}

bool gc_dimension_cache_is_declared(const struct gc_dimension_cache *cache, struct gc_span name)
{
	int64_t one;

	return gc_map_get(&cache->declared_components, name, &one);
}

void gc_dimension_cache_put_mission(struct gc_dimension_cache *cache, struct gc_span mission_id)
{
	gc_map_put(&cache->known_missions, mission_id, 1);
}

bool gc_dimension_cache_has_mission(const struct gc_dimension_cache *cache, struct gc_span mission_id)
{
	int64_t one;

	return gc_map_get(&cache->known_missions, mission_id, &one);
}

struct partition_name {
	const char *target; /* descriptors are static: the pointer is the name */
	int64_t month;
};

bool gc_dimension_cache_has_partition(const struct gc_dimension_cache *cache, const char *target, int32_t month)
{
	struct partition_name name = { target, month };
	int64_t one;

	return gc_map_get(&cache->partitions, (struct gc_span){ (const char *)&name, sizeof(name) }, &one);
}

void gc_dimension_cache_put_partition(struct gc_dimension_cache *cache, const char *target, int32_t month)
{
	struct partition_name name = { target, month };

	gc_map_put(&cache->partitions, (struct gc_span){ (const char *)&name, sizeof(name) }, 1);
}

bool gc_dimension_cache_has_hour(const struct gc_dimension_cache *cache, int32_t hour)
{
	int64_t one;

	return gc_map_get(&cache->hours, (struct gc_span){ (const char *)&hour, sizeof(hour) }, &one);
}

void gc_dimension_cache_put_hour(struct gc_dimension_cache *cache, int32_t hour)
{
	gc_map_put(&cache->hours, (struct gc_span){ (const char *)&hour, sizeof(hour) }, 1);
}
