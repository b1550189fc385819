"""Every metric of the registry a second time, in plain SQL over facts: what cube.metric() and the API have to answer."""

# What a fact is joined with, when it was, and its dimensions.
FACTS = {
    'executions': ('''cube.fact_verification_executions f JOIN cube.dim_tier t USING (tier_key) JOIN cube.dim_component c USING (component_key)
        JOIN cube.dim_actor a USING (actor_key) JOIN cube.dim_mission m USING (mission_key) JOIN cube.dim_time h USING (time_key)''', 'f.created_at',
                   {'requires_snapshot': 't.requires_snapshot', 'mission_status': 'm.final_status', 'business_hours': 'h.is_business_hours', 'tier': 't.tier_code', 'tier_name': 't.tier_name', 'component': 'c.component_name', 'subsystem': 'c.subsystem', 'actor': 'a.actor_id',
                    'actor_type': 'a.actor_type', 'mission': 'm.mission_id', 'mission_type': 'm.mission_type', 'action_type': 'f.action_type',
                    'status': 'f.contract_status', 'playbook': 'f.playbook_id', 'resource': 'f.target_resource'}),
    'missions': ('cube.dim_mission m WHERE m.mission_id <> \'unknown\' AND m.started_at IS NOT NULL', 'm.started_at',
                 {'mission': 'm.mission_id', 'mission_type': 'm.mission_type', 'status': 'm.final_status'}),
    'errors': ('cube.fact_error_events f JOIN cube.dim_component c USING (component_key) JOIN cube.dim_actor a USING (actor_key) JOIN cube.dim_time h USING (time_key)', 'f.created_at',
               {'business_hours': 'h.is_business_hours', 'severity': 'f.severity', 'component': 'c.component_name', 'subsystem': 'c.subsystem', 'actor': 'a.actor_id', 'actor_type': 'a.actor_type',
                'error_type': 'f.error_type', 'status': 'f.status', 'playbook': 'f.playbook_triggered', 'resource': 'f.source'}),
    'approvals': ('cube.fact_approvals f JOIN cube.dim_tier t USING (tier_key) JOIN cube.dim_actor a USING (actor_key)', 'f.created_at',
                  {'tier': 't.tier_code', 'tier_name': 't.tier_name', 'approver': 'a.actor_id', 'requested_by': 'f.requested_by',
                   'approval_type': 'f.approval_type', 'status': 'f.status'}),
    'compliance_checks': ('''cube.fact_compliance_checks f JOIN cube.dim_tier t USING (tier_key) JOIN cube.dim_component c USING (component_key)
        JOIN cube.dim_actor a USING (actor_key) JOIN cube.dim_mission m USING (mission_key)''', 'f.created_at',
                          {'tier': 't.tier_code', 'tier_name': 't.tier_name', 'component': 'c.component_name', 'subsystem': 'c.subsystem', 'actor': 'a.actor_id',
                           'actor_type': 'a.actor_type', 'mission': 'm.mission_id', 'mission_type': 'm.mission_type', 'action_type': 'f.action_type'}),
    'playbook_runs': ('cube.fact_playbook_runs f JOIN cube.dim_component c USING (component_key) JOIN cube.dim_actor a USING (actor_key)', 'f.created_at',
                      {'playbook': 'f.playbook_id', 'component': 'c.component_name', 'subsystem': 'c.subsystem', 'actor': 'a.actor_id',
                       'actor_type': 'a.actor_type', 'status': 'f.status'}),
    'healing_actions': ('cube.fact_healing_actions f JOIN cube.dim_component c USING (component_key) JOIN cube.dim_actor a USING (actor_key)', 'f.created_at',
                        {'action': 'f.action', 'result': 'f.result', 'component': 'c.component_name', 'subsystem': 'c.subsystem', 'actor': 'a.actor_id'}),
    'tasks': ('cube.fact_execution_tasks f JOIN cube.dim_component c USING (component_key) JOIN cube.dim_actor a USING (actor_key)', 'f.created_at',
              {'task_type': 'f.task_type', 'status': 'f.status', 'component': 'c.component_name', 'actor': 'a.actor_id', 'actor_type': 'a.actor_type'}),
    'insights': ('''cube.fact_agentic_insights f JOIN cube.dim_component c USING (component_key) JOIN cube.dim_actor a USING (actor_key)
        JOIN cube.dim_mission m USING (mission_key)''', 'f.created_at',
                 {'phase': 'f.phase', 'component': 'c.component_name', 'actor': 'a.actor_id', 'mission': 'm.mission_id', 'mission_type': 'm.mission_type'}),
    'benchmarks': ('cube.fact_benchmark_runs f JOIN cube.dim_actor a USING (actor_key)', 'f.created_at',
                   {'benchmark_type': 'f.benchmark_type', 'actor': 'a.actor_id', 'actor_type': 'a.actor_type'}),
    'snapshots': ('cube.fact_snapshots f JOIN cube.dim_actor a USING (actor_key)', 'f.created_at',
                  {'snapshot_type': 'f.snapshot_type', 'status': 'f.status', 'actor': 'a.actor_id', 'actor_type': 'a.actor_type'}),
    'shards': ('(SELECT shard_id, max(created_at) AS last_at FROM cube.fact_shard_heartbeats GROUP BY 1) f', None, {'shard': 'f.shard_id'}),
    'log_days': ('cube.cube_log_integrity f', None, {}),
    'streams': ('(SELECT stream, max(last_record_at) AS through FROM cube.etl_offset GROUP BY 1) f', None, {'stream': 'f.stream'}),
}

