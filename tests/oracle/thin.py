#!/usr/bin/env python3
"""Thins a large capture to one that fits a repository, without tearing apart what belongs together.

    thin.py capture INPUT_DIR OUTPUT_DIR     some missions, contracts and security events with all that refers to them
    thin.py variants INPUT_DIR OUTPUT_DIR    a few messages a topic

Kept messages stay byte for byte as captured and in their order; only the offsets are numbered anew, without gaps. The
choice depends on the input alone: rows are taken in the order of a hash of their key, ordinary and odd ones alike.
"""
import gzip
import hashlib
import json
import math
import os
import re
import sys
from collections import defaultdict

UNAVAILABLE = '__debezium_unavailable_value'

WHOLE_MISSIONS = 11     # missions kept with every contract of theirs
MISSION_CONTRACTS = 6   # … chosen among those with no more contracts than this
PER_ODDITY = 2          # rows kept for each kind of odd value
ORDINARY_CONTRACTS = 4  # contracts kept besides
SECURITY_EVENTS, APPROVALS, BENCHMARKS, HEALING, TASKS, SESSIONS = 40, 40, 12, 12, 6, 3
PER_VARIANT_TOPIC = 14


class Stream:
    """All messages of one topic and, per key, every row that any of them showed."""

    def __init__(self, directory, topic):
        self.topic, self.lines, self.rows, self.story = topic, [], defaultdict(list), defaultdict(str)
        seen = set()
        with gzip.open(os.path.join(directory, topic + '.jsonl.gz'), 'rt', encoding='utf-8') as file:
            for line in file:
                message = json.loads(line)
                value = json.loads(message['value']) if message['value'] is not None else {'op': 'T'}
                value = value.get('payload', value)
                key = json.loads(message['key'])
                key = key.get('payload', key)['id']
                self.lines.append((key, line))
                row = value.get('after') or (value if '__op' in value else None)
                if row:
                    self.rows[key].append(row)
                op = value.get('op') or value['__op']
                version = (key, op, value['source']['lsn'] if 'source' in value else line)
                self.story[key] += '=' if version in seen else op  # '=': delivered again
                seen.add(version)

    def last(self, key):
        return self.rows[key][-1] if self.rows[key] else {}

    def keys(self):
        """In an order that is arbitrary and always the same."""
        return sorted(self.story, key=lambda key: hashlib.md5(str(key).encode()).hexdigest())


def named(text, field):
    try:
        value = json.loads(text or '{}')
    except ValueError:
        return None
    return value.get(field) if isinstance(value, dict) else None


def pick(stream, kind_of, count, before=lambda key: 0):
    """Up to `count` keys of each kind; kind_of gives the kinds of a row, its key and its story."""
    taken, chosen = defaultdict(int), []
    for key in sorted(stream.keys(), key=before):
        kinds = [kind for kind in kind_of(key, stream.rows[key], stream.story[key]) if taken[kind] < count]
        if kinds:
            chosen.append(key)
            for kind in kinds:
                taken[kind] += 1
    return chosen


# --- What is odd about a row ------------------------------------------------------------------------------------------

def story_kinds(story):
    """Deletes, redeliveries and how they mix, but not how many ordinary updates there were."""
    if 'd' in story or '=' in story:
        yield 'story ' + re.sub('u+', 'u', story)


def contract_kinds(key, rows, story):
    yield from story_kinds(story)
    made = re.search(r'-(\d{10}\.\d+)$', key)  # the id says when the contract was made
    for row in rows:
        confidence = float(row['confidence_score'] if row['confidence_score'] is not None else 0.5)
        if not math.isfinite(confidence) or not 0 <= confidence <= 1 or 0 < confidence < 1e-9:
            yield 'confidence %r' % confidence
        if row['tier'] not in ('tier_1', 'tier_2', 'tier_3'):
            yield 'tier %r' % row['tier']
        if row['status'] in ('VERIFIED', 'cancelled', None):
            yield 'status %r' % row['status']
        trigger = row['triggered_by'] or ''
        if not re.fullmatch(r'(agent|user):\w+|cognition:plan-\w+|scheduler', trigger) or not trigger.isascii():
            yield 'trigger %r' % re.sub('err-.*', '', trigger)
        days_off = round((row['created_at'] / 1e6 - float(made.group(1))) / 86400) if made else 0
        if days_off:
            yield 'created %d days off' % days_off
        if UNAVAILABLE in row.values():
            yield 'unavailable'


