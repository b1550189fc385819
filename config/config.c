/* The configuration as a whole: made from defaults, file and environment, changed by flags, looked at, freed.
 *
 * Threads: read and changed by the main thread before others start; only read afterwards.
 */
#include <stdlib.h>

#include <gracecube/arena.h>

#include "options.h"

/* -- origins -- */

struct gc_origins {
	size_t count;
	struct gc_origin {
		char *name, *origin;
	} *rows;
};

static struct gc_origin *find_origin(const struct gc_config *config, const char *name)
{
	for (size_t i = 0; i < config->origins->count; i++)
		if (strcmp(config->origins->rows[i].name, name) == 0)
			return &config->origins->rows[i];
	return NULL;
}

void gc_origin_put(struct gc_config *config, const char *name, const char *origin)
{
	struct gc_origin *row = find_origin(config, name);
	if (!row) {
		struct gc_origins *origins = config->origins;
		origins->rows = gc_realloc(origins->rows, (origins->count + 1) * sizeof(*origins->rows));
		row = &origins->rows[origins->count++];
		*row = (struct gc_origin){ .name = gc_strdup(name) };
	}
	gc_text_assign(&row->origin, origin);
}

const char *gc_origin_get(const struct gc_config *config, const char *name)
{
	const struct gc_origin *row = find_origin(config, name);
	return row ? row->origin : "default";
}

bool gc_config_is_chosen(const struct gc_config *config, const char *name)
{
	const char *origin = gc_origin_get(config, name);

	return strcmp(origin, "flag") == 0 || strncmp(origin, "GRACECUBE_", strlen("GRACECUBE_")) == 0;
}

/* -- the variables that the file uses: beside the origins, under names that no option has -- */

static const char *variable_row(const char *variable, char *buffer, size_t bytes)
{
	snprintf(buffer, bytes, "${%s}", variable);
	return buffer;
}

void gc_variable_note(struct gc_config *config, const char *variable)
{
	char name[GC_NAME_MAX];
	gc_origin_put(config, variable_row(variable, name, sizeof(name)), "file");
}

bool gc_variable_is_used(const struct gc_config *config, const char *variable)
{
	char name[GC_NAME_MAX];
	return find_origin(config, variable_row(variable, name, sizeof(name))) != NULL;
}

static void free_origins(struct gc_origins *origins)
{
	if (!origins)
		return;
	for (size_t i = 0; i < origins->count; i++) {
		free(origins->rows[i].name);
		free(origins->rows[i].origin);
	}
	free(origins->rows);
	free(origins);
}

/* -- librdkafka's properties -- */

/* Where an own option says the same. */
static const struct {
	const char *property, *option;
} instead[] = {
	{ "bootstrap.servers", "kafka.brokers" },
	{ "group.id", "kafka.group_id" },
	{ "metadata.broker.list", "kafka.brokers" },
	{ "queued.max.messages.kbytes", "kafka.queue_bytes" },
};

static bool is_protected(const char *name)
{
	for (const char *const *one = gc_config_protected_properties; *one; one++)
		if (strcmp(*one, name) == 0)
			return true;
	return false;
}

static enum gc_verdict fail_protected(const char *name, const char *where, struct gc_err *err)
{
	for (size_t i = 0; i < sizeof(instead) / sizeof(*instead); i++)
		if (strcmp(instead[i].property, name) == 0)
			return gc_fail(err, GC_FATAL, "config_protected", where, "%s is set by %s", name, instead[i].option);
	return gc_fail(err, GC_FATAL, "config_protected", where, "%s cannot be set: that nothing is lost or doubled depends on it",
		       name);
}

static bool is_allowed(const struct gc_allowed *allowed, const char *value)
{
	for (const char *const *one = allowed->values; *one; one++)
		if (strcmp(*one, value) == 0)
			return true;
	return false;
}

static enum gc_verdict check_allowed(const char *name, const char *value, const char *where, struct gc_err *err)
{
	const struct gc_allowed *allowed = gc_allowed_properties;
	char values[128] = "";
	size_t len = 0;

	while (allowed->name && strcmp(allowed->name, name) != 0)
		allowed++;
	if (!allowed->name || is_allowed(allowed, value))
		return GC_OK;
	for (const char *const *one = allowed->values; *one && len < sizeof(values); one++)
		len += (size_t)snprintf(values + len, sizeof(values) - len, "%s%s", len ? " or " : "", *one);
	return gc_fail(err, GC_FATAL, "config_protected", where, "%s must be %s, not \"%.80s\"", name, values, value);
}

