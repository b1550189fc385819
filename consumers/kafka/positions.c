/* Positions: see positions.h. */
#include "kafka/positions.h"

#include <gracecube/arena.h>
#include <gracecube/log.h>
#include <gracecube/time.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

struct gc_positions {
	pthread_mutex_t lock; /* of the list, and of each position's reason */
	struct gc_position **list;
	size_t count, capacity;
};

struct gc_positions *gc_positions_new(void)
{
	struct gc_positions *positions = gc_calloc(1, sizeof(*positions));

	pthread_mutex_init(&positions->lock, NULL);
	return positions;
}

void gc_positions_free(struct gc_positions *positions)
{
	if (!positions)
		return;
	for (size_t i = 0; i < positions->count; i++) {
		free(positions->list[i]->topic);
		free(positions->list[i]);
	}
	pthread_mutex_destroy(&positions->lock);
	free(positions->list);
	free(positions);
}

static struct gc_position *find_position(struct gc_positions *positions, const char *topic, int32_t partition)
{
	for (size_t i = 0; i < positions->count; i++) {
		if (positions->list[i]->partition == partition && strcmp(positions->list[i]->topic, topic) == 0)
			return positions->list[i];
	}
	return NULL;
}

static struct gc_position *add_position(struct gc_positions *positions, const char *topic, int32_t partition)
{
	struct gc_position *position = gc_calloc(1, sizeof(*position));

	if (positions->count == positions->capacity) {
		positions->capacity = positions->capacity ? positions->capacity * 2 : 64;
		positions->list = gc_realloc(positions->list, positions->capacity * sizeof(*positions->list));
	}
	position->topic = gc_strdup(topic);
	position->partition = partition;
	atomic_store(&position->limit, INT64_MAX);
	positions->list[positions->count++] = position;
	return position;
}

struct gc_position *gc_position_get(struct gc_positions *positions, const char *topic, int32_t partition)
{
	struct gc_position *position;

	pthread_mutex_lock(&positions->lock);
	position = find_position(positions, topic, partition);
	if (!position)
		position = add_position(positions, topic, partition);
	pthread_mutex_unlock(&positions->lock);
	return position;
}

struct gc_position *gc_position_find(struct gc_positions *positions, const char *topic, int32_t partition)
{
	struct gc_position *position;

	pthread_mutex_lock(&positions->lock);
	position = find_position(positions, topic, partition);
	pthread_mutex_unlock(&positions->lock);
	return position;
}

void gc_positions_each(struct gc_positions *positions, void (*each)(void *arg, const struct gc_position *position), void *arg)
{
	pthread_mutex_lock(&positions->lock);
	for (size_t i = 0; i < positions->count; i++)
		each(arg, positions->list[i]);
	pthread_mutex_unlock(&positions->lock);
}

/* Every worker meets a missing topic; one of them logs it. */
void gc_position_halt(struct gc_positions *positions, struct gc_position *position, const struct gc_err *why)
{
	bool is_news;

	pthread_mutex_lock(&positions->lock);
	is_news = position->halted_us == 0 || strcmp(position->halt.text, why->text) != 0;
	if (position->halted_us == 0)
		atomic_store(&position->halted_us, gc_now_us());
	if (is_news)
		atomic_store(&position->told_us, -1);
	position->halt = *why;
	pthread_mutex_unlock(&positions->lock);
	if (is_news && position->partition == GC_WHOLE_TOPIC)
		gc_warn("a topic is not read; the others go on", GC_S("topic", position->topic), GC_ERR_FIELDS(why));
	else if (is_news)
		gc_error("a partition is halted; the others go on", GC_S("topic", position->topic),
			 GC_I("partition", position->partition), GC_ERR_FIELDS(why));
}

void gc_position_heal(struct gc_positions *positions, struct gc_position *position)
{
	int64_t since_us;

	pthread_mutex_lock(&positions->lock);
	since_us = atomic_exchange(&position->halted_us, 0);
	pthread_mutex_unlock(&positions->lock);
	if (since_us != 0)
		gc_info("it is read again", GC_S("topic", position->topic), GC_I("partition", position->partition),
			GC_I("stood_s", (gc_now_us() - since_us) / GC_SECOND_US));
}
