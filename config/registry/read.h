/* Files of metrics: what their YAML says becomes the structures of gracecube/registry.h. reader.c has what all of it is read with, read_facts.c
 * facts and dimensions, thresholds.c thresholds, targets.c those of another file, read_metrics.c metrics and the file as a whole.
 *
 * Guarantee: what is wrong is refused with its place, the nearest name and what is allowed; nothing is guessed or passed over. Facts and
 * dimensions are the program's own and stand in config/metrics.yaml alone; other files have metrics.
 * Threads: one thread reads.
 */
#ifndef GRACECUBE_CONFIG_REGISTRY_READ_H
#define GRACECUBE_CONFIG_REGISTRY_READ_H

#include "registry.h"

/* A registry is for people to choose from; and each list has its array at once. */
#define METRICS_MAX 1000
#define FACTS_MAX 40
#define DIMENSIONS_MAX 40
#define KEYS_MAX 12

struct gc_reader {
	struct gc_registry *registry;
	struct gc_yaml yaml;
	bool is_own; /* config/metrics.yaml itself */
};

enum gc_verdict gc_reader_fail(const struct gc_reader *reader, const yaml_node_t *node, struct gc_err *err, const char *format, ...)
	__attribute__((format(printf, 4, 5)));
/* A mistake in a scalar, at its place; in one over several lines at its begin. */
enum gc_verdict gc_reader_inside(const struct gc_reader *reader, const yaml_node_t *node, const char *what,
				 const struct gc_mistake *mistake, struct gc_err *err) GC_MUST_CHECK;

/* The words that a mapping may have, and the nodes of those that it has, at the same places. */
struct gc_taken {
	const yaml_node_t *own;
	const yaml_node_t *nodes[KEYS_MAX];
};
enum gc_verdict gc_reader_entries(struct gc_reader *reader, const yaml_node_t *mapping, const char *what, const char *const *words,
				  struct gc_taken *ret_taken, struct gc_err *err) GC_MUST_CHECK;
enum gc_verdict gc_reader_need(const struct gc_reader *reader, const struct gc_taken *taken, const char *what,
			       const char *const *words, int index, struct gc_err *err) GC_MUST_CHECK;

/* Calls `take` for each entry of a mapping whose keys are names. */
typedef enum gc_verdict (*gc_reader_taker)(struct gc_reader *reader, const char *name, const yaml_node_t *key,
					   const yaml_node_t *value, void *arg, struct gc_err *err);
enum gc_verdict gc_reader_each(struct gc_reader *reader, const yaml_node_t *mapping, const char *what, gc_reader_taker take,
			       void *arg, struct gc_err *err) GC_MUST_CHECK;
/* Room for as many items as a mapping has entries, zeroed. */
void *gc_reader_list(struct gc_reader *reader, const yaml_node_t *mapping, size_t item_bytes);

enum gc_verdict gc_reader_text(const struct gc_reader *reader, const yaml_node_t *node, const char *what, const char **ret_text,
			       struct gc_err *err) GC_MUST_CHECK;
enum gc_verdict gc_reader_name(const struct gc_reader *reader, const yaml_node_t *node, const char **ret_name,
			       struct gc_err *err) GC_MUST_CHECK;
enum gc_verdict gc_reader_choice(const struct gc_reader *reader, const yaml_node_t *node, const char *what,
				 const char *const *choices, int *ret_choice, struct gc_err *err) GC_MUST_CHECK;
struct gc_scope gc_reader_scope(struct gc_reader *reader, const struct gc_fact *fact);

/* As gc_reader_each() calls them. */
enum gc_verdict gc_read_dimension(struct gc_reader *reader, const char *name, const yaml_node_t *key, const yaml_node_t *value,
				  void *arg, struct gc_err *err) GC_MUST_CHECK;
enum gc_verdict gc_read_fact(struct gc_reader *reader, const char *name, const yaml_node_t *key, const yaml_node_t *value,
			     void *arg, struct gc_err *err) GC_MUST_CHECK;
/* A number that is no less than 0; of thresholds by name, each worse than the one before. */
enum gc_verdict gc_read_threshold(const struct gc_reader *reader, const yaml_node_t *node, const char *name, double *ret_number,
				  struct gc_err *err) GC_MUST_CHECK;
enum gc_verdict gc_check_thresholds(const struct gc_reader *reader, const yaml_node_t *const *nodes,
				    const struct gc_definition *metric, struct gc_err *err) GC_MUST_CHECK;
/* Of a metric whose fact, unit and direction are known. */
enum gc_verdict gc_read_thresholds(struct gc_reader *reader, const yaml_node_t *node, struct gc_definition *metric,
				   struct gc_err *err) GC_MUST_CHECK;

#endif
