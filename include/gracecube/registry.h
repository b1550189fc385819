/* The registry of metrics: what every number of the cube means, once. It is read from config/metrics.yaml, which the program carries, and from
 * the files of cube.metrics_files beside it. `migrate` puts it into the cube, where cube.metric() answers from it; the commands, the
 * reference page and what is made for other tools read the same structures.
 *
 * What people write there is columns, comparisons, and, or, not, in, between, is null and arithmetic (config/registry/expression.c):
 * the SQL that is made of it holds nothing else.
 * Threads: read by one thread; constant afterwards.
 */
#ifndef GRACECUBE_REGISTRY_H
#define GRACECUBE_REGISTRY_H

#include <stdio.h>

#include <gracecube/config.h>

enum gc_measure_kind {
	GC_MEASURE_COUNT,
	GC_MEASURE_SUM,
	GC_MEASURE_DISTINCT,
	GC_MEASURE_MAX,
	GC_MEASURE_MIN,
	GC_MEASURE_PERCENTILE,
};

/* An aggregate over the rows of a fact; SQL has `f.` before its columns and names no schema. */
struct gc_measure {
	enum gc_measure_kind kind;
	const char *condition; /* which rows; NULL: all */
	const char *value;     /* of what; NULL for a count */
	int64_t units;         /* of a sum: it is kept as a whole number of so small parts of one, so that it adds exactly */
	double share;          /* of a percentile: 0.95 */
};

/* What a fact may be cut by. */
struct gc_cut {
	const char *name, *about;
	const char *column;              /* of the fact: a key of a dimension, or the text itself */
	const char *table, *key, *shows; /* where the key's member is, and its column that is shown; NULL: the column itself */
};

/* Sums of a fact that are there already. */
struct gc_sums {
	const char *table, *time; /* time: its column, "hour" or "day" */
	struct gc_sums_cut {
		const char *name, *column; /* of a cut */
	} *cuts;
	size_t cut_count;
	struct gc_together {
		const char *cut, *column, *value; /* which cell is all members together: component_key -1 */
	} together;                               /* cut NULL: none */
	struct gc_kept {
		const char *column;
		struct gc_measure measure;
	} *kept;
	size_t kept_count;
	const char *histogram; /* the value of which it holds the logarithmic buckets; NULL: none */
	const char *histogram_condition;
};

struct gc_refusal {
	const char *cut, *reason;
};

enum gc_column_type { GC_COLUMN_TEXT, GC_COLUMN_BOOLEAN, GC_COLUMN_TIME, GC_COLUMN_WHOLE, GC_COLUMN_SECONDS, GC_COLUMN_NUMBER };

struct gc_fact {
	const char *name, *about;
	const char *table;     /* or a view */
	const char *time;      /* the column by which a row belongs to a window; NULL: it says how things are now */
	const char *time_key;  /* the same in minutes, which has an index; NULL: there is none */
	const char *condition; /* which rows are meant at all; NULL: every */
	struct gc_fact_column {
		const char *name;
		enum gc_column_type type;
	} *columns;
	size_t column_count;
	struct gc_cut *cuts;
	size_t cut_count;
	struct gc_refusal *refusals; /* cuts that would be wrong, and why */
	size_t refusal_count;
	struct gc_sums *sums; /* in the order in which they are tried */
	size_t sums_count;
};

enum gc_better { GC_BETTER_NEITHER, GC_BETTER_UP, GC_BETTER_DOWN };
enum gc_additivity {
	GC_ADDITIVE,          /* values of parts add */
	GC_ADDITIVE_BY_PARTS, /* numerators add, and denominators add: never values */
	GC_NOT_ADDITIVE,
};
enum gc_threshold { GC_GOOD, GC_WARNING, GC_CRITICAL, GC_THRESHOLDS };

