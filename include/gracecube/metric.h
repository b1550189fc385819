/* Metrics: counters that threads write, and the tables from which Prometheus' text (0.0.4) and the page about it are made.
 *
 * A metric is one row (one a label value where these are known at compile time); rows of one name stand together. Names:
 * gracecube_<what>_<unit>[_total]; units are seconds, bytes, records, or nothing for plain counts. Labels come from tables and topics
 * only, never from what somebody sent. What is not known is left out, never 0.
 *
 * Threads: a counter has one writer (or writers that share a lock) and any number of readers: adding is a load and a store, no locked
 * instruction. Tables are constants; printing touches no state but the printer's.
 */
#ifndef GRACECUBE_METRIC_H
#define GRACECUBE_METRIC_H

#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>

/* ---- counters ---- */

static inline void gc_counter_add(_Atomic int64_t *counter, int64_t by)
{
	atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + by, memory_order_relaxed);
}

static inline void gc_counter_set(_Atomic int64_t *counter, int64_t value)
{
	atomic_store_explicit(counter, value, memory_order_relaxed);
}

static inline int64_t gc_counter_get(const _Atomic int64_t *counter)
{
	return atomic_load_explicit((_Atomic int64_t *)counter, memory_order_relaxed);
}

#define GC_BUCKETS_MAX 16

/* Upper limits of a histogram in the counter's own unit (µs, records); the last bucket has none. */
struct gc_buckets {
	int count;
	int64_t limits[GC_BUCKETS_MAX];
};

struct gc_histogram {
	_Atomic int64_t counts[GC_BUCKETS_MAX + 1]; /* each bucket for itself */
	_Atomic int64_t sum;
};

void gc_histogram_add(struct gc_histogram *histogram, const struct gc_buckets *buckets, int64_t value);

/* ---- the table ---- */

enum gc_metric_type { GC_METRIC_COUNTER, GC_METRIC_GAUGE, GC_METRIC_HISTOGRAM };

struct gc_metric_printer;

struct gc_metric {
	const char *name; /* NULL ends a table */
	enum gc_metric_type type;
	const char *labels; /* for the page; NULL for none */
	const char *fixed;  /* the label of this row, where a name has several: outcome="applied" */
	const char *help;
	void (*print)(struct gc_metric_printer *p);
	size_t offset; /* into what the function reads */
	const struct gc_buckets *buckets;
};

struct gc_metric_printer {
	FILE *out;
	const void *source; /* the table's own */
	const struct gc_metric *metric;
};

void gc_metrics_print(const struct gc_metric *table, const void *source, FILE *out);
/* Rows of the page, Markdown: name, type, labels, meaning. */
void gc_metrics_list(const struct gc_metric *table, FILE *out);

/* CPU, memory, files of this process; they need no source. */
extern const struct gc_metric gc_process_metrics[];

/* ---- for the rows' functions ---- */

/* Counters are whole numbers of records, bytes, or µs; what has "_seconds" in its name is printed in seconds. */
double gc_metric_in_unit(const struct gc_metric *metric, int64_t value);
/* One sample. `label`, if given, is `name="value"`, or several with commas. */
void gc_metric_line(struct gc_metric_printer *p, const char *suffix, const char *label, double value);
/* Values hold letters, digits and "._-/{}" only: nothing needs an escape. */
void gc_metric_labelled(struct gc_metric_printer *p, const char *name, const char *value, double number);

/* Histograms, added up. */
struct gc_tally {
	int64_t counts[GC_BUCKETS_MAX + 1], sum;
};
void gc_tally_add(struct gc_tally *tally, const struct gc_histogram *histogram);
int64_t gc_tally_count(const struct gc_tally *tally);
/* _bucket, _sum and _count; label as above. */
void gc_metric_tally(struct gc_metric_printer *p, const struct gc_tally *tally, const char *label);

#endif
