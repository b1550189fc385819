/* What the cube was made by, beside what this program carries.
 *
 * The rule: a program works on a cube that has each numbered file of its own, unchanged, and exactly its code; or, while a newer program is
 * being rolled out, on that one's code, as long as no version of the schema is complete that is newer than its own. A cube that has less
 * than the program needs waits for `gracecube migrate`. Threads: one schema belongs to one connection.
 */
#include "schema.h"

#include <stdio.h>
#include <stdlib.h>

static bool ends_with(const char *text, const char *end)
{
	size_t length = strlen(text), end_length = strlen(end);

	return length >= end_length && strcmp(text + length - end_length, end) == 0;
}

enum gc_sql_step gc_sql_step_of(const char *name)
{
	if (strncmp(name, "code/", 5) == 0)
		return GC_SQL_CODE;
	if (ends_with(name, ".online.sql"))
		return GC_SQL_ONLINE;
	return ends_with(name, ".contract.sql") ? GC_SQL_CONTRACT : GC_SQL_EXPAND;
}

int gc_sql_version_of(const char *name)
{
	return strncmp(name, "tables/", 7) == 0 ? (int)strtol(name + 7, NULL, 10) : 0;
}

bool gc_sql_is_engine(const char *name)
{
	return strncmp(name, "code/1_", 7) == 0 || strncmp(name, "code/2_", 7) == 0;
}

static int newest_version(const struct gc_sql_file *files)
{
	int newest = 0;

	for (; files->name; files++) {
		int version = gc_sql_version_of(files->name);

		newest = version > newest ? version : newest;
	}
	return newest;
}

int gc_schema_version(void)
{
	return newest_version(gc_sql_files);
}

/* ---- reading ---- */

static void take_version(void *arg, const char *const *values, int columns)
{
	struct gc_schema *schema = arg;

	(void)columns;
	schema->version = values[0] ? (int)strtol(values[0], NULL, 10) : 0;
}

static void take_file(void *arg, const char *const *values, int columns)
{
	struct gc_schema *schema = arg;

	(void)columns;
	if (schema->count == schema->capacity) {
		schema->capacity = schema->capacity ? 2 * schema->capacity : 64;
		schema->files = gc_realloc(schema->files, schema->capacity * sizeof(*schema->files));
	}
	schema->files[schema->count++] = (struct gc_schema_file){
		.name = gc_arena_dup(&schema->arena, gc_span_of(values[0])).ptr,
		.sha256 = gc_arena_dup(&schema->arena, gc_span_of(values[1])).ptr,
		.program = gc_arena_dup(&schema->arena, gc_span_of(values[2])).ptr,
	};
}

static bool is_missing(enum gc_verdict verdict, const struct gc_err *err)
{
	return verdict != GC_OK && (strcmp(err->code, "42P01") == 0 || strcmp(err->code, "3F000") == 0);
}

enum gc_verdict gc_schema_read(struct gc_pg *pg, struct gc_schema *ret_schema, struct gc_err *err)
{
	struct gc_schema schema = { .version = 0 };
	enum gc_verdict verdict;

	gc_arena_init(&schema.arena);
	verdict = gc_pg_query(pg, "SELECT max(version) FROM cube.schema_version", NULL, 0, take_version, &schema, err);
	if (verdict == GC_OK) {
		verdict = gc_pg_query(pg, "SELECT file, sha256, program FROM cube.schema_file", NULL, 0, take_file, &schema, err);
		schema.is_dated = is_missing(verdict, err);
	}
	if (is_missing(verdict, err))
		verdict = GC_OK;
	if (verdict == GC_OK)
		*ret_schema = schema;
	else
		gc_schema_done(&schema);
	return verdict;
}

void gc_schema_done(struct gc_schema *schema)
{
	gc_arena_done(&schema->arena);
	free(schema->files);
}

const struct gc_schema_file *gc_schema_find(const struct gc_schema *schema, const char *name)
{
	static const struct gc_schema_file first = { "tables/0001", "", "0.1.0" };

	for (size_t i = 0; i < schema->count; i++) {
		if (strcmp(schema->files[i].name, name) == 0)
			return &schema->files[i];
	}
	return schema->is_dated && gc_sql_version_of(name) == 1 ? &first : NULL;
}

bool gc_schema_has(const struct gc_schema *schema, const struct gc_sql_file *file)
{
	const struct gc_schema_file *found = gc_schema_find(schema, file->name);

	return found && (*found->sha256 == '\0' || strcmp(found->sha256, file->sha256) == 0);
}

/* ---- judging ---- */

/* "0.10.2" against "0.9": number by number. */
static int compare_programs(const char *a, const char *b)
{
	char *a_end, *b_end;

	for (;; a = a_end + (*a_end == '.'), b = b_end + (*b_end == '.')) {
		long left = strtol(a, &a_end, 10), right = strtol(b, &b_end, 10);

		if (left != right)
			return left > right ? 1 : -1;
		if (*a_end != '.' && *b_end != '.')
			return 0;
	}
}

