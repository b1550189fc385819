/* The YAML file. libyaml makes a tree with the place of each node; the tree is walked along the option table.
 *
 * Every complaint has file:line:column, the line itself and a caret. Secrets in that line are masked.
 * Threads: configuration is read by the main thread before others start.
 */
#include <errno.h>
#include <stdlib.h>
#include <yaml.h>

#include <gracecube/arena.h>

#include "options.h"

#define DEFAULT_PATH "config/gracecube.yaml"
const char gc_config_installed_path[] = GRACECUBE_SYSCONFDIR "/gracecube/gracecube.yaml";
#define FILE_BYTES_MAX ((size_t)1 << 20)

struct file {
	struct gc_config *config;
	const char *path;
	struct gc_span bytes;
	yaml_document_t document;
};

/* -- places -- */

struct where {
	char text[sizeof(((struct gc_err *)NULL)->where)];
};

/* Of a long path the end is kept: line and column must fit behind it. */
static struct where where_at(const struct file *file, yaml_mark_t mark)
{
	const size_t path_max = 90, len = strlen(file->path);
	struct where where;
	snprintf(where.text, sizeof(where.text), "%s%.90s:%zu:%zu", len > path_max ? "..." : "",
		 len > path_max ? file->path + len - path_max : file->path, mark.line + 1, mark.column + 1);
	return where;
}

static enum gc_verdict add_excerpt(const struct file *file, yaml_mark_t mark, struct gc_err *err)
{
	gc_excerpt_add(err, file->bytes, mark.line, mark.column);
	return GC_FATAL;
}

static enum gc_verdict fail_at(const struct file *file, yaml_mark_t mark, const char *code, const char *sentence,
			       struct gc_err *err)
{
	gc_fail(err, GC_FATAL, code, where_at(file, mark).text, "%s", sentence);
	return add_excerpt(file, mark, err);
}

/* -- scalars -- */

static const char *scalar_text(const yaml_node_t *node)
{
	return (const char *)node->data.scalar.value;
}

/* `key:` and `key: ~` say that there is nothing; "" is an empty text. */
static bool is_nothing(const yaml_node_t *node)
{
	static const char *const words[] = { "", "~", "null", "Null", "NULL" };
	if (node->type != YAML_SCALAR_NODE || node->data.scalar.style != YAML_PLAIN_SCALAR_STYLE)
		return false;
	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
		if (strcmp(scalar_text(node), words[i]) == 0)
			return true;
	return false;
}

/* The text of a scalar with its variables replaced; malloc'ed. `mark` is where to point when it is a bad one. */
static enum gc_verdict take_scalar(const struct file *file, const char *name, const yaml_node_t *node, yaml_mark_t mark,
				   char **ret_text, struct gc_err *err)
{
	char problem[300], sentence[300 + GC_NAME_MAX];
	snprintf(sentence, sizeof(sentence), "%s must be one value, not a list or a section", name);
	if (node->type != YAML_SCALAR_NODE)
		return fail_at(file, mark, "config_wrong_type", sentence, err);
	snprintf(sentence, sizeof(sentence), "%s has no value; write \"\" for an empty text, or take the line out", name);
	if (is_nothing(node) || strlen(scalar_text(node)) != node->data.scalar.length)
		return fail_at(file, mark, "config_wrong_type", sentence, err);
	if (gc_substitute(file->config, scalar_text(node), ret_text, problem, sizeof(problem)))
		return GC_OK;
	snprintf(sentence, sizeof(sentence), "%s: %s", name, problem);
	return fail_at(file, mark, "config_variable", sentence, err);
}

static enum gc_verdict join_items(struct file *file, const char *name, const yaml_node_t *list, FILE *out, struct gc_err *err)
{
	const yaml_node_item_t *first = list->data.sequence.items.start;
	for (const yaml_node_item_t *item = first; item < list->data.sequence.items.top; item++) {
		const yaml_node_t *node = yaml_document_get_node(&file->document, *item);
		char *text;
		if (take_scalar(file, name, node, node->start_mark, &text, err))
			return GC_FATAL;
		fprintf(out, "%s%s", item == first ? "" : ",", text);
		free(text);
	}
	return GC_OK;
}

/* A list becomes the text with commas that environment and flags give. */
static enum gc_verdict take_list(struct file *file, const char *name, const yaml_node_t *list, char **ret_text, struct gc_err *err)
{
	char *text;
	size_t bytes;
	FILE *out = gc_text_open(&text, &bytes);
	enum gc_verdict verdict = join_items(file, name, list, out, err);
	fclose(out);
	if (verdict)
		free(text);
	else
		*ret_text = text;
	return verdict;
}

/* -- the walk -- */

/* One entry of a section, and the whole name of what it sets. */
struct entry {
	const yaml_node_t *key, *value;
	char name[GC_NAME_MAX];
};

static enum gc_verdict walk_section(struct file *file, const yaml_node_t *section, const char *prefix, struct gc_err *err);

