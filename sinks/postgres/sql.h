/* The SQL files of sinks/sql, embedded at build. */
#ifndef GRACECUBE_SQL_H
#define GRACECUBE_SQL_H

struct gc_sql_file {
	const char *name; /* without .sql */
	const char *text;
};
/* Alphabetical; ends with a NULL name. */
extern const struct gc_sql_file gc_sql_files[];

#endif
