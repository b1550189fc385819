/* trigger_events → fact_error_events, fact_approvals: events of Grace's in-process mesh, of which several tell of one error or
 * one approval. Each becomes one aspect of it; sinks/sql/code/3_streams/trigger_events.sql puts the aspects together. Threads: pure.
 */
#include "rules/targets.h"

/* What the mesh calls an approval; cube.subject_of_approval() says the same. */
#define APPROVAL "approval:"

#define COLUMNS(X)                                                                                                                 \
	X(subject_id, GC_TEXT, 0, NULL)                                                                                            \
	X(aspect, GC_TEXT, 0, NULL)                                                                                                \
	X(at, GC_TIME, 0, NULL)                                                                                                    \
	X(digest, GC_INT8, 0, NULL)                                                                                                \
	X(actor_key, GC_ACTOR, 0, NULL)                                                                                            \
	X(component_key, GC_COMPONENT, 0, NULL)                                                                                    \
	X(component_is_explicit, GC_BOOL, 0, NULL)                                                                                 \
	X(tier_key, GC_TIER, 0, NULL)                                                                                              \
	X(title, GC_TEXT, 0, NULL)                                                                                                 \
	X(severity, GC_TEXT, GC_VOCABULARY, "severity")                                                                            \
	X(source, GC_TEXT, 0, NULL)                                                                                                \
	X(note, GC_TEXT, 0, NULL)                                                                                                  \
	X(needs_human, GC_BOOL, 0, NULL)                                                                                           \
	X(error_id, GC_TEXT, 0, NULL)                                                                                              \
	X(contract_id, GC_TEXT, 0, NULL)                                                                                           \
	X(risk_score, GC_FLOAT8, GC_NOT_NEGATIVE, "risk_score")

enum { COLUMNS(GC_COLUMN_INDEX) COLUMN_COUNT };
static const struct gc_column columns[] = { COLUMNS(GC_COLUMN_ENTRY) };

static const struct gc_target mesh_events = {
	.name = "mesh_events",
	.columns = columns,
	.column_count = COLUMN_COUNT,
	.created_at = -1,
	.keep_versions = true,
};

/* What an event type tells; tests/contract/mesh_events.csv is the cases of it and of the SQL that puts the aspects together. `fields` are the payload's members that may hold the title and the note, best first. */
static const struct kind {
	const char *event_type, *aspect;
	bool of_approval, is_decision, approves;
	const char *titles[3], *notes[4];
} kinds[] = {
	{ "error.detected", "raised", false, false, false, { "error_type" }, { NULL } },
	{ "agentic.problem_identified", "diagnosed", false, false, false, { "error_type", "pattern" }, { NULL } },
	{ "agentic.action_planned", "planned", false, false, false, { NULL }, { NULL } },
	{ "agentic.problem_resolved", "resolved", false, false, false, { NULL }, { "resolution_note", "resolution", "note" } },
	{ "agentic.action_failed", "failed", false, false, false, { NULL }, { "error", "reason" } },
	{ "approval.requested",
	  "requested",
	  true,
	  false,
	  false,
	  { "approval_type", "action_type" },
	  { "message", "reason", "description" } },
	{ "approval.granted", "decided", true, true, true, { NULL }, { "decision_reason", "reason" } },
	{ "approval.approved", "decided", true, true, true, { NULL }, { "decision_reason", "reason" } },
	{ "approval.rejected", "decided", true, true, false, { NULL }, { "decision_reason", "reason" } },
	{ "approval.denied", "decided", true, true, false, { NULL }, { "decision_reason", "reason" } },
};

static const struct kind *find_kind(struct gc_span event_type)
{
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (gc_span_equal_nocase(gc_span_trim(event_type), gc_span_of(kinds[i].event_type)))
			return &kinds[i];
	}
	return NULL;
}

