#!/usr/bin/env python3
"""The oracle: what the cube must answer after reading some captured topics.

    oracle.py OUTPUT_DIR FILE...        FILE: capture files (JSON lines, plain or .gz) or directories of them

It shares nothing with gracecube: it reads every message, keeps the newest version of each source row, and works the
answers out from these final rows in one pass, without a database, in exact arithmetic. That makes it slow, simple and
indifferent to the order of arrival, which is what a yardstick should be.

One CSV file a slice, in UTF-8: empty = NULL, averages rounded to 6 decimals, seconds, days in UTC, rows in key order.
Not covered: trigger_events, because no captured topic carries them.
"""
import csv
import gzip
import json
import math
import os
import re
import sys
from collections import defaultdict
from datetime import datetime, timedelta, timezone
from fractions import Fraction

EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
UNAVAILABLE = '__debezium_unavailable_value'
TOMBSTONE = {}
COMPONENTS = {'input_sentinel', 'action_executor', 'hunter', 'cognition_authority', 'policy_engine',
              'shard_orchestrator', 'grace_autonomous', 'parliament_engine'}
TIER_NAMES = {'tier_1': 'Operational', 'tier_2': 'Tactical', 'tier_3': 'Strategic'}
FINAL_STATUS = {'completed': 'success', 'failed': 'failed', 'partial': 'partial', 'rolled_back': 'rolled_back'}

# Tables counted row by row: one fact per source row.
PLAIN_FACTS = [('fact_benchmark_runs', 'benchmark_runs'), ('fact_snapshots', 'safe_hold_snapshots'),
               ('fact_agentic_insights', 'agentic_insights'), ('fact_playbook_runs', 'playbook_runs'),
               ('fact_healing_actions', 'healing_actions'), ('fact_governance_votes', 'governance_votes'),
               ('fact_compliance_checks', 'constitutional_compliance'), ('fact_execution_tasks', 'execution_tasks'),
               ('fact_agentic_events', 'immutable_log')]


# --- Messages to final rows -------------------------------------------------------------------------------------------

def read_messages(paths):
    for path in paths:
        if os.path.isdir(path):
            yield from read_messages(sorted(os.path.join(path, name) for name in os.listdir(path)
                                            if name.endswith(('.jsonl', '.jsonl.gz'))))
            continue
        with (gzip.open if path.endswith('.gz') else open)(path, 'rt', encoding='utf-8') as lines:
            for line in lines:
                yield json.loads(line)


def payload_of(text):
    """A message's key or value without the {"schema":…, "payload":…} around it."""
    body = json.loads(text)
    return body['payload'] if isinstance(body, dict) and set(body) == {'schema', 'payload'} else body


def change_of(value):
    """(row, or None for a delete; source LSN, None for a tombstone) of an envelope, a flattened row or a flat row."""
    if value == TOMBSTONE:
        return None, None
    if 'op' in value and 'source' in value:
        return (None if value['op'] == 'd' else value['after']), value['source'].get('lsn') or 0
    deleted = value.get('__deleted') in ('true', True) or value.get('__op') == 'd'
    row = {name: field for name, field in value.items() if not name.startswith('__')}
    return (None if deleted else row), value.get('__source_lsn') or value.get('__lsn') or 0


class Row(dict):
    """A source row; a column that is not there is NULL."""
    def __missing__(self, column):
        return None


def final_rows(messages):
    """{stream: {key: row}}: per key the version of the highest source LSN, ties by the order in the topic.

    A tombstone carries no LSN: it closes whatever stood before it in its topic."""
    versions = defaultdict(lambda: defaultdict(list))
    for message in messages:
        stream = message['topic'].rsplit('.', 1)[-1]
        key = json.dumps(payload_of(message['key']), sort_keys=True)
        value = payload_of(message['value']) if message['value'] is not None else TOMBSTONE
        if value.get('op') in ('t', 'm'):  # truncate and logical message: no row changes
            continue
        row, lsn = change_of(value)
        versions[stream][key].append((lsn, message['timestamp'], message['offset'], row))
    final = defaultdict(dict)
    for stream, keys in versions.items():
        for key, found in keys.items():
            row = newest(found)
            if row is not None:
                final[stream][key] = row
    return final


def newest(found):
    found.sort(key=lambda version: version[1:3])
    highest, ordered = 0, []
    for position, (lsn, _, _, row) in enumerate(found):
        highest = max(highest, lsn or 0)
        ordered.append((highest if lsn is None else lsn, position, row))
    current = None
    for _, _, row in sorted(ordered, key=lambda version: version[:2]):
        if row is not None:
            known = current or Row()
            row = Row((name, known[name] if field == UNAVAILABLE else field) for name, field in row.items())
        current = row
    return current


