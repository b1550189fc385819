/* SQLSTATE to verdict: every line of the table with codes that PostgreSQL really sends, and what is not listed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <gracecube/sink.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void sqlstates_have_verdicts(void **state)
{
	static const struct {
		const char *sqlstate;
		enum gc_verdict verdict;
		const char *name;
	} cases[] = {
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
		{ "25P04", GC_RETRY, "transaction_timeout" },
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
		{ "55000", GC_FATAL, "object_not_in_prerequisite_state" },
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
		{ "0A000", GC_FATAL, "feature_not_supported" },
		{ "99999", GC_FATAL, "no code at all" },
		{ "", GC_FATAL, "empty" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		enum gc_verdict verdict = gc_sqlstate_verdict(cases[i].sqlstate);

		if (verdict != cases[i].verdict)
			fail_msg("%s (%s) gives %s, not %s", cases[i].sqlstate, cases[i].name, gc_verdict_name(verdict),
				 gc_verdict_name(cases[i].verdict));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sqlstates_have_verdicts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
