/* What PostgreSQL and libpq say, in a sentence that says what to do. */
#include "unit.h"

#include <string.h>

#include "postgres/pg.h"

static void begins_and_ends(const char *message, const char *begin, const char *end)
{
	char text[600];
	size_t length;

	gc_pg_word_refusal(message, text, sizeof(text));
	length = strlen(text);
	if (strncmp(text, begin, strlen(begin)) != 0 || length < strlen(end) || strcmp(text + length - strlen(end), end) != 0)
		fail_msg("%s\n became  %s\n but not %s … %s", message, text, begin, end);
}

static void each_refusal_has_its_remedy(void **state)
{
	static const char *const rows[][3] = {
		{ "connection to server at \"127.0.0.1\", port 1 failed: Connection refused\n\tIs the server running on that host and "
		  "accepting TCP/IP connections?\n",
		  "PostgreSQL cannot be reached: Connection refused; see whether", "host and port in postgres.dsn" },
		{ "connection to server at \"db\" (10.0.0.1), port 5432 failed: FATAL:  database \"nodb\" does not exist\n",
		  "PostgreSQL is there, but not the database: database \"nodb\" does not exist; ",
		  "or see dbname in postgres.dsn" },
		{ "connection to server at \"a\", port 1 failed: Connection refused\nconnection to server at \"b\", port 1 failed: timeout\n",
		  "PostgreSQL cannot be reached: connection to server at \"a\", port 1 failed: Connection refused connection to server at "
		  "\"b\", port 1 failed: timeout; ",
		  "in postgres.dsn" },
		{ "connection to server at \"db\" (10.0.0.1), port 5432 failed: FATAL:  3D000: Datenbank »nodb« existiert nicht\n",
		  "PostgreSQL is there, but not the database: ", "or see dbname in postgres.dsn" },
		{ "connection to server on socket \"/s/.s.PGSQL.5432\" failed: FATAL:  role \"nobody\" does not exist\n",
		  "PostgreSQL refused the login: ", "create the role, or see user in postgres.dsn" },
		{ "connection to server at \"db\", port 5432 failed: FATAL:  password authentication failed for user \"x\"\n",
		  "PostgreSQL refused the login: ", "postgres.password_file" },
		{ "connection to server at \"db\", port 5432 failed: fe_sendauth: no password supplied\n",
		  "PostgreSQL asks for a password: ", "; set postgres.password_file" },
		{ "invalid connection option \"foo\"\n", "postgres.dsn is wrong: invalid connection option \"foo\"; it is like ",
		  "postgresql://…" },
		{ "missing \"=\" after \"nonsense\" in connection info string\n", "postgres.dsn is wrong: ", "postgresql://…" },
		{ "invalid sslmode value: \"x\"\n", "postgres.dsn is wrong: ", "postgresql://…" },
		{ "connection to server at \"db\", port 5432 failed: root certificate file \"/r\" does not exist\nEither provide the file or "
		  "change sslmode to disable server certificate verification.\n",
		  "PostgreSQL's TLS certificate cannot be checked: ",
		  "does not exist Either provide the file or change sslmode to disable server certificate verification.; see sslmode and "
		  "sslrootcert in postgres.dsn" },
		{ "could not translate host name \"nohost\" to address: Name or service not known\n",
		  "PostgreSQL's host has no address: ", "see host in postgres.dsn" },
		{ "connection to server at \"db\", port 5432 failed: FATAL:  the database system is starting up\n",
		  "PostgreSQL is not ready: ", "; wait" },
		{ "", "PostgreSQL cannot be reached: ", "in postgres.dsn" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		begins_and_ends(rows[i][0], rows[i][1], rows[i][2]);
}

static void long_words_are_cut(void **state)
{
	char message[3000], text[100];

	(void)state;
	memset(message, 'x', sizeof(message) - 1);
	message[sizeof(message) - 1] = '\0';
	gc_pg_word_refusal(message, text, sizeof(text));
	assert_int_equal(strlen(text), sizeof(text) - 1);
	gc_pg_word_error("42501", message, message, text, sizeof(text));
	assert_int_equal(strlen(text), sizeof(text) - 1);
}

static void hints_are_kept(void **state)
{
	char text[600];

	(void)state;
	assert_string_equal(gc_pg_word_error("42883", "function f() does not exist", "No function matches\nthe given name.", text,
					     sizeof(text)),
			    "function f() does not exist (No function matches the given name.)");
	assert_non_null(strstr(gc_pg_word_error("42501", "permission denied for function verify", NULL, text, sizeof(text)),
			       "permission denied for function verify; GRANT gracecube_reader (status, dead)"));
	assert_string_equal(gc_pg_word_error("23505", NULL, NULL, text, sizeof(text)), "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_refusal_has_its_remedy),
		cmocka_unit_test(long_words_are_cut),
		cmocka_unit_test(hints_are_kept),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