# --- Fields -----------------------------------------------------------------------------------------------------------

def microseconds(value):
    """A time as µs since 1970, from RFC 3339 text or a number of s, ms, µs or ns told apart by size."""
    if value is None or value == '':
        return None
    if isinstance(value, str):
        moment = datetime.fromisoformat(value.replace('Z', '+00:00'))
        moment = moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)
        return (moment - EPOCH) // timedelta(microseconds=1)
    if isinstance(value, float):
        return round(Fraction(value) * 1000000)
    for limit, factor in ((10**11, Fraction(10**6)), (10**14, Fraction(10**3)), (10**17, Fraction(1))):
        if abs(value) < limit:
            return int(value * factor)
    return value // 1000


def day_of(time_us):
    return (EPOCH + timedelta(microseconds=time_us)).strftime('%Y-%m-%d')


def seconds_between(start_us, end_us):
    """Exact seconds; None when an end is missing, time runs backwards or it took more than 1e8 seconds."""
    if start_us is None or end_us is None or not 0 <= end_us - start_us <= 10**14:
        return None
    return Fraction(end_us - start_us, 1000000)


def confidence_of(value):
    """Exact, or None when it is missing, no number or outside 0 to 1."""
    if value is None:
        return None
    number = float(value)
    return Fraction(number) if math.isfinite(number) and 0 <= number <= 1 else None


def word(value):
    """Vocabulary: trimmed, lower case; empty is None."""
    return (value or '').strip().lower() or None


def tier_name(code):
    code = word(code)
    return TIER_NAMES.get(code, code) if code else 'unknown'


def nested(value):
    """The object in a JSON column, {} where there is none. Python's reader takes NaN and doubled names as well."""
    try:
        while isinstance(value, str):
            value = json.loads(value)
    except ValueError:
        return {}
    if not isinstance(value, dict):
        return {}
    return {name: None if isinstance(field, float) and not math.isfinite(field) else field for name, field in value.items()}


# --- Members ----------------------------------------------------------------------------------------------------------

def actor_id(text):
    text = (text or '').strip()
    if not text:
        return 'unknown'
    prefix, colon, rest = text.partition(':')
    if not colon:
        return 'system:' + text
    if not prefix or not rest:
        return 'unknown'
    if prefix.lower() in ('user', 'agent', 'system'):
        return prefix.lower() + ':' + rest
    return 'system:' + prefix


def approver_id(text):
    text = (text or '').strip()
    return 'user:' + text if text and ':' not in text else actor_id(text)


def named_component(text):
    """The known component that a text names before or after its first colon."""
    before, _, after = (text or '').strip().partition(':')
    return before if before in COMPONENTS else after if after in COMPONENTS else None


# --- Facts ------------------------------------------------------------------------------------------------------------

def missions_of(final):
    """{mission_id: (type, final status)}; a mission that only the log names is a member without a record."""
    missions = {}
    for row in final['mission_timelines'].values():
        kind = row['mission_type'] or nested(row['mission_metadata']).get('mission_type') or 'unknown'
        missions[row['mission_id']] = (kind, FINAL_STATUS.get(word(row['status'])))
    for mission in log_links(final).values():
        missions.setdefault(mission, ('unknown', None))
    for row in final['action_contracts'].values():
        if row['mission_id']:
            missions.setdefault(row['mission_id'], ('unknown', None))
    return missions


def log_links(final):
    """{contract id: mission id} as the log tells it; the highest sequence has the last word."""
    links = {}
    for entry in sorted(final['immutable_log'].values(), key=lambda entry: entry['sequence']):
        if entry['actor'] == 'progression_tracker' and entry['action'] == 'action_completed':
            contract = nested(entry['payload']).get('action_contract_id')
            if contract and entry['resource']:
                links[contract] = entry['resource']
    return links


def executions_of(final):
    recorded = {row['mission_id'] for row in final['mission_timelines'].values()}
    links = log_links(final)
    snapshotted = {row['action_contract_id'] for row in final['safe_hold_snapshots'].values()}
    for row in final['action_contracts'].values():
        created = microseconds(row['created_at'])
        status = word(row['status'])
        trigger = row['triggered_by'] or ''
        suffix = trigger.partition(':')[2]
        yield {
            'contract_id': row['id'],
            'created_at': created,
            'mission': row['mission_id'] or (suffix if suffix in recorded else links.get(row['id'])),
            'component': row['component'] or named_component(trigger) or 'action_executor',
            'tier': tier_name(row['tier']),
            'actor': actor_id(trigger),
            'verified': status == 'verified',
            'rolled_back': status == 'rolled_back',
            'snapshot': bool(row['safe_hold_snapshot_id']) or row['id'] in snapshotted,
            'confidence': confidence_of(row['confidence_score']),
            'duration': seconds_between(created, microseconds(row['verified_at'])),
        }