struct gc_definition {
	const char *name, *label, *about, *unit;
	const char *formula, *filter; /* as they were written; filter NULL: none */
	const struct gc_fact *fact;
	const char *condition;           /* SQL of the filter */
	struct gc_measure value, per, n; /* a ratio is value per per; n: how many rows the answer rests on */
	bool is_ratio;
	const struct gc_cut **cuts;
	size_t cut_count;
	enum gc_better better;
	const char *thresholds[GC_THRESHOLDS]; /* numbers, as they were written; NULL: none */
	const char *thresholds_file;           /* that has them; NULL: there are none */
	const char *playbook;                  /* to run when it is beyond them, several with commas; NULL: none */
	size_t target_line;                    /* where the file of targets has it; 0: nowhere */
	int64_t over_us;                       /* of how long a window until now they are; 0: of all there is */
	int64_t rows_min;                      /* an answer that rests on fewer raises no alert */
	enum gc_additivity additivity;
	const char *file; /* that has it */
	size_t line;
};

struct gc_registry;

extern const char *const gc_measure_names[];     /* "count", "sum", …; ends with NULL, as those below do */
extern const char *const gc_column_type_names[]; /* "text", … */
extern const char *const gc_better_names[];      /* "neither", "up", "down" */
extern const char *const gc_additivity_names[];  /* "additive", "by_parts", "none" */
extern const char *const gc_threshold_names[];   /* "good", "warning", "critical" */
extern const char *const gc_metric_units[];

/* What the program carries, the files, of cube.metrics_files or others, and the targets for these: a file like Grace's metrics_catalog.yaml, or
 * "". GC_FATAL with file:line:column, the nearest name and what is allowed. Free it in any case. */
enum gc_verdict gc_registry_load(const char *files, const char *targets, struct gc_registry **ret_registry,
				 struct gc_err *err) GC_MUST_CHECK;
void gc_registry_free(struct gc_registry *registry);

/* In the order of the files; NULL behind the last. */
const struct gc_definition *gc_registry_at(const struct gc_registry *registry, size_t index);
const struct gc_definition *gc_registry_find(const struct gc_registry *registry, const char *name);
/* The nearest name to one that is not there, or NULL. */
const char *gc_registry_nearest(const struct gc_registry *registry, const char *name);
const struct gc_fact *gc_registry_fact(const struct gc_registry *registry, size_t index);

/* What the file of targets was about. */
struct gc_targets {
	const char *file; /* NULL: there is none */
	size_t taken;     /* metrics that have targets there */
	struct gc_stranger {
		const char *id;
		size_t line;
	} *strangers; /* what is no metric here */
	size_t stranger_count;
};
const struct gc_targets *gc_registry_targets(const struct gc_registry *registry);

bool gc_measure_is_same(const struct gc_measure *a, const struct gc_measure *b);
/* Its column among sums, or NULL. */
const struct gc_kept *gc_sums_find(const struct gc_sums *sums, const struct gc_measure *measure);
/* Whether a metric can be answered from them. */
bool gc_sums_hold(const struct gc_sums *sums, const struct gc_definition *metric);

/* As `migrate` hands it to the cube: an object of definitions by name. malloc'ed. */
char *gc_registry_json(const struct gc_registry *registry);
/* An array of the files that it was loaded from with these. malloc'ed. */
char *gc_registry_files_json(const char *files, const char *targets);
/* For other tools, of a cube in this schema: an Apache Ossie semantic model (JSON), and MetricFlow's semantic models and metrics (YAML). */
void gc_registry_ossie(const struct gc_registry *registry, const char *schema, FILE *out);
void gc_registry_metricflow(const struct gc_registry *registry, const char *schema, FILE *out);
/* Alert rules for Prometheus (YAML): two a metric at most, of its thresholds for warning and critical. */
void gc_registry_alerts(const struct gc_registry *registry, FILE *out);
/* "90 %", "15m", "3": a threshold for people; returns buffer. */
const char *gc_threshold_print(const struct gc_definition *metric, enum gc_threshold threshold, char *buffer, size_t bytes);
/* "good from 95 %, warning below 90 %, over 1d"; NULL when the metric has none. Returns buffer. */
const char *gc_thresholds_print(const struct gc_definition *metric, char *buffer, size_t bytes);
/* The reference page (Markdown). */
void gc_registry_page(const struct gc_registry *registry, FILE *out);

#endif
