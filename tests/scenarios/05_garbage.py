#!/usr/bin/env python3
"""Garbage of every kind between good records, on several streams and in several shapes: the bad records are dead letters, byte
for byte and with the right reason; what is only senseless is a quality issue; the good neighbours are in the cube; nothing
stops. With large batches, and with small ones that make many transactions."""
import base64
import json
import os
import random
import sys

sys.path.insert(0, os.path.join(os.environ['CUBE_TEST_ROOT'], 'tests', 'lib'))
from scenario import *  # noqa: E402,F403

RANDOM = random.Random(5)
VALUE_BYTES = 65536  # limits.value_bytes of this scenario
DAY = 1795392000000000  # 2026-11-23, µs
FIRST_MS = 1795395600000
HEADERS = [[], [(b'trace', b'\x00\xff\xfe')], [(b'a', None), (b'a', b''), (b'n\xc3\xa4me', b'{"json": 1}')], [(b'\xff', b'x' * 300)]]


def text(row):
    return json.dumps(row, ensure_ascii=False).encode()


# --- Shapes: a row as the message a producer would make of it ---------------------------------------------------------

def flat(row, key='id'):
    return str(row.get(key, '')).encode() or None, text(row)


def debezium(row, op='c', key='id'):
    lsn = RANDOM.randrange(10**9, 10**10)
    return text({key: row.get(key)}), text({'before': None, 'after': row, 'op': op, 'source': {'lsn': lsn, 'ts_us': DAY}})


def with_schema(row, key='id'):
    parts = [json.loads(part) for part in debezium(row, key=key)]
    return tuple(text({'schema': {'type': 'struct', 'fields': []}, 'payload': part}) for part in parts)


def flattened(row, key='id'):
    return text({key: row.get(key)}), text({**row, '__op': 'u', '__deleted': 'false', '__source_lsn': RANDOM.randrange(10**9, 10**10)})


SHAPES = [flat, debezium, with_schema, flattened]


# --- Rows ---------------------------------------------------------------------------------------------------------------

def contract(key, **fields):
    return {'id': key, 'status': 'verified', 'tier': 'tier_1', 'confidence_score': 0.5, 'triggered_by': 'user:ann', 'created_at': DAY,
            'verified_at': DAY + 2000000, **fields}


def without(row, *names):
    return {name: field for name, field in row.items() if name not in names}


class Traffic:
    """What is sent, and what must become of it."""

    def __init__(self):
        self.sent, self.dead, self.issues, self.good = [], [], [], []

    def send(self, stream, key, value):
        partition = RANDOM.randrange(PARTITIONS)
        offset = sum(1 for other in self.sent if other[:2] == (stream, partition))
        headers = RANDOM.choice(HEADERS)
        timestamp = FIRST_MS + len(self.sent)
        self.sent.append((stream, partition, key, value, headers, timestamp))
        return partition, offset, headers, timestamp

    def bad(self, code, where, stream, key, value):
        partition, offset, headers, timestamp = self.send(stream, key, value)
        self.dead.append([stream, partition, offset, timestamp, hexadecimal(key), hexadecimal(value),
                          [[base64_of(name), base64_of(content)] for name, content in headers], code, where])
        self.neighbour()

    def odd(self, stream, record_key, message, *issues):
        """`issues`: (field, raw value, rule) in the order in which they are found."""
        partition, offset, _, _ = self.send(stream, *message)
        for number, (field, raw, rule) in enumerate(issues):
            self.issues.append([stream, partition, offset, number, record_key, field, raw[:1000], rule])
        self.neighbour()

    def neighbour(self):
        key = 'good-%03d' % len(self.good)
        self.good.append(key)
        self.send('action_contracts', *RANDOM.choice(SHAPES)(contract(key)))


def hexadecimal(value):
    return None if value is None else value.hex()


def base64_of(value):
    return None if value is None else base64.b64encode(value).decode()


# --- The garbage --------------------------------------------------------------------------------------------------------