def errors_of(final):
    reporter = {}  # error's resource in the log → actor of the latest entry about it
    for entry in sorted(final['immutable_log'].values(), key=lambda entry: entry['sequence']):
        resource = entry['resource'] or ''
        if resource.startswith('security_event:'):
            reporter[resource] = entry['actor']
        elif any(sign in (entry['action'] or '').lower() for sign in ('error', 'fail')):
            yield {
                'error_id': 'log:%d' % entry['sequence'],
                'created_at': microseconds(entry['timestamp']),
                'severity': word(nested(entry['payload']).get('severity')) or 'unknown',
                'component': named_component(entry['actor']) or 'unknown',
                'resolution': None, 'auto_resolved': False, 'human': False,
            }
    for row in final['security_events'].values():
        created, resolved = microseconds(row['created_at']), microseconds(row['resolved_at'])
        human = 'user:' in (row['resolution_note'] or '').lower()
        error_id = 'security_event:%s' % row['id']
        yield {
            'error_id': error_id,
            'created_at': created,
            'severity': word(row['severity']) or 'unknown',
            'component': row['component'] or reporter.get(error_id) or named_component(row['actor']) or 'unknown',
            'resolution': seconds_between(created, resolved),
            'auto_resolved': resolved is not None and not human,
            'human': human,
        }


def approvals_of(final):
    for row in final['approval_requests'].values():
        created = microseconds(row['created_at'])
        yield {
            'created_at': created,
            'status': word(row['status']),
            'actor': approver_id(row['decision_by']),
            'decision': seconds_between(created, microseconds(row['decided_at'])),
        }


def named_contract(reason):
    return next((word.removeprefix('contract=') for word in re.split(r'[\s,;()\[\]]', reason or '') if word.startswith('contract=') and word != 'contract='), None)


# --- Links --------------------------------------------------------------------------------------------------------------

def links_of(final):
    """(link, from, to) for each pair of source rows of which one names the other and both are there."""
    contracts = {row['id'] for row in final['action_contracts'].values()}
    missions = {row['mission_id'] for row in final['mission_timelines'].values()}
    errors, runs = {error['error_id'] for error in errors_of(final)}, {str(row['id']) for row in final['playbook_runs'].values()}
    approvals = {str(row['id']) for row in final['approval_requests'].values()}
    for execution in executions_of(final):
        yield 'contract mission', execution['contract_id'], execution['mission']
    for row in final['action_contracts'].values():
        yield 'contract playbook run', row['id'], str(row['run_id']) if str(row['run_id']) in runs else None
    for link, stream, fields in (('contract snapshot', 'safe_hold_snapshots', ['action_contract_id']),
                                 ('contract benchmark', 'benchmark_runs', ['contract_id', 'action_contract_id']),
                                 ('contract compliance check', 'constitutional_compliance', ['action_id']),
                                 ('contract approval', 'approval_requests', ['contract_id'])):
        for row in final[stream].values():
            contract = next((row[field] for field in fields if row[field]), None) or named_contract(row['reason'] if stream == 'approval_requests' else None)
            yield link, contract if contract in contracts else None, row['id']
    for entry in final['immutable_log'].values():
        payload = nested(entry['payload'])
        contract = payload.get('action_contract_id') or payload.get('contract_id')
        yield 'contract log entry', contract if contract in contracts else None, entry['id']
        yield 'error log entry', entry['resource'] if entry['resource'] in errors else None, entry['id']
    last_run = {}
    for row in sorted(final['playbook_runs'].values(), key=lambda row: row['id']):
        event = nested(row['diagnosis']).get('event')
        error = 'security_event:%s' % event
        if event is None or error not in errors:
            continue
        last_run[error] = 'unknown' if row['playbook_id'] is None else str(row['playbook_id'])
        yield 'error playbook run', error, row['id']
        yield 'error approval', error, row['approval_request_id'] if str(row['approval_request_id']) in approvals else None
    for error, playbook in last_run.items():
        yield 'error playbook', error, playbook
    for row in final['playbook_step_runs'].values():
        yield 'playbook run step', str(row['run_id']) if str(row['run_id']) in runs else None, row['id']
    sessions, members = ({row['id'] for row in final[stream].values()} for stream in ('governance_sessions', 'governance_members'))
    for row in final['governance_votes'].values():
        yield 'session vote', row['session_id'] if row['session_id'] in sessions else None, row['id']
        yield 'member vote', row['member_id'] if row['member_id'] in members else None, row['id']
    for row in final['agentic_insights'].values():
        run = (row['run_id'] or '').strip()
        mission = row['mission_id'] or (run[4:] if run.startswith('run-') else None)
        yield 'mission insight', mission if mission in missions else None, row['id']