def security_kinds(key, rows, story):
    yield from story_kinds(story)
    for row in rows:
        yield 'severity %r' % row['severity']
        yield 'status %r' % row['status']
        yield 'actor %r' % (row['actor'] and row['actor'].isascii())
        yield 'note %r' % (row['resolution_note'] or '')[:20]


def run_kinds(key, rows, story):
    yield from story_kinds(story)
    yield 'run %s of playbook %s' % (rows[-1]['status'], rows[-1]['playbook_id'])


def approval_kinds(key, rows, story):
    yield from story_kinds(story)
    for row in rows:
        yield 'decision %r %r' % (row['decision_by'], row['status'])


def benchmark_kinds(key, rows, story):
    yield from story_kinds(story)
    for row in rows:
        yield 'benchmark %s %s %s %s' % (row['benchmark_type'], row['passed'], row['drift_detected'], row['is_golden'])


def snapshot_kinds(key, rows, story):
    yield from story_kinds(story)
    for row in rows:
        yield 'snapshot %s %s %s' % (row['status'], row['is_golden'], row['action_contract_id'] is not None)


def task_kinds(key, rows, story):
    yield from story_kinds(story)
    for row in rows:
        if UNAVAILABLE in row.values():
            yield 'unavailable'


# --- Choosing ---------------------------------------------------------------------------------------------------------

def choose(streams):
    """{stream: set of keys}"""
    keep = defaultdict(set)
    contracts, log = streams['action_contracts'], streams['immutable_log']
    missions = {rows[0]['mission_id']: key for key, rows in streams['mission_timelines'].rows.items()}
    links = {}
    for key in log.rows:
        entry = log.last(key)
        contract = named(entry['payload'], 'action_contract_id')
        if entry['action'] == 'action_completed' and contract:
            links[contract] = entry['resource']
    renamed = {key[:-len('-renamed')] for key in contracts.story if key.endswith('-renamed')}
    members = defaultdict(list)
    for contract, mission in links.items():
        members[mission].append(contract)

    # Whole missions: of different types and outcomes, those without a type first.
    def has_type(key):
        return named(streams['mission_timelines'].last(key)['mission_metadata'], 'mission_type') is not None

    def mission_kinds(key, rows, story):
        row = rows[-1]
        if 0 < len(members[row['mission_id']]) <= MISSION_CONTRACTS:
            yield '%s %s' % (named(row['mission_metadata'], 'mission_type'), row['status'])
    whole = {streams['mission_timelines'].last(key)['mission_id']
             for key in pick(streams['mission_timelines'], mission_kinds, 1, has_type)[:WHOLE_MISSIONS]}
    chosen = {contract for mission in whole for contract in members[mission]}
    chosen |= renamed | {key + '-renamed' for key in renamed}
    chosen |= set(pick(contracts, contract_kinds, PER_ODDITY, lambda key: len(members[links.get(key)])))
    chosen |= set([key for key in contracts.keys() if key not in chosen][:ORDINARY_CONTRACTS])
    keep['action_contracts'] = chosen & set(contracts.story)

    # The missions of the other contracts come along, except some that only the log names.
    touched = sorted({links[contract] for contract in chosen if contract in links} - whole)
    unrecorded = set(touched[::8])
    recorded = whole | set(touched) - unrecorded
    keep['mission_timelines'] = {missions[mission] for mission in recorded}

    runs = streams['playbook_runs']
    keep['security_events'] = {named(runs.last(key)['diagnosis'], 'event') for key in pick(runs, run_kinds, 1)}
    keep['security_events'] &= set(streams['security_events'].story)
    keep['security_events'] |= set(take(streams['security_events'], security_kinds, SECURITY_EVENTS))
    keep['approval_requests'] = set(take(streams['approval_requests'], approval_kinds, APPROVALS))
    keep['benchmark_runs'] = set(take(streams['benchmark_runs'], benchmark_kinds, BENCHMARKS))
    keep['healing_actions'] = set(streams['healing_actions'].keys()[:HEALING])
    keep['execution_tasks'] = set(take(streams['execution_tasks'], task_kinds, TASKS))
    keep['governance_sessions'] = set(streams['governance_sessions'].keys()[:SESSIONS])
    keep['playbooks'] = set(streams['playbooks'].story)

    def refer(stream, field, keys, read=lambda row, field: row[field]):
        for key, rows in streams[stream].rows.items():
            if any(read(row, field) in keys for row in rows):
                keep[stream].add(key)

    refer('safe_hold_snapshots', 'action_contract_id', chosen)
    keep['safe_hold_snapshots'] |= set(pick(streams['safe_hold_snapshots'], snapshot_kinds, 1))
    refer('constitutional_compliance', 'action_id', chosen)
    refer('agentic_insights', 'run_id', {'run-' + mission for mission in whole})
    refer('playbook_runs', 'diagnosis', keep['security_events'], lambda row, field: named(row[field], 'event'))
    refer('playbook_step_runs', 'run_id', keep['playbook_runs'])
    refer('governance_votes', 'session_id', keep['governance_sessions'])
    voters = {streams['governance_votes'].last(key)['member_id'] for key in keep['governance_votes']}
    keep['governance_members'] = voters & set(streams['governance_members'].story)

    names = chosen | whole | keep['safe_hold_snapshots']
    names |= {'security_event:%s' % key for key in keep['security_events']}
    names |= {streams['benchmark_runs'].last(key)['run_id'] for key in keep['benchmark_runs']}
    names |= {'session_%s' % streams['governance_sessions'].last(key)['session_id']
              for key in keep['governance_sessions']}
    names |= {'member_%s' % key for key in keep['governance_members']}
    for key in log.rows:
        entry = log.last(key)
        about = {entry['resource'], named(entry['payload'], 'contract_id'), named(entry['payload'], 'action_contract_id')}
        begins_or_ends = entry['action'] in ('mission_started', 'mission_completed') and entry['resource'] in recorded
        if about & names or begins_or_ends:
            keep['immutable_log'].add(key)
    keep['immutable_log'] |= set(pick(log, lambda key, rows, story: {rows[-1]['action']}, 1))
    return keep