def not_json(t):
    whole = text(contract('cut'))
    for value in (b'not json', b'', b'   ', b'{', whole[:17], whole[:-1], whole + b'}', b'\x00\x01\x02\xff\xfe', b'\x00' + whole, b'\x00\x00\x00\x00\x07\x02ab', whole.decode().encode('utf-16'),
                  b"{'id': 'x'}", b'{"id": NaN}', b'{"id": 01}', b'{"id": "a\nb"}', b'{"id": "\\x"}', b'{"id": "\xc3\x28"}', b'{"id": "\xed\xa0\x80"}',
                  b'Struct{id=x,status=pending}', b'eyJpZCI6ICJ4In0=', b'{"id": 1,}', bytes(range(256)), b'\x1f\x8b\x08\x00'):
        t.bad('not_json', None, RANDOM.choice(['action_contracts', 'security_events', 'tier_policies']), b'k', value)
    for value in (b'[1, 2]', b'"text"', b'17', b'true', b'[]'):
        t.bad('not_object', 'value', RANDOM.choice(['action_contracts', 'trigger_events']), b'{"id": "k"}', value)
    t.bad('not_object', 'value', 'trigger_events', None, text(json.dumps({'event_type': 'error.detected', 'payload': {}})))
    for envelope in ({'specversion': '1.0', 'id': '1', 'type': 't', 'source': 's', 'data': {'id': 'x'}}, {'data': {'id': 'x'}, 'metadata': {'operation': 'insert'}},
                     {'database': 'd', 'table': 't', 'type': 'insert', 'data': {'id': 'x'}}, {'data': [], 'database': 'd', 'isDdl': False, 'table': 't', 'type': 'INSERT'}):
        t.bad('foreign_envelope', 'value', RANDOM.choice(['action_contracts', 'tier_policies', 'trigger_events']), b'tier_1', text(envelope))
    t.bad('missing_field', 'tier_name', 'tier_policies', b'tier_1', b'{}')
    for stream, row_key, before in (('action_contracts', 'bom', b'\xef\xbb\xbf'), ('action_contracts', 'framed', b'\x00\x00\x00\x00\x07')):
        t.odd(stream, row_key, (before + text({'id': row_key}), before + text(contract(row_key))))
    t.odd('action_contracts', 'beyond', (b'k', text(contract('beyond', nobody_reads='@')).replace(b'"@"', b'1e400')))
    t.odd('action_contracts', 'beyond-1', (b'k', text(contract('beyond-1', confidence_score='@')).replace(b'"@"', b'-1e400')),
          ('confidence_score', '-1e400', 'must be between 0 and 1'))
    t.bad('time_out_of_range', 'created_at', 'action_contracts', b'k', b'{"id": "x", "created_at": 1e400}')
    t.bad('too_deep', None, 'immutable_log', b'{"id": 1}', b'{"id": 1, "x": ' + b'[' * 40 + b']' * 40 + b'}')
    t.bad('too_deep', None, 'immutable_log', b'{"id": 1}', b'{"a":' * 10000)
    t.bad('duplicate_key', None, 'approval_requests', b'{"id": 1}', b'{"id": 1, "status": "pending", "id": 2}')
    t.bad('duplicate_key', None, 'approval_requests', b'{"id": 1}', b'{"status": "pending", "st\\u0061tus": "approved"}')
    t.bad('too_large', 'value', 'action_contracts', b'{"id": "large"}', text(contract('large', expected_effect='x' * VALUE_BYTES)))
    t.bad('too_large', 'value', 'action_contracts', None, RANDOM.randbytes(VALUE_BYTES + 1))
    t.bad('too_large', 'key', 'action_contracts', b'k' * (VALUE_BYTES + 1), text(contract('large')))


