/* SQLSTATE → verdict. The longest prefix that is listed decides; what is not listed stops the program, because retrying an
 * unknown fault for ever helps nobody. Codes: https://www.postgresql.org/docs/current/errcodes-appendix.html, every class of it placed here.
 * Threads: pure.
 */
#include "pg.h"

/* What a retry needs besides waiting. */
enum {
	NEW_SESSION = 1, /* this one will not get better */
	SMALLER = 2,     /* it may have been too much at once */
};

static const struct row {
	const char *prefix;
	enum gc_verdict verdict;
	int needs;
} rows[] = {
	{ "03", GC_FATAL, 0 },           /* SQL statement not yet complete: a bug, as are all that are not explained */
	{ "08", GC_RETRY, NEW_SESSION }, /* connection */
	{ "09", GC_FATAL, 0 },           /* a trigger's action failed: none of ours */
	{ "0A", GC_RETRY,
	  NEW_SESSION },       /* a plan outdated by a change of the schema; what a server cannot do at all is seen at the start */
	{ "0B", GC_FATAL, 0 }, /* transaction, locator: ours begin and end none inside of a function */
	{ "0F", GC_FATAL, 0 },
	{ "0L", GC_FATAL, 0 }, /* grantor, role: rights */
	{ "0P", GC_FATAL, 0 },
	{ "0Z", GC_FATAL, 0 },                        /* diagnostics */
	{ "20", GC_FATAL, 0 },                        /* CASE without a case */
	{ "21", GC_FATAL, 0 },                        /* cardinality */
	{ "22", GC_REJECT, 0 },                       /* data: one record is bad */
	{ "2200H", GC_FATAL, 0 },                     /* a sequence is used up: no record's fault */
	{ "23", GC_REJECT, 0 },                       /* constraint: one record is bad */
	{ "23514", GC_REJECT, 0 },                    /* also "no partition", which is none's: see gc_pg_fail() */
	{ "24", GC_FATAL, 0 },                        /* cursor state */
	{ "25", GC_FATAL, 0 },                        /* transaction state */
	{ "25006", GC_RETRY, NEW_SESSION },           /* read-only: a demoted primary, a disk nearly full */
	{ "25P03", GC_RETRY, NEW_SESSION },           /* idle in transaction too long */
	{ "25P04", GC_RETRY, NEW_SESSION | SMALLER }, /* transaction_timeout, from 17 on */
	{ "26000", GC_RETRY, NEW_SESSION },           /* prepared statement gone */
	{ "27", GC_FATAL, 0 },                        /* a trigger changes the row that fired it: none of ours */
	{ "28", GC_FATAL, 0 },                        /* login refused */
	{ "2B", GC_FATAL, 0 },                        /* something depends on it */
	{ "2D", GC_FATAL, 0 },                        /* the end of a transaction */
	{ "2F", GC_FATAL, 0 },                        /* in a function */
	{ "34", GC_FATAL, 0 },                        /* cursor, savepoint: we have none */
	{ "38", GC_FATAL, 0 },                        /* functions of other languages: none of ours */
	{ "39", GC_FATAL, 0 },
	{ "3B", GC_FATAL, 0 },
	{ "3D", GC_FATAL, 0 },              /* no such database */
	{ "3F", GC_FATAL, 0 },              /* no such schema */
	{ "40", GC_RETRY, 0 },              /* serialization, deadlock */
	{ "42", GC_FATAL, 0 },              /* syntax, names, rights */
	{ "42P05", GC_RETRY, NEW_SESSION }, /* prepared statement there already: the session was somebody's before */
	{ "44", GC_FATAL, 0 },              /* WITH CHECK OPTION: none of ours */
	{ "53", GC_RETRY, 0 },              /* disk full, too many connections */
	{ "53200", GC_RETRY, SMALLER },     /* memory, also that of the lock table */
	{ "53400", GC_RETRY, SMALLER },     /* a limit of the configuration: temp_file_limit */
	{ "54", GC_REJECT, 0 },             /* program limit: a value too large for an index */
	{ "55", GC_RETRY, 0 },              /* object in use, or not ready */
	{ "55P02", GC_FATAL, 0 },           /* a setting that cannot be changed now */
	{ "55P03", GC_RETRY, SMALLER },     /* lock timeout */
	{ "57", GC_RETRY, 0 },              /* the operator */
	{ "57014", GC_RETRY, SMALLER },     /* cancelled: statement_timeout, or by hand */
	{ "57P", GC_RETRY, NEW_SESSION },   /* shutting down, starting up, database dropped, idle too long */
	{ "58", GC_RETRY, 0 },              /* I/O of the server */
	{ "72", GC_RETRY, 0 },              /* snapshot too old */
	{ "F0", GC_FATAL, 0 },              /* the server's configuration file */
	{ "GC001", GC_FENCED, 0 },          /* cube.advance(): another owner */
	{ "HV", GC_FATAL, 0 },              /* foreign data: none of ours */
	{ "P0", GC_FATAL, 0 },              /* raised by a function */
	{ "XX", GC_RETRY, 0 }, /* internal: seen when binaries were upgraded under a running server; never a bad record */
};

static const struct row *find_row(const char *sqlstate)
{
	const struct row *found = NULL;
	size_t best = 0;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		size_t length = strlen(rows[i].prefix);

		if (length > best && strncmp(sqlstate, rows[i].prefix, length) == 0) {
			found = &rows[i];
			best = length;
		}
	}
	return found;
}

enum gc_verdict gc_sqlstate_verdict(const char *sqlstate)
{
	const struct row *row = find_row(sqlstate);

	return row ? row->verdict : GC_FATAL;
}

bool gc_sqlstate_wants_session(const char *sqlstate)
{
	const struct row *row = find_row(sqlstate);

	return row && row->needs & NEW_SESSION;
}

bool gc_sqlstate_wants_less(const char *sqlstate)
{
	const struct row *row = find_row(sqlstate);

	return row && row->needs & SMALLER;
}
