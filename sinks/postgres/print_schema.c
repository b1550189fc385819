/* The schema as psql can make it: the files in one transaction, what commits by itself behind it, and which files and version these are. Settings
 * and row-level security are left to `gracecube migrate`, which knows a cube that was made so. Threads: any. */
#include <gracecube/config.h>
#include <gracecube/registry.h>
#include <gracecube/sink.h>

#include "pg.h"
#include "schema.h"

#include <stdio.h>
#include <stdlib.h>

/* A text in SQL, whatever it holds. */
static void put_quoted(const char *text, FILE *out)
{
	fputc('\'', out);
	for (; *text; text++)
		fprintf(out, *text == '\'' ? "''" : "%c", *text);
	fputc('\'', out);
}

/* `behind` stands after each file. */
static void put_files(enum gc_sql_step step, const char *behind, const struct gc_pg_names *names, struct gc_pg_text *text,
		      FILE *out)
{
	for (const struct gc_sql_file *f = gc_sql_files; f->name; f++) {
		if (gc_sql_step_of(f->name) == step)
			fprintf(out, "-- %s, sha256 %s\n%s%s\n", f->name, f->sha256, gc_pg_put_names(names, f->text, text), behind);
	}
}

static void put_notes(const char *schema, FILE *out)
{
	for (const struct gc_sql_file *f = gc_sql_files; f->name; f++)
		fprintf(out, "INSERT INTO %s.schema_file (file, sha256, program) VALUES ('%s', '%s', '" GRACECUBE_VERSION "');\n",
			schema, f->name, f->sha256);
	fprintf(out,
		"INSERT INTO %s.schema_version (version, program) VALUES (%d, '" GRACECUBE_VERSION "') ON CONFLICT DO NOTHING;\n",
		schema, gc_schema_version());
}

static enum gc_verdict put_metrics(const struct gc_config *config, FILE *out, struct gc_err *err)
{
	struct gc_registry *registry;
	enum gc_verdict verdict = gc_registry_load(config->cube_metrics_files, config->cube_targets_file, &registry, err);

	if (verdict == GC_OK) {
		char *json = gc_registry_json(registry);

		fprintf(out, "SELECT %s.put_metrics(", config->cube_schema);
		put_quoted(json, out);
		fputs(", NULL);\n", out);
		free(json);
	}
	gc_registry_free(registry);
	return verdict;
}

enum gc_verdict gc_pg_print_schema(const struct gc_config *config, void *stdio_file, struct gc_err *err)
{
	static const enum gc_sql_step made[] = { GC_SQL_EXPAND, GC_SQL_CONTRACT, GC_SQL_CODE };
	struct gc_pg_text text = { .text = NULL };
	struct gc_pg_names names;
	enum gc_verdict verdict;

	gc_pg_names_init(&names, config);
	fputs("SET check_function_bodies = off;\nSET search_path = pg_catalog, pg_temp;\nBEGIN;\n", stdio_file);
	for (size_t i = 0; i < sizeof(made) / sizeof(made[0]); i++)
		put_files(made[i], "", &names, &text, stdio_file);
	fprintf(stdio_file, "%s\n", gc_pg_put_names(&names, "SELECT cube.have_nothing_to_fill();", &text));
	verdict = put_metrics(config, stdio_file, err);
	put_notes(config->cube_schema, stdio_file);
	fputs("COMMIT;\n", stdio_file);
	/* some of these answer with the statements to run; psql asks again where the query is done, and they may be repeated */
	put_files(GC_SQL_ONLINE, "\\gexec\n", &names, &text, stdio_file);
	gc_pg_text_done(&text);
	return verdict;
}