def keys(t):
    bare = without(contract(''), 'id')
    for key in (None, b'', b'null', b'{}', b'{"a": 1, "b": 2}', b'{"id": null}', b'{"id": ""}'):
        t.bad('no_key', 'id', 'action_contracts', key, text(bare))
    t.bad('no_key', 'id', 'action_contracts', None, None)
    t.bad('no_key', 'id', 'action_contracts', None, text({'before': None, 'after': bare, 'op': 'c', 'source': {}}))
    t.bad('no_key', 'tier_code', 'tier_policies', None, text({'tier_name': 'Nameless'}))
    t.bad('too_long', 'id', 'action_contracts', *flat(contract('k' * 600)))
    t.bad('too_long', 'id', 'approval_requests', b'k' * 600, None)
    for key in ('a\0b', '\0', 'a\\ud800', '\\udc00\\ud800'):
        written = json.dumps(key).replace('\\\\u', '\\u').encode()
        t.bad('bad_key', 'id', 'action_contracts', b'k', b'{"id": ' + written + b', "created_at": 1}')
        t.bad('bad_key', 'id', 'security_events', b'{"id": ' + written + b'}', None)
    t.bad('bad_key', 'id', 'action_contracts', b'\xff\xfe', text(bare))
    t.bad('bad_key', 'id', 'action_contracts', b'a\x00b', None)
    for key in (b'Struct{id=x,status=pending}', b'{id=x}', b'{"id": ', b'\x00\x00\x00\x00\x07\x02a'):
        t.bad('bad_key', 'id', 'action_contracts', key, None)
    for stream, key, field in (('approval_requests', b'{"event_id": 2}', 'id'), ('action_contracts', b'Struct{status=pending}', 'id'), ('tier_policies', b'{"id": 1}', 'tier_code')):
        t.bad('no_key', field, stream, key, None)
    t.bad('no_key', 'id', 'action_contracts', None, text(contract(True)))
    t.bad('no_key', 'id', 'action_contracts', b'{"run_id": 5}', text({**bare, 'run_id': 5}))


def fields(t):
    t.bad('missing_field', 'created_at', 'action_contracts', *debezium(without(contract('m1'), 'created_at')))
    t.bad('missing_field', 'created_at', 'action_contracts', *flat(contract('m2', created_at=None)))
    t.bad('missing_field', 'created_at', 'security_events', *flattened({'id': 5, 'severity': 'low'}))
    t.bad('missing_field', 'sequence', 'immutable_log', *with_schema({'id': 9, 'timestamp': '2026-11-23T00:00:00Z'}))
    t.bad('missing_field', 'mission_id', 'mission_timelines', *debezium({'id': 4, 'status': 'planned'}))
    t.bad('missing_field', 'after', 'action_contracts', b'{"id": "x"}', text({'before': None, 'after': None, 'op': 'u', 'source': {}}))
    t.bad('missing_field', 'after', 'action_contracts', b'{"id": "x"}', text({'before': {}, 'after': [1], 'op': 'c', 'source': {}}))
    t.bad('missing_field', 'payload', 'trigger_events', b'x', text({'event_type': 'error.detected', 'timestamp': DAY}))
    t.bad('bad_type', 'payload', 'trigger_events', b'x', text({'event_type': 'error.detected', 'timestamp': DAY, 'payload': 'no object'}))
    t.bad('missing_field', 'event_type', 'trigger_events', b'x', text({'id': 1, 'a': 2}))
    event = {'event_type': 'error.detected', 'source': 'hunter', 'actor': 'hunter', 'resource': 'r', 'timestamp': '2026-11-23T00:00:00Z',
             'payload': {'error_id': 'e'}}
    t.bad('missing_field', 'timestamp', 'trigger_events', None, text(without(event, 'timestamp')))
    t.bad('missing_field', 'error_id', 'trigger_events', None, text({**event, 'event_type': 'agentic.problem_resolved', 'payload': {}}))
    t.bad('too_long', 'error_id', 'trigger_events', None, text({**event, 'payload': {'error_id': 'e' * 600}}))
    for op in ('x', '', 'create', None, 5, 'c ', 'C', {}):
        t.bad('unknown_op', 'op', 'action_contracts', b'{"id": "x"}', text({'before': None, 'after': contract('x'), 'op': op, 'source': {}}))
    for field, wrong in (('created_at', {'a': 1}), ('created_at', 'yesterday'), ('created_at', ''), ('created_at', True), ('created_at', '2026-13-01'),
                         ('verified_at', []), ('verified_at', 'soon'), ('confidence_score', 'high'), ('confidence_score', '1e400'), ('confidence_score', {}), ('confidence_score', True),
                         ('action_type', [1]), ('status', {'a': 'b'}), ('tier', ['tier_1']), ('triggered_by', {}), ('requires_approval', 'maybe'),
                         ('requires_approval', 2), ('run_id', 'x'), ('run_id', 1.5), ('run_id', 10**30), ('run_id', [])):
        t.bad('bad_type', field, 'action_contracts', *RANDOM.choice(SHAPES)(contract('w', **{field: wrong})))
    t.bad('bad_type', 'sequence', 'immutable_log', *flat({'id': 1, 'sequence': 'many', 'timestamp': DAY}))
    t.bad('bad_type', 'passed', 'benchmark_runs', *debezium({'id': 1, 'passed': 'perhaps', 'created_at': DAY}))
    t.bad('bad_type', 'duration_seconds', 'benchmark_runs', *debezium({'id': 1, 'duration_seconds': '1 s', 'created_at': DAY}))


