/* Facts and dimensions as config/metrics.yaml has them: see read.h. Threads: one thread reads. */
#include "read.h"

/* ---- dimensions ---- */

enum { DIMENSION_ABOUT, DIMENSION_TABLE, DIMENSION_KEY, DIMENSION_SHOWS };
static const char *const dimension_words[] = { "about", "table", "key", "shows", NULL };

static const struct gc_cut *find_dimension(const struct gc_registry *registry, const char *name)
{
	for (size_t i = 0; i < registry->dimension_count; i++) {
		if (strcmp(registry->dimensions[i].name, name) == 0)
			return &registry->dimensions[i];
	}
	return NULL;
}

enum gc_verdict gc_read_dimension(struct gc_reader *reader, const char *name, const yaml_node_t *key, const yaml_node_t *value,
				  void *arg, struct gc_err *err)
{
	struct gc_registry *registry = reader->registry;
	struct gc_cut *cut = &registry->dimensions[registry->dimension_count];
	struct gc_taken taken;

	(void)arg;
	if (registry->dimension_count == DIMENSIONS_MAX)
		return gc_reader_fail(reader, key, err, "there are more than %d dimensions", DIMENSIONS_MAX);
	if (gc_reader_entries(reader, value, name, dimension_words, &taken, err) ||
	    gc_reader_need(reader, &taken, name, dimension_words, DIMENSION_ABOUT, err) ||
	    gc_reader_text(reader, taken.nodes[DIMENSION_ABOUT], "about", &cut->about, err))
		return GC_FATAL;
	cut->name = name;
	if (taken.nodes[DIMENSION_TABLE] && (gc_reader_need(reader, &taken, name, dimension_words, DIMENSION_KEY, err) ||
					     gc_reader_need(reader, &taken, name, dimension_words, DIMENSION_SHOWS, err) ||
					     gc_reader_name(reader, taken.nodes[DIMENSION_TABLE], &cut->table, err) ||
					     gc_reader_name(reader, taken.nodes[DIMENSION_KEY], &cut->key, err) ||
					     gc_reader_name(reader, taken.nodes[DIMENSION_SHOWS], &cut->shows, err)))
		return GC_FATAL;
	registry->dimension_count++;
	return GC_OK;
}

/* ---- facts ---- */

enum {
	FACT_ABOUT,
	FACT_TABLE,
	FACT_TIME,
	FACT_TIME_KEY,
	FACT_CONDITION,
	FACT_COLUMNS,
	FACT_DIMENSIONS,
	FACT_REFUSES,
	FACT_ROLLUPS
};
static const char *const fact_words[] = { "about",   "table",      "time",    "time_key", "condition",
					  "columns", "dimensions", "refuses", "rollups",  NULL };
enum { SUMS_TIME, SUMS_DIMENSIONS, SUMS_TOGETHER, SUMS_MEASURES, SUMS_HISTOGRAM };
static const char *const sums_words[] = { "time", "dimensions", "together", "measures", "histogram", NULL };
static const char *const sums_times[] = { "hour", "day", NULL };

static enum gc_verdict take_column(struct gc_reader *reader, const char *name, const yaml_node_t *key, const yaml_node_t *value,
				   void *arg, struct gc_err *err)
{
	struct gc_fact *fact = arg;
	int type;

	(void)key;
	if (gc_reader_choice(reader, value, "the type of a column", gc_column_type_names, &type, err))
		return GC_FATAL;
	fact->columns[fact->column_count++] = (struct gc_fact_column){ .name = name, .type = (enum gc_column_type)type };
	return GC_OK;
}

static enum gc_verdict take_cut(struct gc_reader *reader, const char *name, const yaml_node_t *key, const yaml_node_t *value,
				void *arg, struct gc_err *err)
{
	const struct gc_cut *dimension = find_dimension(reader->registry, name);
	struct gc_fact *fact = arg;
	struct gc_cut *cut = &fact->cuts[fact->cut_count];

	if (!dimension)
		return gc_reader_fail(reader, key, err, "there is no dimension %s", name);
	*cut = *dimension;
	if (gc_reader_name(reader, value, &cut->column, err))
		return GC_FATAL;
	fact->cut_count++;
	return GC_OK;
}

