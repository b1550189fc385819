#!/usr/bin/env python3
"""Ends that nobody can read: transactions of producers that are open, aborted or committed, and what is damaged or another topic. Lag is what
may be read, for status, metrics and Kafka's group alike; what cannot be read halts its own partition, and the others go on."""
import glob
import json
import os
import signal
import subprocess
import time
import urllib.request

import sys
sys.path.insert(0, os.path.join(os.environ['CUBE_TEST_ROOT'], 'tests', 'lib'))
from scenario import *  # noqa: E402,F403

LIB = os.path.join(ROOT, 'deploy', 'lib')
PORT = subprocess.run(['bash', '-c', '. %s/common.sh; free_port' % LIB], stdout=subprocess.PIPE, check=True).stdout.decode().strip()


def kafka_does(what):
    """A broker of its own, whose files can be damaged."""
    script = '. %s/common.sh; . %s/kafka.sh; KAFKA_EXTRA=group.min.session.timeout.ms=500 %s' % (LIB, LIB, what)
    return subprocess.run(['bash', '-c', script], stdout=subprocess.PIPE, check=True, start_new_session=True).stdout.decode().strip()


def row(number, day=20):
    return json.dumps({'id': str(number), 'status': 'pending', 'created_at': '2026-11-%02dT10:00:00Z' % day}).encode()


