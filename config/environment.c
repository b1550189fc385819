/* The environment. A variable belongs to an option when the option's name makes it: names hold underscores too
 * (GRACECUBE_KAFKA_GROUP_ID), so they are compared with the table and never taken apart.
 *
 * The one exception are librdkafka's properties, which are not in the table and have no underscores:
 * GRACECUBE_KAFKA_PROPERTIES_SASL_PASSWORD is sasl.password.
 * Threads: nobody may change the environment meanwhile.
 */
#include <ctype.h>
#include <stdlib.h>
#include <unistd.h>

#include <gracecube/arena.h>
#include <gracecube/human.h>

#include "options.h"

static const char own_prefix[] = "GRACECUBE_";
static const char properties_prefix[] = "GRACECUBE_KAFKA_PROPERTIES_";

static bool starts_with(const char *text, const char *prefix)
{
	return strncmp(text, prefix, strlen(prefix)) == 0;
}

static bool find_option(const struct gc_config *config, const char *variable, struct gc_option_at *ret_at)
{
	char buffer[GC_NAME_MAX + sizeof(own_prefix)];
	struct gc_option_at at;
	for (size_t i = 0; gc_option_at(config, i, &at); i++) {
		if (strcmp(gc_option_variable(at.name, buffer, sizeof(buffer)), variable) == 0) {
			*ret_at = at;
			return true;
		}
	}
	return false;
}

static enum gc_verdict set_property(struct gc_config *config, const char *variable, const char *value, struct gc_err *err)
{
	const struct gc_place place = { variable, variable };
	char *name = gc_strdup(variable + strlen(properties_prefix));
	for (char *at = name; *at; at++)
		*at = *at == '_' ? '.' : (char)tolower((unsigned char)*at);
	enum gc_verdict verdict = gc_property_assign(config, name, value, &place, err);
	free(name);
	return verdict;
}

/* A variable that does nothing is most often one that was meant to do something. */
static enum gc_verdict fail_unknown(const struct gc_config *config, const char *variable, struct gc_err *err)
{
	char nearest_name[GC_NAME_MAX + sizeof(own_prefix)], buffer[sizeof(nearest_name)];
	struct gc_nearest nearest = { .word = variable };
	struct gc_option_at at;
	for (size_t i = 0; gc_option_at(config, i, &at); i++) {
		gc_nearest_offer(&nearest, gc_option_variable(at.name, buffer, sizeof(buffer)));
		if (nearest.best == buffer)
			nearest.best = memcpy(nearest_name, buffer, sizeof(buffer));
	}
	if (nearest.best)
		return gc_fail(err, GC_FATAL, "config_unknown_key", variable,
			       "the environment variable %.80s belongs to no option; did you mean %s?", variable, nearest.best);
	return gc_fail(err, GC_FATAL, "config_unknown_key", variable,
		       "the environment variable %.80s belongs to no option; `gracecube config reference` lists them", variable);
}

static enum gc_verdict set_variable(struct gc_config *config, const char *variable, const char *value, struct gc_err *err)
{
	const struct gc_place place = { variable, variable };
	struct gc_option_at at;
	if (find_option(config, variable, &at))
		return gc_option_assign(config, &at, value, &place, err);
	if (starts_with(variable, properties_prefix))
		return set_property(config, variable, value, err);
	return fail_unknown(config, variable, err);
}

enum gc_verdict gc_config_read_environment(struct gc_config *config, struct gc_err *err)
{
	enum gc_verdict verdict = GC_OK;
	for (char **entry = environ; *entry && !verdict; entry++) {
		const char *equals = strchr(*entry, '=');
		if (!equals || !starts_with(*entry, own_prefix))
			continue;
		char *variable = gc_calloc(1, (size_t)(equals - *entry) + 1);
		memcpy(variable, *entry, (size_t)(equals - *entry));
		verdict = set_variable(config, variable, equals + 1, err);
		free(variable);
	}
	return verdict;
}