static struct gc_property *property_slot(struct gc_config *config, const char *name)
{
	for (size_t i = 0; i < config->kafka_property_count; i++)
		if (strcmp(config->kafka_properties[i].name, name) == 0)
			return &config->kafka_properties[i];
	size_t count = config->kafka_property_count + 1;
	config->kafka_properties = gc_realloc(config->kafka_properties, count * sizeof(*config->kafka_properties));
	config->kafka_properties[count - 1] = (struct gc_property){ .name = gc_strdup(name) };
	config->kafka_property_count = count;
	return &config->kafka_properties[count - 1];
}

enum gc_verdict gc_property_assign(struct gc_config *config, const char *name, const char *value, const struct gc_place *place,
				   struct gc_err *err)
{
	char full_name[GC_NAME_MAX];
	if (is_protected(name))
		return fail_protected(name, place->where, err);
	if (check_allowed(name, value, place->where, err))
		return err->verdict;
	if (*name == '\0' || snprintf(full_name, sizeof(full_name), GC_PROPERTIES ".%s", name) >= GC_NAME_MAX)
		return gc_fail(err, GC_FATAL, "config_unknown_key", place->where,
			       "a property of librdkafka has a name like linger.ms, not \"%.80s\"", name);
	gc_text_assign(&property_slot(config, name)->value, value);
	gc_origin_put(config, full_name, place->origin);
	return GC_OK;
}

/* -- the whole -- */

static void init_streams(struct gc_config *config, const char *const *names)
{
	while (names[config->stream_count])
		config->stream_count++;
	config->streams = gc_calloc(config->stream_count, sizeof(*config->streams));
	for (size_t i = 0; i < config->stream_count; i++)
		config->streams[i].name = names[i];
}

/* The table's defaults must pass the table's checks; a test loads them, so this cannot happen to a user. */
static void assign_default(struct gc_config *config, const struct gc_option_at *at)
{
	struct gc_err err;
	const struct gc_place place = { "default", "default" };
	char *initially = gc_option_initially(at->option, at->stream);
	if (gc_option_assign(config, at, initially, &place, &err))
		abort();
	free(initially);
}

static void init_defaults(struct gc_config *config, const char *const *stream_names)
{
	*config = (struct gc_config){ .origins = gc_calloc(1, sizeof(*config->origins)) };
	init_streams(config, stream_names);
	struct gc_option_at at;
	for (size_t i = 0; gc_option_at(config, i, &at); i++)
		assign_default(config, &at);
}

enum gc_verdict gc_config_load(struct gc_config *ret_config, const char *path, const char *const *stream_names, struct gc_err *err)
{
	struct gc_config config;
	init_defaults(&config, stream_names);
	enum gc_verdict verdict = gc_config_read_file(&config, path, err);
	if (!verdict)
		verdict = gc_config_read_environment(&config, err);
	if (!verdict)
		verdict = gc_config_check(&config, err);
	if (verdict)
		gc_config_free(&config);
	else
		*ret_config = config;
	return verdict;
}

static bool has_secret(const char *value)
{
	char *masked = gc_secret_mask(value);
	bool differs = strcmp(masked, value) != 0;
	free(masked);
	return differs;
}

enum gc_verdict gc_config_set(struct gc_config *config, const char *name, const char *value, struct gc_err *err)
{
	static const char properties[] = GC_PROPERTIES ".";
	const struct gc_place place = { name, "flag" };
	struct gc_option_at at;
	if (gc_secret_name(name) || has_secret(value))
		return gc_fail(err, GC_FATAL, "config_secret", name,
			       "a secret is never an argument, where all users of the machine can read it; %s",
			       "put it into the file as ${VAR}, or into the environment");
	if (strncmp(name, properties, strlen(properties)) == 0)
		return gc_property_assign(config, name + strlen(properties), value, &place, err);
	if (!gc_option_find(config, name, &at))
		return gc_option_unknown(config, name, name, err);
	return gc_option_assign(config, &at, value, &place, err);
}