ENDED = "f.contract_status NOT IN ('pending', 'executing')"


def share(of, among='true'):
    return '(count(*) FILTER (WHERE (%s) AND (%s)))::float8 / nullif(count(*) FILTER (WHERE %s), 0)' % (of, among, among)


def percentile(p, column):
    return 'percentile_disc(%s) WITHIN GROUP (ORDER BY %s)' % (p, column)


def count(condition='true'):
    return 'count(*) FILTER (WHERE %s)' % condition


# The fact and the value of each metric. Where NULL is an answer of its own, a third one says which members have any answer at all.
METRICS = {
    'executions': ('executions', count()),
    'executions_successful': ('executions', count("f.contract_status = 'verified'")),
    'executions_ended': ('executions', count(ENDED)),
    'executions_open': ('executions', count("f.contract_status = 'pending' OR f.contract_status = 'executing'")),
    'executions_failed': ('executions', count("f.contract_status = 'failed'")),
    'rollbacks': ('executions', count("f.contract_status = 'rolled_back'")),
    'verification_success_rate': ('executions', share('f.was_successful')),
    'verification_success_rate_of_ended': ('executions', share('f.was_successful', ENDED), count(ENDED)),
    'rollback_rate': ('executions', share('f.was_rolled_back')),
    'partial_rate': ('executions', share("f.contract_status = 'partial_success'")),
    'duration_avg': ('executions', 'avg(f.duration_seconds)', 'count(f.duration_seconds)'),
    'duration_p50': ('executions', percentile(0.50, 'f.duration_seconds'), 'count(f.duration_seconds)'),
    'duration_p95': ('executions', percentile(0.95, 'f.duration_seconds'), 'count(f.duration_seconds)'),
    'duration_p99': ('executions', percentile(0.99, 'f.duration_seconds'), 'count(f.duration_seconds)'),
    'confidence_avg': ('executions', 'avg(f.confidence_score)', 'count(f.confidence_score)'),
    'calibration_error': ('executions', 'avg((round(f.confidence_score::numeric, 30) - f.was_successful::int) ^ 2) FILTER (WHERE %s)' % ENDED,
                          'count(f.confidence_score) FILTER (WHERE %s)' % ENDED),
    'drift_avg': ('benchmarks', 'avg(f.drift_score)', 'count(f.drift_score)'),
    'drift_rate': ('benchmarks', share('f.drift_detected')),
    'snapshot_coverage': ('executions', share('f.created_snapshot')),
    'benchmark_runs': ('benchmarks', count()),
    'benchmark_pass_rate': ('benchmarks', share('f.passed')),
    'snapshots': ('snapshots', count()),
    'snapshot_restore_rate': ('snapshots', share('f.restored_at IS NOT NULL')),
    'missions': ('missions', count()),
    'mission_success_rate': ('missions', share("m.final_status = 'success'", 'm.final_status IS NOT NULL'), 'count(m.final_status)'),
    'mission_duration_avg': ('missions', 'avg(extract(epoch FROM m.completed_at) - extract(epoch FROM m.started_at))', 'count(m.completed_at)'),
    'missions_running_long': ('missions', count("m.completed_at IS NULL AND m.final_status IS NULL AND m.started_at < now() - interval '1 day'")),
    'missions_with_executions': ('executions', "count(DISTINCT m.mission_id) FILTER (WHERE m.mission_id <> 'unknown')", count("m.mission_id <> 'unknown'")),
    'actions_per_mission': ('executions', "(count(*) FILTER (WHERE m.mission_id <> 'unknown'))::float8 / nullif(count(DISTINCT m.mission_id) FILTER (WHERE m.mission_id <> 'unknown'), 0)",
                            count("m.mission_id <> 'unknown'")),
    'errors': ('errors', count()),
    'errors_open': ('errors', count("f.resolved_at IS NULL AND coalesce(f.status, '') NOT IN ('resolved', 'false_positive', 'archived')")),
    'auto_resolution_rate': ('errors', share('f.was_auto_resolved')),
    'auto_resolution_rate_true_errors': ('errors', share('f.was_auto_resolved', "f.status IS DISTINCT FROM 'false_positive'"), count("f.status IS DISTINCT FROM 'false_positive'")),
    'false_positive_rate': ('errors', share("f.status = 'false_positive'")),
    'time_to_resolve_avg': ('errors', 'avg(f.resolution_time_seconds)', 'count(f.resolution_time_seconds)'),
    'time_to_resolve_p50': ('errors', percentile(0.50, 'f.resolution_time_seconds'), 'count(f.resolution_time_seconds)'),
    'time_to_resolve_p95': ('errors', percentile(0.95, 'f.resolution_time_seconds'), 'count(f.resolution_time_seconds)'),
    'human_intervention_rate': ('errors', share('f.required_human_intervention')),
    'approvals_requested': ('approvals', count()),
    'approval_rate': ('approvals', share('f.was_approved', 'f.was_approved IS NOT NULL'), 'count(f.was_approved)'),
    'decision_time_avg': ('approvals', 'avg(f.decision_time_seconds)', 'count(f.decision_time_seconds)'),
    'decision_time_p50': ('approvals', percentile(0.50, 'f.decision_time_seconds'), 'count(f.decision_time_seconds)'),
    'decision_time_p95': ('approvals', percentile(0.95, 'f.decision_time_seconds'), 'count(f.decision_time_seconds)'),
    'approvals_pending': ('approvals', count("f.status = 'pending'"), count("f.status = 'pending'")),
    'approvals_pending_age': ('approvals', "extract(epoch FROM now() - min(f.created_at) FILTER (WHERE f.status = 'pending'))", count("f.status = 'pending'")),
    'compliance_rate': ('compliance_checks', share('f.is_compliant')),
    'principles_failed': ('compliance_checks', 'sum(f.principles_failed)'),
    'playbook_runs': ('playbook_runs', count()),
    'playbook_success_rate': ('playbook_runs', "(count(*) FILTER (WHERE f.status = 'succeeded'))::float8 / nullif(count(f.ended_at), 0)", 'count(f.ended_at)'),
    'errors_with_failed_playbook': ('playbook_runs', "count(DISTINCT f.error_id) FILTER (WHERE f.ended_at IS NOT NULL AND f.status <> 'succeeded')",
                                    "count(f.error_id) FILTER (WHERE f.ended_at IS NOT NULL AND f.status <> 'succeeded')"),
    'playbook_duration_avg': ('playbook_runs', 'avg(f.duration_seconds)', 'count(f.duration_seconds)'),
    'healing_success_rate': ('healing_actions', share("f.result = 'success'", 'f.result IS NOT NULL'), 'count(f.result)'),
    'tasks': ('tasks', count()),
    'tasks_completed': ('tasks', count("f.status = 'completed'")),
    'task_failure_rate': ('tasks', share("f.status = 'failed'")),
    'task_queue_time_avg': ('tasks', 'avg(f.queue_seconds)', 'count(f.queue_seconds)'),
    'guardrail_pass_rate': ('insights', share('f.guardrails_passed', 'f.guardrails_passed IS NOT NULL'), 'count(f.guardrails_passed)'),
    'shard_silence': ('shards', 'extract(epoch FROM now() - min(f.last_at))'),
    'log_faults': ('log_days', 'coalesce(sum(f.missing_entries), 0) + coalesce(sum(f.broken_links), 0) + coalesce(sum(f.changed_entries), 0)'),
    'data_age': ('streams', 'extract(epoch FROM now() - min(f.through))'),
}
CLOCKS = {'approvals_pending_age', 'shard_silence', 'data_age'}  # they move while one asks


