/* What PostgreSQL and libpq say, in a sentence for people: what happened, in their words; what to do, in ours. Threads: pure. */
#include "pg.h"

#include <stdio.h>

struct advice {
	const char *code;  /* SQLSTATE of the server; NULL: libpq's own fault, which has none */
	const char *words; /* found in the message where it shows no code; NULL: only the code tells */
	const char *what;  /* before the message */
	const char *todo;  /* behind it */
};

#define WRONG_DSN "postgres.dsn is wrong"
#define DSN_FORM "it is like \"host=db dbname=gracecube user=gracecube\", or a URI postgresql://…"

/* In the order in which they are looked for: the more special first. */
static const struct advice refusals[] = {
	{ NULL, "invalid connection option", WRONG_DSN, DSN_FORM },
	{ NULL, "missing \"=\"", WRONG_DSN, DSN_FORM },
	{ NULL, "invalid URI", WRONG_DSN, DSN_FORM },
	{ NULL, "certificate", "PostgreSQL's TLS certificate cannot be checked", "see sslmode and sslrootcert in postgres.dsn" },
	{ NULL, "does not support SSL", "PostgreSQL speaks no TLS here", "see sslmode in postgres.dsn" },
	{ NULL, "invalid ", WRONG_DSN, DSN_FORM },
	{ NULL, "could not translate host name", "PostgreSQL's host has no address", "see host in postgres.dsn" },
	{ NULL, "no password supplied", "PostgreSQL asks for a password", "set postgres.password_file" },
	{ "28P01", "password authentication failed", "PostgreSQL refused the login",
	  "see user in postgres.dsn, and postgres.password_file" },
	{ "3D000", "FATAL:  database \"", "PostgreSQL is there, but not the database",
	  "create it (CREATE DATABASE), or see dbname in postgres.dsn" },
	{ "28000", "no pg_hba.conf entry", "PostgreSQL refused the login",
	  "see user in postgres.dsn, and pg_hba.conf of the server" },
	{ "28000", "FATAL:  role \"", "PostgreSQL refused the login", "create the role, or see user in postgres.dsn" },
	{ "28000", "authentication failed for user", "PostgreSQL refused the login",
	  "see user in postgres.dsn, and pg_hba.conf of the server" },
	{ "42501", "permission denied for database", "PostgreSQL refused the login", "GRANT CONNECT ON DATABASE … to the role" },
	{ "53300", "connection slots", "PostgreSQL has no connection left", "end some, or raise max_connections" },
	{ "57P03", "the database system is", "PostgreSQL is not ready", "wait" },
	{ NULL, "", "PostgreSQL cannot be reached", "see whether it is up, and host and port in postgres.dsn" },
};

/* As libpq shows a code to who asked for it. */
static bool has_code(const char *message, const char *code)
{
	char shown[16];

	snprintf(shown, sizeof(shown), ":  %s: ", code ? code : "");
	return code && strstr(message, shown);
}

/* By the words, which say more than the code (of 28000 there are several); where they are in another language, by the code. */
static const struct advice *find_advice(const char *message, const char *words)
{
	const struct advice *advice = refusals;

	while (*advice->words && !strstr(words, advice->words))
		advice++;
	if (*advice->words)
		return advice;
	for (advice = refusals; *advice->words && !has_code(message, advice->code);)
		advice++;
	return advice;
}

/* Line breaks become blanks. What is for others is left out: libpq's questions ("Is the server running …?"), since our advice says more,
 * the code, and the place in the server's source. */
static void join_lines(const char *message, char *buffer, size_t bytes)
{
	static const char place[] = "LOCATION:";
	size_t used = 0;

	*buffer = '\0';
	while (*message && used + 1 < bytes) {
		size_t indent = strspn(message, " \t"), length = strcspn(message, "\n");
		const char *from = message + indent, *code = gc_pg_find_sqlstate(message, length);
		size_t before = code ? (size_t)(code - from) : 0;

		if (length > indent && message[length - 1] != '?' && strncmp(from, place, sizeof(place) - 1) != 0)
			used += (size_t)snprintf(buffer + used, bytes - used, "%s%.*s%.*s", used ? " " : "", (int)before, from,
						 (int)(length - indent - before) - (code ? 7 : 0), from + before + (code ? 7 : 0));
		message += length + (message[length] == '\n');
	}
}

/* Where there was but one attempt, the place is told before the sentence: libpq need not tell it again. */
static const char *skip_place(const char *message)
{
	static const char place[] = "connection to server ", failed[] = " failed: ", fatal[] = "FATAL:  ";
	const char *end = strstr(message, failed);

	if (strncmp(message, place, strlen(place)) != 0 || !end || strstr(message + 1, place))
		return message;
	message = end + strlen(failed);
	return strncmp(message, fatal, strlen(fatal)) == 0 ? message + strlen(fatal) : message;
}

const char *gc_pg_word_refusal(const char *message, char *buffer, size_t bytes)
{
	const struct advice *advice;
	char joined[400];

	join_lines(message, joined, sizeof(joined));
	advice = find_advice(message, joined);
	snprintf(buffer, bytes, "%s: %s; %s", advice->what, skip_place(joined), advice->todo);
	return buffer;
}

/* Of statements: what the server's own HINT does not say. */
static const char *advice_of(const char *sqlstate)
{
	if (strcmp(sqlstate, "42501") == 0)
		return "; GRANT gracecube_reader (status, dead) or gracecube_writer (run, verify, check) to this role, or log in as the "
		       "cube's owner (migrate, token): see user in postgres.dsn";
	if (strcmp(sqlstate, "57014") == 0)
		return "; see postgres.statement_timeout";
	return "";
}

const char *gc_pg_word_error(const char *sqlstate, const char *primary, const char *hint, char *buffer, size_t bytes)
{
	char first[400], second[200];

	join_lines(primary ? primary : "", first, sizeof(first));
	join_lines(hint ? hint : "", second, sizeof(second));
	snprintf(buffer, bytes, "%s%s%s%s%s", first, *second ? " (" : "", second, *second ? ")" : "", advice_of(sqlstate));
	return buffer;
}