static const struct gc_sql_file *find_own(const struct gc_sql_file *files, const char *name)
{
	for (; files->name; files++) {
		if (strcmp(files->name, name) == 0)
			return files;
	}
	return NULL;
}

/* A numbered file that was changed after it was run: two programs of one number that mean different things. */
static enum gc_verdict refuse_changed(const struct gc_schema *schema, const struct gc_sql_file *files, struct gc_err *err)
{
	for (const struct gc_sql_file *own = files; own->name; own++) {
		const struct gc_schema_file *found = gc_schema_find(schema, own->name);

		if (gc_sql_step_of(own->name) != GC_SQL_CODE && found && !gc_schema_has(schema, own))
			return gc_fail(
				err, GC_FATAL, "schema_version", own->name,
				"gracecube %s made the cube with another %s (sha256 %.12s) than this program has (%.12s); use a"
				" gracecube of the line that made the cube",
				found->program, own->name, found->sha256, own->sha256);
	}
	return GC_OK;
}

static enum gc_verdict refuse_newer(int found, int own, struct gc_err *err)
{
	return gc_fail(err, GC_FATAL, "schema_version", "cube.schema_version",
		       "the cube has schema version %d, newer than the %d of this program; use a newer gracecube", found, own);
}

static size_t count_missing(const struct gc_schema *schema, const struct gc_sql_file *files)
{
	size_t count = 0;

	for (; files->name; files++)
		count += gc_sql_step_of(files->name) == GC_SQL_EXPAND && !gc_schema_find(schema, files->name);
	return count;
}

/* Code files that differ, with those that only one side has; *ret_first is one of them, *ret_program the newest that ran one. */
static size_t count_differing(const struct gc_schema *schema, const struct gc_sql_file *files, const char **ret_first,
			      const char **ret_program)
{
	const char *program = "0", *first = NULL;
	size_t count = 0;

	for (const struct gc_sql_file *own = files; own->name; own++) {
		if (gc_sql_step_of(own->name) == GC_SQL_CODE && !gc_schema_has(schema, own) && count++ == 0)
			first = own->name;
	}
	for (size_t i = 0; i < schema->count; i++) {
		const struct gc_schema_file *found = &schema->files[i];

		if (gc_sql_step_of(found->name) != GC_SQL_CODE)
			continue;
		if (!find_own(files, found->name) && count++ == 0)
			first = found->name;
		if (compare_programs(found->program, program) > 0)
			program = found->program;
	}
	*ret_first = first;
	*ret_program = program;
	return count;
}

enum gc_verdict gc_schema_judge(const struct gc_schema *schema, const struct gc_sql_file *files, const char *program,
				struct gc_err *err)
{
	int own = newest_version(files);
	const char *first, *made_by;
	size_t differing;
	enum gc_verdict verdict;

	if (schema->version == 0)
		return gc_fail(err, GC_FATAL, "no_schema", "cube.schema_version",
			       "the database holds no cube yet; run `gracecube migrate`");
	if (schema->version > own)
		return refuse_newer(schema->version, own, err);
	if (count_missing(schema, files) > 0)
		return gc_fail(err, GC_FATAL, "schema_version", "cube.schema_file",
			       "the cube has schema version %d, this program needs %d; run `gracecube migrate`", schema->version,
			       own);
	verdict = refuse_changed(schema, files, err);
	if (verdict != GC_OK)
		return verdict;
	differing = count_differing(schema, files, &first, &made_by);
	if (differing > 0 && compare_programs(made_by, program) <= 0)
		return gc_fail(
			err, GC_FATAL, "schema_version", "cube.schema_file",
			"the functions and views of the cube are those of another gracecube %s (%zu files differ, such as %s); run"
			" `gracecube migrate`",
			made_by, differing, first);
	return GC_OK;
}

enum gc_verdict gc_schema_judge_migration(const struct gc_schema *schema, const struct gc_sql_file *files, const char *program,
					  struct gc_err *err)
{
	int own = newest_version(files), found = schema->version;
	const char *first, *made_by;

	for (size_t i = 0; i < schema->count; i++) {
		int version = gc_sql_version_of(schema->files[i].name);

		found = version > found ? version : found;
	}
	if (found > own)
		return refuse_newer(found, own, err);
	if (count_differing(schema, files, &first, &made_by) > 0 && compare_programs(made_by, program) > 0)
		return gc_fail(
			err, GC_FATAL, "schema_version", "cube.schema_file",
			"the functions and views of the cube are those of gracecube %s, newer than this %s; use a newer gracecube",
			made_by, program);
	return refuse_changed(schema, files, err);
}
