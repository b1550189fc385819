/* Telling open pages of a commit. Threads: one connection belongs to one worker. */
#include "pg.h"

void gc_pg_notify(struct gc_pg *pg, const char *streams)
{
	/* nothing durable is in it, so its commit need not wait for the disk */
	static const char sql[] = "SELECT set_config('synchronous_commit', 'off', true), pg_notify('cube_changed', $1)";
	struct gc_err err;

	if (gc_pg_query(pg, sql, &streams, 1, NULL, NULL, &err) != GC_OK)
		gc_debug("open pages were not told of a commit", GC_ERR_FIELDS(&err));
}
