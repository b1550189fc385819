"""What scenarios in Python need; the counterpart of scenario.sh. See README.md here."""
import json
import os
import signal  # noqa: F401 (scenarios take it from here)
import subprocess
import sys
import time  # noqa: F401

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from kafka import Kafka  # noqa: E402, F401

ROOT, PROGRAM, PREFIX, BROKERS = (os.environ.get('CUBE_TEST_' + name) or sys.exit(
    'A scenario is run by tests/run --only NAME') for name in ('ROOT', 'BIN', 'PREFIX', 'BROKERS'))
PARTITIONS = int(os.environ.get('CUBE_TEST_PARTITIONS', '4'))


def shown(text):
    print(text, flush=True)


def fail(text):
    print('FAILED: ' + text, flush=True)
    sys.exit('FAILED: ' + text)


def equal(what, actual, expected):
    if actual != expected:
        fail('%s:\n  is       %r\n  expected %r' % (what, actual, expected))


def same_rows(what, actual, expected):
    """Two lists of the same things, named one by one where they differ; the order does not matter."""
    actual, expected = [json.dumps(row, ensure_ascii=False) for row in actual], [
        json.dumps(row, ensure_ascii=False) for row in expected]
    missing = [row for row in expected if row not in actual]
    extra = [row for row in actual if row not in expected]
    if missing or extra or len(actual) != len(expected):
        fail('%s: %d rows, expected %d%s%s' % (
            what, len(actual), len(expected), ''.join('\n  missing  ' + row for row in missing[:8]),
            ''.join('\n  too much ' + row for row in extra[:8])))


# --- The program ------------------------------------------------------------------------------------------------------

def program(*arguments, expect=0, **more):
    """Runs the program; its standard output. Its log is appended to program.log."""
    with open('program.log', 'ab') as log:
        done = subprocess.run([PROGRAM, *arguments], stdout=subprocess.PIPE, stderr=log, check=False, **more)
    if expect is not None and done.returncode != expect:
        fail('gracecube %s ended with %d, expected %d: %s' % (
            ' '.join(arguments), done.returncode, expect, tail('program.log')))
    return done.stdout.decode()


def tail(path, lines=3):
    with open(path, encoding='utf-8', errors='replace') as file:
        return ' | '.join(line.strip() for line in file.readlines()[-lines:])


def catch_up(*options):
    """`run` until all is read; its summary."""
    return json.loads(program('run', '--until-caught-up', '--progress', 'none', '--json', *options))


def verify_agrees():
    answer = json.loads(program('verify', '--json', expect=None))
    if not answer['equal']:
        fail('verify: %s' % [check for check in answer['checks'] if check['differing']])


# --- The database -----------------------------------------------------------------------------------------------------

def psql(text, dsn=None):
    done = subprocess.run(['psql', '-X', '-q', '-At', '-v', 'ON_ERROR_STOP=1', '-d', dsn or os.environ['GRACECUBE_POSTGRES_DSN']],
                          input=text.encode(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
    if done.returncode:
        fail('psql: %s in %s' % (done.stderr.decode().strip(), text[:200]))
    return done.stdout.decode()


def rows(query):
    """A query's rows as lists; numbers, booleans, None and texts as JSON has them."""
    return json.loads(psql('SELECT coalesce(json_agg(to_json(array_to_json(ARRAY(SELECT value FROM json_each(row_to_json(q))))))'
                           ", '[]') FROM (%s) q" % query))


def value(query):
    return rows(query)[0][0]


def new_cube(name=''):
    """An empty cube in a database of its own, a copy of the model, and the program told to use it."""
    server = 'host=%s port=%s user=%s dbname=' % tuple(
        os.environ['CUBE_TEST_PG' + part] for part in ('HOST', 'PORT', 'USER'))
    database = PREFIX + name
    psql('DROP DATABASE IF EXISTS %s WITH (FORCE);\nCREATE DATABASE %s TEMPLATE %s;' % (database, database, os.environ['CUBE_TEST_MODEL']),
         server + 'postgres')
    os.environ['GRACECUBE_POSTGRES_DSN'] = server + database
    program('migrate')


# --- Topics -----------------------------------------------------------------------------------------------------------

def streams():
    clean = {name: text for name, text in os.environ.items() if not name.startswith('GRACECUBE_')}
    sample = program('config', 'sample', env=clean)
    return [line.split(':')[0].strip() for line in sample.splitlines() if line.startswith('  ') and ': {topics: ' in line]


def own_topics(prefix=PREFIX):
    """Every stream reads the topic prefix.<stream> and no other, in a consumer group of its own."""
    os.environ.update(GRACECUBE_KAFKA_BROKERS=BROKERS, GRACECUBE_KAFKA_GROUP_ID=prefix, GRACECUBE_KAFKA_PROPERTIES_HEARTBEAT_INTERVAL_MS='250',
                      GRACECUBE_HTTP_LISTEN='', GRACECUBE_SERVE_PROBES_LISTEN='')
    for stream in streams():
        os.environ['GRACECUBE_STREAMS_%s_TOPICS' % stream.upper()] = '%s.%s' % (prefix, stream)


__all__ = [name for name in dir() if not name.startswith('_')]
