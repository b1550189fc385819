/* Names of options: whole names, groups, environment variables, and the nearest one to a wrong one.
 *
 * Threads: no shared state.
 */
#include <ctype.h>

#include <gracecube/human.h>

#include "options.h"

static size_t count_rows(const struct gc_option *options)
{
	size_t count = 0;
	while (options[count].name)
		count++;
	return count;
}

bool gc_option_at(const struct gc_config *config, size_t index, struct gc_option_at *ret_at)
{
	size_t own = count_rows(gc_options), each = count_rows(gc_stream_options);
	if (index < own) {
		*ret_at = (struct gc_option_at){ .option = &gc_options[index] };
		snprintf(ret_at->name, sizeof(ret_at->name), "%s", gc_options[index].name);
		return true;
	}
	size_t stream = (index - own) / each;
	if (stream >= config->stream_count)
		return false;
	*ret_at = (struct gc_option_at){ .option = &gc_stream_options[(index - own) % each],
					 .stream = config->streams[stream].name,
					 .stream_index = stream };
	snprintf(ret_at->name, sizeof(ret_at->name), "streams.%s.%s", ret_at->stream, ret_at->option->name);
	return true;
}

bool gc_option_find(const struct gc_config *config, const char *name, struct gc_option_at *ret_at)
{
	struct gc_option_at at;
	for (size_t i = 0; gc_option_at(config, i, &at); i++) {
		if (strcmp(at.name, name) == 0) {
			*ret_at = at;
			return true;
		}
	}
	return false;
}

bool gc_option_is_group(const struct gc_config *config, const char *name)
{
	size_t len = strlen(name);
	struct gc_option_at at;
	for (size_t i = 0; gc_option_at(config, i, &at); i++)
		if (strncmp(at.name, name, len) == 0 && at.name[len] == '.')
			return true;
	return strcmp(name, GC_PROPERTIES) == 0;
}

const char *gc_option_variable(const char *name, char *buffer, size_t bytes)
{
	snprintf(buffer, bytes, "GRACECUBE_%s", name);
	for (char *at = buffer; *at; at++)
		*at = *at == '.' ? '_' : (char)toupper((unsigned char)*at);
	return buffer;
}

/* Offers a name that lives shorter than `nearest`: the best one is kept in buffer. */
static void offer_copy(struct gc_nearest *nearest, const char *name, char *buffer, size_t bytes)
{
	gc_nearest_offer(nearest, name);
	if (nearest->best != name)
		return;
	snprintf(buffer, bytes, "%s", name);
	nearest->best = buffer;
}

/* The name and the groups that it is in: streams.x.topics, streams.x, streams. */
static void offer_with_groups(struct gc_nearest *nearest, char *name, char *buffer, size_t bytes)
{
	for (char *dot = name + strlen(name); dot; dot = strrchr(name, '.')) {
		*dot = '\0';
		offer_copy(nearest, name, buffer, bytes);
	}
}

static const char *last_word(const char *name)
{
	const char *dot = strrchr(name, '.');
	return dot ? dot + 1 : name;
}

/* Whether the name stands in a section that there is: then its key is what is wrong. */
static bool has_group(const struct gc_config *config, const char *name)
{
	char group[GC_NAME_MAX];
	const char *dot = strrchr(name, '.');
	snprintf(group, sizeof(group), "%.*s", dot ? (int)(dot - name) : 0, name);
	return !dot || gc_option_is_group(config, group);
}

/* The option with the nearest key in any section. */
static struct gc_nearest nearest_key(const struct gc_config *config, const char *name, char *buffer, size_t bytes)
{
	struct gc_nearest nearest = { .word = last_word(name) };
	struct gc_option_at at;
	for (size_t i = 0; gc_option_at(config, i, &at); i++) {
		const char *key = last_word(at.name);
		gc_nearest_offer(&nearest, key);
		if (nearest.best != key)
			continue;
		snprintf(buffer, bytes, "%s", at.name);
		nearest.best = buffer;
	}
	return nearest;
}

static struct gc_nearest nearest_name(const struct gc_config *config, const char *name, char *buffer, size_t bytes)
{
	struct gc_nearest nearest = { .word = name };
	struct gc_option_at at;
	for (size_t i = 0; gc_option_at(config, i, &at); i++)
		offer_with_groups(&nearest, at.name, buffer, bytes);
	offer_copy(&nearest, GC_PROPERTIES, buffer, bytes);
	return nearest;
}

/* A right key in a wrong section comes first, then the nearest whole name, then the nearest key. */
const char *gc_option_nearest(const struct gc_config *config, const char *name, char *buffer, size_t bytes)
{
	struct gc_nearest key = nearest_key(config, name, buffer, bytes);
	if (key.best && key.distance == 0 && has_group(config, name))
		return key.best;
	struct gc_nearest whole = nearest_name(config, name, buffer, bytes);
	return whole.best ? whole.best : nearest_key(config, name, buffer, bytes).best;
}

enum gc_verdict gc_option_unknown(const struct gc_config *config, const char *name, const char *where, struct gc_err *err)
{
	char buffer[GC_NAME_MAX];
	const char *nearest = gc_option_nearest(config, name, buffer, sizeof(buffer));
	if (nearest)
		return gc_fail(err, GC_FATAL, "config_unknown_key", where, "there is no option %.80s; did you mean %s?", name,
			       nearest);
	return gc_fail(err, GC_FATAL, "config_unknown_key", where, "there is no option %.80s; `gracecube config show` lists them",
		       name);
}