/* One topic in two streams would be read by whichever comes first. */
static enum gc_verdict check_topic_once(const struct gc_config *config, size_t stream, size_t topic, struct gc_err *err)
{
	const struct gc_stream_config *mine = &config->streams[stream];
	for (size_t i = 0; i <= stream; i++) {
		const struct gc_stream_config *other = &config->streams[i];
		size_t count = i == stream ? topic : other->topic_count;
		for (size_t j = 0; j < count; j++) {
			if (strcmp(other->topics[j], mine->topics[topic]) != 0)
				continue;
			char name[GC_NAME_MAX];
			snprintf(name, sizeof(name), "streams.%s.topics", mine->name);
			return gc_fail(err, GC_FATAL, "config_duplicate_topic", gc_origin_get(config, name),
				       "topic %s stands in streams.%s.topics and in %s", mine->topics[topic], other->name, name);
		}
	}
	return GC_OK;
}

static enum gc_verdict check_topics_once(const struct gc_config *config, struct gc_err *err)
{
	for (size_t i = 0; i < config->stream_count; i++)
		for (size_t j = 0; j < config->streams[i].topic_count; j++)
			if (check_topic_once(config, i, j, err))
				return GC_FATAL;
	return GC_OK;
}

static enum gc_verdict check_password(const struct gc_config *config, struct gc_err *err)
{
	char *password = NULL;
	enum gc_verdict verdict = gc_config_password(config, &password, err);
	if (password)
		explicit_bzero(password, strlen(password));
	free(password);
	return verdict;
}

const char *gc_config_default_group(const struct gc_config *config, char *buffer)
{
	bool is_default = strcmp(config->cube_schema, GC_SCHEMA_DEFAULT) == 0;
	snprintf(buffer, GC_GROUP_BYTES, GC_GROUP_DEFAULT "%s%s", is_default ? "" : "-", is_default ? "" : config->cube_schema);
	return buffer;
}

/* Two cubes of one group would each get half of the records. */
static enum gc_verdict check_group(const struct gc_config *config, struct gc_err *err)
{
	char group[GC_GROUP_BYTES];
	if (strcmp(config->kafka_group_id, GC_GROUP_DEFAULT) != 0 ||
	    strcmp(gc_config_default_group(config, group), GC_GROUP_DEFAULT) == 0)
		return GC_OK;
	return gc_fail(err, GC_FATAL, "config_group", gc_origin_get(config, "kafka.group_id"),
		       "kafka.group_id is " GC_GROUP_DEFAULT ", the group of the cube in the schema " GC_SCHEMA_DEFAULT
		       ", and cube.schema is %s: leave it empty, and it is %s, or name another",
		       config->cube_schema, group);
}

enum gc_verdict gc_config_check(const struct gc_config *config, struct gc_err *err)
{
	enum gc_verdict verdict = check_topics_once(config, err);
	if (!verdict)
		verdict = check_group(config, err);
	return verdict ? verdict : check_password(config, err);
}

static void visit_masked(const struct gc_config *config, const char *name, const char *value,
			 void (*visit)(void *context, const char *name, const char *value, const char *origin), void *context)
{
	char *masked = gc_secret_name(name) ? gc_strdup("***") : gc_secret_mask(value);
	visit(context, name, masked, gc_origin_get(config, name));
	free(masked);
}

void gc_config_each(const struct gc_config *config,
		    void (*visit)(void *context, const char *name, const char *value, const char *origin), void *context)
{
	struct gc_option_at at;
	for (size_t i = 0; gc_option_at(config, i, &at); i++) {
		char *value = gc_option_print(config, &at);
		visit_masked(config, at.name, value, visit, context);
		free(value);
	}
	for (size_t i = 0; i < config->kafka_property_count; i++) {
		char name[GC_NAME_MAX];
		snprintf(name, sizeof(name), GC_PROPERTIES ".%s", config->kafka_properties[i].name);
		visit_masked(config, name, config->kafka_properties[i].value, visit, context);
	}
}

const struct gc_stream_config *gc_config_stream_of(const struct gc_config *config, struct gc_span topic)
{
	for (size_t s = 0; s < config->stream_count; s++) {
		for (size_t t = 0; t < config->streams[s].topic_count; t++) {
			if (gc_span_equal(gc_span_of(config->streams[s].topics[t]), topic))
				return &config->streams[s];
		}
	}
	return NULL;
}

void gc_config_free(struct gc_config *config)
{
	struct gc_option_at at;
	for (size_t i = 0; gc_option_at(config, i, &at); i++)
		gc_option_clear(config, &at);
	for (size_t i = 0; i < config->kafka_property_count; i++) {
		free(config->kafka_properties[i].name);
		free(config->kafka_properties[i].value);
	}
	free(config->kafka_properties);
	free(config->streams);
	free(config->path);
	free_origins(config->origins);
	*config = (struct gc_config){ .path = NULL };
}
