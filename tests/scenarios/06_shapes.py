#!/usr/bin/env python3
"""One meaning in every shape: captured variants, plain producers without any source metadata, the trigger mesh in every order
of arrival, tier policies and missions with late older versions, units of time, decimals, values that Debezium leaves out."""
import glob
import gzip
import itertools
import json
import os
import sys
from time import monotonic, sleep

sys.path.insert(0, os.path.join(os.environ['CUBE_TEST_ROOT'], 'tests', 'lib'))
from scenario import *  # noqa: E402,F403

DAY = 1795392000000000  # 2026-11-23, µs
MS = 1795395600000
FACT = 'cube.fact_verification_executions'
broker = Kafka(BROKERS)


def text(row):
    return None if row is None else json.dumps(row, ensure_ascii=False).encode()


def envelope(row, lsn, op='c', before=None):
    return text({'before': before, 'after': row, 'op': op, 'source': {'lsn': lsn, 'ts_us': DAY + lsn}})


def send(stream, key, value, **more):
    broker.send('%s.%s' % (PREFIX, stream), key, value, **more)


def begin(name, *streams):
    """A cube, a group and topics of its own."""
    global PREFIX
    PREFIX = '%s_%s' % (os.environ['CUBE_TEST_PREFIX'], name)
    new_cube('_' + name)
    own_topics(PREFIX)
    for stream in streams:
        broker.create('%s.%s' % (PREFIX, stream), 1)


def variants():
    for variant in ('gschema', 'gflat', 'gconnect'):
        files = sorted(glob.glob('%s/tests/data/variants/%s.*.gz' % (ROOT, variant)))
        begin(variant, *[path.split('.')[-3] for path in files])
        count = 0
        for path in files:
            with gzip.open(path, 'rt', encoding='utf-8') as lines:
                for line in lines:
                    record = json.loads(line)
                    send(path.split('.')[-3], *(record[part] and record[part].encode() for part in ('key', 'value')), timestamp=record['timestamp'])
                    count += 1
        broker.flush()
        catch_up()
        os.makedirs(variant)
        for arguments in (['python3', '-B', ROOT + '/tests/oracle/oracle.py', variant + '/expected', *files], ['mkdir', variant + '/actual'],
                          ['psql', '-X', '-q', '-d', os.environ['GRACECUBE_POSTGRES_DSN'], '-v', 'ON_ERROR_STOP=1', '-v',
                           'directory=%s/%s/actual' % (os.getcwd(), variant), '-f', ROOT + '/tests/oracle/answers.sql'],
                          ['python3', '-B', ROOT + '/tests/oracle/compare.py', variant + '/expected', variant + '/actual']):
            done = subprocess.run(arguments, stdout=subprocess.PIPE, check=False)
            if done.returncode:
                fail('%s: %s' % (variant, done.stdout.decode()))
        verify_agrees()
        shown('%s, %d records: %s' % (variant, count, done.stdout.decode().strip().splitlines()[-1]))


def plain_producer():
    """{"id": …} with a raw text key and nothing else: the partition's order is the versions', whatever the producers' clocks; a tombstone deletes."""
    begin('plain', 'action_contracts', 'approval_requests', 'mission_timelines', 'security_events')
    row = {'status': 'pending', 'created_at': '2026-11-23T10:00:00Z', 'tier': 'tier_2', 'triggered_by': 'agent:x'}
    for key, value, at in (
            (b'p1', {'id': 'p1', **row}, 0), (b'p1', {'id': 'p1', **row, 'status': 'verified'}, 10), (b'p1', {'id': 'p1', **row, 'status': 'failed'}, 5),
            (b'p2', row, 0), (b'p2', None, 10), (b'p2', row, 5),              # the id only in the key; deleted; made again by a clock that is behind
            (b'p3', {'id': 'p3', **row}, 0), (b'p3', None, 10), (b'p3', {'id': 'p3', **row, 'status': 'verified'}, 20),  # made again
            (b'p4', {'id': 'p4', **row}, 7), (b'p4', {'id': 'p4', **row, 'status': 'verified'}, 7),  # the same moment: the later offset
            (b'p5', {'id': 'p5', **row, '__deleted': 'true'}, 0),
            (b'"p6"', {**row, 'status': 'verified'}, 0), (b'{"contract": "p7"}', {**row, 'status': 'verified'}, 0),
            (b'8', {'id': 8, **row, 'status': 'verified'}, 0), (b'9', None, 3), (b'9', {'id': 9, **row}, 1)):
        send('action_contracts', key, text(value), timestamp=MS + at)
    send('mission_timelines', b'm1', text({'mission_id': 'm1', 'mission_name': 'One', 'status': 'completed', 'mission_type': 'drill'}), timestamp=MS)
    send('mission_timelines', b'm2', text({'mission_id': 'm2', 'mission_name': 'Two', 'status': 'completed'}), timestamp=MS)
    send('mission_timelines', b'm2', None, timestamp=MS + 1)
    send('approval_requests', b'77', text({'id': 77, 'status': 'Approved', 'decision_by': 'eve', 'created_at': DAY, 'decided_at': DAY + 1500000}))
    broker.flush()
    for options in ((), ('-s', 'run.batch_records=1')):  # once more from the beginning, record by record
        catch_up(*options)
        equal('contracts of a plain producer', rows("SELECT contract_id, contract_status FROM %s ORDER BY 1" % FACT),
              [['8', 'verified'], ['9', 'pending'], ['p1', 'failed'], ['p2', 'pending'], ['p3', 'verified'], ['p4', 'verified'], ['p6', 'verified'], ['p7', 'verified']])
        equal('its missions', rows('SELECT mission_id, mission_type, final_status, is_current FROM cube.dim_mission WHERE mission_key > 0 ORDER BY 1'),
              [['m1', 'drill', 'success', True], ['m2', 'unknown', 'success', False]])
        equal('its approval', rows('SELECT approval_id, was_approved, actor_id, decision_time_seconds FROM cube.fact_approvals JOIN cube.dim_actor USING (actor_key)'),
              [['77', True, 'user:eve', 1.5]])
        verify_agrees()
        new_cube('_plain')
    shown('plain JSON with text keys: of a partition the last one counts, whatever the clocks, and tombstones delete, in one batch and one by one')


