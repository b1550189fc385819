/* tier_policies → dim_tier and its history: one tier's policy, sent again when it changes. Threads: pure. */
#include "decode.h"

#define COLUMNS(X)                                                                                                                 \
	X(source_id, GC_TEXT, 0, NULL)                                                                                             \
	X(tier_key, GC_TIER, 0, NULL)                                                                                              \
	X(tier_name, GC_TEXT, 0, "tier_name")                                                                                      \
	X(requires_approval, GC_BOOL, 0, "requires_approval")                                                                      \
	X(requires_snapshot, GC_BOOL, 0, "requires_snapshot")                                                                      \
	X(requires_benchmark, GC_BOOL, 0, "requires_benchmark")                                                                    \
	X(risk_level, GC_TEXT, GC_VOCABULARY, "risk_level")                                                                        \
	X(description, GC_TEXT, 0, "description")                                                                                  \
	X(policy_from, GC_TIME, 0, "effective_from")

enum { COLUMNS(GC_COLUMN_INDEX) COLUMN_COUNT };
static const struct gc_column columns[] = { COLUMNS(GC_COLUMN_ENTRY) };

static const struct gc_target tiers = {
	.name = "tiers",
	.columns = columns,
	.column_count = COLUMN_COUNT,
	.created_at = -1,
	.keep_versions = true,
};

/* Any object would do else, and one that Kafka's key names after a tier would wipe that tier's policy. */
static bool is_policy(const struct gc_row *row)
{
	return gc_row_has(row, AT_tier_name) || gc_row_has(row, AT_requires_approval) || gc_row_has(row, AT_requires_snapshot) ||
	       gc_row_has(row, AT_requires_benchmark) || gc_row_has(row, AT_risk_level);
}

static void decode_policy(struct gc_decode *decode, const struct gc_change *change)
{
	struct gc_row *row = gc_decode_row(decode, &tiers, decode->key, change->row);

	if (!is_policy(row))
		gc_decode_reject(decode, "missing_field", "tier_name",
				 "the record says nothing of a policy: it has none of tier_name, requires_approval, "
				 "requires_snapshot, requires_benchmark, risk_level");
	gc_row_text(row, AT_tier_key, decode->key);
	if (!gc_row_has(row, AT_tier_name))
		gc_row_text(row, AT_tier_name, decode->key);
}

const struct gc_stream gc_stream_tier_policies = {
	.name = "tier_policies",
	.record = "one tier's policy, sent again when it changes",
	.lands_in = "dim_tier",
	.key_field = "tier_code",
	.key_is_vocabulary = true,
	.other_fields = (const char *const[]){ "created_at", "id", "updated_at", NULL },
	.targets = (const struct gc_target *const[]){ &tiers, NULL },
	.decode = decode_policy,
};