def times(t):
    for wrong in (-1, 9 * 10**18, '1969-12-31T23:59:59.999999Z', '2200-01-01T00:00:00Z', '0001-01-01T00:00:00Z', '9999-12-31T23:59:59Z',
                  '1970-01-01T00:00:00+01:00', 1e30, -1e300, 10**25):
        t.bad('time_out_of_range', 'created_at', 'action_contracts', *RANDOM.choice(SHAPES)(contract('t', created_at=wrong)))
        t.bad('time_out_of_range', 'timestamp', 'immutable_log', *RANDOM.choice(SHAPES)({'id': 1, 'sequence': 1, 'timestamp': wrong}))
    t.bad('time_out_of_range', 'created_at', 'security_events', *flat({'id': 1, 'severity': 'low', 'created_at': '2300-01-01T00:00:00Z'}))
    for n, wrong in enumerate((-5, '2200-01-01T00:00:00Z', 10**25, '0001-01-01T00:00:00Z')):
        t.odd('action_contracts', 'late-%d' % n, RANDOM.choice(SHAPES)(contract('late-%d' % n, verified_at=wrong)),
              ('verified_at', json.dumps(wrong), 'a time must be between 1970 and 2200'))
    for n, edge in enumerate(('1970-01-01T00:00:00Z', '2199-12-31T23:59:59.999999Z', '2026-02-28 23:59:60', 0)):
        t.odd('action_contracts', 'edge-%d' % n, RANDOM.choice(SHAPES)(contract('edge-%d' % n, created_at=edge, verified_at=None)))


def measures(t):
    for n, wrong in enumerate(('NaN', 'Infinity', '-Infinity', 1.7, -0.2, '1.7', '-1e-9', 1e300, -1e300, 2)):
        t.odd('action_contracts', 'measure-%d' % n, RANDOM.choice(SHAPES)(contract('measure-%d' % n, confidence_score=wrong)),
              ('confidence_score', json.dumps(wrong), 'must be between 0 and 1'))
    for n, fine in enumerate((0, 1, 1e-320, '0.5', -0.0, 5e-324, '1', {'scale': 2, 'value': 'Mg=='})):
        t.odd('action_contracts', 'fine-%d' % n, RANDOM.choice(SHAPES)(contract('fine-%d' % n, confidence_score=fine)))
    t.odd('action_contracts', 'backwards', debezium(contract('backwards', verified_at=DAY - 1500000)),
          ('duration_seconds', '-1.500000', 'a duration must not be negative'))
    # 230 years of duration, 1,400 times in one hour: legal times, and no sum overflows
    for n in range(1400):
        t.odd('action_contracts', 'ages-%d' % n, flat(contract('ages-%d' % n, created_at='1970-01-01T00:%02d:00Z' % (n % 60), verified_at='2199-12-31T00:%02d:00Z' % (n % 60))),
              ('duration_seconds', '7258032000.000000', 'must not be larger than 1e8'))
    for n, wrong in enumerate(('NaN', 'Infinity', -3, 1e300, 1e15, 1.01e8)):
        t.odd('benchmark_runs', str(100 + n), debezium({'id': 100 + n, 'duration_seconds': wrong, 'created_at': DAY}),
              ('duration_seconds', json.dumps(wrong), None))
    for n, large in enumerate((9e7, 9e7, 1e8)):
        t.odd('benchmark_runs', str(200 + n), debezium({'id': 200 + n, 'duration_seconds': large, 'created_at': DAY}))
    t.odd('approval_requests', '300', flat({'id': 300, 'status': 'approved', 'risk_score': 'NaN', 'created_at': DAY, 'decided_at': DAY - 1}),
          ('risk_score', '"NaN"', None), ('decision_time_seconds', '-0.000001', 'a duration must not be negative'))