def take(stream, kind_of, count):
    """One or two of each odd kind, then the first by hash up to `count`."""
    odd = pick(stream, kind_of, PER_ODDITY)
    return (odd + [key for key in stream.keys() if key not in odd])[:max(count, len(odd))]


def few(stream, messages):
    """The keys with the longest stories that fit into so many messages."""
    keys, room = set(), messages
    for key in sorted(stream.keys(), key=lambda key: -len(stream.story[key])):
        if len(stream.story[key]) <= room:
            keys.add(key)
            room -= len(stream.story[key])
    return keys


def write(directory, stream, keys):
    """Returns the size of the file."""
    lines = [line for key, line in stream.lines if key in keys]
    if not lines:
        return 0
    body = ''.join(re.sub(r'"offset": \d+', '"offset": %d' % offset, line, count=1)
                   for offset, line in enumerate(lines)).encode()
    path = os.path.join(directory, stream.topic + '.jsonl.gz')
    with open(path, 'wb') as raw, gzip.GzipFile('', 'wb', 9, raw, mtime=0) as file:
        file.write(body)
    print('%7d bytes %5d messages  %s' % (os.path.getsize(path), len(lines), stream.topic))
    return os.path.getsize(path)


def main():
    if len(sys.argv) != 4 or sys.argv[1] not in ('capture', 'variants'):
        sys.exit(__doc__)
    what, source, target = sys.argv[1:]
    os.makedirs(target, exist_ok=True)
    topics = sorted(name[:-len('.jsonl.gz')] for name in os.listdir(source) if name.endswith('.jsonl.gz'))
    streams = [Stream(source, topic) for topic in topics]
    if what == 'capture':
        by_name = {stream.topic.rsplit('.', 1)[-1]: stream for stream in streams}
        keep = choose(by_name)
        total = sum(write(target, stream, keep[name]) for name, stream in by_name.items())
    else:
        total = sum(write(target, stream, few(stream, PER_VARIANT_TOPIC)) for stream in streams)
    print('%7d bytes in all' % total)


if __name__ == '__main__':
    main()
