"""deploy/QUESTIONS.md: its questions, read from the page, and each a second time in plain SQL over facts, with columns of the same names."""
import re

ENDED = "contract_status NOT IN ('pending', 'executing')"
OPEN = "f.resolved_at IS NULL AND coalesce(f.status, '') NOT IN ('resolved', 'false_positive', 'archived')"

FACTS = {
    1: '''SELECT tier_code AS tier, n.value, coalesce(n.n, 0) AS n, b.value AS value_before, n.value - b.value AS change FROM
        (SELECT tier_code, avg(was_successful::int)::float8 AS value, count(*) AS n FROM cube.fact_verification_executions JOIN cube.dim_tier USING (tier_key)
            WHERE created_at >= '2026-11-09Z' AND created_at < '2026-11-16Z' GROUP BY 1) n FULL JOIN
        (SELECT tier_code, avg(was_successful::int)::float8 AS value FROM cube.fact_verification_executions JOIN cube.dim_tier USING (tier_key)
            WHERE created_at >= '2026-11-02Z' AND created_at < '2026-11-09Z' GROUP BY 1) b USING (tier_code)''',
    2: "SELECT component_name AS component, count(*) FILTER (WHERE contract_status = 'rolled_back') AS value FROM cube.fact_verification_executions JOIN cube.dim_component USING (component_key) GROUP BY 1",
    3: "SELECT avg(resolution_time_seconds) AS value, count(resolution_time_seconds) AS n FROM cube.fact_error_events WHERE severity IN ('critical', 'sev0') AND status IS DISTINCT FROM 'false_positive'",
    4: '''SELECT coalesce(requested_by, 'unknown') AS requested_by, extract(epoch FROM now() - min(created_at))::float8 AS value, count(*) AS n
        FROM cube.fact_approvals WHERE status = 'pending' GROUP BY 1''',
    5: '''SELECT mission_id AS mission, action_type, contract_status AS status, count(*) AS value FROM cube.fact_verification_executions JOIN cube.dim_mission USING (mission_key)
        WHERE final_status = 'failed' AND contract_status IN ('failed', 'rolled_back', 'partial_success') GROUP BY 1, 2, 3''',
    6: '''SELECT (c.created_at AT TIME ZONE 'UTC')::date AS day, a.actor_id, p AS principle, count(*) AS failures
        FROM cube.fact_compliance_checks c JOIN cube.dim_actor a USING (actor_key), jsonb_array_elements_text(c.failed_principles::jsonb) p GROUP BY 1, 2, 3''',
    7: '''SELECT coalesce(playbook_id, 'unknown') AS playbook, (count(*) FILTER (WHERE status = 'succeeded'))::float8 / count(ended_at) AS value, count(ended_at) AS n
        FROM cube.fact_playbook_runs GROUP BY 1 HAVING count(ended_at) > 0''',
    8: 'SELECT shard_id AS shard, extract(epoch FROM now() - max(created_at))::float8 AS value FROM cube.fact_shard_heartbeats GROUP BY 1',
    9: '''SELECT tier_name, (least(floor(round(confidence_score::numeric * 20, 6)), 19) / 20)::float8 AS confidence_from, count(*) AS executions, count(*) FILTER (WHERE was_successful) AS successful_executions
        FROM cube.fact_verification_executions JOIN cube.dim_tier USING (tier_key) WHERE confidence_score IS NOT NULL GROUP BY 1, 2''',
    11: '''SELECT count(*)::float8 / count(DISTINCT mission_key) AS value, count(*) AS numerator, count(DISTINCT mission_key) AS denominator
        FROM cube.fact_verification_executions WHERE mission_key <> 0''',
    12: '''SELECT coalesce(error_type, 'unknown') AS error_type, n.value, b.value AS value_before, n.value - b.value AS change FROM
        (SELECT error_type, count(*) AS value FROM cube.fact_error_events WHERE created_at >= '2026-11-09Z' AND created_at < '2026-11-16Z' GROUP BY 1) n FULL JOIN
        (SELECT error_type, count(*) AS value FROM cube.fact_error_events WHERE created_at >= '2026-11-02Z' AND created_at < '2026-11-09Z' GROUP BY 1) b USING (error_type)''',
    13: "SELECT actor_id AS actor, count(*) FILTER (WHERE contract_status = 'rolled_back') AS value FROM cube.fact_verification_executions JOIN cube.dim_actor USING (actor_key) GROUP BY 1",
    14: '''SELECT tier_code AS tier, avg(extract(epoch FROM decided_at - created_at))::float8 AS value, count(decided_at) AS n FROM cube.fact_approvals JOIN cube.dim_tier USING (tier_key)
        GROUP BY 1 HAVING count(decided_at) > 0''',
    15: '''SELECT date_trunc('day', created_at, 'UTC') AS at, sum(decision_time_seconds) AS numerator, count(decision_time_seconds) AS n FROM cube.fact_approvals
        WHERE created_at >= '2026-11-01Z' AND created_at < '2026-12-01Z' GROUP BY 1 HAVING count(decision_time_seconds) > 0''',
    17: '''SELECT date_trunc('week', created_at, 'UTC') AS at, tier_code AS tier, avg(is_compliant::int)::float8 AS value, count(*) AS n
        FROM cube.fact_compliance_checks JOIN cube.dim_tier USING (tier_key) GROUP BY 1, 2''',
    18: '''SELECT mission_id AS mission, 1 AS value FROM cube.dim_mission
        WHERE mission_key <> 0 AND completed_at IS NULL AND final_status IS NULL AND started_at < now() - interval '1 day' ''',
    19: '''SELECT coalesce(mission_type, 'unknown') AS mission_type, avg(extract(epoch FROM completed_at - started_at))::float8 AS value, count(completed_at) AS n
        FROM cube.dim_mission WHERE mission_key <> 0 AND started_at IS NOT NULL GROUP BY 1 HAVING count(completed_at) > 0''',
    20: '''SELECT coalesce(mission_type, 'unknown') AS mission_type, avg((final_status = 'success')::int)::float8 AS value, count(*) FILTER (WHERE final_status = 'success') AS numerator, count(*) AS n
        FROM cube.dim_mission WHERE mission_key <> 0 AND started_at IS NOT NULL AND final_status IS NOT NULL GROUP BY 1''',
    21: '''SELECT tier_code AS tier, avg(created_snapshot::int)::float8 AS value, count(*) AS n
        FROM cube.fact_verification_executions JOIN cube.dim_tier USING (tier_key) WHERE requires_snapshot GROUP BY 1''',
    23: '''SELECT coalesce(action_type, 'unknown') AS action_type, percentile_disc(0.95) WITHIN GROUP (ORDER BY duration_seconds) AS value, count(duration_seconds) AS n
        FROM cube.fact_verification_executions GROUP BY 1 HAVING count(duration_seconds) > 0''',
    24: '''SELECT date_trunc('week', created_at, 'UTC') AS at, component_name AS component, avg(was_auto_resolved::int)::float8 AS value, count(*) AS n
        FROM cube.fact_error_events JOIN cube.dim_component USING (component_key) GROUP BY 1, 2''',
    25: '''SELECT coalesce(playbook_id, 'unknown') AS playbook, count(DISTINCT error_id) AS value FROM cube.fact_playbook_runs
        WHERE error_id IS NOT NULL AND ended_at IS NOT NULL AND status <> 'succeeded' GROUP BY 1''',
    26: '''SELECT coalesce(phase, 'unknown') AS phase, avg(guardrails_passed::int)::float8 AS value, count(guardrails_passed) AS n
        FROM cube.fact_agentic_insights GROUP BY 1 HAVING count(guardrails_passed) > 0''',
    27: '''SELECT actor_id AS actor, avg((status = 'failed')::int)::float8 AS value, count(*) FILTER (WHERE status = 'failed') AS numerator, count(*) AS n
        FROM cube.fact_execution_tasks JOIN cube.dim_actor USING (actor_key) GROUP BY 1''',
    28: '''SELECT s.session_id, s.outcome, count(*) FILTER (WHERE v.vote = 'approve') AS approve, count(*) FILTER (WHERE v.vote = 'reject') AS reject,
            count(*) FILTER (WHERE v.vote = 'abstain') AS abstain
        FROM cube.fact_governance_sessions s LEFT JOIN cube.fact_governance_votes v USING (governance_session_id) GROUP BY s.governance_session_id, 1, 2''',
    29: '''SELECT is_business_hours::text AS business_hours, avg((contract_status = 'rolled_back')::int)::float8 AS value, count(*) AS n FROM
        (SELECT contract_status, extract(isodow FROM created_at AT TIME ZONE 'UTC') <= 5 AND extract(hour FROM created_at AT TIME ZONE 'UTC') BETWEEN 9 AND 16 AS is_business_hours
            FROM cube.fact_verification_executions) f GROUP BY 1''',
    30: '''SELECT component_name AS component, actor_id AS actor, count(*) AS value FROM cube.fact_error_events f JOIN cube.dim_component USING (component_key)
        JOIN cube.dim_actor USING (actor_key) WHERE %s AND severity IN ('critical', 'sev0') GROUP BY 1, 2''' % OPEN,
}
CLOCKS, PERCENTILES = {4, 8}, {23}


