/* Inside of `migrate`: migrate.c knows the order of things, migrate_online.c the work that takes its time, migrate_settings.c what
 * comes from the configuration. Threads: none. */
#ifndef GRACECUBE_MIGRATION_H
#define GRACECUBE_MIGRATION_H

#include "schema.h"

#include <gracecube/registry.h>

struct migration {
	struct gc_pg *pg;
	const struct gc_config *config;
	struct gc_migration *answer;
	struct gc_schema schema; /* as it was found */
	bool lacks_rights;       /* it was restored without its roles, say */
	struct gc_registry *registry;
};

/* Statements, which belong to a file of sinks/sql. *ret_result, if asked for, is the caller's. */
enum gc_verdict gc_migration_exec(struct gc_pg *pg, const char *sql, const char *name, PGresult **ret_result,
				  struct gc_err *err) GC_MUST_CHECK;
/* That a file was run. */
enum gc_verdict gc_migration_note(struct gc_pg *pg, const struct gc_sql_file *file, struct gc_err *err) GC_MUST_CHECK;
void gc_migration_tell(struct migration *m, const struct gc_sql_file *file);

/* A transaction that is tried until the locks that it needs are free for once, so that nobody has to wait behind it. `file` is what `run` gets. */
typedef enum gc_verdict (*gc_migration_transaction)(struct migration *m, const struct gc_sql_file *file, struct gc_err *err);
enum gc_verdict gc_migration_transact(struct migration *m, gc_migration_transaction run, const struct gc_sql_file *file,
				      struct gc_err *err) GC_MUST_CHECK;

/* Code for readers: each part of it, up to a line "-- ----", in a transaction of its own, because a view that is replaced keeps readers out until
 * that ends. */
enum gc_verdict gc_migration_replace_in_parts(struct migration *m, const struct gc_sql_file *file,
					      struct gc_err *err) GC_MUST_CHECK;
/* Row-level security and triggers for changes by hand where they are missing, a table in a transaction. */
enum gc_verdict gc_migration_protect(struct migration *m, struct gc_err *err) GC_MUST_CHECK;

/* What the configuration says to SQL, and the metrics: written where they differ; of metrics a dry run tells only how many. */
enum gc_verdict gc_migration_write_settings(struct migration *m, struct gc_err *err) GC_MUST_CHECK;
void gc_migration_tell_targets(const struct migration *m); /* of metrics that are not here */
enum gc_verdict gc_migration_put_metrics(struct migration *m, struct gc_err *err) GC_MUST_CHECK;

/* Has rollups that are new hold the facts that are there. */
enum gc_verdict gc_migration_fill(struct migration *m, struct gc_err *err) GC_MUST_CHECK;
/* Tells which of them do not yet. */
enum gc_verdict gc_migration_tell_fills(struct migration *m, struct gc_err *err) GC_MUST_CHECK;
/* Files of any length. */
enum gc_verdict gc_migration_run_online(struct migration *m, struct gc_err *err) GC_MUST_CHECK;

#endif
