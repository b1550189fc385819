/* The SQL files of sinks/sql, embedded at build. A file's name says when it is run:
 *
 *     tables/0002_<what>.sql            makes or widens tables so that programs of the version before go on; one short transaction
 *     tables/0002_<what>.online.sql     one statement of any length, outside of a transaction, that may be repeated after a crash; or a SELECT
 *                                       of such statements
 *     tables/0002_<what>.contract.sql   takes away what only older programs need; one short transaction, once none is connected
 *     code/<n>_<room>/<what>.sql        functions, triggers: all that differ in one short transaction, in this order; then, when new rollups are
 *                                       filled, views and rights (4_, 5_): each in a transaction of its own
 *
 * Threads: constants.
 */
#ifndef GRACECUBE_SQL_H
#define GRACECUBE_SQL_H

#include <stdbool.h>

struct gc_sql_file {
	const char *name;   /* its place in sinks/sql */
	const char *sha256; /* of its text, in hexadecimal */
	const char *text;
};
/* In the order of their names; ends with a NULL name. */
extern const struct gc_sql_file gc_sql_files[];

enum gc_sql_step { GC_SQL_EXPAND, GC_SQL_CODE, GC_SQL_ONLINE, GC_SQL_CONTRACT };

enum gc_sql_step gc_sql_step_of(const char *name);
/* The number of a file of tables/; 0 for code. */
int gc_sql_version_of(const char *name);
/* Files of the engine write those behind them: when one of it differs, all behind are run again. */
bool gc_sql_is_engine(const char *name);

#endif
