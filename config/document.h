/* YAML files that people write: read by libyaml as a tree that knows the place of each node. Every complaint has file:line:column, the line
 * itself and a caret.
 *
 * Threads: no shared state; a file belongs to one thread.
 */
#ifndef GRACECUBE_CONFIG_DOCUMENT_H
#define GRACECUBE_CONFIG_DOCUMENT_H

#include <stdio.h>
#include <yaml.h>

#include <gracecube/err.h>
#include <gracecube/span.h>

struct gc_yaml {
	const char *path; /* as messages name it */
	struct gc_span bytes;
	yaml_document_t document; /* while gc_yaml_walk() visits it */
};

/* Bytes of a file of at most 1 MiB; malloc'ed. */
enum gc_verdict gc_yaml_read(const char *path, FILE *in, char **ret_bytes, size_t *ret_len, struct gc_err *err) GC_MUST_CHECK;
/* Visits the root of the only document that the file may be; not at all where there is nothing in it. */
enum gc_verdict gc_yaml_walk(struct gc_yaml *yaml, enum gc_verdict (*visit)(void *arg, const yaml_node_t *root, struct gc_err *err),
			     void *arg, struct gc_err *err) GC_MUST_CHECK;

/* "config/gracecube.yaml:12:3"; of a long path the end. */
struct gc_yaml_where {
	char text[sizeof(((struct gc_err *)NULL)->where)];
};
struct gc_yaml_where gc_yaml_where(const struct gc_yaml *yaml, yaml_mark_t mark);
/* Always GC_FATAL. */
enum gc_verdict gc_yaml_fail(const struct gc_yaml *yaml, yaml_mark_t mark, const char *code, struct gc_err *err, const char *format,
			     ...) __attribute__((format(printf, 5, 6)));
/* The line and the caret behind what err says already. Always GC_FATAL. */
enum gc_verdict gc_yaml_add_excerpt(const struct gc_yaml *yaml, yaml_mark_t mark, struct gc_err *err);

const char *gc_yaml_text(const yaml_node_t *scalar);
/* `key:` and `key: ~` say that there is nothing; "" is an empty text. */
bool gc_yaml_is_nothing(const yaml_node_t *node);
/* A scalar without a NUL in it. */
bool gc_yaml_is_text(const yaml_node_t *node);
const yaml_node_t *gc_yaml_node(struct gc_yaml *yaml, int index);
/* That a mapping's key is a word, and is there once: YAML forbids a key twice, and libyaml does not look. `name` is what messages call it. */
enum gc_verdict gc_yaml_check_key(const struct gc_yaml *yaml, const yaml_node_t *key, struct gc_err *err) GC_MUST_CHECK;
enum gc_verdict gc_yaml_check_once(struct gc_yaml *yaml, const yaml_node_t *mapping, const yaml_node_pair_t *pair, const char *name,
				   struct gc_err *err) GC_MUST_CHECK;

#endif