def sql(name, begin=None, end=None, grain=None, by=(), among=None):
    """The statement: at, dimensions, value. `among` is {dimension: [members]}."""
    fact, value, *rest = METRICS[name]
    relation, time, dimensions = FACTS[fact]
    members = {cut: "coalesce(%s::text, 'unknown')" % expression for cut, expression in dimensions.items()}
    where = ["%s >= '%s'" % (time, begin)] if begin else []
    where += ["%s < '%s'" % (time, end)] if end else []
    where += ['%s IN (%s)' % (members[cut], ', '.join("'%s'" % m.replace("'", "''") for m in wanted)) for cut, wanted in (among or {}).items()]
    at = "date_trunc('%s', %s, 'UTC')" % (grain, time) if grain else "'%s'::timestamptz" % begin if begin else 'NULL::timestamptz'
    pairs = 'jsonb_build_object(%s)' % ', '.join("'%s', %s" % (cut, members[cut]) for cut in by)
    groups = ([at] if grain else []) + [members[cut] for cut in by]
    text = 'SELECT %s AS at, %s AS dimensions, (%s)::float8 AS value FROM %s' % (at, pairs, value, relation)
    if where:
        text += (' AND ' if ' WHERE ' in relation and not relation.startswith('(') else ' WHERE ') + ' AND '.join(where)
    return text + (' GROUP BY %s HAVING (%s) > 0' % (', '.join(groups), rest[0] if rest else 'count(*)') if groups else '')


def of_metric(name, begin=None, end=None, grain=None, by=(), among=None):
    """The same question to the cube."""
    import json

    def literal(text):
        return 'NULL' if text is None else "'%s'" % str(text).replace("'", "''")
    return 'SELECT at, dimensions, value FROM cube.metric(%s, %s, %s, %s, %s, %s)' % (
        literal(name), literal(begin), literal(end), literal(grain), literal('{%s}' % ','.join(by) if by else None), literal(json.dumps(among) if among else None))
