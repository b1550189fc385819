/* The one path by which a text becomes an option's value, and the way back.
 *
 * Threads: configuration is changed by the main thread before others start.
 */
#include <stdlib.h>

#include <gracecube/arena.h>
#include <gracecube/human.h>

#include "options.h"

static enum gc_human_unit unit_of(const struct gc_option *option)
{
	switch (option->type) {
	case GC_OPTION_BYTES:
		return GC_HUMAN_BYTES;
	case GC_OPTION_DURATION:
		return GC_HUMAN_TIME;
	default:
		return GC_HUMAN_COUNT;
	}
}

static bool is_number(const struct gc_option *option)
{
	return option->type == GC_OPTION_COUNT || option->type == GC_OPTION_BYTES || option->type == GC_OPTION_DURATION;
}

const char *gc_option_domain(const struct gc_option *option, char *buffer, size_t bytes)
{
	char domain[160];

	if (is_number(option))
		snprintf(buffer, bytes, "must be %s",
			 gc_human_domain(unit_of(option), option->min, option->max, domain, sizeof(domain)));
	else if (option->type == GC_OPTION_CHOICE)
		snprintf(buffer, bytes, "must be one of %s", gc_choices_print(option->choices, domain, sizeof(domain)));
	else
		snprintf(buffer, bytes, "must be a text");
	return buffer;
}

static void *place_in(struct gc_config *config, const struct gc_option_at *at, size_t offset)
{
	return at->stream ? (char *)&config->streams[at->stream_index] + offset : (char *)config + offset;
}

static const void *place_of(const struct gc_config *config, const struct gc_option_at *at, size_t offset)
{
	return at->stream ? (const char *)&config->streams[at->stream_index] + offset : (const char *)config + offset;
}

static enum gc_verdict fail_value(const struct gc_option_at *at, const char *code, const char *must, const char *value,
				  const struct gc_place *place, struct gc_err *err)
{
	char *masked = gc_secret_mask(value);
	gc_fail(err, GC_FATAL, code, place->where, "%s %s, not \"%.80s\"", at->name, must, masked);
	free(masked);
	return GC_FATAL;
}

static enum gc_verdict assign_number(int64_t *number, const struct gc_option_at *at, const char *value,
				     const struct gc_place *place, struct gc_err *err)
{
	int64_t parsed;
	char domain[160];
	gc_option_domain(at->option, domain, sizeof(domain));
	if (!gc_human_parse(value, unit_of(at->option), &parsed))
		return fail_value(at, "config_wrong_type", domain, value, place, err);
	if (parsed < at->option->min || parsed > at->option->max)
		return fail_value(at, "config_out_of_range", domain, value, place, err);
	*number = parsed;
	return GC_OK;
}

static enum gc_verdict fail_choice(const struct gc_option_at *at, const char *value, const struct gc_place *place,
				   struct gc_err *err)
{
	char must[200];
	struct gc_nearest nearest = { .word = value };
	for (const char *const *choice = at->option->choices; *choice; choice++)
		gc_nearest_offer(&nearest, *choice);
	gc_option_domain(at->option, must, sizeof(must));
	if (!nearest.best)
		return fail_value(at, "config_wrong_type", must, value, place, err);
	return gc_fail(err, GC_FATAL, "config_wrong_type", place->where, "%s %s, not \"%.80s\"; did you mean %s?", at->name, must,
		       value, nearest.best);
}

static enum gc_verdict assign_choice(unsigned *choice, const struct gc_option_at *at, const char *value,
				     const struct gc_place *place, struct gc_err *err)
{
	int found = gc_choice_find(at->option->choices, gc_span_of(value));
	if (found < 0)
		return fail_choice(at, value, place, err);
	*choice = (unsigned)found;
	return GC_OK;
}

void gc_text_assign(char **text, const char *value)
{
	free(*text);
	*text = gc_strdup(value);
}

static void free_list(char **items, size_t count)
{
	for (size_t i = 0; i < count; i++)
		free(items[i]);
	free(items);
}

/* Items between commas, without blanks around them; nothing between two commas is no item. */
static void assign_list(char ***items, size_t *count, const char *value)
{
	free_list(*items, *count);
	*items = gc_calloc(strlen(value) / 2 + 1, sizeof(char *));
	*count = 0;
	struct gc_span rest = gc_span_of(value), item;
	while (gc_span_next_item(&rest, ',', &item))
		(*items)[(*count)++] = gc_span_strdup(item);
}

