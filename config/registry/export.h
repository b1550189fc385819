/* What the exports share: expressions of measures for other tools. Others include gracecube/registry.h. */
#ifndef GRACECUBE_CONFIG_REGISTRY_EXPORT_H
#define GRACECUBE_CONFIG_REGISTRY_EXPORT_H

#include "registry.h"

#include <jansson.h>

/* Without memory the process ends, as gc_malloc() has it. Both take what they are given. */
json_t *gc_export_sure(json_t *json);
/* The text of a JSON value, on one line; malloc'ed. */
char *gc_export_text(json_t *json);

/* The object of a list whose name this is; NULL when there is none. Of the list. */
json_t *gc_export_find(const json_t *list, const char *name);

/* The value as a YAML document. */
void gc_export_yaml(const json_t *json, FILE *out);

/* What a measure aggregates, of a row that it does not mean NULL; columns have this before their names. The rows of a metric are also those of
 * its fact, so the condition of the fact is one of each measure. */
void gc_export_value(const struct gc_measure *measure, const struct gc_fact *fact, const char *prefix, FILE *out);

/* By name. */
json_t *gc_export_thresholds(const struct gc_definition *metric);

/* Whether an earlier dimension of the fact has members in the same table, by the same column, or none is needed: they are the fact's own rows. */
bool gc_export_is_related(const struct gc_fact *fact, size_t cut);

#endif