static struct gc_place place_at(const struct file *file, const yaml_node_t *node, struct where *where, char *origin,
				size_t origin_bytes)
{
	*where = where_at(file, node->start_mark);
	snprintf(origin, origin_bytes, "%s:%zu", file->path, node->start_mark.line + 1);
	return (struct gc_place){ where->text, origin };
}

static enum gc_verdict set_option(struct file *file, const struct entry *entry, const struct gc_option_at *at, struct gc_err *err)
{
	bool is_list = at->option->type == GC_OPTION_LIST || at->option->type == GC_OPTION_COMMAS;
	bool listed = is_list && entry->value->type == YAML_SEQUENCE_NODE;
	char *text, origin[512];
	struct where where;
	if (listed ? take_list(file, at->name, entry->value, &text, err)
		   : take_scalar(file, at->name, entry->value, entry->value->start_mark, &text, err))
		return GC_FATAL;
	const struct gc_place place = place_at(file, entry->value, &where, origin, sizeof(origin));
	enum gc_verdict verdict = gc_option_assign(file->config, at, text, &place, err);
	free(text);
	return verdict ? add_excerpt(file, entry->value->start_mark, err) : GC_OK;
}

/* The place is the key's: the value's line may be nothing but a secret. */
static enum gc_verdict set_property(struct file *file, const struct entry *entry, struct gc_err *err)
{
	char *text, origin[512];
	struct where where;
	if (take_scalar(file, entry->name, entry->value, entry->key->start_mark, &text, err))
		return GC_FATAL;
	const struct gc_place place = place_at(file, entry->key, &where, origin, sizeof(origin));
	enum gc_verdict verdict = gc_property_assign(file->config, scalar_text(entry->key), text, &place, err);
	free(text);
	return verdict ? add_excerpt(file, entry->key->start_mark, err) : GC_OK;
}

static enum gc_verdict set_section(struct file *file, const struct entry *entry, struct gc_err *err)
{
	if (entry->value->type == YAML_MAPPING_NODE)
		return walk_section(file, entry->value, entry->name, err);
	if (is_nothing(entry->value)) /* all of it is commented out */
		return GC_OK;
	char sentence[GC_NAME_MAX + 80];
	snprintf(sentence, sizeof(sentence), "%s must be a section, with its options indented below it", entry->name);
	return fail_at(file, entry->value->start_mark, "config_wrong_type", sentence, err);
}

static enum gc_verdict set_entry(struct file *file, const struct entry *entry, const char *prefix, struct gc_err *err)
{
	struct gc_option_at at;
	if (strcmp(prefix, GC_PROPERTIES) == 0)
		return set_property(file, entry, err);
	if (gc_option_is_group(file->config, entry->name))
		return set_section(file, entry, err);
	if (gc_option_find(file->config, entry->name, &at))
		return set_option(file, entry, &at, err);
	gc_option_unknown(file->config, entry->name, where_at(file, entry->key->start_mark).text, err);
	return add_excerpt(file, entry->key->start_mark, err);
}

static enum gc_verdict check_key(const struct file *file, const yaml_node_t *key, struct gc_err *err)
{
	bool good = key->type == YAML_SCALAR_NODE && strlen(scalar_text(key)) == key->data.scalar.length;
	return good ? GC_OK : fail_at(file, key->start_mark, "config_wrong_type", "a key must be a plain word", err);
}

/* YAML forbids a key twice, libyaml does not look. The last one would win silently. */
static enum gc_verdict check_once(struct file *file, const yaml_node_t *section, const yaml_node_pair_t *pair,
				  const struct entry *entry, struct gc_err *err)
{
	for (const yaml_node_pair_t *before = section->data.mapping.pairs.start; before < pair; before++) {
		const yaml_node_t *key = yaml_document_get_node(&file->document, before->key);
		if (strcmp(scalar_text(key), scalar_text(entry->key)) != 0)
			continue;
		char sentence[GC_NAME_MAX + 80];
		snprintf(sentence, sizeof(sentence), "%s is given twice, first in line %zu", entry->name, key->start_mark.line + 1);
		return fail_at(file, entry->key->start_mark, "config_duplicate_key", sentence, err);
	}
	return GC_OK;
}

static enum gc_verdict walk_section(struct file *file, const yaml_node_t *section, const char *prefix, struct gc_err *err)
{
	const yaml_node_pair_t *pair = section->data.mapping.pairs.start;
	for (; pair < section->data.mapping.pairs.top; pair++) {
		struct entry entry = { .key = yaml_document_get_node(&file->document, pair->key),
				       .value = yaml_document_get_node(&file->document, pair->value) };
		if (check_key(file, entry.key, err))
			return GC_FATAL;
		snprintf(entry.name, sizeof(entry.name), "%s%s%s", prefix, *prefix ? "." : "", scalar_text(entry.key));
		if (check_once(file, section, pair, &entry, err) || set_entry(file, &entry, prefix, err))
			return GC_FATAL;
	}
	return GC_OK;
}

/* -- the file -- */

