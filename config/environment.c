/* The environment. A variable belongs to an option when the option's name makes it: names hold underscores too
 * (GRACECUBE_KAFKA_GROUP_ID), so they are compared with the table and never taken apart.
 *
 * The one exception are librdkafka's properties, which are not in the table and have no underscores:
 * GRACECUBE_KAFKA_PROPERTIES_SASL_PASSWORD is sasl.password.
 *
 * Others use the prefix too: a cluster describes a Service called gracecube-serve by GRACECUBE_SERVE_PORT and seven more, CI
 * has GRACECUBE_VERSION. What can be told to be theirs is passed over; what looks like an option that there is not is an error.
 * Threads: the main thread, before others start; nobody may change the environment meanwhile.
 */
#include <ctype.h>
#include <stdlib.h>
#include <unistd.h>

#include <gracecube/arena.h>
#include <gracecube/human.h>

#include "options.h"

static const char own_prefix[] = "GRACECUBE_";
static const char properties_prefix[] = "GRACECUBE_KAFKA_PROPERTIES_";
static const char libpq_prefix[] = "PG";

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

/* -- whose variable it is -- */

/* Past the digits at `at`; NULL when there are none. */
static const char *skip_digits(const char *at)
{
	size_t digits = at ? strspn(at, "0123456789") : 0;
	return digits ? at + digits : NULL;
}

/* Past a word of the list, NULL when none stands there. */
static const char *skip_word(const char *at, const char *const *words)
{
	for (; at && *words; words++)
		if (starts_with(at, *words))
			return at + strlen(*words);
	return NULL;
}

/* PORT_80_TCP, PORT_80_TCP_ADDR … at the end of a name */
static bool ends_like_port(const char *name)
{
	static const char *const protocols[] = { "_TCP", "_UDP", "_SCTP", NULL };
	static const char *const parts[] = { "_ADDR", "_PORT", "_PROTO", NULL };
	for (const char *at = name; (at = strstr(at, "_PORT_")); at++) {
		const char *end = skip_word(skip_digits(at + strlen("_PORT_")), protocols);
		const char *part = skip_word(end, parts);
		if (end && *(part ? part : end) == '\0')
			return true;
	}
	return false;
}

static bool ends_with(const char *text, const char *end)
{
	size_t len = strlen(text), end_len = strlen(end);
	return len >= end_len && strcmp(text + len - end_len, end) == 0;
}

/* The shapes are Kubernetes' (kubernetes.io/docs/concepts/services-networking/service/#environment-variables). GRACECUBE_HTTP_PORT
 * is rather an option that somebody expects, unless its value is a URL or nothing. */
bool gc_variable_is_service_link(const char *variable, const char *value)
{
	if (ends_with(variable, "_PORT") && !ends_like_port(variable) && !ends_with(variable, "_SERVICE_PORT"))
		return *value == '\0' || strstr(value, "://");
	return ends_with(variable, "_SERVICE_HOST") || ends_with(variable, "_SERVICE_PORT") || strstr(variable, "_SERVICE_PORT_") ||
	       ends_like_port(variable);
}

static bool is_in_section(const char *variable)
{
	char buffer[GC_NAME_MAX + sizeof(own_prefix)];
	for (const struct gc_section *section = gc_sections; section->name; section++) {
		const char *end = variable + strlen(gc_option_variable(section->name, buffer, sizeof(buffer)));
		if (starts_with(variable, buffer) && (*end == '_' || *end == '\0'))
			return true;
	}
	return false;
}

static const char *key_of(const char *name)
{
	const char *dot = strrchr(name, '.');
	return dot ? dot + 1 : name;
}

/* The variable that was meant, into buffer: the nearest one, or that of an option whose key stands without its section. */
static const char *find_meant(const struct gc_config *config, const char *variable, char *buffer, size_t bytes)
{
	char candidate[GC_NAME_MAX + sizeof(own_prefix)], key[sizeof(candidate)];
	struct gc_nearest nearest = { .word = variable };
	bool is_key = false;
	struct gc_option_at at;
	for (size_t i = 0; gc_option_at(config, i, &at) && !is_key; i++) {
		gc_nearest_offer(&nearest, gc_option_variable(at.name, candidate, sizeof(candidate)));
		is_key = !at.stream && strcmp(gc_option_variable(key_of(at.name), key, sizeof(key)), variable) == 0;
		if (nearest.best == candidate || is_key)
			nearest.best = memcpy(buffer, candidate, bytes < sizeof(candidate) ? bytes : sizeof(candidate));
	}
	return nearest.best;
}