static enum gc_verdict take_refusal(struct gc_reader *reader, const char *name, const yaml_node_t *key, const yaml_node_t *value,
				    void *arg, struct gc_err *err)
{
	struct gc_fact *fact = arg;
	struct gc_refusal *refusal = &fact->refusals[fact->refusal_count];

	(void)key;
	refusal->cut = name;
	if (gc_reader_text(reader, value, "a reason", &refusal->reason, err))
		return GC_FATAL;
	fact->refusal_count++;
	return GC_OK;
}

struct of_fact {
	struct gc_fact *fact;
	struct gc_sums *sums;
};

static enum gc_verdict take_sums_cut(struct gc_reader *reader, const char *name, const yaml_node_t *key, const yaml_node_t *value,
				     void *arg, struct gc_err *err)
{
	struct of_fact *of = arg;
	struct gc_sums_cut *cut = &of->sums->cuts[of->sums->cut_count];

	(void)key;
	cut->name = name;
	if (gc_reader_name(reader, value, &cut->column, err))
		return GC_FATAL;
	of->sums->cut_count++;
	return GC_OK;
}

static enum gc_verdict take_kept(struct gc_reader *reader, const char *name, const yaml_node_t *key, const yaml_node_t *value,
				 void *arg, struct gc_err *err)
{
	struct of_fact *of = arg;
	struct gc_kept *kept = &of->sums->kept[of->sums->kept_count];
	const struct gc_scope scope = gc_reader_scope(reader, of->fact);
	struct gc_mistake mistake;
	const char *text;

	(void)key;
	kept->column = name;
	if (gc_reader_text(reader, value, "a measure", &text, err))
		return GC_FATAL;
	if (!gc_measure_compile(&scope, text, &kept->measure, &mistake))
		return gc_reader_inside(reader, value, name, &mistake, err);
	of->sums->kept_count++;
	return GC_OK;
}

/* together: {component: component_key = -1} */
static enum gc_verdict take_together(struct gc_reader *reader, const char *name, const yaml_node_t *key, const yaml_node_t *value,
				     void *arg, struct gc_err *err)
{
	struct of_fact *of = arg;
	struct gc_span column, cell;
	const char *text;

	(void)key;
	if (gc_reader_text(reader, value, "together", &text, err))
		return GC_FATAL;
	if (!gc_span_split(gc_span_of(text), '=', &column, &cell))
		return gc_reader_fail(reader, value, err, "together must be a column and its value, like component_key = -1");
	of->sums->together = (struct gc_together){
		.cut = name,
		.column = gc_arena_dup(&reader->registry->arena, gc_span_trim(column)).ptr,
		.value = gc_arena_dup(&reader->registry->arena, gc_span_trim(cell)).ptr,
	};
	return GC_OK;
}

static enum gc_verdict take_histogram(struct gc_reader *reader, const yaml_node_t *node, const struct gc_fact *fact,
				      struct gc_sums *sums, struct gc_err *err)
{
	const struct gc_scope scope = gc_reader_scope(reader, fact);
	const char *column;

	if (gc_reader_name(reader, node, &column, err))
		return GC_FATAL;
	sums->histogram = gc_column_sql(&scope, column);
	return GC_OK;
}

static enum gc_verdict take_sums(struct gc_reader *reader, const char *name, const yaml_node_t *key, const yaml_node_t *value,
				 void *arg, struct gc_err *err)
{
	struct gc_fact *fact = arg;
	struct gc_sums *sums = &fact->sums[fact->sums_count];
	struct of_fact of = { fact, sums };
	struct gc_taken taken;
	int time;

	(void)key;
	if (gc_reader_entries(reader, value, name, sums_words, &taken, err) ||
	    gc_reader_need(reader, &taken, name, sums_words, SUMS_TIME, err) ||
	    gc_reader_need(reader, &taken, name, sums_words, SUMS_DIMENSIONS, err) ||
	    gc_reader_choice(reader, taken.nodes[SUMS_TIME], "time", sums_times, &time, err))
		return GC_FATAL;
	sums->table = name;
	sums->time = sums_times[time];
	sums->cuts = gc_reader_list(reader, taken.nodes[SUMS_DIMENSIONS], sizeof(*sums->cuts));
	if (gc_reader_each(reader, taken.nodes[SUMS_DIMENSIONS], "dimensions", take_sums_cut, &of, err))
		return GC_FATAL;
	if (taken.nodes[SUMS_MEASURES]) {
		sums->kept = gc_reader_list(reader, taken.nodes[SUMS_MEASURES], sizeof(*sums->kept));
		if (gc_reader_each(reader, taken.nodes[SUMS_MEASURES], "measures", take_kept, &of, err))
			return GC_FATAL;
	}
	if ((taken.nodes[SUMS_TOGETHER] &&
	     gc_reader_each(reader, taken.nodes[SUMS_TOGETHER], "together", take_together, &of, err)) ||
	    (taken.nodes[SUMS_HISTOGRAM] && take_histogram(reader, taken.nodes[SUMS_HISTOGRAM], fact, sums, err)))
		return GC_FATAL;
	fact->sums_count++;
	return GC_OK;
}