/* The first of the fields that is a text. */
static struct gc_span first_text(struct gc_decode *decode, const struct gc_json *payload, const char *const *fields, size_t count)
{
	for (size_t i = 0; i < count && fields[i]; i++) {
		const struct gc_json *value = gc_json_get(payload, gc_span_of(fields[i]));

		if (value && value->type == GC_JSON_STRING && value->len > 0)
			return gc_decode_text(decode, payload, fields[i]);
	}
	return GC_SPAN_NULL;
}

static struct gc_span prefixed(struct gc_decode *decode, const char *prefix, struct gc_span id)
{
	return gc_arena_printf(decode->arena, "%s%.*s", prefix, (int)id.len, id.ptr);
}

/* The payload's own id, else the resource that the event is about. */
static struct gc_span subject_of(struct gc_decode *decode, const struct gc_json *event, const struct gc_json *payload,
				 const struct kind *kind)
{
	const char *field = kind->of_approval ? "approval_id" : "error_id";
	struct gc_span id = gc_decode_key(decode, payload, field);

	if (id.len == 0 && strcmp(kind->aspect, "raised") == 0)
		id = gc_decode_key(decode, event, "resource");
	if (id.len == 0) {
		gc_decode_reject(decode, "missing_field", field, "the %s event does not name its %s", kind->event_type,
				 kind->of_approval ? "approval" : "error");
		return GC_SPAN_NULL;
	}
	return prefixed(decode, kind->of_approval ? APPROVAL : GC_ERROR_OF_MESH, id);
}

static void derive_component(struct gc_decode *decode, struct gc_row *row, const struct gc_json *event,
			     const struct gc_json *payload)
{
	struct gc_span component = gc_decode_member(decode, gc_decode_text(decode, payload, "component"), "component");

	gc_row_bool(row, AT_component_is_explicit, component.len > 0);
	if (component.len == 0)
		component = gc_declared_component(decode, gc_decode_text(decode, event, "source"));
	if (component.len == 0)
		component = gc_declared_component(decode, gc_decode_text(decode, event, "actor"));
	gc_row_text(row, AT_component_key, component);
}

/* People decide, so a bare name there is one; the event's own actor is whoever published it. */
static void derive_actor(struct gc_decode *decode, struct gc_row *row, const struct gc_json *event, const struct gc_json *payload,
			 const struct kind *kind)
{
	static const char *const deciders[] = { "decision_by", "decided_by", "approved_by", "rejected_by", "approver" };
	struct gc_span name = GC_SPAN_NULL;

	if (kind->is_decision)
		name = gc_span_trim(first_text(decode, payload, deciders, sizeof(deciders) / sizeof(deciders[0])));
	if (name.len > 0)
		gc_row_text(row, AT_actor_key, gc_decode_person(decode, name, "actor"));
	else
		gc_row_text(row, AT_actor_key, gc_decode_actor(decode, gc_decode_text(decode, event, "actor"), "actor"));
}

/* The problem that an approval is about: an object, also one in a text; or a few words, which name no error. */
static const struct gc_json *problem_of(struct gc_decode *decode, const struct gc_json *payload)
{
	struct gc_span text = gc_span_trim(gc_decode_hint(decode, payload, "problem"));

	return text.len == 0 || text.ptr[0] == '{' ? gc_decode_nested(decode, payload, "problem") : NULL;
}

/* An approval may be about an error and about a contract. */
static void derive_links(struct gc_decode *decode, struct gc_row *row, const struct gc_json *payload, const struct kind *kind)
{
	struct gc_span error = gc_decode_key(decode, payload, "error_id");
	struct gc_span contract;

	if (!kind->of_approval) {
		gc_decode_link(decode, "error_events", row->key);
		return;
	}
	contract = gc_approval_contract(decode, gc_decode_text(decode, payload, "contract_id"),
					kind->is_decision ? GC_SPAN_NULL : gc_row_get_text(row, AT_note));
	if (error.len == 0)
		error = gc_decode_key(decode, problem_of(decode, payload), "error_id");
	if (error.len > 0) {
		gc_row_text(row, AT_error_id, prefixed(decode, GC_ERROR_OF_MESH, error));
		gc_decode_link(decode, "error_events", gc_row_get_text(row, AT_error_id));
	}
	gc_row_text(row, AT_contract_id, contract);
	gc_decode_link(decode, "verification_executions", contract);
}