class Question:
    def __init__(self, heading, text):
        self.number, self.asked = int(heading.split('.')[0]), heading.split('. ', 1)[1]
        self.sql = re.search(r'```sql\n(.*?);\n```', text, re.S).group(1)
        self.path = next(iter(re.findall(r'```http\nGET (\S+)\n```', text)), None)
        self.answered_by = next(iter(re.findall(r'^The (metric|view) `(\w+)`', text, re.M)), None)
        self.is_answered = '**Not answered' not in text


def read(path):
    """The questions of the page, and its commands for a shell."""
    with open(path, encoding='utf-8') as file:
        text = file.read()
    questions = [Question(*section.split('\n', 1)) for section in re.split(r'^### ', re.sub(r'^## .*\n', '', text, flags=re.M), flags=re.M)[1:]]
    return questions, re.search(r'```sh\n(.*?)```', text, re.S).group(1)


def near(number, found, wanted):
    if isinstance(found, str) or isinstance(wanted, str) or found is None or wanted is None:
        return found == wanted
    if number in CLOCKS:
        return abs(found - wanted) < 60
    return abs(found - wanted) <= max((0.0101 if number in PERCENTILES else 1e-9) * max(abs(found), abs(wanted)), 2e-9)


def order(row):
    return [str(field) for field in row.values() if not isinstance(field, (int, float))], [float('%.3g' % field) for field in row.values() if isinstance(field, (int, float))]


def differ(number, found, wanted):
    """The first rows, in any order, that are not the same; None: all are."""
    found, wanted = sorted(found, key=order), sorted(wanted, key=order)
    for pair in zip(found, wanted):
        if pair[0].keys() != pair[1].keys() or not all(near(number, pair[0][name], pair[1][name]) for name in pair[0]):
            return pair
    return None if len(found) == len(wanted) else (len(found), len(wanted))