def gathered(links):
    """(link, from, all that it leads to), as text."""
    found = defaultdict(set)
    for link, start, end in links:
        if start is not None and end is not None:
            found[link, str(start)].add(str(end))
    return [key + (' '.join(sorted(ends)),) for key, ends in sorted(found.items())]


# --- Answers ----------------------------------------------------------------------------------------------------------

def average(values):
    """Exact mean rounded to 6 decimals, as text; empty without values."""
    known = [value for value in values if value is not None]
    return repr(round(float(sum(known) / len(known)), 6)) if known else ''


def grouped(facts, *names):
    groups = defaultdict(list)
    for fact in facts:
        groups[tuple(fact[name] for name in names)].append(fact)
    return sorted(groups.items())


def column(facts, name):
    return [fact[name] for fact in facts]


def count(facts, name, value=True):
    return sum(fact[name] == value for fact in facts)


def answers(final):
    """{file stem: (header, rows)}"""
    missions = missions_of(final)
    executions, errors, approvals = list(executions_of(final)), list(errors_of(final)), list(approvals_of(final))
    for fact in executions + errors + approvals:
        fact['day'] = day_of(fact['created_at'])
    on_missions = [fact for fact in executions if fact['mission']]
    for fact in on_missions:
        fact['mission_type'] = missions[fact['mission']][0]

    def succeeded(facts):
        return sum(missions[mission][1] == 'success' for mission in set(column(facts, 'mission')))

    sizes = [('fact_verification_executions', len(executions)), ('fact_error_events', len(errors)),
             ('fact_approvals', len(approvals)), ('dim_mission', len(missions))]
    sizes += [(table, len(final[stream])) for table, stream in PLAIN_FACTS]
    return {
        'daily_verification_by_tier': (
            'day,tier_name,total_executions,successful_executions,rollbacks,with_snapshot,avg_confidence,'
            'avg_duration_seconds',
            [key + (len(f), count(f, 'verified'), count(f, 'rolled_back'), count(f, 'snapshot'),
                    average(column(f, 'confidence')), average(column(f, 'duration')))
             for key, f in grouped(executions, 'day', 'tier')]),
        'mission_metrics': (
            'mission_type,tier_name,total_missions,successful_missions,executions,avg_confidence',
            [key + (len(set(column(f, 'mission'))), succeeded(f), len(f), average(column(f, 'confidence')))
             for key, f in grouped(on_missions, 'mission_type', 'tier')]),
        'missions': (
            'mission_id,mission_type,final_status,executions',
            [(mission, kind, status or '', count(on_missions, 'mission', mission))
             for mission, (kind, status) in sorted(missions.items())]),
        'error_trends': (
            'day,severity,error_count,auto_resolved_count,human_count,avg_resolution_seconds',
            [key + (len(f), count(f, 'auto_resolved'), count(f, 'human'), average(column(f, 'resolution')))
             for key, f in grouped(errors, 'day', 'severity')]),
        'errors_by_component': (
            'component_name,errors,auto_resolved',
            [key + (len(f), count(f, 'auto_resolved')) for key, f in grouped(errors, 'component')]),
        'daily_approvals': (
            'day,total,approved,rejected,pending,avg_decision_seconds',
            [key + (len(f), count(f, 'status', 'approved'), count(f, 'status', 'rejected'),
                    count(f, 'status', 'pending'), average(column(f, 'decision')))
             for key, f in grouped(approvals, 'day')]),
        'approvals_by_approver': (
            'actor_id,decided,approved',
            [key + (len(f), count(f, 'status', 'approved'))
             for key, f in grouped([fact for fact in approvals if fact['actor'] != 'unknown'], 'actor')]),
        'executions_by_actor': (
            'actor_id,executions,successful',
            [key + (len(f), count(f, 'verified')) for key, f in grouped(executions, 'actor')]),
        'executions_by_component': (
            'component_name,executions,successful',
            [key + (len(f), count(f, 'verified')) for key, f in grouped(executions, 'component')]),
        'links': ('link,from_id,to_ids', gathered(links_of(final))),
        'counts': ('table,rows', sizes),
    }


def main():
    if len(sys.argv) < 3 or sys.argv[1].startswith('-'):
        sys.exit(__doc__)
    os.makedirs(sys.argv[1], exist_ok=True)
    for stem, (header, rows) in answers(final_rows(read_messages(sys.argv[2:]))).items():
        with open(os.path.join(sys.argv[1], stem + '.csv'), 'w', encoding='utf-8', newline='') as file:
            file.write(header + '\n')
            csv.writer(file, lineterminator='\n').writerows(rows)


if __name__ == '__main__':
    main()
