/* Dimension cache: natural key → surrogate key, in memory, and what exists in the cube already (monthly partitions, the minutes of
 * dim_time). Only what is committed is ever cached: misses are resolved in a transaction of their own, before the facts' transaction. After
 * a lost connection it is cleared, because a failover may have lost a member.
 *
 * Bounded: a map above its limit is emptied and filled anew, between two batches only: a batch looks keys up when it decodes and again when
 * it assigns them. Threads: one per worker.
 */
#ifndef GRACECUBE_DIMENSION_CACHE_H
#define GRACECUBE_DIMENSION_CACHE_H

#include <gracecube/arena.h>
#include <gracecube/map.h>
#include <gracecube/stream.h>

struct gc_dimension_cache {
	struct gc_map members[GC_DIM_COUNT];
	struct gc_map declared_components; /* those that are no inferred members: the names a text may mention */
	struct gc_map known_missions;      /* missions whose own record has been applied */
	struct gc_map partitions;          /* monthly partitions that exist, by target and month */
	struct gc_map hours;               /* hours whose minutes are in dim_time */
	int64_t limit;
	uint64_t hits, missed;
};

void gc_dimension_cache_init(struct gc_dimension_cache *cache, int64_t limit);
void gc_dimension_cache_done(struct gc_dimension_cache *cache);
void gc_dimension_cache_clear(struct gc_dimension_cache *cache);
/* Empties what is above its limit; gc_batch_reset() does it. */
void gc_dimension_cache_trim(struct gc_dimension_cache *cache);
/* Key 0, the unknown member, for NULL and empty. False: not known yet. */
bool gc_dimension_cache_find(struct gc_dimension_cache *cache, enum gc_dimension dimension, struct gc_span natural,
			     int32_t *ret_key);
void gc_dimension_cache_put(struct gc_dimension_cache *cache, enum gc_dimension dimension, struct gc_span natural, int32_t key);

/* The declared components, read once a connection. */
void gc_dimension_cache_declare_component(struct gc_dimension_cache *cache, struct gc_span name);
bool gc_dimension_cache_is_declared(const struct gc_dimension_cache *cache, struct gc_span name);
/* Missions whose own record is committed. */
void gc_dimension_cache_put_mission(struct gc_dimension_cache *cache, struct gc_span mission_id);
bool gc_dimension_cache_has_mission(const struct gc_dimension_cache *cache, struct gc_span mission_id);
/* Partitions by target name (a descriptor's own string) and month since 1970-01; hours since 1970-01-01T00Z. */
bool gc_dimension_cache_has_partition(const struct gc_dimension_cache *cache, const char *target, int32_t month);
void gc_dimension_cache_put_partition(struct gc_dimension_cache *cache, const char *target, int32_t month);
bool gc_dimension_cache_has_hour(const struct gc_dimension_cache *cache, int32_t hour);
void gc_dimension_cache_put_hour(struct gc_dimension_cache *cache, int32_t hour);

/* What one batch misses; each natural key once. Members of one dimension sorted once coalesced. */
struct gc_misses {
	struct gc_span *members[GC_DIM_COUNT];
	size_t member_count[GC_DIM_COUNT];
	struct gc_missing_partition {
		const char *target;
		int32_t month; /* since 1970-01 */
	} *partitions;
	size_t partition_count;
	int32_t *hours; /* since 1970-01-01T00Z */
	size_t hour_count;
};

#endif