static void derive_needs_human(struct gc_decode *decode, struct gc_row *row, const struct gc_json *payload, const struct kind *kind)
{
	struct gc_span alone = gc_span_trim(gc_decode_hint(decode, payload, "can_auto_execute"));

	if (kind->is_decision)
		gc_row_bool(row, AT_needs_human, kind->approves);
	else if (alone.len > 0)
		gc_row_bool(row, AT_needs_human, gc_span_equal_nocase(alone, GC_LIT("false")) || gc_span_equal(alone, GC_LIT("0")));
}

static void derive_tier(struct gc_decode *decode, struct gc_row *row, const struct gc_json *payload)
{
	struct gc_span tier = gc_decode_vocabulary(decode, gc_decode_text(decode, payload, "tier"));

	/* the mesh also names tiers by words of its own (OPERATIONAL): those are no codes */
	if (gc_span_starts_with(tier, GC_LIT("tier_")))
		gc_row_text(row, AT_tier_key, gc_decode_member(decode, tier, "tier"));
}

static void decode_known_event(struct gc_decode *decode, const struct gc_json *event, const struct kind *kind)
{
	const struct gc_json *payload = decode->change->payload;
	struct gc_span subject = subject_of(decode, event, payload, kind);
	struct gc_row *row = gc_decode_row(decode, &mesh_events, subject, payload);
	int64_t at;

	if (gc_decode_needed_time(decode, event, "timestamp", &at))
		gc_row_integer(row, AT_at, at);
	gc_row_text(row, AT_aspect, gc_span_of(kind->aspect));
	gc_row_integer(row, AT_digest, (int64_t)(gc_span_hash(decode->change->message->value) >> 1));
	gc_row_text(row, AT_title, first_text(decode, payload, kind->titles, sizeof(kind->titles) / sizeof(kind->titles[0])));
	gc_row_text(row, AT_note, first_text(decode, payload, kind->notes, sizeof(kind->notes) / sizeof(kind->notes[0])));
	gc_row_text(row, AT_source, gc_decode_text(decode, event, kind->of_approval ? "source" : "resource"));
	derive_actor(decode, row, event, payload, kind);
	derive_component(decode, row, event, payload);
	derive_tier(decode, row, payload);
	derive_needs_human(decode, row, payload, kind);
	derive_links(decode, row, payload, kind);
}

static void refuse_event(struct gc_decode *decode, const struct gc_json *event, const struct kind *kind)
{
	const struct gc_json *payload = gc_json_get(event, GC_LIT("payload"));

	if (!kind)
		gc_decode_reject(decode, "missing_field", "event_type", "a trigger event has an event_type and a payload");
	else if (!payload || payload->type == GC_JSON_NULL)
		gc_decode_reject(decode, "missing_field", "payload", "the trigger event has no payload");
	else if (payload->type == GC_JSON_STRING)
		gc_decode_reject(decode, "bad_type", "payload", "the payload is a text that holds no JSON object");
	else
		gc_decode_reject(decode, "bad_type", "payload", "the payload is a JSON %s, not an object",
				 gc_json_type_name(payload));
}

static void decode_event(struct gc_decode *decode, const struct gc_change *change)
{
	struct gc_span event_type = gc_decode_text(decode, change->row, "event_type");
	const struct kind *kind = find_kind(event_type);

	/* others say nothing of an error or an approval, and one whose payload was left out says nothing new: counted as ignored */
	if ((event_type.len > 0 && !kind) || gc_decode_is_unavailable(change->row, "payload"))
		return;
	if (kind && change->payload)
		decode_known_event(decode, change->row, kind);
	else
		refuse_event(decode, change->row, kind);
}

const struct gc_stream gc_stream_trigger_events = {
	.name = "trigger_events",
	.record = "one event of the in-process mesh",
	.lands_in = "fact_error_events, fact_approvals",
	.targets = (const struct gc_target *const[]){ &mesh_events, NULL },
	.decode = decode_event,
};