static enum gc_verdict fail_yaml(const struct file *file, const yaml_parser_t *parser, struct gc_err *err)
{
	char sentence[300];
	if (parser->error == YAML_READER_ERROR)
		return gc_fail(err, GC_FATAL, "config_not_yaml", file->path, "is not YAML: %s at byte %zu", parser->problem,
			       parser->problem_offset);
	snprintf(sentence, sizeof(sentence), "is not YAML: %s%s%s", parser->problem ? parser->problem : "unreadable",
		 parser->context ? " " : "", parser->context ? parser->context : "");
	return fail_at(file, parser->problem_mark, "config_not_yaml", sentence, err);
}

static enum gc_verdict walk_document(struct file *file, struct gc_err *err)
{
	const yaml_node_t *root = yaml_document_get_root_node(&file->document);
	if (!root || is_nothing(root))
		return GC_OK;
	if (root->type != YAML_MAPPING_NODE)
		return fail_at(file, root->start_mark, "config_wrong_type", "the file must consist of sections", err);
	return walk_section(file, root, "", err);
}

static enum gc_verdict load_document(struct file *file, yaml_parser_t *parser, struct gc_err *err)
{
	if (!yaml_parser_load(parser, &file->document))
		return fail_yaml(file, parser, err);
	enum gc_verdict verdict = walk_document(file, err);
	yaml_document_delete(&file->document);
	return verdict;
}

/* What follows "---" would be read by nobody. */
static enum gc_verdict check_end(struct file *file, yaml_parser_t *parser, struct gc_err *err)
{
	if (!yaml_parser_load(parser, &file->document))
		return fail_yaml(file, parser, err);
	const yaml_node_t *root = yaml_document_get_root_node(&file->document);
	enum gc_verdict verdict = GC_OK;
	if (root)
		verdict = fail_at(file, root->start_mark, "config_not_yaml", "the file must be one document, without ---", err);
	yaml_document_delete(&file->document);
	return verdict;
}

static enum gc_verdict parse(struct file *file, struct gc_err *err)
{
	yaml_parser_t parser;
	if (!yaml_parser_initialize(&parser))
		abort();
	yaml_parser_set_input_string(&parser, (const unsigned char *)file->bytes.ptr, file->bytes.len);
	enum gc_verdict verdict = load_document(file, &parser, err);
	if (!verdict)
		verdict = check_end(file, &parser, err);
	yaml_parser_delete(&parser);
	return verdict;
}

static enum gc_verdict fail_unreadable(const char *path, const char *problem, struct gc_err *err)
{
	return gc_fail(err, GC_FATAL, "config_unreadable", path, "cannot be read: %s", problem);
}

/* One byte more than is allowed, so that a file that is too large shows. */
static enum gc_verdict read_bytes(const char *path, FILE *in, char **ret_bytes, size_t *ret_len, struct gc_err *err)
{
	char *bytes = gc_malloc(FILE_BYTES_MAX + 1);
	errno = 0;
	size_t len = fread(bytes, 1, FILE_BYTES_MAX + 1, in);
	if (ferror(in) || len > FILE_BYTES_MAX) {
		free(bytes);
		return fail_unreadable(path, len > FILE_BYTES_MAX ? "it is larger than 1 MiB" : strerror(errno), err);
	}
	*ret_bytes = bytes;
	*ret_len = len;
	return GC_OK;
}

static enum gc_verdict read_stream(struct gc_config *config, const char *path, FILE *in, struct gc_err *err)
{
	char *bytes = NULL;
	size_t len = 0;
	if (read_bytes(path, in, &bytes, &len, err))
		return GC_FATAL;
	struct file file = { .config = config, .path = path, .bytes = { bytes, len } };
	enum gc_verdict verdict = parse(&file, err);
	free(bytes);
	config->path = gc_strdup(path);
	return verdict;
}

/* One that cannot be read is an error even where nobody named it: its defaults would be taken for what it says. */
static enum gc_verdict fail_usual(const char *path, const char *problem, struct gc_err *err)
{
	return gc_fail(err, GC_FATAL, "config_unreadable", path, "cannot be read: %s; use sudo, or name another file with --config",
		       problem);
}

static enum gc_verdict read_usual(struct gc_config *config, const char *path, bool *ret_found, struct gc_err *err)
{
	FILE *in = fopen(path, "re");
	*ret_found = in != NULL;
	if (!in)
		return errno == ENOENT ? GC_OK : fail_usual(path, strerror(errno), err);
	enum gc_verdict verdict = read_stream(config, path, in, err);
	fclose(in);
	return verdict;
}

static enum gc_verdict read_named(struct gc_config *config, const char *path, struct gc_err *err)
{
	FILE *in = fopen(path, "re");
	if (!in)
		return fail_unreadable(path, strerror(errno), err);
	enum gc_verdict verdict = read_stream(config, path, in, err);
	fclose(in);
	return verdict;
}

enum gc_verdict gc_config_read_file(struct gc_config *config, const char *path, struct gc_err *err)
{
	static const char *const usual[] = { DEFAULT_PATH, gc_config_installed_path };
	bool found = false;
	if (path)
		return read_named(config, path, err);
	for (size_t i = 0; i < sizeof(usual) / sizeof(*usual) && !found; i++)
		if (read_usual(config, usual[i], &found, err))
			return GC_FATAL;
	return GC_OK;
}
