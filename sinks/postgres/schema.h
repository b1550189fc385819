/* What the cube was made by, beside what this program carries. Threads: one schema belongs to one connection. */
#ifndef GRACECUBE_SCHEMA_H
#define GRACECUBE_SCHEMA_H

#include "pg.h"
#include "sql.h"

/* A row of cube.schema_file. */
struct gc_schema_file {
	const char *name, *sha256, *program;
};

struct gc_schema {
	struct gc_arena arena;
	int version;   /* the highest that is complete; 0: there is no cube */
	bool is_dated; /* made by 0.1.0, which kept no files */
	struct gc_schema_file *files;
	size_t count, capacity;
};

enum gc_verdict gc_schema_read(struct gc_pg *pg, struct gc_schema *ret_schema, struct gc_err *err) GC_MUST_CHECK;
void gc_schema_done(struct gc_schema *schema);

/* NULL when the cube has no such file. A cube of 0.1.0 has the first file of tables/, whatever it says. */
const struct gc_schema_file *gc_schema_find(const struct gc_schema *schema, const char *name);
/* True when the file was run as it is here. */
bool gc_schema_has(const struct gc_schema *schema, const struct gc_sql_file *file);

/* May a program that carries `files` work on this cube? Else GC_FATAL, and what to do. */
enum gc_verdict gc_schema_judge(const struct gc_schema *schema, const struct gc_sql_file *files, const char *program,
				struct gc_err *err) GC_MUST_CHECK;
/* place.c: may a cube be where the configuration says? And is nothing else there, where there is no cube yet? */
enum gc_verdict gc_place_check(struct gc_pg *pg, const struct gc_config *config, struct gc_err *err) GC_MUST_CHECK;
enum gc_verdict gc_place_check_free(struct gc_pg *pg, const struct gc_config *config, struct gc_err *err) GC_MUST_CHECK;

/* May it migrate this cube? Else GC_FATAL, and why not. */
enum gc_verdict gc_schema_judge_migration(const struct gc_schema *schema, const struct gc_sql_file *files, const char *program,
					  struct gc_err *err) GC_MUST_CHECK;

#endif
