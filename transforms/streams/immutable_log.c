/* immutable_log → fact_agentic_events, every entry; fact_error_events, those that tell of an error of their own. An entry also
 * links: its contract to its mission, an error to its component. Threads: pure.
 */
#include "rules/targets.h"

#include <gracecube/chain.h>

#define COLUMNS(X)                                                                                                                 \
	X(entry_id, GC_TEXT, 0, NULL)                                                                                              \
	X(component_key, GC_COMPONENT, 0, NULL)                                                                                    \
	X(actor_key, GC_ACTOR, 0, NULL)                                                                                            \
	X(mission_key, GC_MISSION, 0, NULL)                                                                                        \
	X(sequence, GC_INT8, GC_REQUIRED, "sequence")                                                                              \
	X(actor, GC_TEXT, 0, "actor")                                                                                              \
	X(action, GC_TEXT, 0, "action")                                                                                            \
	X(resource, GC_TEXT, GC_KEEPS, "resource")                                                                                 \
	X(subsystem, GC_TEXT, 0, "subsystem")                                                                                      \
	X(result, GC_TEXT, 0, "result")                                                                                            \
	X(severity, GC_TEXT, 0, NULL)                                                                                              \
	X(contract_id, GC_TEXT, 0, NULL)                                                                                           \
	X(names_mission, GC_BOOL, 0, NULL)                                                                                         \
	X(error_id, GC_TEXT, 0, NULL)                                                                                              \
	X(entry_hash, GC_TEXT, 0, "entry_hash")                                                                                    \
	X(previous_hash, GC_TEXT, 0, "previous_hash")                                                                              \
	X(hash_matches, GC_BOOL, 0, NULL)                                                                                          \
	X(created_at, GC_TIME, GC_REQUIRED, "timestamp")

enum { COLUMNS(GC_COLUMN_INDEX) COLUMN_COUNT };
static const struct gc_column columns[] = { COLUMNS(GC_COLUMN_ENTRY) };

static const struct gc_target entries = {
	.name = "agentic_events",
	.columns = columns,
	.column_count = COLUMN_COUNT,
	.created_at = AT_created_at,
};

/* The progression tracker tells which mission a completed contract belongs to. */
static void derive_contract(struct gc_decode *decode, struct gc_row *row, const struct gc_json *payload)
{
	struct gc_span completed = gc_decode_member(decode, gc_decode_hint(decode, payload, "action_contract_id"), "payload");
	struct gc_span mentioned = gc_decode_member(decode, gc_decode_hint(decode, payload, "contract_id"), "payload");
	struct gc_span mission = gc_decode_member(decode, gc_row_get_text(row, AT_resource), "resource");
	bool names = completed.len > 0 && mission.len > 0 &&
		     gc_span_equal(gc_row_get_text(row, AT_actor), GC_LIT("progression_tracker")) &&
		     gc_span_equal(gc_row_get_text(row, AT_action), GC_LIT("action_completed"));

	gc_row_text(row, AT_contract_id, completed.len > 0 ? completed : mentioned);
	gc_row_bool(row, AT_names_mission, names);
	if (names) {
		gc_row_text(row, AT_mission_key, mission);
		gc_decode_link(decode, "verification_executions", completed);
	}
}

/* An entry about a security event belongs to that error, and its actor is the error's component. */
static void derive_error(struct gc_decode *decode, struct gc_row *row)
{
	struct gc_span actor = gc_row_get_text(row, AT_actor), resource = gc_span_trim(gc_row_get_text(row, AT_resource));
	struct gc_span component = gc_declared_component(decode, actor);

	if (gc_span_starts_with(resource, GC_LIT(GC_ERROR_OF_ALERT)) && resource.len <= decode->key_bytes_max) {
		gc_row_text(row, AT_error_id, resource);
		gc_decode_link(decode, "error_events", resource);
		if (component.len == 0)
			component = gc_decode_member(decode, actor, "actor");
	}
	gc_row_text(row, AT_component_key, component);
	gc_row_text(row, AT_actor_key, gc_decode_actor(decode, actor, "actor"));
}

/* Not known when the payload was too large to be sent again. */
static void derive_hash(struct gc_decode *decode, struct gc_row *row, const struct gc_json *log)
{
	struct gc_chain_entry entry = {
		.sequence = row->values[AT_sequence].integer,
		.actor = gc_row_get_text(row, AT_actor),
		.action = gc_row_get_text(row, AT_action),
		.resource = gc_row_get_text(row, AT_resource),
		.payload = gc_decode_hint(decode, log, "payload"),
		.result = gc_row_get_text(row, AT_result),
		.previous_hash = gc_row_get_text(row, AT_previous_hash),
	};
	const struct gc_json *json = gc_json_get(log, GC_LIT("payload"));
	struct gc_span hash = gc_row_get_text(row, AT_entry_hash);
	char hex[GC_CHAIN_HASH_BYTES];

	if (decode->rejected || hash.len != 64 || gc_decode_is_unavailable(log, "payload") ||
	    gc_decode_is_unavailable(log, "resource"))
		return;
	if (json && (json->type == GC_JSON_OBJECT || json->type == GC_JSON_ARRAY)) /* written in another way when it was hashed */
		return;
	if (gc_chain_hash(&entry, decode->arena, hex))
		gc_row_bool(row, AT_hash_matches, gc_span_equal_nocase(hash, gc_span_of(hex)));
}

static bool is_error_like(struct gc_span action)
{
	return gc_span_contains_nocase(action, GC_LIT("error")) || gc_span_contains_nocase(action, GC_LIT("fail"));
}

static void add_error(struct gc_decode *decode, const struct gc_row *entry, const struct gc_json *log,
		      const struct gc_json *payload)
{
	struct gc_span id = gc_arena_printf(decode->arena, GC_ERROR_OF_ENTRY "%lld", (long long)entry->values[AT_sequence].integer);
	struct gc_row *row = gc_decode_row(decode, &gc_target_error_events, id, log);

	gc_row_integer(row, GC_ERROR_created_at, entry->values[AT_created_at].integer);
	gc_error_derive(decode, row, gc_row_get_text(entry, AT_severity), gc_row_get_text(entry, AT_actor),
			gc_decode_hint(decode, payload, "component"));
}

static void decode_entry(struct gc_decode *decode, const struct gc_change *change)
{
	struct gc_row *row = gc_decode_row(decode, &entries, decode->key, change->row);
	const struct gc_json *payload = gc_decode_nested(decode, change->row, "payload");

	gc_row_text(row, AT_severity, gc_decode_vocabulary(decode, gc_decode_hint(decode, payload, "severity")));
	derive_contract(decode, row, payload);
	derive_error(decode, row);
	derive_hash(decode, row, change->row);
	if (!decode->rejected && !gc_row_has(row, AT_error_id) && is_error_like(gc_row_get_text(row, AT_action)))
		add_error(decode, row, change->row, payload);
}

const struct gc_stream gc_stream_immutable_log = {
	.name = "immutable_log",
	.record = "one entry of the append-only, hash-chained log",
	.lands_in = "fact_agentic_events, fact_error_events",
	.key_field = "id",
	.key_fallback = "sequence",
	.other_fields = (const char *const[]){ "payload", NULL },
	.targets = (const struct gc_target *const[]){ &entries, &gc_target_error_events, NULL },
	.decode = decode_entry,
};
