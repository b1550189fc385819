/* Records of kinds that the capture does not hold: streams without a record in it, deletes and changes that did not happen while it was
 * taken, and what is no record at all. They come behind the captured ones, a second apart, each with a log position of its own.
 *
 * Threads: none shared.
 */
#include "property.h"

#include <stdio.h>
#include <stdlib.h>

#include <gracecube/arena.h>

#define FIRST_LSN INT64_C(900000000)
#define FIRST_US INT64_C(1795500000000000)

enum edge_shape {
	CREATE = 'c',
	UPDATE = 'u',
	DELETE = 'd', /* Debezium envelopes */
	TOMBSTONE = 't',
	FLAT = 'f', /* as it stands: flat rows, trigger events, rubbish */
};

/* Quotes are single here and double in the record. */
struct edge {
	const char *stream, *key;
	enum edge_shape shape;
	const char *row;
};

/* In the order of their source. */
/* clang-format off */
static const struct edge edges[] = {
	/* a tier's policy: changed, deleted, made again; one that was only inferred */
	{ "tier_policies", "{'tier_code':'tier_2'}", CREATE, "{'tier_code':'tier_2','tier_name':'Tactical','requires_approval':false,'risk_level':'medium'}" },
	{ "tier_policies", "{'tier_code':'tier_2'}", UPDATE, "{'tier_code':'tier_2','tier_name':'Tactical','requires_approval':true,'risk_level':'medium'}" },
	{ "tier_policies", "{'tier_code':'tier_2'}", UPDATE, "{'tier_code':'tier_2','tier_name':'Tactical','requires_approval':true,'risk_level':'high'}" },
	{ "tier_policies", "{'tier_code':'tier_4'}", CREATE, "{'tier_code':'tier_4','tier_name':'Existential','requires_approval':true,'risk_level':'extreme'}" },
	{ "tier_policies", "{'tier_code':'tier_3'}", DELETE, "{'tier_code':'tier_3'}" },
	{ "tier_policies", "{'tier_code':'tier_3'}", TOMBSTONE, NULL },
	{ "tier_policies", "{'tier_code':'tier_5'}", CREATE, "{'tier_code':'tier_5','tier_name':'Short'}" },
	{ "tier_policies", "{'tier_code':'tier_5'}", DELETE, "{'tier_code':'tier_5'}" },
	{ "tier_policies", "{'tier_code':'tier_5'}", TOMBSTONE, NULL },
	{ "tier_policies", "{'tier_code':'tier_5'}", CREATE, "{'tier_code':'tier_5','tier_name':'Again'}" },

	/* missions: deleted, made again, one id in two rows one after the other, never completed, named before known */
	{ "mission_timelines", "{'id':9001}", CREATE, "{'id':9001,'mission_id':'mission-edge-1','mission_name':'One','mission_type':'edge','status':'running','started_at':'2026-11-20T10:00:00Z'}" },
	{ "mission_timelines", "{'id':9001}", UPDATE, "{'id':9001,'mission_id':'mission-edge-1','mission_name':'One','mission_type':'edge','status':'completed','started_at':'2026-11-20T10:00:00Z','completed_at':'2026-11-20T11:00:00Z'}" },
	{ "mission_timelines", "{'id':9001}", DELETE, "{'id':9001,'mission_id':''}" },
	{ "mission_timelines", "{'id':9001}", TOMBSTONE, NULL },
	{ "mission_timelines", "{'id':9002}", CREATE, "{'id':9002,'mission_id':'mission-edge-1','mission_name':'One, again','mission_type':'edge','status':'running','started_at':'2026-11-21T10:00:00Z'}" },
	{ "mission_timelines", "{'id':9003}", CREATE, "{'id':9003,'mission_id':'mission-edge-2','mission_name':'Two','status':'running','started_at':'2026-11-20T12:00:00Z'}" },
	{ "mission_timelines", "{'id':9003}", DELETE, "{'id':9003}" },
	{ "mission_timelines", "{'id':9003}", TOMBSTONE, NULL },
	{ "mission_timelines", "{'id':9004}", CREATE, "{'id':9004,'mission_id':'mission-edge-3','mission_name':'Three','status':'running','started_at':'2026-11-20T13:00:00Z'}" },
	{ "mission_timelines", "{'id':9004}", UPDATE, "{'id':9004,'mission_id':'mission-edge-4','mission_name':'Three, renamed','status':'running','started_at':'2026-11-20T13:00:00Z'}" },
	{ "mission_timelines", "{'id':9004}", UPDATE, "{'id':9004,'mission_id':'mission-edge-4','mission_name':'Three, renamed','status':'failed','started_at':'2026-11-20T13:00:00Z','completed_at':'2026-11-20T14:00:00Z'}" },

	/* contracts: created_at corrected over a month's end, deleted, made again, tied to each kind of mission */
	{ "action_contracts", "{'id':'contract-edge-1'}", CREATE, "{'id':'contract-edge-1','action_type':'edge','status':'pending','tier':'tier_4','triggered_by':'cognition:mission-edge-1','created_at':'2026-11-20T10:05:00Z'}" },
	{ "action_contracts", "{'id':'contract-edge-1'}", UPDATE, "{'id':'contract-edge-1','action_type':'edge','status':'executing','tier':'tier_4','triggered_by':'cognition:mission-edge-1','created_at':'2026-12-01T00:00:00Z'}" },
	{ "action_contracts", "{'id':'contract-edge-1'}", UPDATE, "{'id':'contract-edge-1','action_type':'edge','status':'verified','tier':'tier_4','confidence_score':0.5,'triggered_by':'cognition:mission-edge-1','created_at':'2026-11-30T23:59:59Z','verified_at':'2026-12-01T00:01:00Z'}" },
	{ "action_contracts", "{'id':'contract-edge-2'}", CREATE, "{'id':'contract-edge-2','status':'verified','tier':'tier_2','mission_id':'mission-edge-2','triggered_by':'user:alice','created_at':'2026-11-20T12:05:00Z','verified_at':'2026-11-20T12:06:00Z'}" },
	{ "action_contracts", "{'id':'contract-edge-2'}", DELETE, "{'id':'contract-edge-2'}" },
	{ "action_contracts", "{'id':'contract-edge-2'}", TOMBSTONE, NULL },
	{ "action_contracts", "{'id':'contract-edge-2'}", CREATE, "{'id':'contract-edge-2','status':'pending','tier':'tier_3','triggered_by':'cognition:mission-edge-4','created_at':'2026-11-20T12:07:00Z'}" },
	{ "action_contracts", "{'id':'contract-edge-3'}", CREATE, "{'id':'contract-edge-3','status':'pending','tier':'tier_1','triggered_by':'cognition:mission-edge-3','created_at':'2026-11-20T13:07:00Z','error_message':'a long text'}" },
	{ "action_contracts", "{'id':'contract-edge-3'}", UPDATE, "{'id':'contract-edge-3','status':'executing','tier':'tier_1','triggered_by':'cognition:mission-edge-3','created_at':'2026-11-20T13:07:00Z','error_message':'__debezium_unavailable_value'}" },
	{ "action_contracts", "{'id':'contract-edge-3'}", UPDATE, "{'id':'contract-edge-3','status':'failed','tier':'tier_1','triggered_by':'cognition:mission-edge-3','created_at':'2026-11-20T13:07:00Z','error_message':'another text'}" },
	{ "action_contracts", "{'id':'contract-edge-3'}", UPDATE, "{'id':'contract-edge-3','status':'rolled_back','tier':'tier_1','triggered_by':'cognition:mission-edge-3','created_at':'2026-11-20T13:07:00Z','error_message':'__debezium_unavailable_value'}" },
	{ "action_contracts", "{'id':'contract-edge-4'}", CREATE, "{'id':'contract-edge-4','status':'pending','tier':'tier_1','mission_id':'mission-edge-9','triggered_by':'agent:x','created_at':'2027-02-20T13:07:00Z'}" },
	{ "action_contracts", "{'id':'contract-edge-4'}", DELETE, "{'id':'contract-edge-4'}" },

	/* what links to contracts: given to another contract, deleted */
	{ "safe_hold_snapshots", "{'id':'snapshot-edge-1'}", CREATE, "{'id':'snapshot-edge-1','action_contract_id':'contract-edge-1','status':'active','created_at':'2026-11-20T10:04:00Z'}" },
	{ "safe_hold_snapshots", "{'id':'snapshot-edge-1'}", UPDATE, "{'id':'snapshot-edge-1','action_contract_id':'contract-edge-2','status':'active','created_at':'2026-11-20T10:04:00Z'}" },
	{ "safe_hold_snapshots", "{'id':'snapshot-edge-2'}", CREATE, "{'id':'snapshot-edge-2','action_contract_id':'contract-edge-3','status':'active','created_at':'2026-11-20T13:04:00Z'}" },
	{ "safe_hold_snapshots", "{'id':'snapshot-edge-2'}", DELETE, "{'id':'snapshot-edge-2'}" },
	{ "safe_hold_snapshots", "{'id':'snapshot-edge-2'}", TOMBSTONE, NULL },
	{ "benchmark_runs", "{'id':9001}", CREATE, "{'id':9001,'contract_id':'contract-edge-1','passed':false,'drift_score':0.4,'created_at':'2026-11-20T10:06:00Z'}" },
	{ "benchmark_runs", "{'id':9002}", CREATE, "{'id':9002,'contract_id':'contract-edge-1','passed':true,'drift_score':0.1,'created_at':'2026-11-20T10:07:00Z'}" },
	{ "benchmark_runs", "{'id':9002}", UPDATE, "{'id':9002,'contract_id':'contract-edge-3','passed':true,'drift_score':0.2,'created_at':'2026-11-20T10:07:00Z'}" },
	{ "benchmark_runs", "{'id':9003}", CREATE, "{'id':9003,'contract_id':'contract-edge-3','passed':false,'drift_score':0.9,'created_at':'2026-11-20T10:08:00Z'}" },
	{ "benchmark_runs", "{'id':9003}", DELETE, "{'id':9003}" },
	{ "constitutional_compliance", "{'id':9001}", CREATE, "{'id':9001,'action_id':'contract-edge-2','actor':'hunter','compliant':true,'created_at':'2026-11-20T12:05:30Z'}" },
	{ "constitutional_compliance", "{'id':9002}", CREATE, "{'id':9002,'action_id':'contract-edge-1','actor':'hunter','compliant':false,'created_at':'2026-11-20T12:05:31Z'}" },
	{ "approval_requests", "{'id':9001}", CREATE, "{'id':9001,'contract_id':'contract-edge-2','status':'pending','requested_by':'agent:x','created_at':'2026-11-20T12:05:40Z'}" },
	{ "approval_requests", "{'id':9001}", UPDATE, "{'id':9001,'contract_id':'contract-edge-1','status':'approved','requested_by':'agent:x','decision_by':'bob','created_at':'2026-11-20T12:05:40Z','decided_at':'2026-11-20T12:06:40Z'}" },
	{ "agentic_insights", "{'id':9001}", CREATE, "{'id':9001,'run_id':'run-mission-edge-2','phase':'plan','timestamp':'2026-11-20T12:01:00Z'}" },
	{ "agentic_insights", "{'id':9002}", CREATE, "{'id':9002,'run_id':'run-mission-edge-3','phase':'plan','timestamp':'2026-11-20T12:01:00Z'}" },

	/* the log: names a mission, then is deleted; is an error, then is deleted; speaks of an error that goes */
	{ "immutable_log", "{'id':90001}", CREATE, "{'id':90001,'sequence':90001,'actor':'progression_tracker','action':'action_completed','resource':'mission-edge-4','subsystem':'missions','payload':'{\\\"action_contract_id\\\": \\\"contract-edge-4\\\"}','result':'ok','timestamp':'2026-11-20T13:08:00Z'}" },
	{ "immutable_log", "{'id':90002}", CREATE, "{'id':90002,'sequence':90002,'actor':'progression_tracker','action':'action_completed','resource':'mission-edge-1','subsystem':'missions','payload':'{\\\"action_contract_id\\\": \\\"contract-edge-3\\\"}','result':'ok','timestamp':'2026-11-20T13:09:00Z'}" },
	{ "immutable_log", "{'id':90003}", CREATE, "{'id':90003,'sequence':90003,'actor':'progression_tracker','action':'action_completed','resource':'mission-edge-5','subsystem':'missions','payload':'{\\\"action_contract_id\\\": \\\"contract-edge-3\\\"}','result':'ok','timestamp':'2026-11-20T13:10:00Z'}" },
	{ "immutable_log", "{'id':90003}", DELETE, "{'id':90003}" },
	{ "immutable_log", "{'id':90004}", CREATE, "{'id':90004,'sequence':90004,'actor':'hunter','action':'scan_failed','resource':'disk','subsystem':'security','payload':'{}','result':'x','timestamp':'2026-11-20T13:11:00Z'}" },
	{ "immutable_log", "{'id':90005}", CREATE, "{'id':90005,'sequence':90005,'actor':'hunter','action':'scan_failed','resource':'disk','subsystem':'security','payload':'{}','result':'x','timestamp':'2026-11-20T13:12:00Z'}" },
	{ "immutable_log", "{'id':90005}", DELETE, "{'id':90005}" },
	{ "immutable_log", "{'id':90005}", TOMBSTONE, NULL },
	{ "immutable_log", "{'id':90006}", CREATE, "{'id':90006,'sequence':90006,'actor':'cache_guard','action':'alert_seen','resource':'security_event:9001','subsystem':'security','payload':'{}','result':'x','timestamp':'2026-11-20T13:13:00Z'}" },
	{ "immutable_log", "{'id':90007}", CREATE, "{'id':90007,'sequence':90007,'actor':'hunter','action':'alert_seen','resource':'security_event:9002','subsystem':'security','payload':'{}','result':'x','timestamp':'2026-11-20T13:14:00Z'}" },
	{ "immutable_log", "{'id':90008}", CREATE, "{'id':90008,'sequence':90008,'actor':'disk_guard','action':'alert_seen','resource':'security_event:9001','subsystem':'security','payload':'{}','result':'x','timestamp':'2026-11-20T13:13:30Z'}" },
	{ "security_events", "{'id':9001}", CREATE, "{'id':9001,'actor':'system:x','action':'port_scan','resource':'eth0','severity':'HIGH','status':'open','created_at':'2026-11-20T13:12:30Z'}" },
	{ "security_events", "{'id':9001}", UPDATE, "{'id':9001,'actor':'system:x','action':'port_scan','resource':'eth0','severity':'HIGH','status':'resolved','resolution_note':'by user:eve','created_at':'2026-11-20T13:12:30Z','resolved_at':'2026-11-20T13:20:00Z'}" },
	{ "security_events", "{'id':9002}", CREATE, "{'id':9002,'actor':'system:x','action':'port_scan','resource':'eth1','severity':'low','status':'open','created_at':'2026-11-20T13:12:40Z'}" },
	{ "security_events", "{'id':9002}", DELETE, "{'id':9002}" },
	{ "security_events", "{'id':9002}", TOMBSTONE, NULL },

	/* remediations: the diagnosis names one error, then another; deleted with steps left behind */
	{ "playbook_runs", "{'id':9001}", CREATE, "{'id':9001,'playbook_id':'pb-1','service':'cache','requested_by':'system:x','status':'running','diagnosis':'{\\\"event\\\": 9001, \\\"code\\\": \\\"E1\\\"}','created_at':'2026-11-20T13:15:00Z'}" },
	{ "playbook_runs", "{'id':9001}", UPDATE, "{'id':9001,'playbook_id':'pb-1','service':'cache','requested_by':'system:x','status':'succeeded','diagnosis':'__debezium_unavailable_value','created_at':'2026-11-20T13:15:00Z','ended_at':'2026-11-20T13:16:00Z'}" },
	{ "playbook_runs", "{'id':9002}", CREATE, "{'id':9002,'playbook_id':'pb-2','service':'disk','requested_by':'user:bob','status':'running','diagnosis':'{\\\"event\\\": 9001}','created_at':'2026-11-20T13:17:00Z'}" },
	{ "playbook_runs", "{'id':9002}", UPDATE, "{'id':9002,'playbook_id':'pb-2','service':'disk','requested_by':'user:bob','status':'failed','diagnosis':'{\\\"event\\\": 9002}','created_at':'2026-11-20T13:17:00Z'}" },
	{ "playbook_runs", "{'id':9003}", CREATE, "{'id':9003,'service':'net','requested_by':'user:bob','status':'running','diagnosis':'{\\\"event\\\": 9001}','created_at':'2026-11-20T13:18:00Z'}" },
	{ "playbook_step_runs", "{'id':9001}", CREATE, "{'id':9001,'run_id':9003,'step_order':1,'status':'running','created_at':'2026-11-20T13:18:10Z'}" },
	{ "playbook_step_runs", "{'id':9002}", CREATE, "{'id':9002,'run_id':9001,'step_order':1,'status':'succeeded','log':'a log','created_at':'2026-11-20T13:15:10Z'}" },
	{ "playbook_step_runs", "{'id':9002}", UPDATE, "{'id':9002,'run_id':9002,'step_order':2,'status':'succeeded','log':'__debezium_unavailable_value','created_at':'2026-11-20T13:15:10Z'}" },
	{ "playbook_runs", "{'id':9003}", DELETE, "{'id':9003}" },
	{ "playbook_runs", "{'id':9003}", TOMBSTONE, NULL },

	/* the parliament: a session decided, a member gone, a vote changed */
	{ "governance_sessions", "{'id':9001}", CREATE, "{'id':9001,'session_id':'s-1','status':'voting','created_at':'2026-11-20T14:00:00Z'}" },
	{ "governance_members", "{'id':9001}", CREATE, "{'id':9001,'member_id':'carol','member_type':'human','active':true,'created_at':'2026-11-01T00:00:00Z'}" },
	{ "governance_members", "{'id':9002}", CREATE, "{'id':9002,'member_id':'judge','member_type':'agent','active':true,'created_at':'2026-11-01T00:00:00Z'}" },
	{ "governance_votes", "{'id':9001}", CREATE, "{'id':9001,'session_id':9001,'member_id':9001,'vote':'approve','created_at':'2026-11-20T14:01:00Z'}" },
	{ "governance_votes", "{'id':9002}", CREATE, "{'id':9002,'session_id':9001,'member_id':9002,'vote':'reject','created_at':'2026-11-20T14:02:00Z'}" },
	{ "governance_votes", "{'id':9001}", UPDATE, "{'id':9001,'session_id':9001,'member_id':9002,'vote':'abstain','created_at':'2026-11-20T14:01:00Z'}" },
	{ "governance_sessions", "{'id':9001}", UPDATE, "{'id':9001,'session_id':'s-1','status':'rejected','outcome':'rejected','created_at':'2026-11-20T14:00:00Z','decided_at':'2026-11-20T14:05:00Z'}" },
	{ "governance_members", "{'id':9002}", DELETE, "{'id':9002}" },

	/* the mesh: of one error several events, in any order; one only diagnosed; two of one aspect; approvals with and without a record */
	{ "trigger_events", NULL, FLAT, "{'event_type':'error.detected','source':'input_sentinel','actor':'system:sentinel','resource':'err-1','payload':{'error_id':'err-1','error_type':'timeout','severity':'high'},'timestamp':'2026-11-20T15:00:00.100Z'}" },
	{ "trigger_events", NULL, FLAT, "{'event_type':'error.detected','source':'input_sentinel','actor':'system:sentinel','resource':'err-1','payload':{'error_id':'err-1','error_type':'timeout','severity':'low'},'timestamp':'2026-11-20T15:00:00.200Z'}" },
	{ "trigger_events", NULL, FLAT, "{'event_type':'agentic.problem_identified','source':'cognition_authority','actor':'agent:mind','resource':'err-1','payload':{'error_id':'err-1','pattern':'slow','component':'cache'},'timestamp':'2026-11-20T14:59:59Z'}" },
	{ "trigger_events", NULL, FLAT, "{'event_type':'agentic.action_planned','source':'cognition_authority','actor':'agent:mind','resource':'err-1','payload':{'error_id':'err-1','can_auto_execute':false},'timestamp':'2026-11-20T15:01:00Z'}" },
	{ "trigger_events", NULL, FLAT, "{'event_type':'agentic.action_planned','source':'cognition_authority','actor':'agent:mind','resource':'err-1','payload':{'error_id':'err-1','can_auto_execute':true},'timestamp':'2026-11-20T15:02:00Z'}" },
	{ "trigger_events", NULL, FLAT, "{'event_type':'agentic.problem_resolved','source':'x','actor':'agent:mind','resource':'err-1','payload':{'error_id':'err-1','resolution_note':'restarted'},'timestamp':'2026-11-20T15:03:00Z'}" },
	{ "trigger_events", NULL, FLAT, "{'event_type':'agentic.problem_identified','source':'cognition_authority','actor':'agent:mind','resource':'err-2','payload':{'error_id':'err-2','pattern':'leak'},'timestamp':'2026-10-31T23:59:59Z'}" },
	{ "trigger_events", NULL, FLAT, "{'event_type':'error.detected','source':'hunter','actor':'system:sentinel','resource':'err-2','payload':{'error_id':'err-2','error_type':'leak','severity':'low'},'timestamp':'2026-11-01T00:00:01Z'}" },
	{ "trigger_events", NULL, FLAT, "{'event_type':'agentic.action_failed','source':'hunter','actor':'agent:mind','resource':'err-2','payload':{'error_id':'err-2','error':'no space'},'timestamp':'2026-11-01T00:00:02Z'}" },
	{ "trigger_events", NULL, FLAT, "{'event_type':'error.detected','source':'hunter','actor':'system:one','resource':'err-3','payload':{'error_id':'err-3','severity':'low'},'timestamp':'2026-11-20T16:00:00Z'}" },
	{ "trigger_events", NULL, FLAT, "{'event_type':'error.detected','source':'hunter','actor':'system:two','resource':'err-3','payload':{'error_id':'err-3','severity':'high'},'timestamp':'2026-11-20T16:00:00Z'}" },
	{ "trigger_events", NULL, FLAT, "{'event_type':'approval.requested','source':'input_sentinel','actor':'system:sentinel','resource':'err-3','payload':{'approval_id':'apr-1','error_id':'err-3','contract_id':'contract-edge-2','risk_score':0.7,'reason':'too risky'},'timestamp':'2026-11-20T16:01:00Z'}" },
	{ "trigger_events", NULL, FLAT, "{'event_type':'approval.granted','source':'parliament_engine','actor':'system:parliament','resource':'apr-1','payload':{'approval_id':'apr-1','decision_by':'carol','decision_reason':'fine'},'timestamp':'2026-11-20T16:05:00Z'}" },
	{ "trigger_events", NULL, FLAT, "{'event_type':'approval.rejected','source':'parliament_engine','actor':'user:dave','resource':'apr-2','payload':{'approval_id':'apr-2'},'timestamp':'2026-11-20T16:06:00Z'}" },
	{ "trigger_events", NULL, FLAT, "{'event_type':'approval.requested','source':'x','actor':'x','resource':'y','payload':{'approval_id':'9001','tier':'tier_3','reason':'the table knows better'},'timestamp':'2026-11-20T12:05:41Z'}" },
	{ "trigger_events", NULL, FLAT, "{'event_type':'approval.denied','source':'x','actor':'user:dave','resource':'y','payload':{'approval_id':'9001'},'timestamp':'2026-11-20T12:05:42Z'}" },
	{ "trigger_events", NULL, FLAT, "{'event_type':'mission.started','source':'x','actor':'x','resource':'y','payload':{},'timestamp':'2026-11-20T12:05:42Z'}" },

	/* signs of life, one of them told twice */
	{ "shard_heartbeats", "shard-1", FLAT, "{'shard_id':'shard-1','status':'alive','load':0.5,'timestamp':'2026-11-20T17:00:00Z'}" },
	{ "shard_heartbeats", "shard-1", FLAT, "{'shard_id':'shard-1','status':'alive','load':0.6,'timestamp':'2026-11-20T17:00:10Z'}" },
	{ "shard_heartbeats", "shard-1", FLAT, "{'shard_id':'shard-1','status':'busy','load':0.9,'timestamp':'2026-11-20T17:00:10Z'}" },
	{ "shard_heartbeats", "shard-2", FLAT, "{'shard_id':'shard-2','status':'alive','timestamp':'2026-11-20T17:00:05Z'}" },

	/* what cannot be read */
	{ "action_contracts", "{'id':'contract-edge-8'}", FLAT, "{'id':'contract-edge-8'" },
	{ "action_contracts", "{'id':'contract-edge-9'}", FLAT, "{'id':'contract-edge-9','status':'pending','created_at':'yesterday'}" },
	{ "immutable_log", NULL, FLAT, "[1, 2]" },
	{ "trigger_events", NULL, FLAT, "{'event_type':'error.detected','payload':{},'timestamp':'2026-11-20T12:05:42Z'}" },
};
/* clang-format on */