def tombstones_alone():
    """Compaction may leave nothing of a delete but its tombstone."""
    begin('compacted', 'action_contracts', 'mission_timelines', 'security_events')
    send('action_contracts', b'{"id": "c1"}', envelope({'id': 'c1', 'created_at': DAY}, 100), timestamp=MS)
    send('action_contracts', b'{"id": "c1"}', None, timestamp=MS + 1)
    send('mission_timelines', b'{"id": 1}', envelope({'id': 1, 'mission_id': 'gone', 'started_at': DAY, 'status': 'planned'}, 101), timestamp=MS)
    send('mission_timelines', b'{"id": 1}', None, timestamp=MS + 1)
    send('security_events', b'{"id": 1}', envelope({'id': 1, 'created_at': DAY, 'severity': 'low'}, 102), timestamp=MS)
    send('security_events', b'{"id": 1}', None, timestamp=MS + 1)
    send('security_events', b'{"id": 2}', None, timestamp=MS)
    broker.flush()
    catch_up()
    equal('what a tombstone alone leaves', rows('SELECT (SELECT count(*) FROM %s), (SELECT count(*) FROM cube.fact_error_events),'
                                                " (SELECT is_current FROM cube.dim_mission WHERE mission_id = 'gone')" % FACT), [[0, 0, False]])
    verify_agrees()
    shown('a tombstone alone, its delete compacted away, deletes facts and ends missions')


def mesh():
    """Everything the trigger mesh says of one error and one approval, in all 720 orders of arrival; and half of it."""
    begin('mesh', 'trigger_events')

    def event(kind, seconds, **payload):
        return {'event_type': kind, 'source': 'input_sentinel', 'actor': 'agent:mender', 'resource': 'db', 'payload': payload,
                'timestamp': '2026-11-23T10:00:%02d.5Z' % seconds}

    def story(number):
        error, approval = 'e%d' % number, 'a%d' % number
        return [event('error.detected', 1, error_id=error, error_type='timeout', severity='HIGH'),
                event('agentic.problem_identified', 2, error_id=error, error_type='pool exhausted', severity='low'),
                event('agentic.action_planned', 3, error_id=error, can_auto_execute=False),
                event('approval.requested', 4, approval_id=approval, error_id=error, approval_type='repair', reason='Not alone', tier='tier_3', risk_score=0.25),
                event('approval.granted', 30, approval_id=approval, approved_by='ann', decision_reason='fine'),
                event('agentic.problem_resolved', 41, error_id=error, resolution='restarted')]

    number = 0
    for order in itertools.permutations(range(6)):
        whole = story(number)
        for n in order:
            send('trigger_events', None, text(whole[n]))
        number += 1
    orders = number
    failing = [event('error.detected', 1, error_id='f'), event('agentic.action_planned', 2, error_id='f', can_auto_execute=True),
               event('agentic.action_failed', 3, error_id='f', error='no'), event('agentic.action_failed', 5, error_id='f', error='again no')]
    for n, order in enumerate(itertools.permutations(range(4))):
        for at in order:
            one = json.loads(json.dumps(failing[at]).replace('"f"', '"f%d"' % n))
            send('trigger_events', None, text(one))
    for unfinished in ([story(90001)[5]], [story(90002)[4]], [event('heartbeat.tick', 1, error_id='e90003')]):  # nothing raised it: no row
        send('trigger_events', None, text(unfinished[0]))
    broker.flush()
    catch_up('-s', 'run.batch_records=5')
    equal('errors of the mesh', rows(
        "SELECT count(*), component_name, actor_id, error_type, severity, source, was_auto_resolved, resolution_time_seconds, required_human_intervention, status,"
        " resolution_note, created_at::text, resolved_at::text FROM cube.fact_error_events JOIN cube.dim_component USING (component_key)"
        " JOIN cube.dim_actor USING (actor_key) GROUP BY 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13 ORDER BY 1"), [
            [24, 'input_sentinel', 'agent:mender', 'raised', 'unknown', 'db', False, None, False, 'failed', None, '2026-11-23 10:00:01.5+00', None],
            [orders, 'input_sentinel', 'agent:mender', 'timeout', 'high', 'db', True, 40, True, 'resolved', 'restarted', '2026-11-23 10:00:01.5+00',
             '2026-11-23 10:00:41.5+00']])
    equal('approvals of the mesh', rows(
        'SELECT count(*), tier_code, actor_id, approval_type, action_description, was_approved, decision_time_seconds, risk_score, status, decision_reason'
        ' FROM cube.fact_approvals JOIN cube.dim_tier USING (tier_key) JOIN cube.dim_actor USING (actor_key) GROUP BY 2, 3, 4, 5, 6, 7, 8, 9, 10'),
        [[orders, 'tier_3', 'user:ann', 'repair', 'Not alone', True, 26, 0.25, 'approved', 'fine']])
    verify_agrees()
    shown('six events of the trigger mesh in all %d orders of arrival: the same error and the same approval %d times; events that raise nothing make nothing' % (orders, orders))


