/* YAML files: see document.h. Secrets in a line that is shown are masked. */
#include "document.h"

#include <errno.h>
#include <stdlib.h>

#include <gracecube/arena.h>

#include "options.h"

#define FILE_BYTES_MAX ((size_t)1 << 20)

/* -- places -- */

/* Of a long path the end is kept: line and column must fit behind it. */
struct gc_yaml_where gc_yaml_where(const struct gc_yaml *yaml, yaml_mark_t mark)
{
	const size_t path_max = 90, len = strlen(yaml->path);
	struct gc_yaml_where where;
	snprintf(where.text, sizeof(where.text), "%s%.90s:%zu:%zu", len > path_max ? "..." : "",
		 len > path_max ? yaml->path + len - path_max : yaml->path, mark.line + 1, mark.column + 1);
	return where;
}

enum gc_verdict gc_yaml_add_excerpt(const struct gc_yaml *yaml, yaml_mark_t mark, struct gc_err *err)
{
	gc_excerpt_add(err, yaml->bytes, mark.line, mark.column);
	return GC_FATAL;
}

enum gc_verdict gc_yaml_fail(const struct gc_yaml *yaml, yaml_mark_t mark, const char *code, struct gc_err *err, const char *format,
			     ...)
{
	char sentence[sizeof(err->text)];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(sentence, sizeof(sentence), format, arguments);
	va_end(arguments);
	gc_fail(err, GC_FATAL, code, gc_yaml_where(yaml, mark).text, "%s", sentence);
	return gc_yaml_add_excerpt(yaml, mark, err);
}

/* -- nodes -- */

const char *gc_yaml_text(const yaml_node_t *scalar)
{
	return (const char *)scalar->data.scalar.value;
}

bool gc_yaml_is_nothing(const yaml_node_t *node)
{
	static const char *const words[] = { "", "~", "null", "Null", "NULL" };
	if (node->type != YAML_SCALAR_NODE || node->data.scalar.style != YAML_PLAIN_SCALAR_STYLE)
		return false;
	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
		if (strcmp(gc_yaml_text(node), words[i]) == 0)
			return true;
	return false;
}

bool gc_yaml_is_text(const yaml_node_t *node)
{
	return node->type == YAML_SCALAR_NODE && strlen(gc_yaml_text(node)) == node->data.scalar.length;
}

const yaml_node_t *gc_yaml_node(struct gc_yaml *yaml, int index)
{
	return yaml_document_get_node(&yaml->document, index);
}

enum gc_verdict gc_yaml_check_key(const struct gc_yaml *yaml, const yaml_node_t *key, struct gc_err *err)
{
	return gc_yaml_is_text(key) ? GC_OK
				    : gc_yaml_fail(yaml, key->start_mark, "config_wrong_type", err, "a key must be a plain word");
}

/* The last one would win silently. */
enum gc_verdict gc_yaml_check_once(struct gc_yaml *yaml, const yaml_node_t *mapping, const yaml_node_pair_t *pair, const char *name,
				   struct gc_err *err)
{
	const yaml_node_t *own = gc_yaml_node(yaml, pair->key);
	for (const yaml_node_pair_t *before = mapping->data.mapping.pairs.start; before < pair; before++) {
		const yaml_node_t *key = gc_yaml_node(yaml, before->key);
		if (strcmp(gc_yaml_text(key), gc_yaml_text(own)) == 0)
			return gc_yaml_fail(yaml, own->start_mark, "config_duplicate_key", err,
					    "%s is given twice, first in line %zu", name, key->start_mark.line + 1);
	}
	return GC_OK;
}

/* -- the file -- */

static enum gc_verdict fail_yaml(const struct gc_yaml *yaml, const yaml_parser_t *parser, struct gc_err *err)
{
	if (parser->error == YAML_READER_ERROR)
		return gc_fail(err, GC_FATAL, "config_not_yaml", yaml->path, "is not YAML: %s at byte %zu", parser->problem,
			       parser->problem_offset);
	return gc_yaml_fail(yaml, parser->problem_mark, "config_not_yaml", err, "is not YAML: %s%s%s",
			    parser->problem ? parser->problem : "unreadable", parser->context ? " " : "",
			    parser->context ? parser->context : "");
}

typedef enum gc_verdict (*visitor)(void *arg, const yaml_node_t *root, struct gc_err *err);

static enum gc_verdict load_document(struct gc_yaml *yaml, yaml_parser_t *parser, visitor visit, void *arg, struct gc_err *err)
{
	if (!yaml_parser_load(parser, &yaml->document))
		return fail_yaml(yaml, parser, err);
	const yaml_node_t *root = yaml_document_get_root_node(&yaml->document);
	enum gc_verdict verdict = !root || gc_yaml_is_nothing(root) ? GC_OK : visit(arg, root, err);
	yaml_document_delete(&yaml->document);
	return verdict;
}

/* What follows "---" would be read by nobody. */
static enum gc_verdict check_end(struct gc_yaml *yaml, yaml_parser_t *parser, struct gc_err *err)
{
	if (!yaml_parser_load(parser, &yaml->document))
		return fail_yaml(yaml, parser, err);
	const yaml_node_t *root = yaml_document_get_root_node(&yaml->document);
	enum gc_verdict verdict = GC_OK;
	if (root)
		verdict = gc_yaml_fail(yaml, root->start_mark, "config_not_yaml", err,
				       "the file must be one document, without ---");
	yaml_document_delete(&yaml->document);
	return verdict;
}

enum gc_verdict gc_yaml_walk(struct gc_yaml *yaml, visitor visit, void *arg, struct gc_err *err)
{
	yaml_parser_t parser;
	if (!yaml_parser_initialize(&parser))
		abort();
	yaml_parser_set_input_string(&parser, (const unsigned char *)yaml->bytes.ptr, yaml->bytes.len);
	enum gc_verdict verdict = load_document(yaml, &parser, visit, arg, err);
	if (!verdict)
		verdict = check_end(yaml, &parser, err);
	yaml_parser_delete(&parser);
	return verdict;
}

/* One byte more than is allowed, so that a file that is too large shows. */
enum gc_verdict gc_yaml_read(const char *path, FILE *in, char **ret_bytes, size_t *ret_len, struct gc_err *err)
{
	char *bytes = gc_malloc(FILE_BYTES_MAX + 1);
	errno = 0;
	size_t len = fread(bytes, 1, FILE_BYTES_MAX + 1, in);
	if (ferror(in) || len > FILE_BYTES_MAX) {
		free(bytes);
		return gc_fail(err, GC_FATAL, "config_unreadable", path, "cannot be read: %s",
			       len > FILE_BYTES_MAX ? "it is larger than 1 MiB" : strerror(errno));
	}
	*ret_bytes = bytes;
	*ret_len = len;
	return GC_OK;
}
