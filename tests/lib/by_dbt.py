"""What dbt makes of `gracecube metrics export`: a project whose models are the cube's tables is built, MetricFlow is asked for every metric, and its own
reader takes the Ossie model. For tests/run --all: installing both takes minutes."""
import csv
import os
import re
import subprocess
import sys

PACKAGES = ('dbt-core==1.11.16', 'dbt-metricflow==0.15.0', 'dbt-postgres==1.11.0')
READ_OSSIE = """
import sys
from metricflow.converters.models import OSIDocument
from metricflow.converters.osi_to_msi import OSIToMSIConverter
done = OSIToMSIConverter().convert(OSIDocument.parse_raw(sys.stdin.read()))
print(len(done.output.metrics), [str(issue) for issue in done.issues])
"""
SPINE = """models:
  - name: time_spine
    time_spine: {standard_granularity_column: date_second}
    columns: [{name: date_second, granularity: second}]
"""


def run(*words, **more):
    """The standard output of a program of the project's; RuntimeError with the end of what it said."""
    environment = dict(os.environ, DBT_PROFILES_DIR='.', DBT_SEND_ANONYMOUS_USAGE_STATS='false', PATH=os.path.abspath('dbt/venv/bin') + ':' + os.environ['PATH'])
    done = subprocess.run(words, cwd='dbt', env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False, **more)
    if done.returncode:
        raise RuntimeError('%s ended with %d: %s' % (' '.join(words)[:200], done.returncode, done.stdout.decode()[-600:]))
    return done.stdout.decode()


def write(path, text):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, 'w', encoding='utf-8') as file:
        file.write(text)


def make_project(exported, dsn):
    """As deploy/CONNECT.md says; the head of what was exported names the tables."""
    place = dict(part.split('=', 1) for part in dsn.split())
    write('dbt/dbt_project.yml', 'name: grace\nversion: "1.0"\nprofile: grace\n')
    write('dbt/profiles.yml', 'grace:\n  target: cube\n  outputs:\n    cube: {type: postgres, host: "%s", port: %s, user: "%s", password: "%s", dbname: "%s", schema: analytics, threads: 1}\n' % (
        place['host'], place['port'], place['user'], place.get('password', ''), place['dbname']))
    tables = re.search(r'^#   (.*)$', exported, re.M).group(1).split()
    write('dbt/models/grace_cube.yml', exported)
    write('dbt/models/sources.yml', 'sources:\n  - name: cube\n    tables:\n' + ''.join('      - name: %s\n' % table for table in tables))
    for table in tables:
        write('dbt/models/%s.sql' % table, "SELECT * FROM {{ source('cube', '%s') }}\n" % table)
    write('dbt/models/time_spine.sql', "SELECT generate_series('2026-11-01'::timestamp, '2026-11-02', '1 second') AS date_second\n")
    write('dbt/models/time_spine.yml', SPINE)
    return tables


def build(exported, dsn):
    """How many models there are."""
    subprocess.run([sys.executable, '-m', 'venv', 'dbt/venv'], check=True)
    run('pip', '-q', '--disable-pip-version-check', 'install', *PACKAGES)
    tables = make_project(exported, dsn)
    run('dbt', '-q', 'run')
    return len(tables)


def query(metrics, by=None):
    """A row for each member of a dimension, or one: the metrics' values as texts, by name."""
    run('mf', 'query', '--metrics', ','.join(metrics), '--csv', 'answer.csv', *(('--group-by', by) if by else ()))
    with open('dbt/answer.csv', encoding='utf-8', newline='') as file:
        return list(csv.DictReader(file))


def read_ossie(model):
    """How many metrics MetricFlow reads of an Ossie model, and what it has to say of it."""
    return run('python', '-c', READ_OSSIE, input=model.encode()).strip()