def texts(t):
    cleaned = 'a NUL or lone surrogate became U+FFFD'
    for n, raw in enumerate(('a\\u0000b', '\\ud83d', 'x\\udc00y')):
        written = text(contract('text-%d' % n, action_type='@')).replace(b'@', raw.encode())
        t.odd('action_contracts', 'text-%d' % n, (b'k', written), ('action_type', '"%s"' % raw, cleaned))
    t.odd('action_contracts', 'text-9', (b'k', text(contract('text-9', error_message='@')).replace(b'@', b'\\ud83d\\ude80 \\u2028')))
    name = 'user:' + 'ä' * 2500
    t.odd('action_contracts', 'actor', flat(contract('actor', triggered_by=name)),
          ('triggered_by', name, 'a name must not be longer than limits.key_bytes'),
          ('triggered_by', name[5:], 'a name must not be longer than limits.key_bytes'))
    t.odd('action_contracts', 'tier', flat(contract('tier', tier='t' * 600)), ('tier', 't' * 600, 'a name must not be longer than limits.key_bytes'))
    # What the database refuses is found by halving the batch: here a cell of a rollup that no index can hold.
    t.bad('54000', None, 'immutable_log', *debezium({'id': 7000, 'sequence': 7000, 'action': RANDOM.randbytes(6000).hex(), 'timestamp': DAY}))
    t.bad('54000', None, 'immutable_log', *debezium({'id': 7001, 'sequence': 7001, 'subsystem': RANDOM.randbytes(6000).hex(), 'timestamp': DAY}))


# --- What must have become of it ------------------------------------------------------------------------------------------

def publish(kafka, prefix, traffic):
    for stream in {record[0] for record in traffic.sent}:
        kafka.create('%s.%s' % (prefix, stream), PARTITIONS)
    for stream, partition, key, content, headers, timestamp in traffic.sent:
        kafka.send('%s.%s' % (prefix, stream), key, content, headers, partition, timestamp)
    kafka.flush()


def check_dead_letters(traffic):
    actual = rows("SELECT stream, partition, kafka_offset, (date_part('epoch', kafka_timestamp) * 1000)::bigint, encode(key, 'hex'),"
                  " encode(value, 'hex'), headers, error_code, error_where FROM cube.etl_dead_letter")
    places = {tuple(row[:3]): row for row in actual}
    for expected in traffic.dead:
        place = tuple(expected[:3])
        content = bytes.fromhex(expected[5] or '')[:120]
        if place not in places:
            fail('no dead letter for %s of %r' % (place, content))
        row = places.pop(place)
        if expected[8] is None:
            row = row[:8] + [None]
        if row != expected:
            different = [(was, wanted) for was, wanted in zip(row, expected) if was != wanted]
            fail('the dead letter of %s %r: %r' % (place, content, different))
    for place, row in places.items():
        fail('a dead letter too much: %s %s %r' % (place, row[7:], bytes.fromhex(row[5] or '')[:200]))
    equal('dead letters without a sentence', value("SELECT count(*) FROM cube.etl_dead_letter WHERE length(reason) < 15"), 0)


def check_issues(traffic):
    actual = rows('SELECT stream, partition, kafka_offset, number, record_key, field, raw_value, rule FROM cube.etl_quality_issue')
    rules = {tuple(row[:4]): row[7] for row in actual}
    same_rows('quality issues', actual, [row if row[7] else row[:7] + [rules.get(tuple(row[:4]))] for row in traffic.issues])


