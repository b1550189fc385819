/* Metrics: see metric.h. */
#include <gracecube/metric.h>

#include <stdbool.h>
#include <string.h>

static const char *const type_names[] = { "counter", "gauge", "histogram" };

void gc_histogram_add(struct gc_histogram *histogram, const struct gc_buckets *buckets, int64_t value)
{
	int i = 0;

	while (i < buckets->count && value > buckets->limits[i])
		i++;
	gc_counter_add(&histogram->counts[i], 1);
	gc_counter_add(&histogram->sum, value);
}

/* ---- lines ---- */

double gc_metric_in_unit(const struct gc_metric *metric, int64_t value)
{
	return strstr(metric->name, "_seconds") ? (double)value / 1e6 : (double)value;
}

void gc_metric_line(struct gc_metric_printer *p, const char *suffix, const char *label, double value)
{
	const char *fixed = p->metric->fixed;

	fprintf(p->out, "%s%s", p->metric->name, suffix);
	if (label || fixed)
		fprintf(p->out, "{%s%s%s}", label ? label : "", label && fixed ? "," : "", fixed ? fixed : "");
	if (value == (double)(int64_t)value)
		fprintf(p->out, " %lld\n", (long long)value); /* counts to the last digit */
	else
		fprintf(p->out, " %.15g\n", value);
}

void gc_metric_labelled(struct gc_metric_printer *p, const char *name, const char *value, double number)
{
	char label[320];

	snprintf(label, sizeof(label), "%s=\"%s\"", name, value);
	gc_metric_line(p, "", label, number);
}

/* ---- histograms ---- */

void gc_tally_add(struct gc_tally *tally, const struct gc_histogram *histogram)
{
	for (int i = 0; i <= GC_BUCKETS_MAX; i++)
		tally->counts[i] += gc_counter_get(&histogram->counts[i]);
	tally->sum += gc_counter_get(&histogram->sum);
}

int64_t gc_tally_count(const struct gc_tally *tally)
{
	int64_t count = 0;

	for (int i = 0; i <= GC_BUCKETS_MAX; i++)
		count += tally->counts[i];
	return count;
}

/* _count is the sum of the buckets, so that the two agree whatever is counted meanwhile. */
void gc_metric_tally(struct gc_metric_printer *p, const struct gc_tally *tally, const char *label)
{
	char with_limit[384];
	int64_t count = 0;

	for (int i = 0; i <= p->metric->buckets->count; i++) {
		count += tally->counts[i];
		if (i < p->metric->buckets->count)
			snprintf(with_limit, sizeof(with_limit), "%s%sle=\"%g\"", label ? label : "", label ? "," : "",
				 gc_metric_in_unit(p->metric, p->metric->buckets->limits[i]));
		else
			snprintf(with_limit, sizeof(with_limit), "%s%sle=\"+Inf\"", label ? label : "", label ? "," : "");
		gc_metric_line(p, "_bucket", with_limit, (double)count);
	}
	gc_metric_line(p, "_sum", label, gc_metric_in_unit(p->metric, tally->sum));
	gc_metric_line(p, "_count", label, (double)count);
}

/* ---- tables ---- */

static bool begins_family(const struct gc_metric *table, const struct gc_metric *metric)
{
	return metric == table || strcmp(metric->name, metric[-1].name) != 0;
}

void gc_metrics_print(const struct gc_metric *table, const void *source, FILE *out)
{
	for (const struct gc_metric *metric = table; metric->name; metric++) {
		struct gc_metric_printer printer = { out, source, metric };

		if (begins_family(table, metric))
			fprintf(out, "# HELP %s %s\n# TYPE %s %s\n", metric->name, metric->help, metric->name,
				type_names[metric->type]);
		metric->print(&printer);
	}
}

void gc_metrics_list(const struct gc_metric *table, FILE *out)
{
	fputs("| name | type | labels | meaning |\n|---|---|---|---|\n", out);
	for (const struct gc_metric *metric = table; metric->name; metric++) {
		if (begins_family(table, metric))
			fprintf(out, "| `%s` | %s | %s | %s |\n", metric->name, type_names[metric->type],
				metric->labels ? metric->labels : "", metric->help);
	}
}
