/* Findings: see findings.h. Threads: no shared state. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <gracecube/sink.h>

#include "cli/output.h"
#include "cli/findings.h"
#include "cli/repair.h"

#define ADVICE_BYTES 500

void gc_findings_init(struct gc_findings *findings)
{
	*findings = (struct gc_findings){ .count = 0 };
	gc_arena_init(&findings->arena);
}

void gc_findings_done(struct gc_findings *findings)
{
	gc_arena_done(&findings->arena);
	free(findings->items);
	findings->items = NULL;
}

void gc_findings_reset(struct gc_findings *findings)
{
	findings->count = 0;
	gc_arena_reset(&findings->arena, 64 * 1024);
}

static const char *keep(struct gc_findings *findings, const char *text)
{
	return text ? gc_arena_dup(&findings->arena, gc_span_of(text)).ptr : NULL;
}

/* From the end: a step's rows are those of the step before. */
static struct gc_finding *find_row(struct gc_findings *findings, const char *check, const char *subject)
{
	struct gc_finding *row;

	for (size_t i = findings->count; i-- > 0;) {
		row = &findings->items[i];
		if (strcmp(row->check, check) == 0 && strcmp(row->subject, subject) == 0)
			return row;
	}
	if (findings->count == findings->capacity) {
		findings->capacity = findings->capacity ? 2 * findings->capacity : 64;
		findings->items = gc_realloc(findings->items, findings->capacity * sizeof(*findings->items));
	}
	row = &findings->items[findings->count++];
	*row = (struct gc_finding){ .check = keep(findings, check), .subject = keep(findings, subject) };
	return row;
}

void gc_findings_add(struct gc_findings *findings, const struct gc_finding *finding)
{
	struct gc_finding *row = find_row(findings, finding->check, finding->subject);

	row->compared += finding->compared;
	row->found += finding->found;
	row->differing += finding->differing;
	if (finding->example && (!row->example || strcmp(finding->example, row->example) < 0))
		row->example = keep(findings, finding->example);
}

bool gc_findings_differ(const struct gc_findings *findings, const char *check)
{
	for (size_t i = 0; i < findings->count; i++) {
		if (findings->items[i].differing && strcmp(findings->items[i].check, check) == 0)
			return true;
	}
	return false;
}

int64_t gc_findings_compared(const struct gc_findings *findings, const char *check)
{
	int64_t compared = 0;

	for (size_t i = 0; i < findings->count; i++)
		compared += strcmp(findings->items[i].check, check) == 0 ? findings->items[i].compared : 0;
	return compared;
}

struct gc_finding gc_findings_sum(const struct gc_findings *findings)
{
	struct gc_finding sum = { .check = NULL };

	for (size_t i = 0; i < findings->count; i++) {
		const struct gc_finding *row = &findings->items[i];

		sum.compared += row->compared;
		sum.found += row->found;
		sum.differing += row->differing;
		if (row->differing && !sum.example)
			sum.example = row->example;
	}
	return sum;
}

static void add_count(struct gc_table *table, int64_t number)
{
	char text[GC_OUTPUT_BYTES];

	gc_table_add(table, gc_output_count(number, text, sizeof(text)));
}

void gc_findings_print(const struct gc_findings *findings, bool only_differing)
{
	static const struct gc_table_column columns[] = {
		{ "check", false, 0 },    { "of", false, 0 },      { "compared", true, 0 },
		{ "differing", true, 0 }, { "example", false, 0 },
	};
	struct gc_table table;

	gc_table_init(&table, columns, sizeof(columns) / sizeof(columns[0]));
	for (size_t i = 0; i < findings->count; i++) {
		const struct gc_finding *row = &findings->items[i];

		if (only_differing && row->differing == 0)
			continue;
		gc_table_add(&table, row->check);
		gc_table_add(&table, row->subject);
		add_count(&table, row->compared);
		add_count(&table, row->differing);
		gc_table_add(&table, row->example ? row->example : "");
	}
	gc_table_print(&table, stdout);
	gc_table_done(&table);
}

static const char *advice_on(const struct gc_findings *findings, const char *check, char *buffer, size_t bytes)
{
	snprintf(buffer, bytes, "%s", gc_repair_advice(check));
	if (findings->config)
		gc_cube_name(findings->config, buffer, bytes);
	return buffer;
}

static bool is_told(const struct gc_findings *findings, size_t before, const char *check)
{
	for (size_t i = 0; i < before; i++) {
		if (findings->items[i].differing && strcmp(findings->items[i].check, check) == 0)
			return true;
	}
	return false;
}

/* Each check that differs once, with all its subjects. */
static void print_left(const struct gc_findings *findings, size_t first)
{
	const char *check = findings->items[first].check, *separator = "";
	char advice[ADVICE_BYTES];

	printf("left: %s (", check);
	for (size_t i = first; i < findings->count; i++) {
		const struct gc_finding *row = &findings->items[i];

		if (row->differing && strcmp(row->check, check) == 0) {
			printf("%s%s", separator, row->subject);
			separator = ", ";
		}
	}
	printf("): %s\n", advice_on(findings, check, advice, sizeof(advice)));
}

void gc_findings_print_left(const struct gc_findings *findings)
{
	for (size_t i = 0; i < findings->count; i++) {
		if (findings->items[i].differing && !is_told(findings, i, findings->items[i].check))
			print_left(findings, i);
	}
}

json_t *gc_findings_json(const struct gc_findings *findings)
{
	json_t *checks = json_array();
	char advice[ADVICE_BYTES];

	for (size_t i = 0; i < findings->count; i++) {
		const struct gc_finding *row = &findings->items[i];

		json_array_append_new(checks,
				      json_pack("{s:o, s:o, s:I, s:I, s:I, s:o, s:o}", "check", gc_output_text_json(row->check),
						"of", gc_output_text_json(row->subject), "compared", (json_int_t)row->compared,
						"found", (json_int_t)row->found, "differing", (json_int_t)row->differing, "example",
						gc_output_text_json(row->example), "what_to_do",
						gc_output_text_json(row->differing ? advice_on(findings, row->check, advice,
											       sizeof(advice))
										   : NULL)));
	}
	return checks;
}
