#!/usr/bin/env python3
"""Makes change events like those captured, any number of them: Debezium envelopes of ten streams of Grace.

    traffic.py OUTPUT_DIR TOPIC_PREFIX SEED CONTRACTS [DAYS_EARLIER]

A small model of the source database: rows are made, changed, renamed and deleted in the order of one log position; missions,
contracts, snapshots, benchmark runs, alerts, playbook runs, approvals and the log refer to each other. Odd things happen as in
the captured traffic: redeliveries, deletes without a tombstone, senseless measures, odd tiers and actors, late rollbacks.
The same arguments make the same files; other seeds make other ids. What the cube must hold is for oracle/oracle.py to say.
"""
import json
import os
import random
import sys
import time

DAY, MINUTE, SECOND = 86400 * 10**6, 60 * 10**6, 10**6
START_US = 1792800000 * SECOND  # 2026-10-24
KAFKA_START_MS = 1795300000000
TIERS = ['tier_1'] * 8 + ['tier_2'] * 6 + ['tier_3'] * 3 + ['', None, 'tier_4', 'TIER_1', ' tier_2 ']
CONFIDENCES = ['NaN', 'Infinity', '-Infinity', 1.7, -0.2, 1e-320, 0, 1]
TRIGGERS = ['scheduler', 'user:alice', 'USER:Bob', 'agent:hunter', 'cognition:plan-5daf2d95', 'input_sentinel:err-77', '', ':',
            'user:', None, '🤖', 'hunter', 'parliament_engine:vote', 'cognition:policy_engine', 'user:李雷']
ACTORS = ['hunter', 'input_sentinel', 'grace_autonomous', None, '', 'user:mallory', 'new_component', 'agent:shard_3']
SEVERITIES = ['low', 'medium', 'high', 'critical', 'HIGH', ' low ', '', None]
UNAVAILABLE = '__debezium_unavailable_value'


