/* benchmark_runs → fact_benchmark_runs: one benchmark run, perhaps of a contract. Threads: pure. */
#include "decode.h"

#include <math.h>

#define COLUMNS(X)                                                                                                                 \
	X(benchmark_id, GC_TEXT, 0, NULL)                                                                                          \
	X(actor_key, GC_ACTOR, 0, NULL)                                                                                            \
	X(run_id, GC_TEXT, 0, "run_id")                                                                                            \
	X(contract_id, GC_TEXT, 0, NULL)                                                                                           \
	X(benchmark_type, GC_TEXT, 0, "benchmark_type")                                                                            \
	X(passed, GC_BOOL, 0, "passed")                                                                                            \
	X(drift_detected, GC_BOOL, 0, "drift_detected")                                                                            \
	X(drift_score, GC_FLOAT8, GC_NOT_NEGATIVE | GC_KEEPS, "drift_score")                                                       \
	X(duration_seconds, GC_FLOAT8, GC_NOT_NEGATIVE, "duration_seconds")                                                        \
	X(baseline_id, GC_TEXT, 0, "baseline_id")                                                                                  \
	X(is_golden, GC_BOOL, 0, "is_golden")                                                                                      \
	X(triggered_by, GC_TEXT, 0, "triggered_by")                                                                                \
	X(created_at, GC_TIME, GC_REQUIRED, "created_at")

enum { COLUMNS(GC_COLUMN_INDEX) COLUMN_COUNT };
static const struct gc_column columns[] = { COLUMNS(GC_COLUMN_ENTRY) };

static const struct gc_target benchmarks = {
	.name = "benchmark_runs",
	.columns = columns,
	.column_count = COLUMN_COUNT,
	.created_at = AT_created_at,
};

/* {"metric": {"percent_change": 413.3, …}, …}: the largest relative change from the baseline. */
static void derive_drift(struct gc_decode *decode, struct gc_row *row, const struct gc_json *delta)
{
	double largest = -1;

	for (const struct gc_json *m = gc_json_first(delta); m && delta->type == GC_JSON_OBJECT; m = gc_json_next(delta, m + 1)) {
		const struct gc_json *change = gc_json_get(m + 1, GC_LIT("percent_change"));
		double percent = change && (change->type == GC_JSON_INT || change->type == GC_JSON_REAL) ? gc_json_real(change)
													 : NAN;

		if (isfinite(percent) && fabs(percent) > largest)
			largest = fabs(percent);
	}
	if (largest >= 0)
		gc_row_measure(decode, row, AT_drift_score, largest / 100);
}

static void decode_run(struct gc_decode *decode, const struct gc_change *change)
{
	struct gc_row *row = gc_decode_row(decode, &benchmarks, decode->key, change->row);
	struct gc_span contract = gc_decode_text(decode, change->row, "contract_id");

	if (contract.len == 0)
		contract = gc_decode_text(decode, change->row, "action_contract_id");
	contract = gc_decode_member(decode, contract, "contract_id");
	gc_row_text(row, AT_contract_id, contract);
	gc_decode_link(decode, "verification_executions", contract);
	gc_row_text(row, AT_actor_key, gc_decode_actor(decode, gc_row_get_text(row, AT_triggered_by), "triggered_by"));
	if (gc_row_has(row, AT_drift_score))
		return;
	if (gc_decode_is_unavailable(change->row, "delta_from_baseline"))
		gc_row_real(row, AT_drift_score, GC_KEPT_REAL);
	else
		derive_drift(decode, row, gc_decode_nested(decode, change->row, "delta_from_baseline"));
}

const struct gc_stream gc_stream_benchmark_runs = {
	.name = "benchmark_runs",
	.record = "one benchmark run",
	.lands_in = "fact_benchmark_runs",
	.key_field = "id",
	.key_fallback = "run_id",
	.other_fields = (const char *const[]){ "action_contract_id", "contract_id", "delta_from_baseline", "metrics", "results",
					       NULL },
	.targets = (const struct gc_target *const[]){ &benchmarks, NULL },
	.decode = decode_run,
};