static enum gc_verdict take_fact_names(struct gc_reader *reader, const struct gc_taken *taken, struct gc_fact *fact,
				       struct gc_err *err)
{
	const struct {
		int index;
		const char **ret_name;
	} rows[] = { { FACT_TABLE, &fact->table }, { FACT_TIME, &fact->time }, { FACT_TIME_KEY, &fact->time_key } };

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (taken->nodes[rows[i].index] && gc_reader_name(reader, taken->nodes[rows[i].index], rows[i].ret_name, err))
			return GC_FATAL;
	}
	return gc_reader_text(reader, taken->nodes[FACT_ABOUT], "about", &fact->about, err);
}

static enum gc_verdict take_fact_condition(struct gc_reader *reader, const yaml_node_t *node, struct gc_fact *fact,
					   struct gc_err *err)
{
	const struct gc_scope scope = gc_reader_scope(reader, fact);
	struct gc_mistake mistake;
	const char *text;

	if (gc_reader_text(reader, node, "condition", &text, err))
		return GC_FATAL;
	return gc_condition_compile(&scope, text, &fact->condition, &mistake)
		       ? GC_OK
		       : gc_reader_inside(reader, node, "condition", &mistake, err);
}

enum gc_verdict gc_read_fact(struct gc_reader *reader, const char *name, const yaml_node_t *key, const yaml_node_t *value,
			     void *arg, struct gc_err *err)
{
	static const int needed[] = { FACT_ABOUT, FACT_TABLE, FACT_COLUMNS, FACT_DIMENSIONS };
	struct gc_registry *registry = reader->registry;
	struct gc_fact *fact = &registry->facts[registry->fact_count];
	struct gc_taken taken;

	(void)arg;
	if (registry->fact_count == FACTS_MAX)
		return gc_reader_fail(reader, key, err, "there are more than %d facts", FACTS_MAX);
	if (gc_reader_entries(reader, value, name, fact_words, &taken, err))
		return GC_FATAL;
	for (size_t i = 0; i < sizeof(needed) / sizeof(needed[0]); i++) {
		if (gc_reader_need(reader, &taken, name, fact_words, needed[i], err))
			return GC_FATAL;
	}
	fact->name = name;
	fact->columns = gc_reader_list(reader, taken.nodes[FACT_COLUMNS], sizeof(*fact->columns));
	fact->cuts = gc_reader_list(reader, taken.nodes[FACT_DIMENSIONS], sizeof(*fact->cuts));
	if (take_fact_names(reader, &taken, fact, err) ||
	    gc_reader_each(reader, taken.nodes[FACT_COLUMNS], "columns", take_column, fact, err) ||
	    gc_reader_each(reader, taken.nodes[FACT_DIMENSIONS], "dimensions", take_cut, fact, err) ||
	    (taken.nodes[FACT_CONDITION] && take_fact_condition(reader, taken.nodes[FACT_CONDITION], fact, err)))
		return GC_FATAL;
	if (taken.nodes[FACT_REFUSES]) {
		fact->refusals = gc_reader_list(reader, taken.nodes[FACT_REFUSES], sizeof(*fact->refusals));
		if (gc_reader_each(reader, taken.nodes[FACT_REFUSES], "refuses", take_refusal, fact, err))
			return GC_FATAL;
	}
	if (taken.nodes[FACT_ROLLUPS]) {
		fact->sums = gc_reader_list(reader, taken.nodes[FACT_ROLLUPS], sizeof(*fact->sums));
		if (gc_reader_each(reader, taken.nodes[FACT_ROLLUPS], "rollups", take_sums, fact, err))
			return GC_FATAL;
	}
	registry->fact_count++;
	return GC_OK;
}