static enum gc_verdict assign_checked_text(struct gc_config *config, const struct gc_option_at *at, const char *value,
					   const struct gc_place *place, struct gc_err *err)
{
	const char *must = at->option->check ? at->option->check(value) : NULL;
	if (must)
		return fail_value(at, "config_wrong_type", must, value, place, err);
	void *into = place_in(config, at, at->option->offset);
	if (at->option->type == GC_OPTION_LIST)
		assign_list(into, place_in(config, at, at->option->count_offset), value);
	else
		gc_text_assign(into, value);
	return GC_OK;
}

static enum gc_verdict assign_value(struct gc_config *config, const struct gc_option_at *at, const char *value,
				    const struct gc_place *place, struct gc_err *err)
{
	void *into = place_in(config, at, at->option->offset);
	if (is_number(at->option))
		return assign_number(into, at, value, place, err);
	if (at->option->type == GC_OPTION_CHOICE)
		return assign_choice(into, at, value, place, err);
	return assign_checked_text(config, at, value, place, err);
}

/* A group that nobody names is the schema's, whichever of the two is read first. */
static void follow_schema(struct gc_config *config, const struct gc_option *option)
{
	char group[GC_GROUP_BYTES];
	if (option->offset == offsetof(struct gc_config, kafka_group_id))
		config->kafka_group_follows = *config->kafka_group_id == '\0';
	if (config->kafka_group_follows && config->cube_schema)
		gc_text_assign(&config->kafka_group_id, gc_config_default_group(config, group));
}

enum gc_verdict gc_option_assign(struct gc_config *config, const struct gc_option_at *at, const char *value,
				 const struct gc_place *place, struct gc_err *err)
{
	enum gc_verdict verdict = assign_value(config, at, value, place, err);
	if (verdict)
		return verdict;
	gc_origin_put(config, at->name, place->origin);
	if (!at->stream)
		follow_schema(config, at->option);
	return GC_OK;
}

FILE *gc_text_open(char **ret_text, size_t *ret_bytes)
{
	FILE *out = open_memstream(ret_text, ret_bytes);
	if (!out)
		abort(); /* only when memory is out */
	return out;
}

static char *join_commas(char *const *items, size_t count)
{
	char *joined = NULL;
	size_t bytes;
	FILE *out = gc_text_open(&joined, &bytes);
	for (size_t i = 0; i < count; i++)
		fprintf(out, "%s%s", i ? "," : "", items[i]);
	fclose(out);
	return joined;
}

char *gc_option_print(const struct gc_config *config, const struct gc_option_at *at)
{
	const struct gc_option *option = at->option;
	const void *from = place_of(config, at, option->offset);
	if (is_number(option)) {
		char buffer[GC_HUMAN_BYTES_MAX];
		return gc_strdup(gc_human_print(*(const int64_t *)from, unit_of(option), buffer, sizeof(buffer)));
	}
	if (option->type == GC_OPTION_CHOICE)
		return gc_strdup(option->choices[*(const unsigned *)from]);
	if (option->type == GC_OPTION_LIST)
		return join_commas(*(char *const *const *)from, *(const size_t *)place_of(config, at, option->count_offset));
	return gc_strdup(*(char *const *)from);
}

char *gc_option_initially(const struct gc_option *option, const char *stream)
{
	static const char mark[] = "<stream>";
	char *text = NULL;
	size_t bytes;
	FILE *out = gc_text_open(&text, &bytes);
	const char *rest = option->initially;
	for (const char *at; stream && (at = strstr(rest, mark)); rest = at + strlen(mark))
		fprintf(out, "%.*s%s", (int)(at - rest), rest, stream);
	fputs(rest, out);
	fclose(out);
	return text;
}

void gc_option_clear(struct gc_config *config, const struct gc_option_at *at)
{
	void *into = place_in(config, at, at->option->offset);
	if (at->option->type == GC_OPTION_TEXT || at->option->type == GC_OPTION_COMMAS)
		free(*(char **)into);
	if (at->option->type == GC_OPTION_LIST)
		free_list(*(char ***)into, *(size_t *)place_in(config, at, at->option->count_offset));
}
