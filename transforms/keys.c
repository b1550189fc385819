/* Keys: see keys.h. Threads: one per worker. */
#include <gracecube/keys.h>

void gc_keys_init(struct gc_keys *keys, int64_t limit)
{
	*keys = (struct gc_keys){ .limit = limit };
	for (int d = 0; d < GC_DIM_COUNT; d++)
		gc_map_init(&keys->members[d]);
	gc_map_init(&keys->declared_components);
	gc_map_init(&keys->known_missions);
	gc_map_init(&keys->partitions);
	gc_map_init(&keys->hours);
}

void gc_keys_forget(struct gc_keys *keys)
{
	for (int d = 0; d < GC_DIM_COUNT; d++)
		gc_map_clear(&keys->members[d]);
	gc_map_clear(&keys->declared_components);
	gc_map_clear(&keys->known_missions);
	gc_map_clear(&keys->partitions);
	gc_map_clear(&keys->hours);
}

void gc_keys_done(struct gc_keys *keys)
{
	gc_keys_forget(keys);
}

static void trim(const struct gc_keys *keys, struct gc_map *map)
{
	if ((int64_t)map->count > keys->limit)
		gc_map_clear(map);
}

/* A full cache starts again: simpler than an order of use, and a refill is one round trip. Not while a batch is under way: what it
 * has found once it must find again, or a fact would point at the unknown member. */
void gc_keys_trim(struct gc_keys *keys)
{
	for (int d = 0; d < GC_DIM_COUNT; d++)
		trim(keys, &keys->members[d]);
	trim(keys, &keys->known_missions);
	trim(keys, &keys->partitions);
	trim(keys, &keys->hours);
}

bool gc_keys_find(struct gc_keys *keys, enum gc_dimension dimension, struct gc_span natural, int32_t *ret_key)
{
	int64_t key = 0;

	if (natural.len > 0 && !gc_map_get(&keys->members[dimension], natural, &key)) {
		keys->missed++;
		return false;
	}
	keys->hits++;
	*ret_key = (int32_t)key;
	return true;
}

void gc_keys_learn(struct gc_keys *keys, enum gc_dimension dimension, struct gc_span natural, int32_t key)
{
	gc_map_put(&keys->members[dimension], natural, key);
}

void gc_keys_declare_component(struct gc_keys *keys, struct gc_span name)
{
	gc_map_put(&keys->declared_components, name, 1);
}

bool gc_keys_is_declared(const struct gc_keys *keys, struct gc_span name)
{
	int64_t one;

	return gc_map_get(&keys->declared_components, name, &one);
}

void gc_keys_learn_mission(struct gc_keys *keys, struct gc_span mission_id)
{
	gc_map_put(&keys->known_missions, mission_id, 1);
}

bool gc_keys_knows_mission(const struct gc_keys *keys, struct gc_span mission_id)
{
	int64_t one;

	return gc_map_get(&keys->known_missions, mission_id, &one);
}

struct partition_name {
	const char *target; /* descriptors are static: the pointer is the name */
	int64_t month;
};

bool gc_keys_has_partition(const struct gc_keys *keys, const char *target, int32_t month)
{
	struct partition_name name = { target, month };
	int64_t one;

	return gc_map_get(&keys->partitions, (struct gc_span){ (const char *)&name, sizeof(name) }, &one);
}

void gc_keys_learn_partition(struct gc_keys *keys, const char *target, int32_t month)
{
	struct partition_name name = { target, month };

	gc_map_put(&keys->partitions, (struct gc_span){ (const char *)&name, sizeof(name) }, 1);
}

bool gc_keys_has_hour(const struct gc_keys *keys, int32_t hour)
{
	int64_t one;

	return gc_map_get(&keys->hours, (struct gc_span){ (const char *)&hour, sizeof(hour) }, &one);
}

void gc_keys_learn_hour(struct gc_keys *keys, int32_t hour)
{
	gc_map_put(&keys->hours, (struct gc_span){ (const char *)&hour, sizeof(hour) }, 1);
}
