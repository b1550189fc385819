/* SQLSTATE → verdict. The longest prefix that is listed decides; what is not listed stops the program, because retrying an
 * unknown fault for ever helps nobody. Codes: https://www.postgresql.org/docs/current/errcodes-appendix.html. Threads: pure.
 */
#include "pg.h"

static const struct {
	const char *prefix;
	enum gc_verdict verdict;
} verdicts[] = {
	{ "08", GC_RETRY },     /* connection */
	{ "22", GC_REJECT },    /* data: one record is bad */
	{ "23", GC_REJECT },    /* constraint: one record is bad */
	{ "25006", GC_RETRY },  /* read-only: a demoted primary */
	{ "25P03", GC_RETRY },  /* idle in transaction too long */
	{ "25P04", GC_RETRY },  /* transaction_timeout, from 17 on: as a statement's, it says nothing against the records */
	{ "26000", GC_RETRY },  /* prepared statement gone: the connection is a pooler's */
	{ "40", GC_RETRY },     /* serialization, deadlock */
	{ "53", GC_RETRY },     /* disk full, too many connections */
	{ "54", GC_REJECT },    /* program limit: a value too large for an index */
	{ "55P03", GC_RETRY },  /* lock timeout */
	{ "57", GC_RETRY },     /* cancelled, shutting down, starting up */
	{ "58", GC_RETRY },     /* I/O of the server */
	{ "GC001", GC_FENCED }, /* cube.advance(): another owner */
	{ "XX", GC_RETRY },     /* internal: seen when binaries were upgraded under a running server; never a bad record */
};

enum gc_verdict gc_sqlstate_verdict(const char *sqlstate)
{
	enum gc_verdict verdict = GC_FATAL;
	size_t best = 0;

	for (size_t i = 0; i < sizeof(verdicts) / sizeof(verdicts[0]); i++) {
		size_t length = strlen(verdicts[i].prefix);

		if (length > best && strncmp(sqlstate, verdicts[i].prefix, length) == 0) {
			verdict = verdicts[i].verdict;
			best = length;
		}
	}
	return verdict;
}