enum owner { OWNER_OPTION, OWNER_PROPERTY, OWNER_FILE, OWNER_SERVICE, OWNER_MISTAKE, OWNER_OTHERS };

static enum owner find_owner(const struct gc_config *config, const char *variable, const char *value)
{
	char buffer[GC_NAME_MAX + sizeof(own_prefix)];
	struct gc_option_at at;
	if (find_option(config, variable, &at))
		return OWNER_OPTION;
	if (starts_with(variable, properties_prefix))
		return OWNER_PROPERTY;
	if (gc_variable_is_used(config, variable))
		return OWNER_FILE;
	if (gc_variable_is_service_link(variable, value))
		return OWNER_SERVICE;
	return is_in_section(variable) || find_meant(config, variable, buffer, sizeof(buffer)) ? OWNER_MISTAKE : OWNER_OTHERS;
}

/* -- taking them -- */

/* A variable that does nothing is most often one that was meant to do something. */
static enum gc_verdict fail_unknown(const struct gc_config *config, const char *variable, struct gc_err *err)
{
	char buffer[GC_NAME_MAX + sizeof(own_prefix)];
	const char *meant = find_meant(config, variable, buffer, sizeof(buffer));
	if (meant)
		return gc_fail(err, GC_FATAL, "config_unknown_key", variable,
			       "the environment variable %.80s belongs to no option; did you mean %s?", variable, meant);
	return gc_fail(err, GC_FATAL, "config_unknown_key", variable,
		       "the environment variable %.80s belongs to no option; `gracecube config reference` lists them", variable);
}

static enum gc_verdict set_option(struct gc_config *config, const char *variable, const char *value, struct gc_err *err)
{
	const struct gc_place place = { variable, variable };
	struct gc_option_at at;
	return find_option(config, variable, &at) ? gc_option_assign(config, &at, value, &place, err) : GC_OK;
}

static enum gc_verdict take_variable(struct gc_config *config, const char *variable, const char *value, struct gc_err *err)
{
	switch (find_owner(config, variable, value)) {
	case OWNER_OPTION:
		return set_option(config, variable, value, err);
	case OWNER_PROPERTY:
		return set_property(config, variable, value, err);
	case OWNER_MISTAKE:
		return fail_unknown(config, variable, err);
	default:
		return GC_OK;
	}
}

size_t gc_variable_length(const char *value)
{
	size_t line = strcspn(value, "\r\n");
	size_t newline = strspn(value + line, "\r\n");
	return value[line + newline] ? strlen(value) : line;
}

/* The name of an entry of environ, "NAME=value"; malloc'ed, NULL for what is none of `prefix`. */
static char *name_of(const char *entry, const char *prefix)
{
	size_t len = strcspn(entry, "=");
	if (entry[len] == '\0' || !starts_with(entry, prefix))
		return NULL;
	char *name = gc_calloc(1, len + 1);
	return memcpy(name, entry, len);
}

/* libpq reads its own variables, as they are. */
static void mend_libpq_variables(void)
{
	for (char **entry = environ; *entry; entry++) {
		char *name = name_of(*entry, libpq_prefix), *value = *entry + strcspn(*entry, "=") + 1;
		if (name)
			value[gc_variable_length(value)] = '\0';
		free(name);
	}
}

static enum gc_verdict take_entry(struct gc_config *config, const char *variable, const char *entry, struct gc_err *err)
{
	const char *whole = entry + strlen(variable) + 1;
	size_t len = gc_variable_length(whole);
	char *value = gc_calloc(1, len + 1);
	enum gc_verdict verdict = take_variable(config, variable, memcpy(value, whole, len), err);
	explicit_bzero(value, len);
	free(value);
	return verdict;
}

enum gc_verdict gc_config_read_environment(struct gc_config *config, struct gc_err *err)
{
	enum gc_verdict verdict = GC_OK;
	mend_libpq_variables();
	for (char **entry = environ; *entry && !verdict; entry++) {
		char *variable = name_of(*entry, own_prefix);
		if (variable)
			verdict = take_entry(config, variable, *entry, err);
		free(variable);
	}
	return verdict;
}

void gc_config_log_environment(const struct gc_config *config)
{
	for (char **entry = environ; *entry; entry++) {
		char *variable = name_of(*entry, own_prefix);
		enum owner owner = variable ? find_owner(config, variable, *entry + strlen(variable) + 1) : OWNER_OPTION;
		if (owner == OWNER_SERVICE)
			gc_debug("a variable is passed over: it describes a Service of the cluster", GC_S("variable", variable));
		if (owner == OWNER_OTHERS)
			gc_info("a variable is passed over: it belongs to no option", GC_S("variable", variable));
		free(variable);
	}
}