def get(path):
    try:
        with urllib.request.urlopen('http://127.0.0.1:%s/%s' % (PORT, path), timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()
    except OSError:
        return 0, ''


def wait_for(what, seconds, is_so):
    until = time.monotonic() + seconds
    while not is_so():
        if time.monotonic() > until:
            fail('%s: not after %d s' % (what, seconds))
        time.sleep(0.2)


def position(topic):
    return value("SELECT coalesce(sum(next_offset), -1) FROM cube.etl_offset WHERE topic = '%s'" % topic)


def run(*options):
    log = open('run.log', 'ab')
    return subprocess.Popen([PROGRAM, 'run', '-s', 'run.workers=1', '-s', 'http.listen=127.0.0.1:' + PORT, *options], stderr=log, stdout=log)


def ends(process, code=0):
    process.send_signal(signal.SIGTERM)
    equal('exit code', process.wait(20), code)


def status_of(topic):
    return next(p for p in json.loads(program('status', '--json', expect=None))['partitions'] if p['topic'] == topic)


def group_offset(brokers, topic):
    done = subprocess.run(['bash', '-c', '. %s/common.sh; . %s/kafka.sh; kafka_java "$PWD/kafka" org.apache.kafka.tools.consumer.group.ConsumerGroupCommand '
                           '--bootstrap-server %s --describe --group %s' % (LIB, LIB, brokers, PREFIX)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True)
    fields = next(line.split() for line in done.stdout.decode().splitlines() if ' %s ' % topic in line)
    return fields[3], fields[5]  # CURRENT-OFFSET, LAG


def transactions(brokers, topic):
    """Three records that are committed, three that stay open, three that are aborted in the end."""
    producer = Kafka(brokers, PREFIX)
    producer.begin()
    for n in range(3):
        producer.send(topic, value=row('t%d' % n))
    producer.commit()
    wait_for('the committed records', 30, lambda: position(topic) >= 3)
    wait_for('the marker behind them', 20, lambda: position(topic) == 4)
    producer.begin()
    for n in range(3, 6):
        producer.send(topic, value=row('t%d' % n))
    producer.flush()
    for _ in range(5):  # nothing happens meanwhile
        time.sleep(1)
        code, text = get('readyz?verbose')
        equal('ready while a transaction is open: ' + text, code, 200)
        lags = [line for line in get('metrics')[1].splitlines() if line.startswith('gracecube_kafka_lag_records{topic="%s"' % topic)]
        equal('lag while a transaction is open', [line.split()[-1] for line in lags], ['0'])
        stalled = [line for line in get('metrics')[1].splitlines() if line.startswith('gracecube_stalled_seconds ')]
        equal('stalled seconds', stalled, ['gracecube_stalled_seconds 0'])
    equal('status while a transaction is open', [status_of(topic)[name] for name in ('state', 'lag_records')], ['OK', 0])
    producer.abort()
    wait_for('the aborted records and their marker', 20, lambda: position(topic) == 8)
    equal('status behind an aborted transaction', [status_of(topic)[name] for name in ('state', 'lag_records', 'next_offset')], ['OK', 0, 8])
    wait_for("Kafka's group", 20, lambda: group_offset(brokers, topic) == ('8', '0'))
    equal('facts', value('SELECT count(*) FROM cube.fact_verification_executions'), 3)
    equal('ledger', rows("SELECT applied, ignored, dead FROM cube.etl_offset WHERE topic = '%s'" % topic), [[3, 5, 0]])
    shown('a transaction that is open: ready, lag 0; committed and aborted ones: positions, status, metrics and the group stand behind them')


def damaged(topic):
    """One byte of the second of three batches."""
    path = glob.glob('kafka/data/%s-0/00000000000000000000.log' % topic)[0]
    with open(path, 'r+b') as file:
        data = file.read()
        at = data.index(b'd150') + 1
        file.seek(at)
        file.write(b'x')


def main():
    kafka_does('kafka_start "$PWD/kafka"')
    brokers = kafka_does('kafka_brokers "$PWD/kafka"')
    try:
        scenes(brokers)
    finally:
        kafka_does('kafka_stop "$PWD/kafka"')


def scenes(brokers):
    new_cube()
    own_topics()
    os.environ.update(GRACECUBE_KAFKA_BROKERS=brokers, GRACECUBE_KAFKA_PROPERTIES_SESSION_TIMEOUT_MS='1500',
                      GRACECUBE_KAFKA_PROPERTIES_TOPIC_METADATA_REFRESH_INTERVAL_MS='500')
    contracts, approvals = PREFIX + '.action_contracts', PREFIX + '.approval_requests'
    admin = Kafka(brokers)
    for topic in (contracts, approvals):
        admin.create(topic, 1)
    process = run()
    wait_for('ready', 30, lambda: get('readyz')[0] == 200)
    transactions(brokers, contracts)

    # --- one batch is damaged on the broker's disk ---
    ends(process)
    for batch in range(3):
        for n in range(100):
            admin.send(contracts, value=row('d%d' % (100 * batch + n)))
        admin.flush()
    for n in range(100):
        admin.send(approvals, value=row('a%d' % n))
    admin.flush()
    kafka_does('kafka_stop "$PWD/kafka"')
    damaged(contracts)
    kafka_does('kafka_start "$PWD/kafka"')
    process = run()
    wait_for('the approvals', 60, lambda: position(approvals) == 100)
    wait_for('the contracts before the damaged batch', 20, lambda: position(contracts) >= 108)
    wait_for('/readyz tells of it', 20, lambda: '[!] halted: %s[0] is halted at offset' % contracts in get('readyz?verbose')[1])
    wait_for('status tells of it', 20, lambda: status_of(contracts)['state'] == 'HALTED')
    status = status_of(contracts)
    if not status['halt']['since'] or 'damaged' not in status['halt']['reason']:
        fail('status does not say since when and why: %s' % status)
    if 'halted since ' not in program('status', expect=None):
        fail('status has no line of what is halted')
    equal('ready', get('readyz')[0], 200)
    if 'gracecube_kafka_halted{topic="%s",partition="0"} 1' % contracts not in get('metrics')[1]:
        fail('no metric of the damaged partition')
    at = position(contracts)
    for n in range(100, 200):
        admin.send(approvals, value=row('a%d' % n))
    admin.flush()
    wait_for('approvals beside it', 30, lambda: position(approvals) == 200)
    equal('the damaged partition', position(contracts), at)
    # the command of the runbook
    psql("BEGIN; INSERT INTO cube.etl_gap (group_id, topic, partition, from_offset, to_offset, reason) SELECT group_id, topic, partition, next_offset, 208,"
         " 'damaged on the broker' FROM cube.etl_offset WHERE topic = '%s'; UPDATE cube.etl_offset SET ignored = ignored + 208 - next_offset, next_offset = 208,"
         " last_record_hash = NULL WHERE topic = '%s'; COMMIT" % (contracts, contracts))
    wait_for('what lies behind it', 330,  # the wait doubles with each try, to five minutes
              lambda: position(contracts) == 308)
    equal('facts', value('SELECT count(*) FROM cube.fact_verification_executions'), 3 + 200)
    wait_for('/readyz', 20, lambda: 'halted' not in get('readyz?verbose')[1])
    wait_for('status', 20, lambda: status_of(contracts)['state'] == 'OK' and status_of(contracts)['halt'] is None)
    shown('one damaged batch: that partition halts before it and is named, others go on; stepped over by hand: 200 of 300 are there, 100 are a gap')

    # --- one topic is made anew ---
    admin.delete_topic(contracts)
    time.sleep(2)  # nobody tells when the consumer has seen it gone
    admin.create(contracts, 1)
    for n in range(5):
        admin.send(contracts, value=row('n%d' % n))
    for n in range(200, 210):
        admin.send(approvals, value=row('a%d' % n))
    admin.flush()
    wait_for('/readyz tells of the topic made anew', 40, lambda: 'the topic was truncated or made anew' in get('readyz?verbose')[1])
    wait_for('approvals beside it', 30, lambda: position(approvals) == 210)
    equal('facts', value('SELECT count(*) FROM cube.fact_verification_executions'), 3 + 200)
    ends(process)
    shown('one topic made anew: it halts and is named, others go on')


main()