def histories():
    """Three policies of a tier and four states of a mission in all orders of arrival: the same ranges."""
    begin('histories', 'tier_policies', 'mission_timelines')
    policies = [(100, {'tier_name': 'First', 'requires_approval': False}), (200, {'tier_name': 'Second', 'requires_approval': True}),
                (300, {'tier_name': 'Third', 'requires_approval': True})]
    names = []
    for n, order in enumerate(itertools.permutations(policies)):
        code = 'tier_9%d' % n
        names.append(code)
        for lsn, policy in order:
            send('tier_policies', text({'tier_code': code}), envelope({'tier_code': code, **policy}, lsn))
    steps = [(10, {'status': 'planned'}), (20, {'status': 'in_progress', 'completed_actions': 3}),
             (30, {'status': 'completed', 'completed_at': DAY + 60000000}), (40, {'status': 'rolled_back', 'completed_at': DAY + 60000000})]
    for n, order in enumerate(itertools.permutations(steps)):
        for lsn, step in order:
            send('mission_timelines', text({'id': n}), envelope({'id': n, 'mission_id': 'mission-%d' % n, 'mission_name': 'M', 'started_at': DAY, **step}, lsn))
    broker.flush()
    catch_up('-s', 'run.batch_records=5')
    first, second, third = ((DAY + lsn) for lsn in (100, 200, 300))
    equal('tier histories', rows(
        "SELECT array_agg(tier_code ORDER BY tier_code), version_number, tier_name, requires_approval, is_current, (date_part('epoch', effective_from) * 1e6)::bigint,"
        " (date_part('epoch', effective_to) * 1e6)::bigint FROM cube.dim_tier_history WHERE tier_code LIKE 'tier_9%' GROUP BY 2, 3, 4, 5, 6, 7 ORDER BY 2"),
        [[names, 1, 'First', False, False, first, second], [names, 2, 'Second', True, False, second, third], [names, 3, 'Third', True, True, third, None]])
    equal('mission histories', rows(
        "SELECT count(*), version_number, final_status, is_current, (date_part('epoch', effective_from) * 1e6)::bigint - %d, (date_part('epoch', effective_to) * 1e6)::bigint - %d"
        ' FROM cube.dim_mission_history GROUP BY 2, 3, 4, 5, 6 ORDER BY 2' % (DAY, DAY)),
        [[24, 1, None, False, 0, 40], [24, 2, 'success', False, 40, 40], [24, 3, 'rolled_back', True, 40, None]])
    verify_agrees()
    send('tier_policies', b'tier_2', envelope({'tier_code': 'tier_2', 'tier_name': 'Tactical', 'requires_approval': True}, 500))
    broker.flush()
    catch_up()
    send('tier_policies', b'tier_2', envelope({'tier_code': 'tier_2', 'tier_name': 'Between', 'requires_approval': True}, 400))
    broker.flush()
    catch_up()
    equal('a late older policy', rows(
        "SELECT tier_name, (date_part('epoch', effective_from) * 1e6)::bigint, (date_part('epoch', effective_to) * 1e6)::bigint FROM cube.dim_tier_history"
        " WHERE tier_code = 'tier_2' ORDER BY version_number"), [['Tactical', 0, DAY + 400], ['Between', DAY + 400, DAY + 500], ['Tactical', DAY + 500, None]])
    verify_agrees()
    shown('policies and missions in all orders of arrival: the same ranges; a policy that comes late splits the range it belongs to')


