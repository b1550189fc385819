/* What files of metrics are read with: see read.h. Threads: one thread reads. */
#include "read.h"

#include <gracecube/human.h>

#include <stdarg.h>

#define NAME_BYTES_MAX 60

enum gc_verdict gc_reader_fail(const struct gc_reader *reader, const yaml_node_t *node, struct gc_err *err, const char *format, ...)
{
	char sentence[sizeof(err->text)];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(sentence, sizeof(sentence), format, arguments);
	va_end(arguments);
	return gc_yaml_fail(&reader->yaml, node->start_mark, "metric_definition", err, "%s", sentence);
}

/* "a, b, c" */
static const char *list_words(const char *const *words, char *to, size_t bytes)
{
	return gc_choices_print(words, to, bytes);
}

/* "; did you mean b?", or "; allowed are a, b, c". */
static const char *hint(const char *const *words, const char *word, char *to, size_t bytes)
{
	struct gc_nearest nearest = { .word = word };
	char all[400];

	for (size_t i = 0; words[i]; i++)
		gc_nearest_offer(&nearest, words[i]);
	if (nearest.best)
		snprintf(to, bytes, "; did you mean %s?", nearest.best);
	else
		snprintf(to, bytes, "; allowed are %s", list_words(words, all, sizeof(all)));
	return to;
}

/* ---- mappings ---- */

static enum gc_verdict check_mapping(const struct gc_reader *reader, const yaml_node_t *node, const char *what, struct gc_err *err)
{
	return node->type == YAML_MAPPING_NODE
		       ? GC_OK
		       : gc_reader_fail(reader, node, err, "%s must be a section, with its entries indented below it", what);
}

enum gc_verdict gc_reader_entries(struct gc_reader *reader, const yaml_node_t *mapping, const char *what, const char *const *words,
				  struct gc_taken *ret_taken, struct gc_err *err)
{
	char more[500];

	*ret_taken = (struct gc_taken){ .own = mapping };
	if (check_mapping(reader, mapping, what, err))
		return GC_FATAL;
	for (const yaml_node_pair_t *pair = mapping->data.mapping.pairs.start; pair < mapping->data.mapping.pairs.top; pair++) {
		const yaml_node_t *key = gc_yaml_node(&reader->yaml, pair->key);
		int index;

		if (gc_yaml_check_key(&reader->yaml, key, err) ||
		    gc_yaml_check_once(&reader->yaml, mapping, pair, gc_yaml_text(key), err))
			return GC_FATAL;
		index = gc_choice_find(words, gc_span_of(gc_yaml_text(key)));
		if (index < 0)
			return gc_reader_fail(reader, key, err, "%s has no %.60s%s", what, gc_yaml_text(key),
					      hint(words, gc_yaml_text(key), more, sizeof(more)));
		ret_taken->nodes[index] = gc_yaml_node(&reader->yaml, pair->value);
	}
	return GC_OK;
}

enum gc_verdict gc_reader_need(const struct gc_reader *reader, const struct gc_taken *taken, const char *what,
			       const char *const *words, int index, struct gc_err *err)
{
	return taken->nodes[index] ? GC_OK : gc_reader_fail(reader, taken->own, err, "%s needs %s", what, words[index]);
}

/* ---- texts ---- */

enum gc_verdict gc_reader_text(const struct gc_reader *reader, const yaml_node_t *node, const char *what, const char **ret_text,
			       struct gc_err *err)
{
	struct gc_span text;

	if (!gc_yaml_is_text(node) || gc_yaml_is_nothing(node) || node->data.scalar.length == 0)
		return gc_reader_fail(reader, node, err, "%s must be a text", what);
	text = gc_span_of(gc_yaml_text(node));
	if (!gc_span_is_utf8(text))
		return gc_reader_fail(reader, node, err, "%s must be UTF-8", what);
	*ret_text = gc_arena_dup(&reader->registry->arena, gc_span_trim(text)).ptr;
	return GC_OK;
}

static bool is_name(const char *name)
{
	size_t len = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_");

	return len > 0 && len <= NAME_BYTES_MAX && !name[len] && *name >= 'a' && *name <= 'z';
}

enum gc_verdict gc_reader_name(const struct gc_reader *reader, const yaml_node_t *node, const char **ret_name, struct gc_err *err)
{
	if (!gc_yaml_is_text(node) || !is_name(gc_yaml_text(node)))
		return gc_reader_fail(
			reader, node, err,
			"a name is of lower-case letters, digits and underscores, at most %d, and begins with a letter",
			NAME_BYTES_MAX);
	return gc_reader_text(reader, node, "a name", ret_name, err);
}

enum gc_verdict gc_reader_choice(const struct gc_reader *reader, const yaml_node_t *node, const char *what,
				 const char *const *choices, int *ret_choice, struct gc_err *err)
{
	char more[500];

	if (!gc_yaml_is_text(node) || gc_yaml_is_nothing(node))
		return gc_reader_fail(reader, node, err, "%s must be one of %s", what, list_words(choices, more, sizeof(more)));
	*ret_choice = gc_choice_find(choices, gc_span_of(gc_yaml_text(node)));
	if (*ret_choice < 0)
		return gc_reader_fail(reader, node, err, "%s cannot be %.60s%s", what, gc_yaml_text(node),
				      hint(choices, gc_yaml_text(node), more, sizeof(more)));
	return GC_OK;
}

enum gc_verdict gc_reader_inside(const struct gc_reader *reader, const yaml_node_t *node, const char *what,
				 const struct gc_mistake *mistake, struct gc_err *err)
{
	yaml_mark_t mark = node->start_mark;

	if (node->start_mark.line == node->end_mark.line)
		mark.column += mistake->at + (node->data.scalar.style != YAML_PLAIN_SCALAR_STYLE);
	return gc_yaml_fail(&reader->yaml, mark, "metric_definition", err, "%s: %s", what, mistake->text);
}

/* ---- lists by name ---- */

enum gc_verdict gc_reader_each(struct gc_reader *reader, const yaml_node_t *mapping, const char *what, gc_reader_taker take,
			       void *arg, struct gc_err *err)
{
	if (check_mapping(reader, mapping, what, err))
		return GC_FATAL;
	for (const yaml_node_pair_t *pair = mapping->data.mapping.pairs.start; pair < mapping->data.mapping.pairs.top; pair++) {
		const yaml_node_t *key = gc_yaml_node(&reader->yaml, pair->key);
		const char *name;

		if (gc_yaml_check_key(&reader->yaml, key, err) || gc_reader_name(reader, key, &name, err) ||
		    gc_yaml_check_once(&reader->yaml, mapping, pair, name, err) ||
		    take(reader, name, key, gc_yaml_node(&reader->yaml, pair->value), arg, err))
			return GC_FATAL;
	}
	return GC_OK;
}

static size_t count_pairs(const yaml_node_t *mapping)
{
	return mapping->type == YAML_MAPPING_NODE ? (size_t)(mapping->data.mapping.pairs.top - mapping->data.mapping.pairs.start)
						  : 0;
}

void *gc_reader_list(struct gc_reader *reader, const yaml_node_t *mapping, size_t item_bytes)
{
	return gc_arena_zalloc(&reader->registry->arena, (count_pairs(mapping) + 1) * item_bytes);
}

struct gc_scope gc_reader_scope(struct gc_reader *reader, const struct gc_fact *fact)
{
	return (struct gc_scope){ .registry = reader->registry, .fact = fact, .arena = &reader->registry->arena };
}
