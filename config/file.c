/* The configuration file: its tree (document.h) is walked along the option table.
 *
 * Threads: configuration is read by the main thread before others start.
 */
#include <errno.h>
#include <stdlib.h>

#include <gracecube/arena.h>

#include "options.h"
#include "document.h"

#define DEFAULT_PATH "config/gracecube.yaml"
const char gc_config_installed_path[] = GRACECUBE_SYSCONFDIR "/gracecube/gracecube.yaml";

struct file {
	struct gc_config *config;
	struct gc_yaml yaml;
};

/* -- scalars -- */

static enum gc_verdict fail_at(const struct file *file, yaml_mark_t mark, const char *code, const char *sentence,
			       struct gc_err *err)
{
	return gc_yaml_fail(&file->yaml, mark, code, err, "%s", sentence);
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
	if (gc_yaml_is_nothing(node) || !gc_yaml_is_text(node))
		return fail_at(file, mark, "config_wrong_type", sentence, err);
	if (gc_substitute(file->config, gc_yaml_text(node), ret_text, problem, sizeof(problem)))
		return GC_OK;
	snprintf(sentence, sizeof(sentence), "%s: %s", name, problem);
	return fail_at(file, mark, "config_variable", sentence, err);
}

static enum gc_verdict join_items(struct file *file, const char *name, const yaml_node_t *list, FILE *out, struct gc_err *err)
{
	const yaml_node_item_t *first = list->data.sequence.items.start;
	for (const yaml_node_item_t *item = first; item < list->data.sequence.items.top; item++) {
		const yaml_node_t *node = gc_yaml_node(&file->yaml, *item);
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

static struct gc_place place_at(const struct file *file, const yaml_node_t *node, struct gc_yaml_where *where, char *origin,
				size_t origin_bytes)
{
	*where = gc_yaml_where(&file->yaml, node->start_mark);
	snprintf(origin, origin_bytes, "%s:%zu", file->yaml.path, node->start_mark.line + 1);
	return (struct gc_place){ where->text, origin };
}

static enum gc_verdict set_option(struct file *file, const struct entry *entry, const struct gc_option_at *at, struct gc_err *err)
{
	bool is_list = at->option->type == GC_OPTION_LIST || at->option->type == GC_OPTION_COMMAS;
	bool listed = is_list && entry->value->type == YAML_SEQUENCE_NODE;
	char *text, origin[512];
	struct gc_yaml_where where;
	if (listed ? take_list(file, at->name, entry->value, &text, err)
		   : take_scalar(file, at->name, entry->value, entry->value->start_mark, &text, err))
		return GC_FATAL;
	const struct gc_place place = place_at(file, entry->value, &where, origin, sizeof(origin));
	enum gc_verdict verdict = gc_option_assign(file->config, at, text, &place, err);
	free(text);
	return verdict ? gc_yaml_add_excerpt(&file->yaml, entry->value->start_mark, err) : GC_OK;
}

/* The place is the key's: the value's line may be nothing but a secret. */
static enum gc_verdict set_property(struct file *file, const struct entry *entry, struct gc_err *err)
{
	char *text, origin[512];
	struct gc_yaml_where where;
	if (take_scalar(file, entry->name, entry->value, entry->key->start_mark, &text, err))
		return GC_FATAL;
	const struct gc_place place = place_at(file, entry->key, &where, origin, sizeof(origin));
	enum gc_verdict verdict = gc_property_assign(file->config, gc_yaml_text(entry->key), text, &place, err);
	free(text);
	return verdict ? gc_yaml_add_excerpt(&file->yaml, entry->key->start_mark, err) : GC_OK;
}

static enum gc_verdict set_section(struct file *file, const struct entry *entry, struct gc_err *err)
{
	if (entry->value->type == YAML_MAPPING_NODE)
		return walk_section(file, entry->value, entry->name, err);
	if (gc_yaml_is_nothing(entry->value)) /* all of it is commented out */
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
	gc_option_unknown(file->config, entry->name, gc_yaml_where(&file->yaml, entry->key->start_mark).text, err);
	return gc_yaml_add_excerpt(&file->yaml, entry->key->start_mark, err);
}

static enum gc_verdict walk_section(struct file *file, const yaml_node_t *section, const char *prefix, struct gc_err *err)
{
	const yaml_node_pair_t *pair = section->data.mapping.pairs.start;
	for (; pair < section->data.mapping.pairs.top; pair++) {
		struct entry entry = { .key = gc_yaml_node(&file->yaml, pair->key),
				       .value = gc_yaml_node(&file->yaml, pair->value) };
		if (gc_yaml_check_key(&file->yaml, entry.key, err))
			return GC_FATAL;
		snprintf(entry.name, sizeof(entry.name), "%s%s%s", prefix, *prefix ? "." : "", gc_yaml_text(entry.key));
		if (gc_yaml_check_once(&file->yaml, section, pair, entry.name, err) || set_entry(file, &entry, prefix, err))
			return GC_FATAL;
	}
	return GC_OK;
}

/* -- the file -- */

static enum gc_verdict walk_root(void *arg, const yaml_node_t *root, struct gc_err *err)
{
	struct file *file = arg;
	if (root->type != YAML_MAPPING_NODE)
		return fail_at(file, root->start_mark, "config_wrong_type", "the file must consist of sections", err);
	return walk_section(file, root, "", err);
}

static enum gc_verdict fail_unreadable(const char *path, const char *problem, struct gc_err *err)
{
	return gc_fail(err, GC_FATAL, "config_unreadable", path, "cannot be read: %s", problem);
}

static enum gc_verdict read_stream(struct gc_config *config, const char *path, FILE *in, struct gc_err *err)
{
	char *bytes = NULL;
	size_t len = 0;
	if (gc_yaml_read(path, in, &bytes, &len, err))
		return GC_FATAL;
	struct file file = { .config = config, .yaml = { .path = path, .bytes = { bytes, len } } };
	enum gc_verdict verdict = gc_yaml_walk(&file.yaml, walk_root, &file, err);
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