def details():
    begin('details', 'action_contracts', 'benchmark_runs', 'security_events', 'playbook_runs', 'mission_timelines')
    # One moment in every notation.
    us = DAY + 123456
    for n, time in enumerate((us, us * 1000, '2026-11-23T00:00:00.123456Z', '2026-11-23T00:00:00.123456', '2026-11-23 02:00:00.123456+02:00',
                              '2026-11-23T00:00:00.123456789Z', str(us), us / 1e6)):
        send('action_contracts', b'', text({'id': 'time-%d' % n, 'created_at': time}))
    for n, time in enumerate((DAY // 1000, DAY // 10**6, '2026-11-23', '2026-11-23T00:00Z')):
        send('action_contracts', b'', text({'id': 'whole-%d' % n, 'created_at': time}))
    # Decimals: text, number, base64 with the scale beside it, base64 with the scale in the schema.
    schema = {'type': 'struct', 'fields': [{'field': 'after', 'type': 'struct', 'fields': [
        {'field': 'confidence_score', 'type': 'bytes', 'name': 'org.apache.kafka.connect.data.Decimal', 'parameters': {'scale': '3'}}]}]}
    for n, (decimal, wrapped) in enumerate((('0.375', False), (0.375, False), ({'scale': 3, 'value': 'AXc='}, False), ('AXc=', True))):
        change = json.loads(envelope({'id': 'decimal-%d' % n, 'created_at': DAY, 'confidence_score': decimal}, 7))
        send('action_contracts', text({'id': 'decimal-%d' % n}), text({'schema': schema, 'payload': change} if wrapped else change))
    # A truncate is told, a logical message says nothing of a row; a delete's "before" is filler; a whole row is not, but its key is the message's.
    send('action_contracts', b'{"id": "kept"}', envelope({'id': 'kept', 'created_at': DAY}, 8))
    send('action_contracts', None, text({'before': None, 'after': None, 'op': 't', 'source': {'lsn': 9, 'ts_us': DAY + 9}}))
    truncated = '2026-11-23T00:00:00.000009Z'
    send('action_contracts', None, text({'op': 'm', 'before': None, 'message': {'content': 'x'}, 'source': {'lsn': 9}}))
    for key, before in (('filler', {'id': '', 'created_at': 0, 'status': ''}), ('full', {'id': 'full', 'created_at': DAY, 'status': 'pending'})):
        send('action_contracts', text({'id': key}), envelope({'id': key, 'created_at': DAY, 'status': 'pending'}, 10))
        send('action_contracts', text({'id': key}), envelope(None, 11, 'd', before))
    send('action_contracts', None, envelope({'id': 'unkeyed', 'created_at': DAY}, 12))
    send('action_contracts', None, envelope(None, 13, 'd', {'id': 'unkeyed', 'created_at': DAY}))
    broker.flush()
    catch_up()
    equal('one moment in every notation', rows("SELECT count(*), (extract(epoch FROM created_at) * 1000000 - %d)::float8 FROM %s WHERE contract_id LIKE 'time-%%' GROUP BY 2"
                                               % (us, FACT)), [[8, 0]])
    equal('whole seconds', rows("SELECT count(*) FROM %s WHERE contract_id LIKE 'whole-%%' AND created_at = '2026-11-23Z'" % FACT), [[4]])
    equal('decimals', rows("SELECT count(*), confidence_score FROM %s WHERE contract_id LIKE 'decimal-%%' GROUP BY 2" % FACT), [[4, 0.375]])
    equal('deletes', rows("SELECT contract_id FROM %s WHERE contract_id IN ('kept', 'filler', 'full', 'unkeyed')" % FACT), [['kept']])
    equal('ignored, dead', rows('SELECT sum(ignored), sum(dead) FROM cube.etl_offset'), [[1, 1]])
    equal('the truncate', rows('SELECT error_code, reason FROM cube.etl_dead_letter'), [['truncate', 'the source emptied the table; its rows stay in the cube, unless they are'
          ' deleted: `gracecube reconcile %s.action_contracts --before %s`' % (PREFIX, truncated)]])
    verify_agrees()
    shown('times in s, ms, µs, ns and text, decimals in four notations, truncates, deletes with a filler or with the whole row')


def unavailable():
    """"__debezium_unavailable_value" means unchanged: also for what is worked out from the value that is left out."""
    begin('unavailable', 'action_contracts', 'benchmark_runs', 'security_events', 'playbook_runs', 'mission_timelines')
    left_out = '__debezium_unavailable_value'
    streams = {
        'security_events': ({'id': 1, 'severity': 'low', 'status': 'open', 'created_at': DAY, 'resolved_at': DAY + 5000000,
                             'resolution_note': 'closed by user:ann ' + 'x' * 3000}, 'resolution_note', {'status': 'closed'}),
        'playbook_runs': ({'id': 1, 'playbook_id': 'pb', 'status': 'running', 'created_at': DAY, 'diagnosis': '{"code": "slow", "event": 1, "x": "%s"}' % ('x' * 3000)},
                          'diagnosis', {'status': 'succeeded'}),
        'benchmark_runs': ({'id': 1, 'contract_id': 'c', 'passed': True, 'created_at': DAY, 'delta_from_baseline': '{"a": {"percent_change": -50}}'},
                           'delta_from_baseline', {'is_golden': True}),
        'mission_timelines': ({'id': 1, 'mission_id': 'm', 'status': 'planned', 'started_at': DAY, 'mission_metadata': '{"mission_type": "deep"}'},
                              'mission_metadata', {'status': 'completed'}),
        'action_contracts': ({'id': 'c', 'created_at': DAY, 'status': 'failed', 'error_message': 'Traceback …'}, 'error_message', {'status': 'rolled_back'})}

    def check(how):
        equal('an alert without its note, ' + how, rows('SELECT status, left(resolution_note, 18), was_auto_resolved, required_human_intervention, playbook_triggered'
                                                        ' FROM cube.fact_error_events'), [['closed', 'closed by user:ann', False, True, 'pb']])
        equal('a playbook run without its diagnosis, ' + how, rows('SELECT status, diagnosis_code, error_id FROM cube.fact_playbook_runs'),
              [['succeeded', 'slow', 'security_event:1']])
        equal('a benchmark run without its deltas, ' + how, rows('SELECT is_golden, drift_score FROM cube.fact_benchmark_runs'), [[True, 0.5]])
        equal('a mission without its metadata, ' + how, rows("SELECT mission_type, final_status FROM cube.dim_mission WHERE mission_id = 'm'"), [['deep', 'success']])
        equal('a contract without its message, ' + how, rows('SELECT contract_status, error_message, drift_score FROM ' + FACT), [['rolled_back', 'Traceback …', 0.5]])
        verify_agrees()

    for stream, (row, _, _) in streams.items():
        send(stream, text({'id': row['id']}), envelope(row, 10))
    broker.flush()
    catch_up()
    for stream, (row, field, change) in streams.items():
        send(stream, text({'id': row['id']}), envelope({**row, **change, field: left_out}, 20, 'u'))
    broker.flush()
    catch_up()
    check('in a later batch')
    new_cube('_unavailable')
    catch_up()
    check('in the same batch')
    shown('a value that Debezium leaves out keeps what is there, and what was worked out from it')


def clocks():
    """Kafka's timestamps in microseconds and nanoseconds, where milliseconds are wanted: the offset decides, also over a restart."""
    begin('clocks')
    for stream in ('action_contracts', 'mission_timelines'):
        broker.create('%s.%s' % (PREFIX, stream), 1, message_timestamp_after_max_ms=2**63 - 1)
    row = {'created_at': '2026-11-23T10:00:00Z', 'tier': 'tier_2'}

    def say(key, status, at):
        send('action_contracts', key, text({'id': key.decode(), **row, 'status': status}), timestamp=at)

    say(b'c1', 'executing', MS * 1000)           # nothing is known before it
    say(b'c1', 'verified', MS + 1000)
    say(b'c2', 'pending', MS + 2000)
    say(b'c2', 'executing', MS * 1000000)
    say(b'c2', 'verified', MS + 3000)
    say(b'c3', 'pending', MS + 3000)
    say(b'c3', 'executing', (MS + 1) * 1000)
    say(b'c4', 'pending', MS * 1000)
    send('action_contracts', b'c4', None, timestamp=MS * 1000)
    send('mission_timelines', b'm1', text({'mission_id': 'm1', 'status': 'planned'}), timestamp=MS)
    send('mission_timelines', b'm1', text({'mission_id': 'm1', 'status': 'completed'}), timestamp=MS * 1000)
    broker.flush()
    wanted = [['c1', 'verified'], ['c2', 'verified'], ['c3', 'executing']]
    for options in ((), ('-s', 'run.batch_records=1')):
        catch_up(*options)
        equal('contracts whose timestamps are ahead', rows('SELECT contract_id, contract_status FROM %s ORDER BY 1' % FACT), wanted)
        equal('their freshness', rows("SELECT stream, last_record_at < now() FROM cube.etl_offset WHERE last_record_at IS NOT NULL ORDER BY 1"),
              [['action_contracts', True], ['mission_timelines', True]])
        equal('a mission', rows("SELECT final_status, effective_from < now() FROM cube.dim_mission WHERE mission_id = 'm1'"), [['success', True]])
        equal('what is said', rows("SELECT count(*), count(DISTINCT raw_value) FROM cube.etl_quality_issue WHERE field = 'kafka_timestamp'"), [[6, 3]])
        verify_agrees()
        new_cube('_clocks')
    catch_up()
    say(b'c3', 'failed', (MS + 2) * 1000)  # the first record of a new process: the record before it tells the time
    say(b'c3', 'rolled_back', MS + 5000)
    say(b'c2', 'rolled_back', MS * 1000)
    broker.flush()
    catch_up()
    equal('after a restart', rows('SELECT contract_id, contract_status FROM %s ORDER BY 1' % FACT), [['c1', 'verified'], ['c2', 'rolled_back'], ['c3', 'rolled_back']])
    verify_agrees()
    shown('timestamps in µs and ns: the offset decides, freshness stays sane, each is said')


def newer():
    """Which of two records of a row is the newer one, whatever the source does: by the order of their partition where it can be told, else by time."""
    begin('newer', 'mission_timelines')
    broker.create(PREFIX + '.action_contracts', 2)
    second, day = 1000000, 86400000000
    statuses = {}

    def captured(contract, status, lsn, us, op='u', stream='action_contracts', **row):
        """Changes of a database that is named as the contract. A status of None deletes."""
        full = {'id': contract, 'status': status, 'created_at': DAY, **row}
        source = {'name': contract, 'db': 'grace', 'lsn': lsn, 'ts_us': DAY + us, 'snapshot': 'true' if op == 'r' else 'false'}
        send(stream, text({'id': contract}), text({'before': {'id': contract} if status is None else None, 'after': None if status is None else full,
                                                   'op': 'd' if status is None else op, 'source': source}), partition=0, timestamp=MS_OF_DAY + us // 1000 + 300)

    def tombstone(contract, us):
        send('action_contracts', text({'id': contract}), None, partition=0, timestamp=MS_OF_DAY + us // 1000)

    def direct(contract, status, us, partition=0):
        send('action_contracts', contract.encode(), text({'id': contract, 'status': status, 'created_at': DAY}), partition=partition, timestamp=MS_OF_DAY + us // 1000)

    MS_OF_DAY = DAY // 1000
    # a database that was restored, or moved: positions are low again, times later; also of deletes and of histories
    captured('restored', 'executing', 900000000, 0)
    captured('restored', 'verified', 20000000, day, 'r')
    captured('restored-and-gone', 'executing', 900000000, 0)
    captured('restored-and-gone', 'executing', 20000000, day, 'r')
    captured('restored-and-gone', None, 20000100, day + second)
    captured('1', 'in_progress', 900000000, 0, stream='mission_timelines', mission_id='m', mission_name='old', started_at=DAY)
    captured('1', 'completed', 20000000, day, 'r', stream='mission_timelines', mission_id='m', mission_name='new', started_at=DAY, completed_at=DAY + second)
    statuses.update({'restored': 'verified'})
    # sent again behind what Grace itself said of the row later
    for again in (0, 5 * second):
        captured('again', 'pending', 90, second)
        captured('again', 'executing', 100, 2 * second)
        if not again:
            direct('again', 'verified', 3 * second)
    statuses.update({'again': 'verified'})
    # a transaction that was open over a snapshot: its position is lower, and so may be its time
    captured('unseen', 'executing', 0x9D059C0, 20 * second, 'r')
    captured('unseen', 'verified', 0x9D043C8, 19 * second)
    captured('at-one-position', 'executing', 900, 20 * second, 'r')
    captured('at-one-position', 'verified', 900, 25 * second)
    statuses.update({'unseen': 'verified', 'at-one-position': 'verified'})
    # two hosts of which one's clock is behind
    direct('clocks', 'pending', day + 30 * second)
    direct('clocks', 'executing', day + 30 * second + 4000)
    direct('clocks', 'verified', day + 30 * second + 3000)
    statuses.update({'clocks': 'verified'})
    # deleted and made again within the connector's delay, and all of it sent again
    for again in range(2):
        captured('reborn', 'pending', 100, second, 'c')
        captured('reborn', None, 110, 2 * second)
        tombstone('reborn', 2 * second + 300000 + again * day)
        captured('reborn', 'executing', 120, 2 * second + 100000, 'c')
    statuses.update({'reborn': 'executing'})
    # the clock of one partition is an hour ahead, of the other one right: what is later by its own time, and superseded, is counted
    direct('other', 'pending', 2 * day + 3600 * second)
    direct('split', 'executing', 2 * day)
    broker.flush()
    catch_up()
    direct('split', 'verified', 2 * day + 600 * second, partition=1)
    statuses.update({'other': 'pending', 'split': 'executing'})
    broker.flush()

    def check(how, contradicting):
        equal('contracts, ' + how, rows('SELECT contract_id, contract_status FROM %s ORDER BY 1' % FACT), sorted(map(list, statuses.items())))
        equal('the mission, ' + how, rows("SELECT version_number, mission_name, final_status, is_current FROM cube.dim_mission_history WHERE mission_id = 'm' ORDER BY 1"),
              [[1, 'old', None, False], [2, 'new', 'success', True]])
        verify_agrees()
        equal('contradicting, ' + how, value("SELECT sum(contradicting) FROM cube.etl_offset WHERE group_id = '%s'" % PREFIX), contradicting)

    catch_up()
    check('as they came', 1)
    totals = json.loads(program('status', '--json'))['totals']
    equal('contradicting, in status', totals['contradicting'], 1)
    versions = rows('SELECT * FROM cube.version_missions ORDER BY 1, 2, 3, 4')
    catch_up('-s', 'kafka.group_id=%s_other' % PREFIX)  # all of it again, by a group that knows of nothing
    check('read by a second group', 1)
    equal('versions of the mission', rows('SELECT * FROM cube.version_missions ORDER BY 1, 2, 3, 4'), versions)
    for options in ((), ('-s', 'run.batch_records=1'), ('-s', 'run.batch_records=3')):
        new_cube('_newer')
        catch_up('-s', 'run.workers=1', *options)
        equal('contracts, %s' % (options,), dict(rows("SELECT contract_id, contract_status FROM %s WHERE contract_id <> 'split'" % FACT)),
              {contract: status for contract, status in statuses.items() if contract != 'split'})
        verify_agrees()
    shown('restored databases, snapshots over open transactions, what is sent again, clocks that contradict each other: the newer one stands, in any batches,'
          ' read once or twice; what is superseded though later is counted')


def reconcile():
    """What the source no longer has, though nothing told of its delete: a full snapshot that lacks it says so."""
    begin('gone', 'action_contracts', 'mission_timelines', 'security_events')
    contracts, second = PREFIX + '.action_contracts', 1000000

    def tell(stream, row, us, lsn, op='u', snapshot='false', name='grace'):
        send(stream, text({'id': row['id']}), text({'before': None, 'after': row, 'op': op, 'source': {
            'name': name, 'db': 'grace', 'lsn': lsn, 'ts_us': DAY + us, 'snapshot': snapshot}}), timestamp=(DAY + us) // 1000 + 300)

    def contract(number, status='pending'):
        return {'id': 'c"%d' % number, 'status': status, 'created_at': DAY}

    def mission(number):
        return {'id': number, 'mission_id': 'm%d' % number, 'status': 'planned', 'started_at': DAY}

    def alert(number):
        return {'id': number, 'severity': 'low', 'created_at': DAY}

    def gone(stream, *options):
        lines = program('reconcile', '%s.%s' % (PREFIX, stream), *options)
        with open('gone.jsonl', 'w', encoding='utf-8') as file:
            file.write(lines)
        return [json.loads(json.loads(line)['key'])['id'] for line in lines.splitlines()]

    def refused(why, *arguments):
        done = subprocess.run([PROGRAM, 'reconcile', *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
        if done.returncode != 78 or why not in done.stderr.decode():
            fail('reconcile %s: %d %s' % (arguments, done.returncode, done.stderr.decode()))

    for number in range(1, 5):
        tell('action_contracts', contract(number), second, 100 + number)
        tell('mission_timelines', mission(number), second, 200 + number)
        tell('security_events', alert(number), second, 300 + number)
    send('action_contracts', b'direct', text({**contract(9), 'id': 'direct'}), timestamp=DAY // 1000)
    broker.flush()
    catch_up()
    refused('has read no topic', 'nothing.of.it')
    refused('no full snapshot', contracts)
    for stream, row in (('action_contracts', contract), ('mission_timelines', mission), ('security_events', alert)):
        tell(stream, row(1), 60 * second, 1000, 'r', 'first_in_data_collection')
        tell(stream, row(2), 60 * second, 1000, 'r', 'last_in_data_collection')
    tell('action_contracts', contract(4, 'verified'), 61 * second, 1100)  # changed since: it was there, or made again
    broker.flush()
    catch_up()
    before = rows('SELECT contract_id FROM ' + FACT)
    for stream, wanted in (('action_contracts', ['c"3']), ('mission_timelines', ['3', '4']), ('security_events', ['3', '4'])):
        equal('rows of %s that are gone' % stream, gone(stream), wanted)
        program('publish', '--progress', 'none', 'gone.jsonl')
    equal('contracts while nothing is read', rows('SELECT contract_id FROM ' + FACT), before)
    catch_up()
    equal('contracts', rows('SELECT contract_id FROM %s ORDER BY 1' % FACT), [['c"1'], ['c"2'], ['c"4'], ['direct']])
    equal('missions', rows("SELECT mission_id FROM cube.dim_mission WHERE is_current AND mission_key > 0 ORDER BY 1"), [['m1'], ['m2']])
    equal('alerts', rows('SELECT error_id FROM cube.fact_error_events ORDER BY 1'), [['security_event:1'], ['security_event:2']])
    equal('what is gone then', sum((gone(stream) for stream in ('action_contracts', 'mission_timelines', 'security_events')), []), [])
    verify_agrees()
    # a table that was emptied, and has one row again
    tell('action_contracts', contract(5), 130 * second, 1300, 'c')
    broker.flush()
    catch_up()
    equal('rows of a table that was emptied', gone('action_contracts', '--before', '2026-11-23T00:02:00Z'), ['c"1', 'c"2', 'c"4'])
    program('publish', '--progress', 'none', 'gone.jsonl')
    catch_up()
    equal('contracts of a table that was emptied', rows('SELECT contract_id FROM %s ORDER BY 1' % FACT), [['c"5'], ['direct']])
    new_cube('_gone')  # read again from the beginning
    catch_up()
    equal('contracts, read again', rows('SELECT contract_id FROM %s ORDER BY 1' % FACT), [['c"5'], ['direct']])
    verify_agrees()
    tell('action_contracts', contract(6), 140 * second, 7, 'c', name='another')
    broker.flush()
    catch_up()
    refused('rows of several databases', contracts)
    shown('rows that a snapshot lacks, and those of a table that was emptied, are told, and gone once that is published; what changed since stays')


def emptied():
    """A TRUNCATE that is applied: rows of its topic that stand before it go, by whichever partition it comes, with a worker killed in between;
    so do those that come later; those behind it stay."""
    begin('empty', 'mission_timelines', 'security_events')
    broker.create(PREFIX + '.action_contracts', 2)
    for stream in ('ACTION_CONTRACTS', 'MISSION_TIMELINES', 'SECURITY_EVENTS'):
        os.environ['GRACECUBE_STREAMS_%s_TRUNCATE' % stream] = 'apply'
    count = 5500  # the first slice is 5,000
    contracts = 'SELECT contract_id FROM %s WHERE contract_id NOT IN (%s) ORDER BY 1' % (FACT, "'direct', 'other'")

    def tell(stream, row, second, op='u', partition=0, name='grace'):
        send(stream, row and text({'id': row['id']}), text({'before': None, 'after': row, 'op': op, 'source': {
            'name': name, 'db': 'grace', 'lsn': 1000 * second, 'ts_us': DAY + 1000000 * second}}), timestamp=DAY // 1000 + 600000, partition=partition)

    def contract(name):
        return {'id': name, 'status': 'pending', 'created_at': DAY}

    def mission(number):
        return {'id': number, 'mission_id': 'm%d' % number, 'status': 'planned', 'started_at': DAY}

    def until(what, query, wanted):
        end = monotonic() + 60
        while rows(query) != wanted:
            if monotonic() > end:
                fail('%s: %r, not %r' % (what, rows(query), wanted))
            sleep(0.05)

    def run():
        return subprocess.Popen([PROGRAM, 'run', '-s', 'run.workers=2', '-s', 'run.stall_timeout=1m'], stderr=open('program.log', 'ab'))

    for number in range(count):
        tell('action_contracts', contract('e%05d' % number), 1, partition=number % 2)
    send('action_contracts', b'direct', text(contract('direct')), timestamp=DAY // 1000, partition=0)
    for number in (1, 2):
        tell('mission_timelines', mission(number), 1)
        tell('security_events', {'id': number, 'severity': 'low', 'created_at': DAY}, 1)
    broker.flush()
    catch_up()
    equal('contracts before', value('SELECT count(*) FROM ' + FACT), count + 1)
    holder = subprocess.Popen(['psql', '-X', '-q', '-d', os.environ['GRACECUBE_POSTGRES_DSN'], '-c', "SET application_name = 'holder'", '-c', 'BEGIN',
                               '-c', "SELECT FROM cube.key_verification_executions WHERE contract_id = 'e05400' FOR UPDATE", '-c', 'SELECT pg_sleep(600)'],
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    until('who holds a row', "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'holder' AND query ~ 'pg_sleep'", [[1]])
    for stream in ('action_contracts', 'mission_timelines', 'security_events'):
        tell(stream, None, 60, 't')
    tell('action_contracts', contract('e00001'), 61)
    tell('mission_timelines', mission(2), 61)
    broker.flush()
    killed = run()
    until('half of it', 'SELECT count(*) FROM ' + FACT, [[count + 1 - 5000]])
    killed.kill()
    killed.wait()
    equal('applied, while half of it is', rows("SELECT applied, next_offset FROM cube.etl_offset WHERE topic ~ 'contracts' AND partition = 0"), [[count // 2 + 1] * 2])
    psql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'holder'")
    holder.wait()
    going = run()
    until('all of it', contracts, [['e00001']])
    # a partition that another worker reads: a row from before it, and one behind it
    tell('action_contracts', contract('late'), 30, 'r', partition=1)
    tell('action_contracts', contract('e00002'), 62, partition=1)
    broker.flush()
    until('what comes later', contracts, [['e00001'], ['e00002']])
    tell('action_contracts', None, 120, 't')
    broker.flush()
    until('a second one', contracts, [])
    tell('action_contracts', contract('e00002'), 119, partition=1)
    tell('action_contracts', contract('later'), 119, partition=1)
    tell('action_contracts', contract('e00003'), 121, partition=1)
    broker.flush()
    until('what comes later than the second one', contracts, [['e00003']])
    going.terminate()
    equal('the end', going.wait(), 0)

    # a dead letter from before it
    os.environ['GRACECUBE_LIMITS_KEY_BYTES'] = '64'
    tell('action_contracts', contract('x' * 100), 100)
    broker.flush()
    catch_up()
    del os.environ['GRACECUBE_LIMITS_KEY_BYTES']
    equal('a dead letter', rows('SELECT error_code FROM cube.etl_dead_letter'), [['too_long']])
    program('dead', 'retry', '--all')
    equal('that is retried', rows('SELECT outcome FROM cube.etl_dead_letter'), [['applied']])

    def check(what):
        equal(what + ': contracts', rows('SELECT contract_id FROM %s ORDER BY 1' % FACT), [['direct'], ['e00003']])
        equal(what + ': missions', rows("SELECT mission_id FROM cube.dim_mission_history WHERE is_current AND mission_key > 0 ORDER BY 1"), [['m2']])
        equal(what + ': alerts', rows('SELECT error_id FROM cube.fact_error_events'), [])
        equal(what + ': dead letters', rows('SELECT reason FROM cube.etl_dead_letter WHERE outcome IS NULL'), [])
        equal(what + ': applied', rows("SELECT applied FROM cube.etl_offset WHERE topic ~ '(missions|security|timelines)' ORDER BY topic"), [[4], [3]])
        verify_agrees()

    check('read as it came')
    contracts_topic = PREFIX + '.action_contracts'
    new_cube('_empty')
    catch_up('-s', 'run.workers=1')
    check('read again')
    tell('action_contracts', contract('other'), 130, name='another')
    tell('action_contracts', None, 140, 't')
    broker.flush()
    catch_up()
    equal('of several databases', rows('SELECT error_code, reason FROM cube.etl_dead_letter'), [['truncate', 'the source emptied the table; its rows stay in the cube:'
          ' rows of several databases come through this topic, and it is not known which are whose']])
    equal('contracts of several databases', rows('SELECT contract_id FROM %s ORDER BY 1' % FACT), [['direct'], ['e00003'], ['other']])
    equal('what is gone', program('reconcile', contracts_topic, '--before', '2026-11-23T00:02:00Z', expect=78), '')
    verify_agrees()
    for stream in ('ACTION_CONTRACTS', 'MISSION_TIMELINES', 'SECURITY_EVENTS'):
        del os.environ['GRACECUBE_STREAMS_%s_TRUNCATE' % stream]
    shown('%d rows and a TRUNCATE that is applied, its worker killed half way: what stood before it is gone, whichever partition it comes by and whenever;'
          ' what is behind it stays; read again the same' % count)


clocks()
newer()
reconcile()
emptied()
variants()
plain_producer()
tombstones_alone()
mesh()
histories()
details()
unavailable()
