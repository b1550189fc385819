/* SQLSTATE to verdict: every class of PostgreSQL 17 with codes that it really sends, and what is not listed; what is said of a connection
 * that was not made. Each row of the tables is a test. */
#include <gracecube/sink.h>
#include <postgres/pg.h>

#include "suite.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const struct sqlstate {
	const char *code;
	enum gc_verdict verdict;
	const char *name;
} sqlstates[] = {
	{ "08000", GC_RETRY, "connection_exception" },
	{ "08006", GC_RETRY, "connection_failure" },
	{ "08P01", GC_RETRY, "protocol_violation" },
	{ "22001", GC_REJECT, "string_data_right_truncation" },
	{ "22003", GC_REJECT, "numeric_value_out_of_range" },
	{ "22008", GC_REJECT, "datetime_field_overflow" },
	{ "22021", GC_REJECT, "character_not_in_repertoire" },
	{ "22P02", GC_REJECT, "invalid_text_representation" },
	{ "22P03", GC_REJECT, "invalid_binary_representation" },
	{ "23502", GC_REJECT, "not_null_violation" },
	{ "23505", GC_REJECT, "unique_violation" },
	{ "23514", GC_REJECT, "check_violation" },
	{ "25006", GC_RETRY, "read_only_sql_transaction" },
	{ "25P02", GC_FATAL, "in_failed_sql_transaction" },
	{ "25P03", GC_RETRY, "idle_in_transaction_session_timeout" },
	{ "26000", GC_RETRY, "invalid_sql_statement_name" },
	{ "28P01", GC_FATAL, "invalid_password" },
	{ "28000", GC_FATAL, "invalid_authorization_specification" },
	{ "3D000", GC_FATAL, "invalid_catalog_name" },
	{ "3F000", GC_FATAL, "invalid_schema_name" },
	{ "40001", GC_RETRY, "serialization_failure" },
	{ "40003", GC_RETRY, "statement_completion_unknown" },
	{ "40P01", GC_RETRY, "deadlock_detected" },
	{ "42501", GC_FATAL, "insufficient_privilege" },
	{ "42601", GC_FATAL, "syntax_error" },
	{ "42703", GC_FATAL, "undefined_column" },
	{ "42883", GC_FATAL, "undefined_function" },
	{ "42P01", GC_FATAL, "undefined_table" },
	{ "53100", GC_RETRY, "disk_full" },
	{ "53200", GC_RETRY, "out_of_memory" },
	{ "53300", GC_RETRY, "too_many_connections" },
	{ "54000", GC_REJECT, "program_limit_exceeded" },
	{ "55000", GC_RETRY, "object_not_in_prerequisite_state" },
	{ "55P03", GC_RETRY, "lock_not_available" },
	{ "57014", GC_RETRY, "query_canceled" },
	{ "57P01", GC_RETRY, "admin_shutdown" },
	{ "57P02", GC_RETRY, "crash_shutdown" },
	{ "57P03", GC_RETRY, "cannot_connect_now" },
	{ "58030", GC_RETRY, "io_error" },
	{ "GC001", GC_FENCED, "cube.advance(): another owner" },
	{ "GC002", GC_FATAL, "no code of ours" },
	{ "P0001", GC_FATAL, "raise_exception" },
	{ "XX000", GC_RETRY, "internal_error" },
	{ "XX001", GC_RETRY, "data_corrupted" },
	{ "03000", GC_FATAL, "sql_statement_not_yet_complete" },
	{ "09000", GC_FATAL, "triggered_action_exception" },
	{ "0A000", GC_RETRY, "feature_not_supported: cached plan must not change result type" },
	{ "0B000", GC_FATAL, "invalid_transaction_initiation" },
	{ "0L000", GC_FATAL, "invalid_grantor" },
	{ "0P000", GC_FATAL, "invalid_role_specification" },
	{ "20000", GC_FATAL, "case_not_found" },
	{ "21000", GC_FATAL, "cardinality_violation" },
	{ "2200H", GC_FATAL, "sequence_generator_limit_exceeded" },
	{ "22023", GC_REJECT, "invalid_parameter_value" },
	{ "23503", GC_REJECT, "foreign_key_violation" },
	{ "24000", GC_FATAL, "invalid_cursor_state" },
	{ "25001", GC_FATAL, "active_sql_transaction" },
	{ "25P01", GC_FATAL, "no_active_sql_transaction" },
	{ "25P04", GC_RETRY, "transaction_timeout" },
	{ "2BP01", GC_FATAL, "dependent_objects_still_exist" },
	{ "2D000", GC_FATAL, "invalid_transaction_termination" },
	{ "2F005", GC_FATAL, "function_executed_no_return_statement" },
	{ "34000", GC_FATAL, "invalid_cursor_name" },
	{ "38000", GC_FATAL, "external_routine_exception" },
	{ "39P01", GC_FATAL, "trigger_protocol_violated" },
	{ "3B001", GC_FATAL, "invalid_savepoint_specification" },
	{ "42P05", GC_RETRY, "duplicate_prepared_statement" },
	{ "44000", GC_FATAL, "with_check_option_violation" },
	{ "53400", GC_RETRY, "configuration_limit_exceeded" },
	{ "54001", GC_REJECT, "statement_too_complex" },
	{ "55006", GC_RETRY, "object_in_use" },
	{ "55P02", GC_FATAL, "cant_change_runtime_param" },
	{ "57P04", GC_RETRY, "database_dropped" },
	{ "57P05", GC_RETRY, "idle_session_timeout" },
	{ "58P01", GC_RETRY, "undefined_file" },
	{ "72000", GC_RETRY, "snapshot_too_old" },
	{ "F0000", GC_FATAL, "config_file_error" },
	{ "HV000", GC_FATAL, "fdw_error" },
	{ "P0004", GC_FATAL, "assert_failure" },
	{ "99999", GC_FATAL, "no code at all" },
	{ "", GC_FATAL, "empty" },
};

static void sqlstate_has_its_verdict(void **state)
{
	const struct sqlstate *row = *state;

	assert_string_equal(gc_verdict_name(gc_sqlstate_verdict(row->code)), gc_verdict_name(row->verdict));
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

	for (size_t i = 0; i < COUNT(sqlstates); i++)
		suite_add(&suite, sqlstate_has_its_verdict, &sqlstates[i], "SQLSTATE %s, %s: %s", sqlstates[i].code,
			  sqlstates[i].name, gc_verdict_name(sqlstates[i].verdict));
	for (size_t i = 0; i < COUNT(retries); i++)
		suite_add(&suite, retry_needs_what_it_needs, &retries[i], "retry of %s: %s", retries[i].code,
			  retries[i].wants_session ? "another session"
			  : retries[i].wants_less  ? "less at once"
						   : "waiting");
	for (size_t i = 0; i < COUNT(refusals); i++)
		suite_add(&suite, refusal_is_judged_by_its_code, &refusals[i], "refused: %s", words_of(refusals[i].message));
	return suite_run(&suite, NULL, NULL);
}