static struct gc_span quoted(const char *text)
{
	char *copy;

	if (!text)
		return GC_SPAN_NULL;
	copy = gc_strdup(text);
	for (char *at = copy; (at = strchr(at, '\''));)
		*at = '"';
	return gc_span_of(copy);
}

static struct gc_span value_of(const struct edge *edge, int64_t position)
{
	const char *before = edge->shape == DELETE ? edge->row : "null", *after = edge->shape == DELETE ? "null" : edge->row;
	char envelope[2000];

	if (edge->shape == FLAT || edge->shape == TOMBSTONE)
		return quoted(edge->row);
	snprintf(envelope, sizeof(envelope), "{'before':%s,'after':%s,'source':{'lsn':%lld,'ts_us':%lld},'op':'%c'}", before, after,
		 (long long)(FIRST_LSN + position), (long long)(FIRST_US + position * GC_SECOND_US), edge->shape);
	return quoted(envelope);
}

size_t edge_count(void)
{
	return COUNT(edges);
}

struct edge_record edge_at(size_t i)
{
	return (struct edge_record){
		.stream = edges[i].stream,
		.timestamp_us = FIRST_US + (int64_t)i * GC_SECOND_US + 7000,
		.key = quoted(edges[i].key),
		.value = value_of(&edges[i], (int64_t)i),
	};
}