def check_facts(traffic):
    equal('good neighbours', rows("SELECT contract_id FROM cube.fact_verification_executions WHERE contract_id LIKE 'good-%' ORDER BY 1"),
          [[key] for key in sorted(traffic.good)])
    fact = 'cube.fact_verification_executions'
    equal('contracts with a senseless measure', value("SELECT count(*) FROM %s WHERE contract_id LIKE 'measure-%%' AND confidence_score IS NULL AND was_successful" % fact), 10)
    equal('contracts with a sensible one', rows("SELECT contract_id, confidence_score FROM %s WHERE contract_id LIKE 'fine-%%' ORDER BY 1" % fact),
          [['fine-%d' % n, measure] for n, measure in enumerate((0, 1, 1e-320, 0.5, 0, 5e-324, 1, 0.5))])
    equal('a duration that runs backwards', rows("SELECT duration_seconds, verified_at IS NOT NULL FROM %s WHERE contract_id = 'backwards'" % fact), [[None, True]])
    equal('optional times out of range', value("SELECT count(*) FROM %s WHERE contract_id LIKE 'late-%%' AND verified_at IS NULL" % fact), 4)
    equal('times at the edge', value("SELECT count(*) FROM %s WHERE contract_id LIKE 'edge-%%'" % fact), 4)
    equal('cleaned texts', rows("SELECT contract_id, coalesce(action_type, error_message) FROM %s WHERE contract_id LIKE 'text-%%' ORDER BY 1" % fact),
          [['text-0', 'a\ufffdb'], ['text-1', '\ufffd'], ['text-2', 'x\ufffdy'], ['text-9', '🚀 \u2028']])
    equal('an actor of 5 kB', rows("SELECT actor_id, length(triggered_by) FROM %s JOIN cube.dim_actor USING (actor_key) WHERE contract_id = 'actor'" % fact),
          [['unknown', 2505]])
    equal('a tier of 600 letters', rows("SELECT tier_code, tier_text FROM %s JOIN cube.dim_tier USING (tier_key) WHERE contract_id = 'tier'" % fact),
          [['unknown', 't' * 600]])
    equal('members made by refused records', value("SELECT count(*) FROM cube.dim_actor WHERE actor_id NOT IN ('unknown', 'user:ann', 'system:hunter')"), 0)


def check_commands(traffic):
    listed = json.loads(program('dead', 'list', '--json', '--limit', '1000'))
    equal('dead list', listed['total'], len(traffic.dead))
    for number, content in rows("SELECT dead_letter_id, encode(value, 'hex') FROM cube.etl_dead_letter WHERE value IS NOT NULL ORDER BY 1 LIMIT 200")[::40]:
        shown_raw = subprocess.run([PROGRAM, 'dead', 'show', str(number), '--raw'], stdout=subprocess.PIPE, check=True).stdout
        equal('dead show --raw', shown_raw.hex(), content)


traffic = Traffic()
for kind in (not_json, keys, fields, times, measures, texts):
    kind(traffic)
broker = Kafka(BROKERS)
for name, options in (('large', ()), ('small', ('-s', 'run.batch_records=4'))):
    new_cube('_' + name)
    own_topics(PREFIX)
    os.environ['GRACECUBE_KAFKA_GROUP_ID'] = PREFIX + '_' + name
    if name == 'large':
        publish(broker, PREFIX, traffic)
    summary = catch_up('-s', 'limits.value_bytes=%dB' % VALUE_BYTES, *options)
    equal('records read', summary['records'], len(traffic.sent))
    check_dead_letters(traffic)
    equal('dead letters counted', summary['dead'], len(traffic.dead))
    check_issues(traffic)
    check_facts(traffic)
    check_commands(traffic)
    verify_agrees()
    codes = rows('SELECT error_code, count(*) FROM cube.etl_dead_letter GROUP BY 1 ORDER BY 1')
    shown('%s batches (%d): %d records, %d dead letters, byte for byte (%s); %d quality issues; %d good neighbours; verify: all equal' % (
        name, summary['batches'], len(traffic.sent), len(traffic.dead), ', '.join('%s %d' % tuple(code) for code in codes), len(traffic.issues), len(traffic.good)))
