/* SQLSTATE to verdict: every class of PostgreSQL 17 with codes that it really sends, and what is not listed; what is said of a connection
 * that was not made. Each row of the tables is a test. */
#include <gracecube/sink.h>
#include <postgres/pg.h>

#include "suite.h"

#define SQLSTATES_MAX 200

static struct sqlstate {
	char code[8], verdict[8], name[80];
} sqlstates[SQLSTATES_MAX];

/* tests/contract/sqlstates.csv, which tests/scenarios/16_sqlstates.py raises on a real server. */
static size_t read_sqlstates(void)
{
	FILE *file = fopen(GRACECUBE_SOURCE_DIR "/tests/contract/sqlstates.csv", "r");
	char line[120];
	size_t count = 0;

	assert_non_null(file);
	assert_non_null(fgets(line, sizeof(line), file)); /* the titles */
	while (fgets(line, sizeof(line), file)) {
		struct sqlstate *row = &sqlstates[count++];

		assert_true(count < SQLSTATES_MAX);
		assert_int_equal(sscanf(line, "%7[^,],%7[^,],%79[^\n]", row->code, row->verdict, row->name), 3);
	}
	fclose(file);
	return count;
}

static const struct sqlstate others[] = {
	{ "", "fatal", "empty" },
};

static void sqlstate_has_its_verdict(void **state)
{
	const struct sqlstate *row = *state;

	assert_string_equal(gc_verdict_name(gc_sqlstate_verdict(row->code)), row->verdict);
}

static void add_sqlstate(struct suite *suite, const struct sqlstate *row)
{
	suite_add(suite, sqlstate_has_its_verdict, row, "SQLSTATE %s, %s: %s", row->code, row->name, row->verdict);
}

/* Some retries need more than waiting: another session, or less at once. */
static const struct retry {
	const char *code;
	bool wants_session, wants_less;
} retries[] = {
	{ "08006", true, false },  { "0A000", true, false },  { "25006", true, false },  { "25P03", true, false },
	{ "25P04", true, true },   { "26000", true, false },  { "42P05", true, false },  { "57P01", true, false },
	{ "57P05", true, false },  { "53200", false, true },  { "53400", false, true },  { "55P03", false, true },
	{ "57014", false, true },  { "40001", false, false }, { "40P01", false, false }, { "53100", false, false },
	{ "53300", false, false }, { "55006", false, false }, { "58030", false, false }, { "XX000", false, false },
	{ "22003", false, false }, { "42501", false, false }, { "99999", false, false },
};

static void retry_needs_what_it_needs(void **state)
{
	const struct retry *row = *state;

	assert_int_equal(gc_sqlstate_wants_session(row->code), row->wants_session);
	assert_int_equal(gc_sqlstate_wants_less(row->code), row->wants_less);
}

/* The server's words follow its lc_messages, and so does the severity; the code does not. */
static const struct refusal {
	const char *message;
	enum gc_verdict verdict;
} refusals[] = {
	{ "connection to server at \"127.0.0.1\", port 5432 failed: FATAL:  28P01: password authentication failed for user \"x\"\n"
	  "LOCATION:  auth_failed, auth.c:335\n",
	  GC_FATAL },
	{ "connection to server on socket \"/s/.s.PGSQL.5432\" failed: FATAL:  28P01: Passwort-Authentifizierung für Benutzer »x« "
	  "fehlgeschlagen\nORT:  auth_failed, auth.c:335\n",
	  GC_FATAL },
	{ "connection to server at \"h\" (10.0.0.1), port 5432 failed: KRITISCH:  3D000: Datenbank »x« existiert nicht\n",
	  GC_FATAL },
	{ "connection to server at \"h\" (10.0.0.1), port 5432 failed: FATAL:  28000: no pg_hba.conf entry, SSL encryption\n"
	  "LOCATION:  ClientAuthentication, auth.c:536\n"
	  "connection to server at \"h\" (10.0.0.1), port 5432 failed: FATAL:  28000: no pg_hba.conf entry, no encryption\n"
	  "LOCATION:  ClientAuthentication, auth.c:536\n",
	  GC_FATAL },
	{ "connection to server at \"a\" (10.0.0.1), port 5432 failed: Connection refused\n"
	  "\tIs the server running on that host and accepting TCP/IP connections?\n"
	  "connection to server at \"b\" (10.0.0.2), port 5432 failed: FATAL:  28P01: password authentication failed\n",
	  GC_RETRY },
	{ "connection to server at \"h\" (10.0.0.1), port 5432 failed: FATAL:  57P03: das Datenbanksystem startet, certificate\n",
	  GC_RETRY },
	{ "connection to server at \"h\" (10.0.0.1), port 5432 failed: FATAL:  53300: zu viele Verbindungen\n", GC_RETRY },
	{ "connection to server at \"h\" (10.0.0.1), port 5432 failed: FATAL:  42501: keine Berechtigung\n", GC_FATAL },
	{ "connection to server at \"h\" (10.0.0.1), port 5432 failed: FATAL:  22023: unbekannte Einstellung\n", GC_FATAL },
	{ "connection to server at \"h\" (10.0.0.1), port 5432 failed: session is read-only\n", GC_RETRY },
	{ "connection to server at \"h\" (10.0.0.1), port 5432 failed: fe_sendauth: no password supplied\n", GC_FATAL },
	{ "connection to server at \"h\" (10.0.0.1), port 5432 failed: root certificate file \"/r\" does not exist\n"
	  "Either provide the file or change sslmode to disable server certificate verification.\n",
	  GC_FATAL },
	{ "could not translate host name \"h\" to address: Name or service not known\n", GC_RETRY },
	{ "invalid sslmode value: \"x\"\n", GC_FATAL },
	{ "missing \"=\" after \"nonsense\" in connection info string\n", GC_FATAL },
	{ "", GC_RETRY },
};

static void refusal_is_judged_by_its_code(void **state)
{
	const struct refusal *row = *state;

	assert_string_equal(gc_verdict_name(gc_pg_refusal(row->message)), gc_verdict_name(row->verdict));
}

/* What stands behind the address of the server. */
static const char *words_of(const char *message)
{
	const char *failed = strstr(message, "failed: ");

	return failed ? failed + strlen("failed: ") : message;
}

int main(void)
{
	struct suite suite = { 0 };
	size_t count = read_sqlstates();

	for (size_t i = 0; i < count; i++)
		add_sqlstate(&suite, &sqlstates[i]);
	for (size_t i = 0; i < COUNT(others); i++)
		add_sqlstate(&suite, &others[i]);
	for (size_t i = 0; i < COUNT(retries); i++)
		suite_add(&suite, retry_needs_what_it_needs, &retries[i], "retry of %s: %s", retries[i].code,
			  retries[i].wants_session ? "another session"
			  : retries[i].wants_less  ? "less at once"
						   : "waiting");
	for (size_t i = 0; i < COUNT(refusals); i++)
		suite_add(&suite, refusal_is_judged_by_its_code, &refusals[i], "refused: %s", words_of(refusals[i].message));
	return suite_run(&suite, NULL, NULL);
}