class Source:
    """The database's log: every change becomes a message of its table's topic."""

    def __init__(self, prefix, seed):
        self.prefix, self.random = prefix, random.Random(seed)
        self.lsn, self.at_us = seed * 10**9, KAFKA_START_MS * 1000
        self.topics, self.rows = {}, {}

    def emit(self, table, key, value):
        messages = self.topics.setdefault(table, [])
        self.at_us += self.random.randrange(1, 4000)
        messages.append({'topic': '%s.%s' % (self.prefix, table), 'partition': 0, 'offset': len(messages),
                         'timestamp': self.at_us // 1000, 'headers': [['made', 'traffic.py']],
                         'key': json.dumps({'id': key}), 'value': value})
        if len(messages) > 20 and self.random.random() < 0.01:  # the connector starts again a little earlier
            for message in messages[-self.random.randrange(2, 12):]:
                messages.append({**message, 'offset': len(messages), 'timestamp': self.at_us // 1000})

    def change(self, table, op, key, before, after):
        self.lsn += self.random.randrange(8, 200)
        source = {'version': '3.6.1.Final', 'connector': 'postgresql', 'name': 'grace', 'ts_ms': self.at_us // 1000,
                  'ts_us': self.at_us, 'schema': 'public', 'table': table, 'txId': self.lsn // 100, 'lsn': self.lsn}
        self.emit(table, key, json.dumps({'before': before, 'after': after, 'source': source, 'op': op,
                                          'ts_ms': self.at_us // 1000}, ensure_ascii=False))

    def insert(self, table, row):
        self.rows[table, row['id']] = dict(row)
        self.change(table, self.random.choice('cccr'), row['id'], None, row)

    def update(self, table, key, told=(), **fields):
        """`told`: fields that the message shows otherwise than they are, as Debezium does with large unchanged ones."""
        row = self.rows[table, key]
        row.update(fields)
        self.change(table, 'u', key, None, {**row, **dict(told)})

    def delete(self, table, key):
        row = self.rows.pop((table, key))
        self.change(table, 'd', key, {name: key if name == 'id' else 0 if isinstance(field, (int, float)) else ''
                                      for name, field in row.items()}, None)
        if self.random.random() < 0.8:
            self.emit(table, key, None)

    def rename(self, table, key, new):
        row = dict(self.rows[table, key], id=new)
        self.delete(table, key)
        self.insert(table, row)


def text_time(us):
    return '%s.%06dZ' % (time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(us // SECOND)), us % SECOND)


class Grace:
    """What Grace does, one contract after the other."""

    def __init__(self, source, seed):
        self.source, self.random, self.seed = source, source.random, seed
        self.number = seed * 10**6
        self.now = START_US
        self.missions, self.late = [], []

    def next_number(self):
        self.number += 1
        return self.number

    def log(self, actor, action, resource, **payload):
        number = self.next_number()
        self.source.insert('immutable_log', {
            'id': number, 'sequence': number, 'actor': actor, 'action': action, 'resource': resource, 'subsystem': 'test',
            'payload': json.dumps(payload), 'result': 'ok', 'entry_hash': '%064x' % number, 'previous_hash': '',
            'timestamp': text_time(self.now)})

    def begin_mission(self):
        number = self.next_number()
        mission = 'mission-%d' % number
        self.source.insert('mission_timelines', {
            'id': number, 'mission_id': mission, 'mission_name': 'Mission «%d»' % number, 'started_at': self.now,
            'completed_at': None, 'status': 'planned', 'completed_actions': 0,
            'mission_metadata': self.random.choice([None, '{"mission_type": "deployment"}', '{"mission_type": "error_recovery"}', 'no json'])})
        self.missions.append((number, mission))

    def move_mission(self):
        number = self.random.choice(self.missions[-20:])[0]
        if self.random.random() < 0.7:
            self.source.update('mission_timelines', number, status='in_progress', completed_actions=self.random.randrange(30))
        else:
            self.source.update('mission_timelines', number, status=self.random.choice(
                ['completed', 'failed', 'partial', 'rolled_back', 'Completed ']), completed_at=self.now)

    def contract(self):
        self.now += self.random.randrange(SECOND, 40 * MINUTE)
        key = 'contract-%d-%s' % (self.next_number(), self.random.choice(['a', 'ü', '👍']))
        mission = self.random.choice(self.missions[-20:])[1]
        trigger = self.random.choice(TRIGGERS) if self.random.random() < 0.5 else 'cognition:' + mission
        created = self.now + self.random.choice([0] * 30 + [-400 * DAY, 3 * DAY])
        self.source.insert('action_contracts', {
            'id': key, 'action_type': 'deploy', 'playbook_id': None, 'run_id': None, 'expected_effect': json.dumps({'target_resource': 'service:hunter', 'filler': 'x' * self.random.randrange(40, 900)}),
            'status': 'pending', 'confidence_score': None, 'created_at': created, 'executed_at': None, 'verified_at': None,
            'safe_hold_snapshot_id': None, 'triggered_by': trigger, 'tier': self.random.choice(TIERS),
            'requires_approval': False, 'error_message': None})
        self.log('action_contract', 'contract_created', 'cache', contract_id=key)
        if self.random.random() < 0.4:
            self.snapshot(key)
        self.source.update('action_contracts', key, status='executing', executed_at=created + 3 * SECOND)
        self.end_contract(key, created, mission)

    def end_contract(self, key, created, mission):
        status = self.random.choice(['verified'] * 6 + ['failed', 'partial_success', 'VERIFIED', ' Rolled_Back ', 'cancelled', None])
        confidence = self.random.choice(CONFIDENCES) if self.random.random() < 0.1 else self.random.random()
        if self.random.random() < 0.9:
            self.source.update('action_contracts', key, status=status, confidence_score=confidence,
                               verified_at=created + self.random.choice([-SECOND] + [self.random.randrange(400 * SECOND)] * 30))
        if self.random.random() < 0.3:
            self.log('progression_tracker', 'action_completed', mission, action_contract_id=key)
        if self.random.random() < 0.3:
            self.benchmark(key)
        fate = self.random.random()
        if fate < 0.15:
            self.late.append(key)
        elif fate < 0.19:
            self.source.delete('action_contracts', key)
        elif fate < 0.21:
            self.source.rename('action_contracts', key, key + '-renamed')

    def snapshot(self, contract):
        key = 'snapshot-%d' % self.next_number()
        self.source.insert('safe_hold_snapshots', {
            'id': key, 'snapshot_type': 'pre_action', 'triggered_by': 'action_executor', 'action_contract_id': contract,
            'system_health_score': 100, 'status': 'active', 'is_golden': False, 'is_validated': False, 'created_at': self.now,
            'validated_at': None, 'restored_at': None, 'notes': None})
        fate = self.random.random()
        if fate < 0.3:
            self.source.update('action_contracts', contract, safe_hold_snapshot_id=key)
        if fate < 0.6:
            self.source.update('safe_hold_snapshots', key, is_validated=True, validated_at=self.now + SECOND)
        elif fate > 0.95:
            self.source.delete('safe_hold_snapshots', key)

    def benchmark(self, contract):
        key = self.next_number()
        self.source.insert('benchmark_runs', {
            'id': key, 'run_id': 'smoke-%d' % key, 'triggered_by': 'agent:action_executor', 'benchmark_type': 'smoke', 'passed': True,
            'contract_id': contract, 'delta_from_baseline': '{"a": {"percent_change": -12.5}}', 'drift_detected': False,
            'duration_seconds': 0.25, 'created_at': self.now, 'baseline_id': None, 'is_golden': False})

    def alert(self):
        key = self.next_number()
        self.source.insert('security_events', {
            'id': key, 'actor': self.random.choice(ACTORS), 'action': 'api_call', 'resource': '/api', 'severity': self.random.choice(SEVERITIES),
            'status': 'open', 'created_at': text_time(self.now), 'resolved_at': None, 'resolution_note': None})
        if self.random.random() < 0.5:
            self.log(self.random.choice(['hunter', 'watch_dog', 'input_sentinel']), 'alert_raised', 'security_event:%d' % key)
        if self.random.random() < 0.3:
            self.run_playbook(key)
        if self.random.random() < 0.7:
            note = self.random.choice(['auto: done', 'closed by user:alice', None])
            self.source.update('security_events', key, status='resolved', resolved_at=text_time(self.now + self.random.randrange(DAY)), resolution_note=note)
            if self.random.random() < 0.3:
                self.source.update('security_events', key, [('resolution_note', UNAVAILABLE)], status='closed')
        if self.random.random() < 0.05:
            self.source.delete('security_events', key)

    def run_playbook(self, alert):
        key = self.next_number()
        self.source.insert('playbook_runs', {
            'id': key, 'playbook_id': self.random.choice([None, 3]), 'service': 'cache', 'status': 'running', 'requested_by': 'scheduler',
            'approval_request_id': None, 'diagnosis': '{"code": "x", "event": %d}' % alert, 'created_at': text_time(self.now),
            'started_at': None, 'ended_at': None})
        self.source.update('playbook_runs', key, status='succeeded', started_at=text_time(self.now + SECOND), ended_at=text_time(self.now + MINUTE))

    def approval(self):
        key = self.next_number()
        self.source.insert('approval_requests', {
            'id': key, 'event_id': key, 'status': 'pending', 'requested_by': 'scheduler', 'reason': 'Überprüfung', 'decision_by': None,
            'decision_reason': None, 'created_at': text_time(self.now), 'decided_at': None})
        if self.random.random() < 0.8:
            self.source.update('approval_requests', key, status=self.random.choice(['approved', 'rejected', 'Approved']),
                               decision_by=self.random.choice(['alice', 'user:bob', 'agent:judge']), decided_at=text_time(self.now + MINUTE))

    def live(self, contracts):
        for turn in range(contracts):
            if turn % 8 == 0:
                self.begin_mission()
            self.contract()
            if self.random.random() < 0.3:
                self.move_mission()
            if self.random.random() < 0.15:
                self.alert()
            if self.random.random() < 0.1:
                self.approval()
            if self.random.random() < 0.05:
                self.log('deployer', 'deploy_failed', 'db', severity=self.random.choice(SEVERITIES))
        for key in self.late:
            self.source.update('action_contracts', key, [('error_message', UNAVAILABLE)], status='rolled_back')


def main():
    if len(sys.argv) not in (5, 6):
        sys.exit(__doc__)
    directory, prefix, seed, contracts = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    source = Source(prefix, seed)
    grace = Grace(source, seed)
    grace.now -= int(sys.argv[5]) * DAY if len(sys.argv) == 6 else 0
    grace.live(contracts)
    os.makedirs(directory, exist_ok=True)
    for table, messages in sorted(source.topics.items()):
        with open(os.path.join(directory, '%s.%s.jsonl' % (prefix, table)), 'w', encoding='utf-8') as file:
            for message in messages:
                file.write(json.dumps(message, ensure_ascii=False) + '\n')


if __name__ == '__main__':
    main()
