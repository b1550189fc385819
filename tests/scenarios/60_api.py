#!/usr/bin/env python3
"""The API over the captured traffic: every route in JSON and CSV against psql, windows to the minute, one component's answers, every kind
of error, tokens and tiers in the API and in SQL, agents by MCP, the audit, parallel clients while records arrive, events, TLS, and a database that goes away."""
import concurrent.futures
import csv
import datetime
import fractions
import glob
import gzip
import http.client
import io
import math
import os
import random
import re
import socket
import ssl
import sys
import threading
import urllib.parse

sys.path.insert(0, os.path.join(os.environ['CUBE_TEST_ROOT'], 'tests', 'lib'))
from scenario import *  # noqa: E402,F403
import by_dbt  # noqa: E402
import by_mcp  # noqa: E402
import questions  # noqa: E402
import thirty  # noqa: E402

RATE = '/api/cube/metrics/verification-success-rate'
VOLATILE = {'seconds_since_commit', 'seconds_since'}  # a clock runs in them
started = []


# --- Asking -----------------------------------------------------------------------------------------------------------

def free_port():
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        return probe.getsockname()[1]


def within(seconds, check):
    end = time.time() + seconds
    while not check():
        if time.time() > end:
            return False
        time.sleep(0.02)
    return True


def wait_until(seconds, what, check):
    if not within(seconds, check):
        fail('not within %s s: %s; serve.log ends: %s' % (seconds, what, tail('serve.log')))


def is_locked(table, dsn=None):
    return psql("SELECT count(*) FROM pg_locks WHERE relation = 'cube.%s'::regclass AND mode = 'AccessExclusiveLock' AND granted" % table, dsn).strip() == '1'


class Server:
    def __init__(self, *options, dsn=None, tls=None, port=None):
        self.port, self.probes_port, self.tls = port or free_port(), free_port(), tls
        environment = dict(os.environ, **({'GRACECUBE_POSTGRES_DSN': dsn} if dsn else {}))
        self.process = subprocess.Popen([PROGRAM, 'serve', '-s', 'serve.listen=127.0.0.1:%d' % self.port,
                                         '-s', 'serve.probes_listen=127.0.0.1:%d' % self.probes_port, *options],
                                        stderr=open('serve.log', 'ab'), env=environment)
        started.append(self.process)
        wait_until(20, 'ready', lambda: self.status('/readyz') == 200)

    def connect(self, timeout=20):
        if self.tls:
            return http.client.HTTPSConnection('127.0.0.1', self.port, timeout=timeout, context=self.tls)
        return http.client.HTTPConnection('127.0.0.1', self.port, timeout=timeout)

    def ask(self, path, token=None, method='GET', connection=None, **headers):
        connection = connection or self.connect()
        if token:
            headers['Authorization'] = 'Bearer ' + token
        connection.request(method, path, headers=headers)
        answer = connection.getresponse()
        answer.body = answer.read()
        return answer

    def status(self, path, token=None, **more):
        try:
            return self.ask(path, token, **more).status
        except OSError:
            return 0

    def rows(self, path, token):
        answer = self.ask(path, token)
        equal('status of %s (%s)' % (path, answer.body[:300]), answer.status, 200)
        return json.loads(answer.body)

    def probe(self, path):
        """(status, body) of the listener for probes."""
        connection = http.client.HTTPConnection('127.0.0.1', self.probes_port, timeout=5)
        connection.request('GET', path)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()

    def metric(self, name, **labels):
        """The sum of the samples with these labels; 0 when there are none."""
        total = 0
        for line in self.probe('/metrics')[1].splitlines():
            found = re.fullmatch(r'(\w+)(?:{(.*)})? (\S+)', line)
            if found and found.group(1) == name and labels.items() <= dict(re.findall(r'(\w+)="([^"]*)"', found.group(2) or '')).items():
                total += float(found.group(3))
        return total

    def stop(self):
        self.process.terminate()
        equal('exit code of serve', self.process.wait(timeout=20), 0)


def problem(answer, status, parameter=None):
    equal('status', answer.status, status)
    equal('content type', answer.headers['Content-Type'], 'application/problem+json')
    body = json.loads(answer.body)
    equal('status in the body', body['status'], status)
    equal('parameter', body.get('parameter'), parameter)
    return body


def new_token(name, *options):
    return json.loads(program('token', 'create', name, '--json', *options))['token']


# --- Every route ------------------------------------------------------------------------------------------------------

def plain(row):
    """Without what a clock moves, and times as the API writes them."""
    return {name: re.sub(r'^(\d{4}-\d\d-\d\dT[\d:.]+)\+00:00$', r'\1Z', field) if isinstance(field, str) else field
            for name, field in row.items() if name not in VOLATILE}


def of_psql(view, order=''):
    return [plain(row) for row in json.loads(psql("SELECT coalesce(json_agg(to_json(v)), '[]') FROM (SELECT * FROM cube.%s %s) v" % (view, order)))]


def as_text(field):
    if field is None:
        return ''
    return {True: 'true', False: 'false'}[field] if isinstance(field, bool) else field if isinstance(field, str) else json.dumps(field)


def same_in_csv(path, body, rows_of_json):
    lines = list(csv.reader(io.StringIO(body.decode(), newline='')))
    names = lines[0]
    if rows_of_json:
        equal('columns of %s in CSV' % path, names, list(rows_of_json[0]))
    equal('rows of %s in CSV' % path, len(lines) - 1, len(rows_of_json))
    for line, row in zip(lines[1:], rows_of_json):
        for name, text in zip(names, line):
            number = isinstance(row[name], (int, float)) and not isinstance(row[name], bool)
            if isinstance(row[name], str) and row[name][:1] in tuple('=+-@\t\r'):
                text = text.removeprefix("'") # a spreadsheet would run it
            if name not in VOLATILE and (float(text) != row[name] if number else text != as_text(row[name])):
                fail('%s in CSV: %s is %r, in JSON %r' % (path, name, text, row[name]))


def every_route(server, token, document):
    compared = 0
    # these questions are written down there, too, a moment later
    wait_until(20, 'an audit', lambda: value('SELECT count(*) FROM cube.api_audit') > 0)
    audited = '?limit=10000&to=' + value("SELECT to_char(max(asked_at) AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"') FROM cube.api_audit")
    for path, item in document['paths'].items():
        content = item['get']['responses']['200']['content']
        if 'text/csv' not in content or '{' in path:
            continue
        some_days = any(p['name'] == 'days' and 'default' in p['schema'] for p in item['get']['parameters'])
        window = '?days=90' if path == RATE else '?from=1970-01-01' if some_days else audited if path == '/api/cube/audit' else '?limit=10000'
        answer = server.ask(path + window, token)
        equal('status of %s (%s)' % (path, answer.body[:200]), answer.status, 200)
        if not answer.headers['X-Cube-As-Of']:
            fail('%s does not say how fresh it is' % path)
        found = json.loads(answer.body)
        as_csv = server.ask(path + window, token, Accept='text/csv')
        equal('type of %s' % path, as_csv.headers['Content-Type'].split(';')[0], 'text/csv')
        same_in_csv(path, as_csv.body, found)
        columns = list(content['application/json']['schema']['items']['properties'])
        if found:
            equal('columns of %s against the document' % path, list(found[0]), columns)
        view = re.search(r'cube\.(\w+)\.', item['get']['description']).group(1)
        if path not in (RATE, '/api/cube/audit'):
            wanted = [{name: row[name] for name in columns if name not in VOLATILE} for row in of_psql(view)]
            same_rows('%s against cube.%s' % (path, view), [plain(row) for row in found], wanted)
            compared += 1
    contract = server.rows('/api/cube/executions?limit=1', token)[0]['contract_id']
    one = server.rows('/api/cube/executions/' + contract, token)
    same_rows('one execution', [plain(row) for row in one], of_psql('cube_executions', "WHERE contract_id = '%s'" % contract))
    same_rows('its timeline', [plain(row) for row in server.rows('/api/cube/executions/%s/timeline' % contract, token)],
              of_psql("cube_execution_timeline('%s')" % contract))
    shown('%d routes answer in JSON and CSV as psql does' % compared)


# --- Windows ----------------------------------------------------------------------------------------------------------

RATE_BY_FACTS = """SELECT tier.tier_name, count(*) AS total, count(*) FILTER (WHERE f.was_successful) AS successful,
        round(100.0 * count(*) FILTER (WHERE f.was_successful) / count(*), 2)::float8 AS success_rate_pct
    FROM cube.fact_verification_executions f JOIN cube.dim_tier tier USING (tier_key) JOIN cube.dim_time t USING (time_key)
    WHERE t."timestamp" >= '%s' AND t."timestamp" < '%s' GROUP BY 1"""
TRENDS_BY_FACTS = """SELECT t.year, t.month, t.day, e.severity, count(*) AS error_count, sum(e.was_auto_resolved::int) AS auto_resolved_count
    FROM cube.fact_error_events e JOIN cube.dim_time t USING (time_key)
    WHERE t."timestamp" >= '%s' AND t."timestamp" < '%s' GROUP BY 1, 2, 3, 4"""


def windows(server, token):
    """Windows of any length whose ends are often the second, the minute, the hour or the day of a fact."""
    chance = random.Random(60)
    times = [row[0] for row in rows("SELECT to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS') FROM (SELECT date_trunc(u, created_at) + d * interval '1 second'"
                                    " AS at FROM (SELECT created_at FROM cube.fact_verification_executions UNION SELECT created_at FROM cube.fact_error_events) f,"
                                    " unnest('{second,minute,hour,day}'::text[]) u, unnest('{-1,0,1}'::int[]) d) t")]
    for _ in range(40):
        begin, end = sorted(chance.sample(times, 2))
        window = '?from=%sZ&to=%sZ' % (begin, end)
        for path, sql in ((RATE, RATE_BY_FACTS), ('/api/cube/metrics/error-trends', TRENDS_BY_FACTS)):
            same_rows(path + window, server.rows(path + window, token), json.loads(psql(
                "SELECT coalesce(json_agg(to_json(q)), '[]') FROM (%s) q" % (sql % (begin + 'Z', end + 'Z')))))
    for days in (1, 7, 30, 90):
        for _ in range(3):  # the minute may change between the two
            expected = json.loads(psql("SELECT coalesce(json_agg(to_json(q)), '[]') FROM (%s) q" % (RATE_BY_FACTS % ("%s", 'infinity')).replace(
                "'%s'", "now() - interval '%d days'" % days)))
            found = server.rows('%s?days=%d' % (RATE, days), token)
            if sorted(map(str, found)) == sorted(map(str, expected)):
                break
        same_rows('the last %d days' % days, found, expected)
    shown('80 windows of any length and the last 1, 7, 30, 90 days: equal to the facts, to the minute')


# --- One component ----------------------------------------------------------------------------------------------------

OF_COMPONENT = {  # over f: facts of the component, the tier and the window, with names and UTC days
    'verification-success-rate': """SELECT tier_name, count(*) AS total, count(*) FILTER (WHERE was_successful) AS successful,
        round(100.0 * count(*) FILTER (WHERE was_successful) / count(*), 2)::float8 AS success_rate_pct FROM f GROUP BY 1""",
    'daily-verification-by-tier': """SELECT date_part('year', day) AS year, date_part('month', day) AS month, date_part('day', day) AS day, tier_name,
        count(*) AS total_executions, count(*) FILTER (WHERE was_successful) AS successful_executions, avg(confidence_score) AS avg_confidence,
        avg(duration_seconds) AS avg_duration_seconds, count(*) FILTER (WHERE was_rolled_back) AS rollbacks,
        count(*) FILTER (WHERE created_snapshot) AS with_snapshot, f.day AS date FROM f GROUP BY f.day, tier_name""",
    'hourly-verification': """SELECT date_trunc('hour', created_at) AS hour, tier_name, tier_code, count(*) AS total_executions,
        count(*) FILTER (WHERE was_successful) AS successful_executions, count(*) FILTER (WHERE was_rolled_back) AS rollbacks,
        avg(confidence_score) AS avg_confidence, avg(duration_seconds) AS avg_duration_seconds FROM f GROUP BY 1, 2, 3""",
    'activity-heatmap': """SELECT extract(isodow FROM created_at) AS iso_weekday, extract(hour FROM created_at) AS hour, tier_code, count(*) AS executions,
        count(*) FILTER (WHERE was_successful) AS successful FROM f GROUP BY 1, 2, 3""",
    'duration-percentiles': "SELECT day, tier_name, %s FROM f WHERE duration_seconds IS NOT NULL GROUP BY 1, 2",
    'window-durations': "SELECT tier_name, %s FROM f WHERE duration_seconds IS NOT NULL GROUP BY 1",
    'window-confidence': """SELECT tier_name, b AS bucket, b / 20.0 AS confidence_from, (b + 1) / 20.0 AS confidence_to, count(*) AS executions,
        count(*) FILTER (WHERE was_successful) AS successful_executions
        FROM f, least(floor(confidence_score * 20)::int, 19) b WHERE confidence_score IS NOT NULL GROUP BY 1, 2""",
    'confidence-distribution': """SELECT day, tier_name, b AS bucket, b / 20.0 AS confidence_from, (b + 1) / 20.0 AS confidence_to, count(*) AS executions,
        count(*) FILTER (WHERE was_successful) AS successful_executions
        FROM f, least(floor(confidence_score * 20)::int, 19) b WHERE confidence_score IS NOT NULL GROUP BY 1, 2, 3""",
}
PERCENTILES = 'count(*) AS executions, ' + ', '.join(
    'percentile_disc(%.2f) WITHIN GROUP (ORDER BY cube.bucket_value(cube.log_bucket(duration_seconds))) AS p%d_seconds' % (share / 100, share)
    for share in (50, 95, 99))


def rounded(found):
    def number(field):
        return int(field) if field == int(field) else round(field, 6)
    return [{name: number(field) if isinstance(field, float) else field for name, field in plain(row).items()} for row in found]


def components(server, token):
    """Executions of all components: every third fact is given one by hand, which the rollups follow."""
    psql("UPDATE cube.fact_verification_executions SET component_key = (abs(hashtext(contract_id)) / 3) % (SELECT count(*) FROM cube.dim_component)"
         ' WHERE abs(hashtext(contract_id)) % 3 = 0')
    names = [row[0] for row in rows('SELECT component_name FROM cube.dim_component ORDER BY 1')]
    equal('components', [row['component_name'] for row in server.rows('/api/cube/components', token)], names)
    seen = 0
    for number, name in enumerate([*names, 'no such one']):
        tier = (None, 'tier_1', 'tier_2')[number % 3]
        begin, end = (('2026-10-24', '2026-11-23'), ('2026-11-02', '2026-11-12'), ('1970-01-01', '2027-01-01'))[number % 3]
        for path, sql in OF_COMPONENT.items():
            asked = '/api/cube/metrics/%s?component=%s&from=%s&to=%s%s' % (path, urllib.parse.quote(name), begin, end, '&tier=' + tier if tier else '')
            facts = """WITH f AS (SELECT f.*, t.tier_name, t.tier_code, (f.created_at AT TIME ZONE 'UTC')::date AS day FROM cube.fact_verification_executions f
                JOIN cube.dim_tier t USING (tier_key) JOIN cube.dim_component c USING (component_key) WHERE c.component_name = '%s'
                AND f.created_at >= '%sZ' AND f.created_at < '%sZ' AND %s)""" % (name.replace("'", "''"), begin, end, "t.tier_code = '%s'" % tier if tier else 'true')
            found = server.rows(asked, token)
            seen += len(found)
            same_rows(asked, rounded(found), rounded(json.loads(psql("SET timezone = 'UTC'; %s SELECT coalesce(json_agg(to_json(q)), '[]') FROM (%s) q" % (
                facts, sql % PERCENTILES if '%s' in sql else sql)))))
        equal('executions of ' + name, len(server.rows('/api/cube/executions?limit=10000&component=' + urllib.parse.quote(name), token)), value(
            "SELECT count(*) FROM cube.fact_verification_executions JOIN cube.dim_component USING (component_key) WHERE component_name = '%s'" % name.replace("'", "''")))
    verify_agrees()
    shown('%d routes of executions for %d components, with tiers and windows: %d rows equal to the facts' % (len(OF_COMPONENT), len(names), seen))


# --- The log's chain, and beats of shards -----------------------------------------------------------------------------

INTEGRITY_BY_FACTS = """SELECT cube.day_of(e.time_key) AS day, count(*) AS entries, sum(greatest(e.sequence - e.before - 1, 0))::bigint AS missing_entries,
        count(*) FILTER (WHERE e.before = e.sequence - 1 AND e.hash_before IS DISTINCT FROM e.previous_hash) AS broken_links,
        count(*) FILTER (WHERE NOT e.hash_matches) AS changed_entries, min(e.sequence) AS first_sequence, max(e.sequence) AS last_sequence
    FROM (SELECT f.*, lag(f.sequence) OVER w AS before, lag(f.entry_hash) OVER w AS hash_before
        FROM cube.fact_agentic_events f WINDOW w AS (ORDER BY f.sequence)) e GROUP BY 1"""
LONG_LOG = """WITH made AS (SELECT n, 'made-' || n AS id, timestamptz '2026-11-10Z' + n * interval '40 s' AS at FROM generate_series(1, 6000) n),
    keys AS (INSERT INTO cube.key_agentic_events (entry_id, created_at) SELECT id, at FROM made ORDER BY 1)
    INSERT INTO cube.fact_agentic_events (entry_id, time_key, component_key, actor_key, mission_key, sequence, names_mission, entry_hash, previous_hash,
        hash_matches, created_at)
    SELECT id, cube.time_key(at), 0, 0, 0, 5000000 + n, false, md5(n::text), md5((n - 1)::text), true, at FROM made;
    SELECT cube.ensure_hours(ARRAY(SELECT DISTINCT time_key / 60 FROM cube.fact_agentic_events))"""
TAMPERED = {
    'an entry gone': "DELETE FROM cube.fact_agentic_events WHERE sequence = 5002000",
    'ten gone over the edge of a block': "DELETE FROM cube.fact_agentic_events WHERE sequence BETWEEN 5000187 AND 5000197",
    'a whole block gone': "DELETE FROM cube.fact_agentic_events WHERE sequence >> 8 = 19540",
    'another hash': "UPDATE cube.fact_agentic_events SET entry_hash = 'other' WHERE sequence = 5003000",
    'another hash before the edge of a block': "UPDATE cube.fact_agentic_events SET entry_hash = NULL WHERE sequence = 19545 * 256 - 1",
    'another hash said to be before': "UPDATE cube.fact_agentic_events SET previous_hash = NULL WHERE sequence = 5004000",
    'two hashes changed for each other': """UPDATE cube.fact_agentic_events SET entry_hash = md5(CASE sequence WHEN 5004500 THEN '4501' ELSE '4500' END)
        WHERE sequence IN (5004500, 5004501)""",
    'entries that do not match their hash': "UPDATE cube.fact_agentic_events SET hash_matches = false WHERE sequence IN (5001111, 5001112)",
    'an entry at another place': "UPDATE cube.fact_agentic_events SET sequence = 5005555 WHERE sequence = 5005550",
    'an entry of another day': "UPDATE cube.fact_agentic_events SET created_at = created_at + interval '1 day' WHERE sequence = 5004700",
}
LIVENESS = """SELECT shard_id, count(*) AS heartbeats, percentile_cont(0.5) WITHIN GROUP (ORDER BY gap) FILTER (WHERE nth <= 100) AS usual_gap_seconds
    FROM (SELECT shard_id, row_number() OVER (PARTITION BY shard_id ORDER BY created_at DESC) AS nth,
        date_part('epoch', created_at - lag(created_at) OVER (PARTITION BY shard_id ORDER BY created_at)) AS gap FROM cube.fact_shard_heartbeats) g GROUP BY 1"""


def chain():
    """The log's integrity comes from sums of blocks: equal to the entries themselves, whatever is done to them."""
    psql(LONG_LOG)
    found = {}

    def compare(what):
        found[what] = of_psql('cube_log_integrity')
        same_rows('integrity: ' + what, found[what], json.loads(psql("SELECT json_agg(to_json(q)) FROM (%s) q" % INTEGRITY_BY_FACTS)))

    compare('whole')
    before = found['whole']
    for what, change in TAMPERED.items():
        psql(change)
        compare(what)
        if found[what] == before:
            fail('nothing is said of: ' + what)
        before = found[what]
    psql("DELETE FROM cube.fact_agentic_events WHERE entry_id LIKE 'made-%'")
    compare('all of it gone')
    equal('as before', value('SELECT count(*) FROM cube.cube_log_integrity WHERE first_sequence > 4999999'), 0)
    psql("""WITH made AS (SELECT shard, timestamptz '2026-11-10Z' + n * interval '10 s' + (n %% 7) * interval '1 s' AS at FROM generate_series(1, 300) n,
            unnest('{a,b}'::text[]) shard WHERE n %% 50 > 3 OR shard = 'b'),
        keys AS (INSERT INTO cube.key_shard_heartbeats (heartbeat_id, created_at) SELECT shard || at, at FROM made ORDER BY 1)
        INSERT INTO cube.fact_shard_heartbeats (heartbeat_id, time_key, component_key, actor_key, shard_id, status, created_at)
        SELECT shard || at, cube.time_key(at), 0, 0, shard, 'ok', at FROM made; SELECT cube.ensure_hours(ARRAY(SELECT time_key / 60 FROM cube.fact_shard_heartbeats))""".replace('%%', '%'))
    beats = [{name: row[name] for name in ('shard_id', 'heartbeats', 'usual_gap_seconds')} for row in of_psql('cube_shard_liveness')]
    same_rows('beats', beats, json.loads(psql('SELECT json_agg(to_json(q)) FROM (%s) q' % LIVENESS)))
    equal('missed beats of the one that paused, and of the other', rows('SELECT missed_beats > 0 FROM cube.cube_shard_liveness ORDER BY shard_id'), [[True], [False]])
    verify_agrees()
    shown('a log of 6,000 more entries, whole and after %d kinds of tampering: its integrity is what the entries say' % len(TAMPERED))


# --- Errors -----------------------------------------------------------------------------------------------------------

def errors(server, token):
    for path, parameter in ((RATE + '?days=0', 'days'), (RATE + '?days=91', 'days'), (RATE + '?tier=tier_4', 'tier'), (RATE + '?tier=', 'tier'),
                            (RATE + '?dayz=7', 'dayz'), (RATE + '?days=7&days=7', 'days'), (RATE + '?days=7&from=2026-11-05', 'days'),
                            (RATE + '?format=xml', 'format'), ('/api/cube/executions?from=yesterday', 'from'), ('/api/cube/executions?status=a%00b', 'status'),
                            ('/api/cube/executions?q=%ff', 'q'), ('/api/cube/executions?limit=10001', 'limit'), ('/api/cube/me?days=7', 'days')):
        problem(server.ask(path, token), 422, parameter)
    allowed = problem(server.ask(RATE + '?days=91', token), 422, 'days')['allowed']
    equal('what is allowed', allowed, 'a whole number from 1 to 90')
    for path in ('/api/cube/nothing', '/api', '/nothing', '/assets/nothing', '/assets/../server.c', '/api/cube/executions/nothing',
                 '/api/cube/executions/nothing/timeline'):
        problem(server.ask(path, token), 404)
    for method in ('POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS'):
        answer = server.ask(RATE, token, method=method)
        problem(answer, 405)
        equal('Allow', answer.headers['Allow'], 'GET, HEAD')
    head = server.ask(RATE, token, method='HEAD')
    equal('HEAD', (head.status, head.body), (200, b''))
    more = server.ask('/api/cube/executions?limit=1', token)
    equal('X-Cube-More', more.headers['X-Cube-More'], 'true')
    hint = problem(server.ask(RATE + '?from=2026-11-05T10:17:30+01:00', token), 422, 'from')['detail']
    if '%2B' not in hint:
        fail('no hint of %%2B: %s' % hint)
    problem(server.ask(RATE + '?from=2026-11-06&to=2026-11-05', token), 422, 'from')
    too_much(server, token)
    hostile(server)
    shown('422 with what is allowed, 404, 405 with Allow; nothing hostile stops the server')


def raw(server, text, timeout=5):
    """(status, head, body) of what comes back on these bytes; None when nothing does."""
    with socket.create_connection(('127.0.0.1', server.port), timeout=timeout) as connection:
        connection.sendall(text)
        answer = http.client.HTTPResponse(connection)
        answer.begin()
        return answer.status, answer.headers, answer.read()


def too_much(server, token):
    """Too long an address, too many parameters or headers, no Host: answered at once, as a problem."""
    for status, path, header in ((414, RATE + '?' + '&'.join('a%d=b' % i for i in range(500)), ''), (414, RATE + '?' + 'a&' * 4000, ''),
                                 (414, '/api/cube/executions?q=' + 'x' * 9000, ''), (414, '/' + 'x' * 20000, ''),
                                 (431, RATE, 'X-Long: %s\r\n' % ('y' * 17000)), (400, RATE, None)):
        text = 'GET %s HTTP/1.1\r\n%sAuthorization: Bearer %s\r\n\r\n' % (path, '' if header is None else 'Host: a\r\n' + header, token)
        found, headers, body = raw(server, text.encode())
        if header is None and headers['Content-Type'] is None:  # libmicrohttpd, from 1.0 on, answers this one itself
            equal('status of no Host', found, status)
            continue
        equal('status of %s…' % path[:60], (found, headers['Content-Type']), (status, 'application/problem+json'))
        equal('status in the body', json.loads(body)['status'], status)
    equal('a parameter less', problem(server.ask(RATE + '?' + '&'.join('a%d=b' % i for i in range(64)), token), 422, 'a0')['parameter'], 'a0')


def hostile(server):
    """Bytes that are no request, or too much of one. The server may say what it likes, but it goes on."""
    for text in (b'\0' * 1000, b'GET\r\n\r\n', b'GET / HTTP/9.9\r\n\r\n', b'GET /' + b'a' * 100000 + b' HTTP/1.1\r\n\r\n',
                 b'GET / HTTP/1.1\r\n' + b'X: y\r\n' * 20000 + b'\r\n', b'GET / HTTP/1.1\r\nHost: a\r\nContent-Length: -5\r\n\r\n',
                 b'GET ' + RATE.encode() + b'?' + b'&'.join(b'a%d=1' % i for i in range(3000)) + b' HTTP/1.1\r\nHost: a\r\n\r\n',
                 b'GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n',
                 b'GET ' + RATE.encode() + b' HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n' + b'x' * 1000000,
                 b'GET ' + RATE.encode() + b' HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer ' + b'g' * 5000 + b'\r\n\r\n'):
        with socket.create_connection(('127.0.0.1', server.port), timeout=5) as connection:
            try:
                connection.sendall(text)
                connection.recv(1000)
            except OSError:
                pass
    equal('alive', server.status('/livez'), 200)


# --- Tokens -----------------------------------------------------------------------------------------------------------

def tokens(server, token):
    me = server.ask('/api/cube/me', token)
    equal('me', {**json.loads(me.body), 'expires_at': None}, {'name': 'all', 'role': 'operator', 'highest_tier': None, 'expires_at': None})
    wrong = token[:-1] + ('0' if token[-1] != '0' else '1')
    expired, revoked = new_token('expired', '--expires', '1s'), new_token('revoked')
    equal('before it is revoked', server.status(RATE, revoked), 200)
    program('token', 'revoke', 'revoked')
    wait_until(5, 'a token that expires', lambda: server.status(RATE, expired) == 401)
    for what, bad in (('none', None), ('wrong', wrong), ('expired', expired), ('revoked', revoked), ('nonsense', 'x'), ('unknown', 'gcube_%s_%s' % ('0' * 12, '0' * 64))):
        answer = server.ask(RATE, bad)
        problem(answer, 401)
        equal('%s token: WWW-Authenticate' % what, answer.headers['WWW-Authenticate'], 'Bearer realm="gracecube"')
    for path in (RATE, '/api/cube/events'):
        problem(server.ask(path + '?token=' + token), 401)
        problem(server.ask(path + '?token=' + token, token), 422, 'token')
    pages = {what: Listener(server, new_token('watched-' + what)) for what in ('revoked', 'over', 'valid')}
    wait_until(5, 'open streams', lambda: all(hasattr(page, 'answer') and page.answer.status == 200 for page in pages.values()))
    program('token', 'revoke', 'watched-revoked')
    psql("UPDATE cube.api_token SET expires_at = now() WHERE name = 'watched-over'")
    wait_until(10, 'the end of the streams of tokens that are revoked or over', lambda: [what for what, page in pages.items() if page.alive] == ['valid'])
    viewer = new_token('viewer', '--role', 'viewer')
    equal('aggregates for a viewer', server.status(RATE, viewer), 200)
    problem(server.ask('/api/cube/executions', viewer), 403)
    problem(server.ask('/api/cube/audit', new_token('analyst')), 403)
    program('token', 'create', 'viewer', expect=2)
    program('token', 'revoke', 'nobody', expect=1)
    listed = program('token', 'list')
    if any(secret.split('_')[2] in listed for secret in (token, expired, revoked)):
        fail('token list shows a secret')
    kept = value("SELECT encode(secret_sha256, 'hex') FROM cube.api_token WHERE name = 'all'")
    if kept in token or token.split('_')[2] in psql('SELECT * FROM cube.api_token'):
        fail('the secret is in the database')
    shown('missing, wrong, expired, revoked and unknown tokens: 401; roles: 403; no secret is kept or shown')


# --- The registry of metrics ------------------------------------------------------------------------------------------

def about_equal(name, found, wanted):
    if found is None or wanted is None:
        return found == wanted
    if name in questions.CLOCKS:
        return abs(found - wanted) < 60
    within = 0.0101 if re.search(r'_p\d\d$', name) else 1e-9
    return abs(found - wanted) <= max(within * max(abs(found), abs(wanted)), 2e-9)


class Question:
    """One question in three ways: cube.metric(), plain SQL over facts, the API."""

    def __init__(self, name, begin=None, end=None, grain=None, by=(), among=None):
        self.name, self.how = name, (begin, end, grain, by, among)

    def path(self):
        begin, end, grain, by, among = self.how
        asked = {'from': begin, 'to': end, 'grain': grain, 'by': ','.join(by), 'where': json.dumps(among) if among else None}
        return '/api/cube/metrics/%s?%s' % (self.name, urllib.parse.urlencode({name: text for name, text in asked.items() if text}))

    def compare(self, what, found, wanted):
        if found.keys() != wanted.keys() or not all(about_equal(self.name, found[row], wanted[row]) for row in wanted):
            differing = [(row, found.get(row, 'none'), wanted.get(row, 'none')) for row in sorted(found.keys() | wanted.keys(), key=str)
                         if row not in found or row not in wanted or not about_equal(self.name, found[row], wanted[row])]
            fail('%s of %s, %s: %s' % (what, self.name, self.how, differing[:3]))


def of_rows(found):
    return {(re.sub(r'\+00:00$', 'Z', row['at'] or ''), json.dumps(row['dimensions'], sort_keys=True)): row['value'] for row in found}


def answer_all(asked, statement):
    """All questions in one session: lists of rows."""
    lines = psql(';'.join("SELECT coalesce(json_agg(q), '[]') FROM (%s) q" % statement(question.name, *question.how) for question in asked).replace(';', ';\n') + ';')
    return [of_rows(json.loads(line)) for line in lines.replace('\n ', ' ').splitlines()]


def few(many, chance, count):
    """All of them by tests/run --all, else some by chance."""
    return many if os.environ.get('CUBE_TEST_CAMPAIGN') else chance.sample(many, count)


def make_questions(catalog, chance):
    asked = []
    for metric in catalog:
        name, cuts, timed = metric['name'], metric['dimensions'], metric['has_time']
        asked += [Question(name)] + [Question(name, by=(cut,)) for cut in cuts]
        for grain in few(('minute', 'hour', 'day', 'week', 'month', None), chance, 3) if timed else ():
            begin, end = ('2026-11-%02dT%02d:%02d:%02dZ' % (day, chance.choice((0, 0, 13)), chance.choice((0, 0, 17)), chance.choice((0, 31)))
                          for day in (chance.randint(1, 12), chance.randint(13, 24)))
            asked.append(Question(name, chance.choice((begin, None)), chance.choice((end, None)), grain, tuple(chance.sample(cuts, min(len(cuts), chance.randint(0, 2))))))
    return asked


def among_members(asked, answers, chance):
    """Some of these questions again, about some members only."""
    narrowed = []
    for question, found in zip(asked, answers):
        begin, end, grain, by, _ = question.how
        if len(by) == 1 and found and not begin and not grain:
            members = [json.loads(dimensions)[by[0]] for _, dimensions in found]
            narrowed.append(Question(question.name, begin, end, grain, chance.choice(((), by)), {by[0]: chance.sample(members, min(2, len(members)))}))
    return narrowed


def registry(server, token):
    catalog = server.rows('/api/cube/metrics', token)
    equal('metrics that the tests know', sorted(metric['name'] for metric in catalog), sorted(questions.METRICS))
    equal('what the program says without a server', [metric['name'] for metric in json.loads(program('metrics', 'list', '--json'))], [metric['name'] for metric in catalog])
    chance = random.Random(13)
    asked = make_questions(catalog, chance)
    asked += among_members(asked, answer_all(asked, questions.sql), chance)
    for question, found, wanted in zip(asked, answer_all(asked, questions.of_metric), answer_all(asked, questions.sql)):
        question.compare('cube.metric()', found, wanted)
        question.wanted = found
    over_http = chance.sample(asked, 150)
    for question in over_http:
        question.compare('the API', of_rows(server.rows(question.path(), token)), question.wanted)
    shown('%d metrics, %d questions: cube.metric() answers what SQL over facts does, and so does the API (%d of them)' % (len(catalog), len(asked), len(over_http)))
    exported(catalog)
    if os.environ.get('CUBE_TEST_CAMPAIGN'):
        exported_to_dbt(catalog)
    refused_questions(server, token)
    compared_periods(server, token)
    explained(server, token)
    own_metrics(server, token)
    targets(server, token)
    limited_metrics(server)


OSSIE = {  # what each part of the core specification 0.1.1 must have, and may
    'model': ('name datasets', 'description ai_context relationships metrics custom_extensions'),
    'dataset': ('name source', 'primary_key unique_keys description ai_context fields custom_extensions'),
    'field': ('name expression', 'dimension label description ai_context custom_extensions'),
    'relationship': ('name from to from_columns to_columns', 'ai_context custom_extensions'),
    'metric': ('name expression', 'description ai_context custom_extensions'),
}


def has_fields(part, found):
    needed, allowed = (set(names.split()) for names in OSSIE[part])
    if not needed <= found.keys() <= needed | allowed:
        fail('%s %s of the Ossie model has the fields %s' % (part, found.get('name'), ' '.join(found)))
    return found['name']


def exported(catalog):
    """What other tools are given computes the same: each expression is run as it stands."""
    document = json.loads(program('metrics', 'export'))
    equal('an Ossie document', [document['version'], sorted(document)], ['0.1.1', ['semantic_model', 'version']])
    model, = document['semantic_model']
    has_fields('model', model)
    for part in ('dataset', 'relationship', 'metric'):
        names = [has_fields(part, found) for found in model[part + 's']]
        equal('%ss with a name of their own' % part, len(set(names)), len(names))
    source = {dataset['name']: dataset['source'] for dataset in model['datasets']}
    for dataset in model['datasets']:
        columns = [has_fields('field', field) for field in dataset['fields']]
        psql('SELECT %s FROM %s LIMIT 0' % (', '.join(columns), dataset['source']))
    equal('metrics in the Ossie model', [metric['name'] for metric in model['metrics']], [metric['name'] for metric in catalog])
    for metric, of_cube in zip(model['metrics'], catalog):
        fact = of_cube['fact']
        found, wanted = rows("SELECT ((%s)::float8) FROM %s %s UNION ALL SELECT value FROM cube.metric('%s')" % (
            metric['expression']['dialects'][0]['expression'], source[fact], fact, metric['name']))
        if not about_equal(metric['name'], found[0] or 0, wanted[0] or 0):
            fail('%s by its Ossie expression: %s, by cube.metric(): %s' % (metric['name'], found, wanted))
    for join in model['relationships']:
        equal('rows without a member by %s' % join['name'], value('SELECT count(*) FROM %s f LEFT JOIN %s d ON d.%s = f.%s WHERE d.%s IS NULL' % (
            source[join['from']], source[join['to']], join['to_columns'][0], join['from_columns'][0], join['to_columns'][0])), 0)
    shown('metrics export: %d expressions of the Ossie model, run as they stand, equal cube.metric(); %d relationships lose no row' % (len(model['metrics']), len(model['relationships'])))


def as_number(text):
    return float(text) if text else None


def exported_to_dbt(catalog):
    """MetricFlow, asked for what was exported to it, says what the cube says."""
    models = by_dbt.build(program('metrics', 'export', '--format', 'metricflow'), os.environ['GRACECUBE_POSTGRES_DSN'])
    asked = [metric for metric in catalog if metric['has_time']]
    for fact in sorted({metric['fact'] for metric in asked}):
        names = [metric['name'] for metric in asked if metric['fact'] == fact]
        answer, = by_dbt.query(names)
        for name in names:
            wanted = value("SELECT value FROM cube.metric('%s')" % name)
            if not about_equal(name, as_number(answer[name]) or 0, wanted or 0):
                fail('%s by MetricFlow: %s, by cube.metric(): %s' % (name, answer[name], wanted))
    for name, entity, cut in (('verification_success_rate', 'tier__tier_code', 'tier'), ('approvals_requested', 'actor__actor_id', 'approver'), ('errors', 'errors__severity', 'severity')):
        equal('%s by %s' % (name, entity), {row[entity]: as_number(row[name]) for row in by_dbt.query([name], entity)},
              {row['dimensions'][cut]: row['value'] for row in json.loads(psql("SELECT json_agg(q) FROM cube.metric('%s', by => '{%s}') q" % (name, cut)))})
    equal('metrics that MetricFlow reads of the Ossie model', by_dbt.read_ossie(program('metrics', 'export')).split(' ', 1)[1], '[]')
    psql('DROP SCHEMA analytics CASCADE')
    shown('metrics export --format metricflow: %d models of dbt, %d metrics asked by MetricFlow, also by tier, approver and severity: what the cube says' % (models, len(asked)))


def refused_questions(server, token):
    for question, says in (('errors?by=tier', 'errors has no dimension tier; it has severity'), ('missions?by=tier', 'missions do not add over tiers'),
                           ('errors?where=tier=a', 'no dimension tier'), ('errors?where=severity', 'where cannot be read'), ('errors?where={"severity"', 'where is no JSON'),
                           ('errors?by=severity,severity', 'twice'), ('shard_silence?grain=day', 'how things are now'), ('errors?compare=week', 'needs from'),
                           ('errors?from=2026-11-01&to=2026-11-11&grain=week&compare=previous', 'same buckets'), ('errors?where={"severity":{"like":"x"}}', '"not"')):
        detail = problem(server.ask('/api/cube/metrics/' + question.replace('"', '%22'), token), 422)['detail']
        if says not in detail:
            fail('%s is refused with: %s' % (question, detail))
    problem(server.ask('/api/cube/metrics/errors?grain=year', token), 422, 'grain')
    detail = problem(server.ask('/api/cube/metrics/eror', token), 404)['detail']
    if 'did you mean errors?' not in detail:
        fail('no nearest name: ' + detail)
    hostile_filter = urllib.parse.quote("severity=x' OR true --,$1,\\")
    equal('rows of members that are none', server.rows('/api/cube/metrics/errors?by=severity&where=' + hostile_filter, token), [])
    in_csv = list(csv.DictReader(io.StringIO(server.ask('/api/cube/metrics/errors?by=severity,component&as=csv', token).body.decode())))
    equal('CSV, a column for each dimension', [({cut: row[cut] for cut in ('severity', 'component')}, float(row['value'])) for row in in_csv],
          [(row['dimensions'], row['value']) for row in server.rows('/api/cube/metrics/errors?by=severity,component', token)])
    of_program = json.loads(program('metrics', 'query', 'errors', '--by', 'severity', '--where', 'component!=hunter', '--json'))
    equal('what the program answers', of_rows(of_program), of_rows(server.rows('/api/cube/metrics/errors?by=severity&where=component!=hunter', token)))
    program('metrics', 'query', 'missions', '--by', 'tier', expect=2)
    program('metrics', 'query', 'eror', expect=1)
    shown('questions without a right answer are refused with a sentence; what is typed is never SQL')


def compared_periods(server, token):
    window = 'from=2026-11-09&to=2026-11-16'
    for name in ('errors', 'verification_success_rate', 'duration_p95', 'missions'):
        before = of_rows(server.rows('/api/cube/metrics/%s?from=2026-11-02&to=2026-11-09' % name, token))
        for comparison in ('previous', 'week'):
            found, = server.rows('/api/cube/metrics/%s?%s&compare=%s' % (name, window, comparison), token)
            equal('%s of the period before' % name, [found['value_before']], list(before.values()))
            equal('the change', found['change'], found['value'] - found['value_before'])
    days = server.rows('/api/cube/metrics/errors?%s&grain=day&by=severity&compare=week' % window, token)
    before = of_rows(server.rows('/api/cube/metrics/errors?from=2026-11-02&to=2026-11-09&grain=day&by=severity', token))
    equal('days of the week before', sorted(row['value_before'] for row in days if row['value_before'] is not None), sorted(before.values()))
    early, = server.rows('/api/cube/metrics/errors?from=1999-01-01&to=2026-11-16&compare=previous', token)
    equal('a comparison with a time before the data', (early['value_before'], early['change']), (None, None))
    shown('compare: the week before, by day and severity too; none with a time before the first fact')


# What a ratio or an average is of, over f: what stands above and below. A count or a sum has no below.
CHANGING = {
    'executions': ('executions', 'count(*)', None),
    'errors': ('errors', 'count(*)', None),
    'approvals_requested': ('approvals', 'count(*)', None),
    'principles_failed': ('compliance_checks', 'coalesce(sum(f.principles_failed), 0)', None),
    'verification_success_rate': ('executions', 'count(*) FILTER (WHERE f.was_successful)', 'count(*)'),
    'approval_rate': ('approvals', 'count(*) FILTER (WHERE f.was_approved)', 'count(f.was_approved)'),
    'confidence_avg': ('executions', 'coalesce(sum(f.confidence_score::numeric), 0)', 'count(f.confidence_score)'),
    'duration_avg': ('executions', 'coalesce(sum(f.duration_seconds::numeric), 0)', 'count(f.duration_seconds)'),
    'time_to_resolve_avg': ('errors', 'coalesce(sum(f.resolution_time_seconds::numeric), 0)', 'count(f.resolution_time_seconds)'),
    'playbook_success_rate': ('playbook_runs', "count(*) FILTER (WHERE f.status = 'succeeded')", 'count(f.ended_at)'),
}


def sums_of_facts(name, cuts, begin, end, among):
    """{dimension: {member: (above, below)}} as fractions, by SQL over facts; a count has no below, and the whole no dimension."""
    fact, above, below = CHANGING[name]
    relation, at, dimensions = questions.FACTS[fact]
    members = {cut: "coalesce(%s::text, 'unknown')" % expression for cut, expression in dimensions.items()}
    where = ' AND '.join(["%s >= '%s'" % (at, begin), "%s < '%s'" % (at, end), *("%s = '%s'" % (members[cut], member) for cut, member in among.items())])
    sums = {cut: {} for cut in ('', *cuts)}
    for cut, member, a, b in rows(' UNION ALL '.join("SELECT '%s' AS cut, %s AS member, (%s)::text AS a, (%s)::text AS b FROM %s WHERE %s GROUP BY 2" % (
            cut, members[cut] if cut else "'all'", above, below or 0, relation, where) for cut in sums)):
        sums[cut][member] = fractions.Fraction(a), fractions.Fraction(b)
    return sums


def parts_of(above_below, before, whole, whole_before, is_ratio):
    """(part, mix, rate) as Kitagawa has them, of what stands above and below in both periods, as fractions."""
    (above, below), (above_then, below_then) = above_below, before
    if not is_ratio:
        return above - above_then, None, None
    share, share_then = below / whole[1], below_then / whole_before[1]
    mean = (whole[0] / whole[1] + whole_before[0] / whole_before[1]) / 2
    now, then = (a / b if b else None for a, b in (above_below, before))
    if now is None or then is None:  # there in one of them only, and measured against the mean of all
        part = above / whole[1] - above_then / whole_before[1] - mean * (share - share_then)
        return part, part, fractions.Fraction(0)
    mix, rate = (share - share_then) * ((now + then) / 2 - mean), (share + share_then) / 2 * (now - then)
    return mix + rate, mix, rate


def same_number(what, found, wanted, scale):
    if wanted is None or found is None:
        equal(what, found, wanted)
    elif abs(found - float(wanted)) > 1e-12 * max(1, scale):
        fail('%s: is %r, expected %r' % (what, found, float(wanted)))


def explained(server, token):
    """Why a metric changed: each part as fractions of counts and sums over facts have it, and over each dimension their sum is the change."""
    chance, compared = random.Random(1955), 0
    catalog = {metric['name']: metric for metric in server.rows('/api/cube/metrics', token)}
    nobody = (fractions.Fraction(0), fractions.Fraction(0))
    for name, (_, _, below) in CHANGING.items():
        for begin, end, comparison, among in few((('2026-11-09', '2026-11-16', 'previous', {}), ('2026-11-%02dT07:31:12Z' % chance.randint(10, 13), '2026-11-19T11:00:30Z', 'week', {}),
                                                  ('2026-11-10', '2026-11-21', 'previous', {'component': 'hunter'})), chance, 1):
            cuts = catalog[name]['dimensions']
            if not among.keys() <= set(cuts):
                continue
            ends = [datetime.datetime.fromisoformat(text.replace('Z', '+00:00') if 'T' in text else text + 'T00:00:00+00:00') for text in (begin, end)]
            shift = datetime.timedelta(days=7) if comparison == 'week' else ends[1] - ends[0]
            windows = [(begin, end), [(at - shift).isoformat() for at in ends]]
            asked = '/api/cube/metrics/%s/explain?%s' % (name, urllib.parse.urlencode(dict({'from': begin, 'to': end, 'compare': comparison, 'limit': 500},
                                                                                           **({'where': 'component=hunter'} if among else {}))))
            found = server.rows(asked, token)
            sums, sums_before = (sums_of_facts(name, cuts, *window, among) for window in windows)
            whole, whole_before = (of.get('all', nobody) for of in (sums[''], sums_before['']))
            equal('the first row', (found[0]['dimension'], found[0]['member']), (None, None))
            if below and not (whole[1] and whole_before[1]):
                equal('rows of %s, of nothing in one of the periods' % name, (len(found), found[0]['part']), (1, None))
                continue
            change = whole[0] / whole[1] - whole_before[0] / whole_before[1] if below else whole[0] - whole_before[0]
            scale = float(max(abs(whole[0]), 1) / (whole[1] or 1))
            same_number('the change of %s' % asked, found[0]['part'], change, scale)
            for cut in cuts:
                now, then = sums[cut], sums_before[cut]
                by_member = {row['member']: row for row in found if row['dimension'] == cut}
                equal('members of %s by %s' % (asked, cut), set(by_member), now.keys() | then.keys() if not below else {
                    member for member in now.keys() | then.keys() if now.get(member, nobody)[1] or then.get(member, nobody)[1]})
                for member, row in by_member.items():
                    wanted = parts_of(now.get(member, nobody), then.get(member, nobody), whole, whole_before, below is not None)
                    for column, number in zip(('part', 'mix', 'rate'), wanted):
                        same_number('%s of %s in %s by %s' % (column, member, asked, cut), row[column], number, scale)
                    compared += 1
                parts = [row['part'] for row in found if row['dimension'] == cut]
                equal('order of %s by %s' % (asked, cut), sorted(parts, key=abs, reverse=True), parts)
                same_number('the sum over %s of %s' % (cut, asked), math.fsum(parts), change, scale)
                if not below:
                    equal('a sum of counts', math.fsum(parts), found[0]['part'])
    shown('explain: %d parts of the change of %d metrics, mix and rate apart, are those of fractions over facts; over each dimension they sum up to it' % (compared, len(CHANGING)))
    explained_in_short(server, token)
    not_explained(server, token)


def explained_in_short(server, token):
    """The largest parts, and all others in one row, in JSON, CSV, SQL and on the command line."""
    path = '/api/cube/metrics/%s/explain?from=2026-11-09&to=2026-11-16&by=actor,action_type&limit=%d'
    for name in ('executions', 'confidence_avg'):
        whole, short = (server.rows(path % (name, limit), token) for limit in (500, 3))
        for cut in ('actor', 'action_type'):
            all_rows, (*listed, rest) = ([row for row in found if row['dimension'] == cut] for found in (whole, short))
            others = all_rows[3:]
            equal('the largest three', listed, all_rows[:3])
            equal('all others', (rest['member'], rest['members'], rest['n'], rest['n_before']), (None, len(others), *(sum(row[column] for row in others) for column in ('n', 'n_before'))))
            for column in ('part', 'mix', 'rate', 'numerator', 'numerator_before', 'denominator', 'denominator_before'):
                wanted = None if others[0][column] is None else math.fsum(row[column] for row in others)
                same_number('%s of all others' % column, rest[column], wanted, 100)
    same_in_csv('explain', server.ask(path % (name, 3) + '&as=csv', token).body, short)
    equal('SQL', json.loads(psql("SELECT json_agg(q) FROM cube.metric_change('%s', '2026-11-09', '2026-11-16', by => '{actor,action_type}', \"limit\" => 3) q" % name)), short)
    of_program = json.loads(program('metrics', 'explain', name, '--from', '2026-11-09', '--to', '2026-11-16', '--by', 'actor,action_type', '--limit', '3', '--json'))
    equal('the program', of_program, [{column: row[column] for column in of_program[0]} for row in short])
    # a numerator that counts what the denominator does not: of no member, and yet the parts sum up
    whole, *parts = json.loads(psql("""BEGIN; UPDATE cube.fact_playbook_runs SET ended_at = NULL WHERE status = 'succeeded';
        SELECT json_agg(q) FROM cube.metric_change('playbook_success_rate', '2026-11-10', '2026-11-17', by => '{status}') q; ROLLBACK"""))
    equal('what is of no member', (parts[-1]['member'], parts[-1]['members'], parts[-1]['rate'], parts[-1]['n']), (None, 0, 0, 0))
    same_number('its part', parts[-1]['part'], whole['part'], 1)
    same_number('the sum with it', math.fsum(row['part'] for row in parts), whole['part'], 1)
    limited = new_token('for changes', '--highest-tier', 'tier_1')
    found = server.rows('/api/cube/metrics/executions/explain?from=2026-11-09&to=2026-11-16&by=tier,component', limited)
    equal('tiers that tier_1 is told of', {row['member'] for row in found if row['dimension'] == 'tier'}, {'tier_1'})
    wanted = [value(questions.sql('executions', *window, among={'tier': ['tier_1']}).replace('SELECT', 'SELECT value FROM (SELECT', 1) + ') q') for window in (
        ('2026-11-09', '2026-11-16'), ('2026-11-02', '2026-11-09'))]
    equal('the change that tier_1 sees', [found[0]['part'], math.fsum(row['part'] for row in found if row['dimension'] == 'component')], [wanted[0] - wanted[1]] * 2)
    shown('explain: the largest parts and all others sum up, too; in JSON, CSV, SQL and on the command line; a limited token is told of its tier')


def not_explained(server, token):
    for question, says in (('duration_p95/explain', 'does not add'), ('missions_with_executions/explain', 'does not add'), ('shard_silence/explain', 'does not add'),
                           ('log_faults/explain', 'how things are now'), ('errors/explain?by=tier', 'no dimension tier'), ('errors/explain?by=severity,severity', 'twice'),
                           ('missions/explain?by=tier', 'missions do not add over tiers'), ('errors/explain?where=x', 'where cannot be read')):
        detail = problem(server.ask('/api/cube/metrics/' + question, token), 422)['detail']
        if says not in detail:
            fail('%s is refused with: %s' % (question, detail))
    for parameter, text in (('grain', 'day'), ('offset', '1'), ('limit', '0'), ('limit', '501'), ('compare', 'year')):
        problem(server.ask('/api/cube/metrics/errors/explain?%s=%s' % (parameter, text), token), 422, parameter)
    problem(server.ask('/api/cube/metrics/eror/explain', token), 404)
    early = server.rows('/api/cube/metrics/errors/explain?from=1999-01-01&to=2026-11-16', token)
    equal('a change from a time before the data', [(row['dimension'], row['part'], row['value_before']) for row in early], [(None, None, None)])
    program('metrics', 'explain', 'duration_p95', '--from', '2026-11-09', expect=2)
    shown('explain: what does not add is refused with a sentence; there is no change from a time before the first fact')


MINE = """metrics:
  %s:
    label: Mine
    about: Contracts that need an approval.
    unit: count
    fact: executions
    filter: requires_approval
    formula: count
    dimensions: [tier]
"""


def migrated(*arguments, files=None):
    """What `migrate` says of metrics, with these files in cube.metrics_files: how many it wrote or took away, and those that it kept."""
    said = json.loads(program('migrate', '--json', *arguments, *(('-s', 'cube.metrics_files=' + files) if files is not None else ())))
    return said['metrics'], said['metrics_kept']


def own_metrics(server, token):
    """Metrics of files: they come, change and go with their file, and who migrates without it leaves them."""
    for path, name in (('mine.yaml', 'need_approval'), ('yours.yaml', 'also_need_approval')):
        with open(path, 'w', encoding='utf-8') as file:
            file.write(MINE % name)
    equal('a dry run', migrated('--dry-run', files='mine.yaml'), (1, {}))
    equal('a metric of a file', migrated(files='mine.yaml'), (1, {}))
    equal('a metric of another file, with neither option nor file of the first', migrated(files='yours.yaml'), (1, {'mine.yaml': 1}))
    equal('no file', migrated(), (0, {'mine.yaml': 1, 'yours.yaml': 1}))
    answers = [server.rows('/api/cube/metrics/%s?by=tier' % name, token) for name in ('need_approval', 'also_need_approval')]
    equal('metrics of both files', answers[0], answers[1])
    equal('what it counts', {row['dimensions']['tier']: row['value'] for row in answers[0]},
          {tier: int(count) for tier, count in rows('SELECT tier_code, count(*) FROM cube.fact_verification_executions f JOIN cube.dim_tier USING (tier_key) WHERE f.requires_approval GROUP BY 1')})
    with open('mine.yaml', 'w', encoding='utf-8') as file:
        file.write(MINE % 'need_none')
    equal('one that its file has no more, and one that it has now', migrated(files='mine.yaml'), (2, {'yours.yaml': 1}))
    problem(server.ask('/api/cube/metrics/need_approval', token), 404)
    with open('mine.yaml', 'w', encoding='utf-8') as file:
        file.write('metrics:\n')
    equal('a file without metrics', migrated(files='mine.yaml'), (1, {'yours.yaml': 1}))
    if 'does not name yours.yaml, whose metrics or targets (1) stay' not in program('migrate'):
        fail('migrate does not say which metrics stay')
    equal('a dry run that takes away', migrated('--prune-metrics', '--dry-run'), (1, {'yours.yaml': 1}))
    equal('files that are no longer named', migrated('--prune-metrics'), (1, {}))
    equal('nothing to do', migrated('--prune-metrics'), (0, {}))
    with open('mine.yaml', 'w', encoding='utf-8') as file:
        file.write(MINE.replace('approval\n', 'aproval\n') % 'need_approval')
    program('migrate', '-s', 'cube.metrics_files=mine.yaml', expect=78)
    equal('metrics of a wrong file', server.status('/api/cube/metrics/need_approval', token), 404)
    shown('metrics of files come and go with their file; who migrates without it leaves them, until told otherwise')


CATALOG = """metrics:
  - metric_id: autonomy.playbook_success_rate
    category: autonomy
    unit: percent
    aggregation: avg
    thresholds: {good: {lower: 80}, warning: {lower: 60, upper: 80}, critical: {upper: 60}}
    playbook_id: tighten-guardrails
  - {metric_id: approval_rate, thresholds: {good: {lower: 0.5}}}
"""


def targets(server, token):
    """Thresholds of Grace's own file are those of the metrics of the same name, until it is no longer named and taken away."""
    def held_to():
        kept = ('better', 'good', 'warning', 'critical', 'over_seconds', 'min_rows', 'thresholds_from', 'playbook')
        return {metric['name']: [metric[name] for name in kept] for metric in server.rows('/api/cube/metrics', token) if metric['thresholds_from'] or metric['playbook']}
    before = held_to()
    wanted = before | {'playbook_success_rate': ['up', 0.8, 0.8, 0.6, 86400, 20, 'catalog.yaml', 'tighten-guardrails'],
                       'approval_rate': ['up', 0.5, None, None, 86400, 0, 'catalog.yaml', None]}
    equal('thresholds of the program', before['playbook_success_rate'], ['up', 0.9, 0.9, 0.75, 86400, 20, 'config/metrics.yaml', None])
    with open('catalog.yaml', 'w', encoding='utf-8') as file:
        file.write(CATALOG)

    def put(*arguments):
        said = json.loads(program('migrate', '--json', *arguments))
        return said['metrics'], said['metrics_kept']
    equal('targets of a file', put('-s', 'cube.targets_file=catalog.yaml'), (2, {}))
    equal('what the catalog holds metrics to', held_to(), wanted)
    equal('targets of no file', put(), (0, {'catalog.yaml': 2}))
    equal('what it still does', held_to(), wanted)
    with open('catalog.yaml', 'w', encoding='utf-8') as file:
        file.write(CATALOG.replace('upper: 60', 'upper: 61'))
    equal('a target that is changed', put('-s', 'cube.targets_file=catalog.yaml'), (1, {}))
    equal('what it is now', held_to()['playbook_success_rate'][3], 0.61)
    with open('catalog.yaml', 'w', encoding='utf-8') as file:
        file.write(CATALOG.replace('{upper: 60}', '{upper: 81}'))
    program('migrate', '-s', 'cube.targets_file=catalog.yaml', expect=78)
    equal('targets that are taken away', put('--prune-metrics'), (2, {}))
    equal('what metrics are held to again', held_to(), before)
    shown('thresholds of a metrics_catalog.yaml win over those of the registry, in the catalog and the API; they stay until they are taken away')


def limited_metrics(server):
    """Row-level security holds for metrics, from rollups and from facts."""
    limited = new_token('for metrics', '--highest-tier', 'tier_1')
    for name in ('executions', 'executions_open', 'duration_p95', 'approvals_requested', 'compliance_rate', 'missions_with_executions'):
        equal('tiers of %s that tier_1 sees' % name, {row['dimensions']['tier'] for row in server.rows('/api/cube/metrics/%s?by=tier' % name, limited)} - {'tier_1'}, set())
    whole, = server.rows('/api/cube/metrics/executions?from=2026-11-02T00:30:00Z', limited)
    equal('executions that tier_1 sees', whole['value'], value(questions.sql('executions', '2026-11-02T00:30:00Z', among={'tier': ['tier_1']}).replace('SELECT', 'SELECT value FROM (SELECT', 1) + ') q'))
    shown('a token limited to a tier sees that tier in every metric')


def thirty_questions(server, token):
    """The page of questions: both of its forms are run, and agree with SQL over facts; at least 27 are answered by one metric or one view."""
    asked, commands = thirty.read(ROOT + '/deploy/QUESTIONS.md')
    equal('numbers of the questions', sorted(question.number for question in asked), list(range(1, 31)))
    catalog = {metric['name'] for metric in server.rows('/api/cube/metrics', token)}
    answered = [question for question in asked if question.is_answered]
    equal('questions that are compared', sorted(question.number for question in answered), sorted(thirty.FACTS))
    if len(answered) < 27:
        fail('only %d questions are answered' % len(answered))
    full = 0
    for question in answered:
        kind, name = question.answered_by
        if (name not in catalog if kind == 'metric' else name not in question.sql) or name not in question.sql:
            fail('question %d is not answered by the %s %s' % (question.number, kind, name))
        by_facts, by_sql = (json.loads(psql("SELECT coalesce(json_agg(to_json(q)), '[]') FROM (%s) q" % sql))
                            for sql in (thirty.FACTS[question.number], question.sql))
        over_http = [row | row.get('dimensions', {}) for row in server.rows(urllib.parse.quote(question.path, safe='/?=&;!,'), token)]
        if 'WHERE value > 0' in question.sql:
            over_http = [row for row in over_http if row['value'] > 0]
        columns = list(by_sql[0]) if by_sql else []
        for what, found in (('facts', by_facts), ('HTTP', [{column: row[column] for column in columns} for row in over_http])):
            differing = thirty.differ(question.number, [plain(row) for row in by_sql], [plain(row) for row in found])
            if differing:
                fail('question %d, %s: the page says and %s: %s' % (question.number, question.asked, what, differing))
        full += bool(by_sql)
    if full < 25:
        fail('only %d questions have an answer that is not empty' % full)
    for question in set(asked) - set(answered):
        (row_count, filled), = rows(question.sql)
        if filled == row_count:
            fail('question %d could be answered now' % question.number)
    run = subprocess.run(['bash', '-euo', 'pipefail', '-c', 'gracecube() { "%s" "$@"; }\n%s' % (PROGRAM, commands.replace('127.0.0.1:8080', '127.0.0.1:%d' % server.port))],
                         stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
    equal('the commands of the page (%s)' % run.stderr.decode(), (run.returncode, run.stdout.count(b'action_executor') >= 2), (0, True))
    shown('%d of 30 questions are answered by one metric or one view: SQL and HTTP as the page has them, and SQL over facts, agree; %d answers are not empty' % (len(answered), full))


def tiers(server, token):
    by_tier = dict(rows('SELECT tier_code, count(*) FROM cube.cube_executions GROUP BY 1'))
    for tier, seen in (('tier_1', ['tier_1']), ('tier_2', ['tier_1', 'tier_2']), ('tier_3', ['tier_1', 'tier_2', 'tier_3'])):
        limited = new_token('up to ' + tier, '--highest-tier', tier)
        found = server.rows('/api/cube/executions?limit=10000', limited)
        equal('tiers that %s sees' % tier, sorted({row['tier_code'] for row in found}), seen)
        equal('executions that %s sees' % tier, len(found), sum(by_tier[code] for code in seen))
        equal('approvals that %s sees' % tier, {row['tier_code'] for row in server.rows('/api/cube/approvals?limit=10000', limited)} - set(seen), set())
    limited = json.loads(program('token', 'create', 'low', '--json', '--highest-tier', 'tier_1'))['token']
    higher = server.rows('/api/cube/executions?tier=tier_3&limit=1', token)[0]['contract_id']
    problem(server.ask('/api/cube/executions?tier=tier_3', limited), 403)
    problem(server.ask('/api/cube/executions/' + higher, limited), 404)
    problem(server.ask('/api/cube/executions/%s/timeline' % higher, limited), 404)
    operational = value("SELECT tier_name FROM cube.dim_tier WHERE tier_code = 'tier_1'")
    for name in ('daily-verification-by-tier', 'hourly-verification', 'mission-performance', 'duration-percentiles', 'confidence-distribution', 'compliance'):
        equal('tiers of %s' % name, {row['tier_name'] for row in server.rows('/api/cube/metrics/' + name, limited)} - {operational}, set())
    for relation in ('cube.cube_executions', 'cube.fact_verification_executions JOIN cube.dim_tier USING (tier_key)',
                     'cube.rollup_verification_hourly JOIN cube.dim_tier USING (tier_key)', 'cube.cube_hourly_verification',
                     'cube.fact_approvals JOIN cube.dim_tier USING (tier_key)', 'cube.rollup_mission_executions JOIN cube.dim_tier USING (tier_key)'):
        equal('in SQL: tiers of %s' % relation, psql('SET ROLE gracecube_tier_1; SELECT DISTINCT tier_code FROM %s' % relation).split() or ['tier_1'], ['tier_1'])
    for forbidden in ('cube.api_token', 'cube.api_audit', 'cube.etl_dead_letter', 'cube.key_verification_executions'):
        refused = subprocess.run(['psql', '-X', '-q', '-d', os.environ['GRACECUBE_POSTGRES_DSN'], '-c', 'SET ROLE gracecube_tier_1', '-c', 'SELECT * FROM %s LIMIT 1' % forbidden],
                                 stderr=subprocess.PIPE, stdout=subprocess.PIPE, check=False)
        if b'permission denied' not in refused.stderr:
            fail('gracecube_tier_1 may read %s: %s' % (forbidden, refused.stderr))
    equal('tables with tier_key that have no row security', psql(
        "SELECT c.relname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'tier_key' WHERE c.relnamespace = 'cube'::regnamespace"
        " AND NOT c.relrowsecurity AND (c.relname IN (SELECT fact FROM cube.fact) OR c.relname IN (SELECT rollup FROM cube.rollup))"), '')
    equal('views that ask with their owner\'s rights', psql(
        "SELECT relname FROM pg_class WHERE relnamespace = 'cube'::regnamespace AND relkind = 'v' AND NOT coalesce(reloptions @> '{security_invoker=true}', false)"), '')
    shown('a token limited to a tier sees that tier and below, in facts, rollups and views; the same in SQL by role')


def audit(server, token):
    server.ask('/api/cube/executions/' + token, token)
    strangers = value('SELECT count(*) FROM cube.api_audit WHERE token_name IS NULL')
    left_out = server.metric('gracecube_audit_rows_total', outcome='left_out')
    for _ in range(300):
        server.ask('/api/cube/nothing')
    equal('requests of strangers that are in the table or counted', server.metric('gracecube_audit_rows_total', outcome='left_out') - left_out > 150, True)

    # of strangers ten a minute are kept, so it takes some time until one is
    def written():
        server.ask('/api/cube/metrics/lag?format=csv', token)
        problem(server.ask('/api/cube/metrics/lag?nonsense=1', token), 422, 'nonsense')
        server.ask('/api/cube/metrics/lag')
        return within(1, lambda: rows(
            "SELECT token_name, method, query, status FROM cube.api_audit WHERE path = '/api/cube/metrics/lag' AND (query IS NULL OR query NOT LIKE 'limit%')"
            ' ORDER BY audit_id DESC LIMIT 3') == [[None, 'GET', None, 401], ['all', 'GET', 'nonsense=1', 422], ['all', 'GET', 'format=csv', 200]])
    wait_until(30, 'rows of the audit', written)
    grown = value('SELECT count(*) FROM cube.api_audit WHERE token_name IS NULL') - strangers
    if grown > 110:
        fail('300 requests without a token made %d rows' % grown)
    by_api = server.rows('/api/cube/audit?limit=10000', token)
    if not any(row['path'] == '/api/cube/metrics/lag' and row['row_count'] is not None and row['took_ms'] > 0 for row in by_api):
        fail('the audit by the API lacks what was asked')
    psql("INSERT INTO cube.api_audit (asked_at, method, path, status, took_ms) SELECT now() - d * interval '1 day', 'GET', 'old', 200, 0 FROM unnest('{89,91}'::int[]) d")
    psql('SET ROLE gracecube_api; SELECT cube.trim_api_audit(1)')
    equal('old rows that are left when the login of the API trims the audit', value("SELECT count(*) FROM cube.api_audit WHERE path = 'old'"), 1)
    equal('of all', value('SELECT count(*) > 100 FROM cube.api_audit'), True)
    psql("DELETE FROM cube.api_audit WHERE path = 'old'")
    secrets = psql("SELECT count(*) FROM cube.api_audit WHERE concat(path, query) ~ 'gcube_[0-9a-f]'").strip()
    equal('tokens in the audit', secrets, '0')
    wait_until(5, 'last use', lambda: value("SELECT last_used_at > now() - interval '1 minute' FROM cube.api_token WHERE name = 'all'"))
    shown('%s requests are in the audit, with who, what, status, rows and time' % value('SELECT count(*) FROM cube.api_audit'))


# --- Together ---------------------------------------------------------------------------------------------------------

def same_questions(server, token):
    """Clients that ask the same at once are answered together, but each by what its own token may see."""
    path = '/api/cube/metrics/daily-verification-by-tier?from=1970-01-01'
    askers = {token: None, new_token('together', '--highest-tier', 'tier_1'): None, 'gcube_%s_%s' % ('0' * 12, '0' * 64): None}
    for asker in askers:
        answer = server.ask(path, asker)
        askers[asker] = (answer.status, answer.body)
    equal('statuses', [status for status, _ in askers.values()], [200, 200, 401])
    if len({body for _, body in askers.values()}) < 3:
        fail('a limited token sees as much as one without a limit')
    begun = threading.Barrier(30)

    def client(n):
        asker = list(askers)[n % 3]
        begun.wait()
        for _ in range(40):
            answer = server.ask(path, asker)
            if (answer.status, answer.body) != askers[asker]:
                fail('client %d: %d %s' % (n, answer.status, answer.body[:200]))

    with concurrent.futures.ThreadPoolExecutor(30) as clients:
        for done in [clients.submit(client, n) for n in range(30)]:
            done.result()
    shown('30 clients with three tokens ask the same at once: each has its own answer, 1,200 times')


# --- Agents: the Model Context Protocol -------------------------------------------------------------------------------

TOOLS = {  # the route that answers the same, and arguments of calls
    'list_metrics': ('/api/cube/metrics', [{}, {'limit': 3}]),
    'describe_metric': ('/api/cube/metrics/{name}/definition', [{'name': 'errors'}]),
    'query_metric': ('/api/cube/metrics/{name}', [{'name': 'errors', 'from': '2026-11-01', 'to': '2026-11-20', 'by': 'severity', 'grain': 'day', 'compare': None},
                                                  {'name': 'verification_success_rate', 'from': '2026-11-09', 'to': '2026-11-16', 'compare': 'week', 'where': '{"tier": ["tier_1"]}'},
                                                  {'name': 'executions', 'from': '2026-11-01', 'by': 'tier', 'limit': 2}]),
    'explain_change': ('/api/cube/metrics/{name}/explain', [{'name': 'confidence_avg', 'from': '2026-11-09', 'to': '2026-11-16', 'by': 'tier,component', 'limit': 2},
                                                          {'name': 'errors', 'days': 30, 'by': 'severity'}]),
    'freshness': ('/api/cube/metrics/freshness', [{}]),
    'contract_timeline': ('/api/cube/executions/{contract_id}/timeline', [{'contract_id': None}]),
}


def send(server, token, message, **headers):
    """POST /mcp as a client does; the answer with its body as JSON, where it has one."""
    connection = server.connect()
    connection.request('POST', '/mcp', message if isinstance(message, (str, bytes)) else json.dumps(message), {
        'Content-Type': 'application/json', 'Accept': 'application/json, text/event-stream', **({'Authorization': 'Bearer ' + token} if token else {}), **headers})
    answer = connection.getresponse()
    answer.body = answer.read()
    answer.json = json.loads(answer.body) if answer.body else None
    return answer


def ask_mcp(server, token, method, **parameters):
    answer = send(server, token, {'jsonrpc': '2.0', 'id': 'a-1', 'method': method, 'params': parameters}, **{'MCP-Protocol-Version': '2025-06-18'})
    equal('status of ' + method, (answer.status, answer.headers['Content-Type']), (200, 'application/json'))
    equal('whose answer it is', (answer.json['jsonrpc'], answer.json['id']), ('2.0', 'a-1'))
    return answer.json


def call_tool(server, token, tool, **arguments):
    """The result of a call: its structured content, or what it says of its error."""
    result = ask_mcp(server, token, 'tools/call', name=tool, arguments=arguments)['result']
    text, = (part['text'] for part in result['content'] if part['type'] == 'text')
    if result['isError']:
        return text
    equal('the text of %s' % tool, json.loads(text), result['structuredContent'])
    return result['structuredContent']


def agents(server, token, document):
    """MCP: each tool answers what its route does, with the same rights, and says in words what is wrong."""
    for asked, spoken in (('2025-06-18', '2025-06-18'), ('2025-03-26', '2025-03-26'), ('2025-11-25', '2025-11-25'), ('1999-01-01', '2025-11-25')):
        result = ask_mcp(server, token, 'initialize', protocolVersion=asked, capabilities={}, clientInfo={'name': 'test', 'version': '1'})['result']
        equal('revision for ' + asked, (result['protocolVersion'], list(result['capabilities']), result['serverInfo']['name']), (spoken, ['tools'], 'gracecube'))
    answer = send(server, token, {'jsonrpc': '2.0', 'method': 'notifications/initialized'})
    equal('a notification', (answer.status, answer.body), (202, b''))
    equal('ping', ask_mcp(server, token, 'ping')['result'], {})
    tools = {tool['name']: tool for tool in ask_mcp(server, token, 'tools/list')['result']['tools']}
    equal('tools', list(tools), list(TOOLS))
    for name, (path, calls) in TOOLS.items():
        of_route = {parameter['name']: parameter['schema'] for parameter in document['paths'][path]['get']['parameters']}
        schema = tools[name]['inputSchema']
        equal('arguments of ' + name, set(schema['properties']), set(of_route) - {'format', 'as', 'bom'})
        equal('needed ones', schema['required'], re.findall(r'{(\w+)}', path))
        for argument, allowed in schema['properties'].items():
            if argument not in schema['required']:
                equal('schema of %s in %s' % (argument, name), {key: text for key, text in allowed.items() if key != 'description'}, of_route[argument])
        for arguments in calls:
            if 'contract_id' in arguments:
                arguments = {'contract_id': server.rows('/api/cube/executions?limit=1', token)[0]['contract_id']}
            found = call_tool(server, token, name, **arguments)
            asked = {argument: text for argument, text in arguments.items() if text is not None and argument not in schema['required']}
            of_http = server.ask(re.sub(r'{(\w+)}', lambda part, given=arguments: given[part.group(1)], path) + '?' + urllib.parse.urlencode(asked), token)
            same_rows('%s %s' % (name, arguments), [plain(row) for row in found['rows']], [plain(row) for row in json.loads(of_http.body)])
            equal('its commit', (found['as_of'], str(found['records']), found['more']), (of_http.headers['X-Cube-As-Of'], of_http.headers['X-Cube-Records'], of_http.headers['X-Cube-More'] == 'true'))
    shown('MCP: initialize, ping and %d tools, each with the parameters and the rows of its route' % len(tools))
    refused_calls(server, token)
    if os.environ.get('CUBE_TEST_CAMPAIGN'):
        equal('a client of the protocol', by_mcp.ask('http://127.0.0.1:%d/mcp' % server.port, token), [
            [mode, '2025-11-25', list(TOOLS), call_tool(server, token, 'query_metric', name='errors', by='severity', **{'from': '2026-11-01'}), [True, call_tool(server, token, 'explain_change', name='duration_p95')]]
            for mode in ('legacy', 'auto')])
        shown('MCP: the client of PyPI connects, lists the tools and calls them')


def refused_calls(server, token):
    limited, viewer = new_token('agent', '--highest-tier', 'tier_1', '--role', 'analyst'), new_token('agent that views', '--role', 'viewer')
    for name, arguments, says in (('query_metric', {'name': 'eror'}, 'did you mean errors?'), ('query_metric', {}, 'missing. Parameter: name'), ('query_metric', {'name': 7}, 'not allowed. Parameter: name'),
                                  ('query_metric', {'name': 'errors', 'days': 91}, 'Parameter: days. Allowed: a whole number from 1 to 90.'), ('explain_change', {'name': 'duration_p95'}, 'does not add'),
                                  ('query_metric', {'name': 'errors', 'format': 'csv'}, 'one form'), ('query_metric', {'name': 'errors', 'sql': 'x'}, 'no such parameter'),
                                  ('query_metric', {'name': 'errors', 'by': ['severity']}, 'a text or a whole number'), ('query_metric', {'name': 'missions', 'by': 'tier'}, 'do not add over tiers'),
                                  ('contract_timeline', {'contract_id': 'none'}, 'no such record')):
        said = call_tool(server, token, name, **arguments)
        if not isinstance(said, str) or says not in said:
            fail('%s %s: %s' % (name, arguments, said))
    said = call_tool(server, viewer, 'contract_timeline', contract_id='none')
    equal('a tool that the role does not reach', said, 'This needs a token with the role analyst.')
    equal('tiers of a limited token', {row['dimensions']['tier'] for row in call_tool(server, limited, 'query_metric', name='executions', by='tier')['rows']}, {'tier_1'})
    for method, parameters, code in (('tools/call', {'name': 'drop_table'}, -32602), ('resources/list', {}, -32601), ('server/discover', {}, -32601), ('tools/call', {}, -32602)):
        equal(method, ask_mcp(server, token, method, **parameters)['error']['code'], code)
    ping = {'jsonrpc': '2.0', 'id': 1, 'method': 'ping'}
    for message, status, headers in ((ping, 200, {}), ('{"jsonrpc"', 400, {}), ([ping], 400, {}), ({'id': 1, 'method': 'ping'}, 400, {}), ({'jsonrpc': '2.0', 'id': 1.5, 'method': 'ping'}, 400, {}), ('', 400, {}),
                                     (ping, 400, {'MCP-Protocol-Version': '2026-07-28'}), (ping, 403, {'Origin': 'http://evil.example'}), (ping, 403, {'Origin': 'http://localhost.evil.example'}),
                                     (ping, 403, {'Origin': 'null'}), (ping, 200, {'Origin': 'http://localhost:6274'}), (ping, 200, {'Origin': 'https://[::1]'}),
                                     ({'jsonrpc': '2.0', 'id': 3, 'result': {}}, 202, {})):
        answer = send(server, token, message, **headers)
        if answer.status != status:
            fail('%s with %s: %d, expected %d: %s' % (message, headers, answer.status, status, answer.body))
        if status >= 400:
            problem(answer, status)
    problem(send(server, None, ping), 401)
    problem(send(server, 'gc_nonsense', ping), 401)
    problem(send(server, 'gc_nonsense', {'jsonrpc': '2.0', 'id': 1, 'method': 'tools/call', 'params': {'name': 'freshness'}}), 401)
    for method in ('GET', 'DELETE', 'PUT'):
        answer = server.ask('/mcp', token, method=method)
        problem(answer, 405)
        equal('Allow', answer.headers['Allow'], 'POST')
    try:
        fail('70 KB are taken: %d' % send(server, token, ' ' * 70000 + json.dumps(ping)).status)
    except OSError:
        pass
    call_tool(server, token, 'query_metric', name='errors', days=91)
    wait_until(10, 'the call in the audit', lambda: rows("SELECT token_name, method, query, status FROM cube.api_audit WHERE path = '/mcp' ORDER BY audit_id DESC LIMIT 1")
               == [['all', 'POST', 'tool=query_metric&name=errors&days=91', 422]])
    shown('MCP: what is wrong is told in words, by role and tier as by HTTP; pages of other hosts, batches and other methods are refused; calls are in the audit')


# --- The document -----------------------------------------------------------------------------------------------------

def openapi(server, token):
    document = json.loads(server.ask('/api/openapi.json', token).body)
    equal('version', document['openapi'], '3.1.0')
    ids = [item['get']['operationId'] for item in document['paths'].values()]
    equal('operation ids', len(set(ids)), len(ids))
    for path, item in document['paths'].items():
        get = item['get']
        equal('parts of %s' % path, [p['name'] for p in get['parameters'] if p['in'] == 'path'], re.findall(r'{(\w+)}', path))
        for parameter in get['parameters']:
            if parameter['in'] == 'query' and not parameter['description'] or 'schema' not in parameter:
                fail('%s: parameter %s is not described' % (path, parameter['name']))
        if not {'200', '401', '403', '422', '503'} <= set(get['responses']):
            fail('%s: not all answers are described' % path)
        schema = get['responses']['200']['content'].get('application/json', {}).get('schema', {})
        columns = schema.get('items', {}).get('properties', {}).keys()
        if '/metrics/' in path and not {'tier_name', 'tier_code'} & columns and path.rsplit('/', 1)[1] not in ('freshness', 'lag', 'etl-metadata', 'definition') and not (
                'Of all tiers, whoever asks.' in get['description'] or 'Of the tiers that who asks may see.' in get['description']):
            fail('%s does not say of which tiers it is: %s' % (path, get['description']))
        for name, column in schema.get('items', {}).get('properties', {}).items():
            if 'description' not in column and not path.endswith('timeline'):
                fail('%s: column %s is not described' % (path, name))
    for reference in re.findall(r'"\$ref":"#/([^"]+)"', json.dumps(document, separators=(',', ':'))):
        node = document
        for part in reference.split('/'):
            node = node[part]
    shown('/api/openapi.json: %d paths, every parameter and column described' % len(ids))
    return document


# --- For spreadsheets, and for slow lines -----------------------------------------------------------------------------

def forms(server, token):
    """CSV as a file that runs nothing, gzip, and tags by which what is known already is not sent again."""
    contract = value('SELECT contract_id FROM cube.fact_verification_executions ORDER BY 1 LIMIT 1')
    action = value("SELECT action_type FROM cube.fact_verification_executions WHERE contract_id = '%s'" % contract)
    psql("UPDATE cube.fact_verification_executions SET action_type = E'=cmd|\\' /C calc\\'!A0' WHERE contract_id = '%s'" % contract)
    path = '/api/cube/executions/' + contract
    answer = server.ask(path + '?format=csv', token)
    equal('name of the file', answer.headers['Content-Disposition'], 'attachment; filename="executions.csv"')
    row = next(csv.DictReader(io.StringIO(answer.body.decode(), newline='')))
    equal('a formula in CSV', row['action_type'], "'=cmd|' /C calc'!A0")
    equal('in JSON', server.rows(path, token)[0]['action_type'], "=cmd|' /C calc'!A0")
    equal('with a mark', server.ask(path + '?format=csv&bom=true', token).body, b'\xef\xbb\xbf' + answer.body)
    psql("UPDATE cube.fact_verification_executions SET action_type = '%s' WHERE contract_id = '%s'" % (action, contract))
    for question, name in (('errors?by=severity&limit=2', 'errors-rows-1-2'), ('errors?by=severity', 'errors'), ('errors/explain?from=2026-11-09&to=2026-11-16', 'errors-explain')):
        answer = server.ask('/api/cube/metrics/%s&as=csv&bom=true' % question, token)
        equal('name of the file', answer.headers['Content-Disposition'], 'attachment; filename="%s.csv"' % name)
        equal('its mark', answer.body[:3], b'\xef\xbb\xbf')
        equal('known already', server.status('/api/cube/metrics/%s&as=csv&bom=true' % question, token, **{'If-None-Match': answer.headers['ETag']}), 304)
    equal('the next page of a metric', server.ask('/api/cube/metrics/errors?by=severity&limit=2', token).headers['Link'], '</api/cube/metrics/errors?offset=2&by=severity&limit=2>; rel="next"')

    path = '/api/cube/executions?limit=1000'
    plain_one = server.ask(path, token)
    zipped = server.ask(path, token, **{'Accept-Encoding': 'br, gzip;q=0.8'})
    equal('encodings', (plain_one.headers['Content-Encoding'], zipped.headers['Content-Encoding']), (None, 'gzip'))
    equal('unzipped', gzip.decompress(zipped.body), plain_one.body)
    if len(zipped.body) * 4 > len(plain_one.body):
        fail('%d bytes became %d' % (len(plain_one.body), len(zipped.body)))
    equal('not wanted', server.ask(path, token, **{'Accept-Encoding': 'gzip;q=0'}).headers['Content-Encoding'], None)
    tag = zipped.headers['ETag']
    equal('tags', tag, plain_one.headers['ETag'])
    for known, status in ((tag, 304), ('"other", ' + tag, 304), (tag.removeprefix('W/'), 304), ('*', 304), ('"other"', 200)):
        again = server.ask(path, token, **{'If-None-Match': known})
        equal('with If-None-Match: ' + known, (again.status, again.body == b''), (status, status == 304))
        if not again.headers['X-Cube-As-Of']:
            fail('an answer does not say how fresh it is')
    problem(server.ask(path, None, **{'If-None-Match': '*'}), 401)
    equal('the page', server.ask('/', **{'If-None-Match': '*'}).status, 304)
    for anybody in ('/', '/livez', '/nothing', path):
        equal('freshness for strangers: ' + anybody, server.ask(anybody).headers['X-Cube-As-Of'], None)
    shown('CSV runs no formula and has a name; gzip makes %d of %d bytes; 304 by ETag; strangers are not told when data moves' % (len(zipped.body), len(plain_one.body)))


def paging(server, token):
    """JSON in pages, of which each names the next one; CSV is whole up to the row limit, and its name says when it is not."""
    contracts = {row[0] for row in rows('SELECT contract_id FROM cube.fact_verification_executions')}
    path, seen, pages = '/api/cube/executions?q=c&limit=40', [], 0
    while path:
        answer = server.ask(path, token)
        seen += [row['contract_id'] for row in json.loads(answer.body)]
        pages += 1
        link = answer.headers['Link']
        equal('more rows behind page %d' % pages, answer.headers['X-Cube-More'], 'true' if link else 'false')
        path = re.fullmatch('<(/api/cube/executions[?][^>]*)>; rel="next"', link).group(1) if link else None
    equal('executions of all pages', (len(seen), set(seen)), (len(contracts), contracts))

    def file(server, path):
        answer = server.ask(path, token)
        return len(list(csv.reader(io.StringIO(answer.body.decode(), newline='')))) - 1, answer.headers['Content-Disposition'], answer.headers['Link']
    equal('a file', file(server, '/api/cube/executions?format=csv'), (len(contracts), 'attachment; filename="executions.csv"', None))
    equal('a part of it', file(server, '/api/cube/executions?format=csv&limit=20&offset=30'), (
        20, 'attachment; filename="executions-rows-31-50.csv"', '</api/cube/executions?offset=50&format=csv&limit=20>; rel="next"'))
    short = Server('-s', 'serve.row_limit=50')
    equal('a file that is cut', file(short, '/api/cube/executions?format=csv'), (
        50, 'attachment; filename="executions-rows-1-50.csv"', '</api/cube/executions?offset=50&format=csv>; rel="next"'))
    short.stop()
    shown('%d executions in %d pages, by Link; CSV has all of them, or says in its name which' % (len(seen), pages))


def drills(server, token):
    """Lists of facts behind a mark: as many as the mark says."""
    def found(query):
        return len(server.rows('/api/cube/executions?limit=10000&' + query, token))
    for bucket, n in rows('SELECT bucket, sum(executions) FROM cube.cube_window_confidence GROUP BY 1'):
        equal('executions of confidence bucket %s' % bucket, found('confidence_from=%.2f&confidence_to=%.2f' % (bucket / 20, (bucket + 1) / 20)), n)
    for weekday, hour, n in rows('SELECT iso_weekday, hour, sum(executions) FROM cube.cube_activity_heatmap GROUP BY 1, 2 ORDER BY 3 DESC, 1, 2 LIMIT 12'):
        equal('executions of weekday %s, hour %s' % (weekday, hour), found('weekday=%s&hour=%s' % (weekday, hour)), n)
    for kind, tier, n in rows('SELECT m.mission_type, t.tier_code, m.executions FROM cube.cube_mission_metrics m JOIN cube.dim_tier t USING (tier_name)'
                              " WHERE t.tier_code ~ '^(tier_[1-9]|unknown)$'"):
        equal('executions of missions of type %s, %s' % (kind, tier), found('mission_type=%s&tier=%s' % (urllib.parse.quote(kind), tier)), n)
    shown('executions by confidence, weekday and hour, type of mission: each list is as long as its sum says')


def definitions():
    """Views whose rows may be summed, against the facts: each mission once, each error in one status, durations by the runs they are of."""
    equal('missions by type', rows('SELECT mission_type, missions, successful, running, successful + partial + failed + rolled_back + running FROM cube.cube_missions_by_type ORDER BY 1'), rows(
        "SELECT mission_type, count(*), count(*) FILTER (WHERE final_status = 'success'), count(*) FILTER (WHERE final_status IS NULL), count(*)"
        ' FROM cube.dim_mission WHERE mission_key > 0 GROUP BY 1 ORDER BY 1'))
    equal('missions one by one', rows('SELECT count(*), count(*) FILTER (WHERE is_running) FROM cube.cube_missions'), rows(
        'SELECT count(*), count(*) FILTER (WHERE final_status IS NULL) FROM cube.dim_mission WHERE mission_key > 0'))
    by_facts = """SELECT cube.day_of(f.time_key), f.severity, count(*), count(*) FILTER (WHERE f.status = 'open'), count(*) FILTER (WHERE f.status = 'resolved'),
            count(*) FILTER (WHERE f.status = 'false_positive'), count(*) FILTER (WHERE coalesce(f.status, '') NOT IN ('open', 'resolved', 'false_positive')),
            round(avg(f.resolution_time_seconds) FILTER (WHERE f.status IS DISTINCT FROM 'false_positive')::numeric, 3) FROM cube.fact_error_events f GROUP BY 1, 2 ORDER BY 1, 2"""
    equal('errors by status', rows('SELECT date, severity, error_count, open_count, resolved_count, false_positive_count, other_count, round(avg_true_resolution_seconds::numeric, 3)'
                                   ' FROM cube.cube_error_trends ORDER BY date, severity'), rows(by_facts))
    equal('errors of the view by status', rows('SELECT status, sum(errors) FROM cube.cube_errors_by_status GROUP BY 1 ORDER BY 1'), rows(
        "SELECT coalesce(status, 'unknown'), count(*) FROM cube.fact_error_events GROUP BY 1 ORDER BY 1"))
    equal('open errors', rows('SELECT is_open, is_false_positive, count(*) FROM cube.cube_errors GROUP BY 1, 2 ORDER BY 1, 2'), rows(
        "SELECT CASE WHEN resolved_at IS NULL THEN status NOT IN ('archived', 'closed', 'false_positive', 'ignored', 'resolved') ELSE false END, coalesce(status, '') = 'false_positive', count(*)"
        ' FROM cube.fact_error_events GROUP BY 1, 2 ORDER BY 1, 2'))
    equal('severities that have no order', rows('SELECT DISTINCT severity FROM cube.cube_errors WHERE severity_order IS NULL'), [])
    equal('the worst of them', value('SELECT severity FROM cube.cube_errors ORDER BY severity_order DESC LIMIT 1'), 'sev0')
    psql("INSERT INTO cube.dim_severity VALUES ('sev0', 70), ('minor', 15) ON CONFLICT (severity) DO UPDATE SET severity_order = excluded.severity_order")
    equal('an order that was changed', value("SELECT max(severity_order) FROM cube.cube_error_trends"), 70)
    equal('playbooks', rows('SELECT playbook_id, round((sum(sum_duration_seconds) / sum(timed_runs))::numeric, 3) FROM cube.cube_playbook_performance GROUP BY 1 ORDER BY 1'), rows(
        "SELECT coalesce(playbook_id, 'unknown'), round(avg(duration_seconds)::numeric, 3) FROM cube.fact_playbook_runs GROUP BY 1 ORDER BY 1"))
    equal('dates', value('SELECT count(*) FROM cube.cube_daily_verification_by_tier WHERE date <> make_date(year, month, day) OR date IS NULL'), 0)
    equal('open executions', rows('SELECT contract_status, bool_and(is_open), bool_or(is_open) FROM cube.cube_executions GROUP BY 1 ORDER BY 1'), [
        [status, status in ('pending', 'executing'), status in ('pending', 'executing')] for status, in rows('SELECT DISTINCT contract_status FROM cube.fact_verification_executions ORDER BY 1')])
    equal('where data begin and end', rows('SELECT * FROM cube.cube_extents ORDER BY 1'), rows(' UNION ALL '.join(
        "SELECT '%s', min(cube.day_of(time_key)), max(cube.day_of(time_key)) FROM cube.%s" % pair for pair in (
            ('approvals', 'fact_approvals'), ('errors', 'fact_error_events'), ('executions', 'fact_verification_executions')))))
    equal('the usual silence of the log', value("SELECT round(usual_gap_seconds) FROM cube.cube_freshness WHERE stream = 'immutable_log'"), value(
        'SELECT round(7 * 86400.0 / count(*)) FROM cube.fact_agentic_events WHERE cube.day_of(time_key) > (SELECT max(cube.day_of(time_key)) FROM cube.fact_agentic_events) - 7'))
    equal('of what limited roles see', psql("SET ROLE gracecube_tier_1; SELECT count(usual_gap_seconds) FROM cube.cube_freshness"), psql('SELECT count(usual_gap_seconds) FROM cube.cube_freshness'))
    for table in ('fact_verification_executions', 'fact_approvals', 'dim_mission'):
        found = {name: (n, filled, is_empty) for name, n, filled, is_empty in rows("SELECT column_name, row_count, filled, is_empty FROM cube.column_fill WHERE table_name = '%s'" % table)}
        columns = [row[0] for row in rows("SELECT attname FROM pg_attribute WHERE attrelid = 'cube.%s'::regclass AND attnum > 0 AND NOT attisdropped" % table)]
        n, *filled = rows('SELECT count(*), %s FROM cube.%s' % (', '.join('count(%s)' % name for name in columns), table))[0]
        equal('how full %s is' % table, found, {name: (n, count, count == 0) for name, count in zip(columns, filled)})
    equal('a column that no record fills', value("SELECT is_empty FROM cube.column_fill WHERE table_name = 'fact_approvals' AND column_name = 'risk_score'"), True)
    # but for what records have so
    equal('texts of a story that end with a blank', rows("SELECT t.* FROM cube.fact_verification_executions f, cube.cube_execution_timeline(f.contract_id) t"
                                                         " WHERE t.detail ~ ' $' AND t.fact <> 'fact_approvals' AND f.triggered_by !~ ' $'"), [])
    shown('missions are counted once, errors by how they ended, false positives apart; playbooks, dates, severities, extents and usual gaps: equal to the facts')


# --- What one client may take -----------------------------------------------------------------------------------------

def ended(connection, seconds):
    """When the server closed it, in seconds from now; None when it did not."""
    connection.settimeout(0.2)
    begun = time.time()
    while time.time() - begun < seconds:
        try:
            if not connection.recv(1000):
                return time.time() - begun
        except socket.timeout:
            pass
        except OSError:
            return time.time() - begun
    return None


def is_let_in(server, token, host, port):
    try:
        return server.ask('/api/cube/me', token, connection=http.client.HTTPConnection(host, port, timeout=5)).status == 200
    except (OSError, http.client.HTTPException):
        return False


def slow_clients(token):
    """Connections that send a byte now and then hold neither the API nor its probes; one address does not take all places."""
    server = Server('-s', 'serve.clients=30')
    held = [socket.create_connection(('127.0.0.1', server.port)) for _ in range(30)]
    for connection in held:
        connection.sendall(b'GET / HTTP/1.1\r\nHost: a\r\nX-Slow: ')
    stop = threading.Event()

    def trickle():
        while not stop.wait(1):
            for connection in held:
                try:
                    connection.sendall(b'x')
                except OSError:
                    pass
    threading.Thread(target=trickle, daemon=True).start()
    begun = time.time()
    equal('probes meanwhile', (server.probe('/livez')[0], server.probe('/readyz')[0]), (200, 200))
    wait_until(25, 'an answer beside 30 slow clients', lambda: server.status('/api/cube/me', token) == 200)
    took = time.time() - begun
    if ended(held[0], 5) is None:
        fail('a slow client is still connected')
    stop.set()
    for connection in held:
        connection.close()
    if server.metric('gracecube_http_limited_total', limit='deadline') < 30:
        fail('the deadline was not counted')
    keep = server.connect()
    for _ in range(2): # a connection that waits for its next request is none that dawdles
        equal('over one connection', server.ask('/api/cube/me', token, connection=keep).status, 200)
        time.sleep(12)  # nothing happens meanwhile, for longer than a request may take
    equal('after a pause', server.ask('/api/cube/me', token, connection=keep).status, 200)
    server.stop()

    host = socket.gethostbyname(socket.gethostname())
    if host.startswith('127.'):
        host = subprocess.run(['hostname', '-I'], stdout=subprocess.PIPE, check=True).stdout.decode().split()[0]
    server = Server('-s', 'serve.listen=0.0.0.0:%d' % (port := free_port()), '-s', 'serve.allow_plain=true', '-s', 'serve.clients_per_address=5', port=port)
    held = [socket.create_connection((host, port)) for _ in range(5)]
    wait_until(5, 'five connections', lambda: server.metric('gracecube_http_connections') >= 5)
    if ended(socket.create_connection((host, port)), 3) is None:
        fail('a sixth connection of one address was let in')
    equal('from another address', server.status('/api/cube/me', token), 200)
    equal('counted', server.metric('gracecube_http_limited_total', limit='address'), 1)
    held[0].close()
    wait_until(5, 'a place, once another has left', lambda: is_let_in(server, token, host, port))
    server.stop()
    shown('30 clients that send a byte a second are cut off, and the 31st is answered after %.0f s; probes at once; 5 connections for an address with a limit of 5' % took)


def greedy_tokens(token):
    """Slow questions of one token hold up that one; another's are answered. Event streams have their limit, too."""
    server = Server('-s', 'serve.statement_timeout=3s')
    other = new_token('patient')
    lock = subprocess.Popen(['psql', '-X', '-q', '-d', os.environ['GRACECUBE_POSTGRES_DSN'], '-c', 'BEGIN', '-c', 'LOCK cube.fact_error_events',
                             '-c', 'SELECT pg_sleep(6)'], stdout=subprocess.DEVNULL)
    started.append(lock)
    wait_until(5, 'the lock', lambda: is_locked('fact_error_events'))
    with concurrent.futures.ThreadPoolExecutor(160) as clients:
        slow = [clients.submit(server.status, '/api/cube/errors?offset=%d' % i, token) for i in range(160)]
        wait_until(5, 'a full queue', lambda: server.metric('gracecube_http_limited_total', limit='token_queue') > 0)
        equal('connections that one token has', server.metric('gracecube_pg_pool_busy'), 2)
        begun = time.time()
        equal('another token', server.status(RATE, other), 200)
        took = time.time() - begun
        lock.wait()
        statuses = {done.result() for done in slow}
    if took > 1.5 or not {429} <= statuses <= {200, 429, 503}:
        fail('another token waited for %.1f s; the greedy one got %s' % (took, statuses))
    pages = [Listener(server, token) for _ in range(100)]
    wait_until(20, '100 open streams', lambda: server.metric('gracecube_http_streams') == 100)
    problem(server.ask('/api/cube/events', token), 429)
    page = Listener(server, other)
    wait_until(5, 'a stream of another token', lambda: hasattr(page, 'answer') and page.answer.status == 200)
    server.stop()
    wait_until(10, 'the end of the streams', lambda: not any(page.alive for page in pages))
    shown('160 slow questions of one token: it has two connections of four and half of the queue, the others are answered in %.2f s; 100 event streams a token' % took)


# --- Metrics and probes -----------------------------------------------------------------------------------------------

def metrics(server, token):
    """What was asked is counted by route and status, never by path; the API's own port tells nothing of it."""
    one, none = '/api/cube/executions/{contract_id}', '/api/cube/nothing'
    before = {(route, status): server.metric('gracecube_http_requests_total', route=route, status=str(status))
              for route, status in ((RATE, 200), (RATE, 401), (RATE, 422), (one, 404), ('other', 404), ('/', 200))}
    denied = [server.metric('gracecube_http_unauthorized_total', reason=reason) for reason in ('no_token', 'bad_token')]
    timed = server.metric('gracecube_http_request_seconds_count', route=RATE)
    for path, asker in ((RATE, token), (RATE, None), (RATE, 'nonsense'), (RATE + '?days=0', token), ('/api/cube/executions/c-77', token), (none, token), ('/', None)):
        server.ask(path, asker)
    wait_until(5, 'the page in the metrics', lambda: server.metric('gracecube_http_requests_total', route='/', status='200') > before['/', 200])
    for (route, status), count in before.items():
        equal('%s with %d' % (route, status), server.metric('gracecube_http_requests_total', route=route, status=str(status)), count + (2 if (route, status) == (RATE, 401) else 1))
    equal('denied', [server.metric('gracecube_http_unauthorized_total', reason=reason) for reason in ('no_token', 'bad_token')], [denied[0] + 1, denied[1] + 1])
    equal('timed', server.metric('gracecube_http_request_seconds_count', route=RATE), timed + 4)
    text = server.probe('/metrics')[1]
    for hidden in ('c-77', 'nothing', token, 'gcube_'):
        if hidden in text:
            fail('%s is in the metrics' % hidden)
    routes = set(re.findall(r'route="([^"]*)"', text))
    known = set(re.findall(r'"(/[^"]*)":{"get"', server.ask('/api/openapi.json', token).body.decode())) | {'/', '/livez', '/readyz', '/mcp', '/assets/{file}', 'other'}
    if not routes <= known:
        fail('routes in the metrics that are none: %s' % (routes - known))
    for name, least in (('gracecube_pg_reachable', 1), ('gracecube_pg_pool_connections', 4), ('gracecube_pg_connections', 3), ('gracecube_pg_connects_total', 3),
                        ('gracecube_http_questions_total', 1), ('gracecube_http_queue_seconds_count', 1), ('gracecube_http_sent_bytes_total', 100000),
                        ('gracecube_build_info', 1), ('process_resident_memory_bytes', 1000000)):
        if server.metric(name) < least:
            fail('%s is %s' % (name, server.metric(name)))
    if server.metric('gracecube_http_shared_answers_total') < 100:
        fail('30 clients asked the same at once, and only %d had the answer of another one' % server.metric('gracecube_http_shared_answers_total'))
    wait_until(5, 'all rows of the audit written', lambda: server.metric('gracecube_audit_queue_rows') == 0)
    equal('rows of the audit', server.metric('gracecube_audit_rows_total', outcome='written'), value('SELECT count(*) FROM cube.api_audit'))
    equal('lost ones', server.metric('gracecube_audit_rows_total', outcome='lost'), 0)
    problem(server.ask('/metrics', token), 404)
    equal('ready on the probes\' own port', server.probe('/readyz'), (200, 'ok\n'))
    equal('the API there', server.probe(RATE)[0], 404)
    shown('/metrics: by route and status, without a path or a token; the API\'s port does not have it')


# --- The access log ---------------------------------------------------------------------------------------------------

def access_log(server, token):
    """One line a request, with who and what, and never a secret."""
    server.ask(RATE + '?days=7&tier=tier_1', token)
    server.ask('/api/cube/executions/%s?a=%s' % (token, token), token)
    server.ask('/api/cube/metrics/lag?token=' + token)
    server.ask('/nothing%0aforged=1', method='HEAD')

    def lines():
        with open('serve.log', encoding='utf-8') as file:
            return [dict(re.findall(r'(\w+)=("(?:[^"\\]|\\.)*"|\S*)', line)) for line in file if 'took_ms=' in line]
    wait_until(5, 'the last request in the log', lambda: lines()[-1:] and 'forged' in lines()[-1]['path'])
    found = lines()[-4:]
    kept = ('method', 'route', 'path', 'query', 'status', 'token', 'remote', 'end')
    equal('lines', [[line[name].strip('"') for name in kept] for line in found], [
        ['GET', RATE, RATE, 'days=7&tier=tier_1', '200', 'all', '127.0.0.1', 'whole'],
        ['GET', '/api/cube/executions/{contract_id}', '/api/cube/executions/gcube_' + '*' * (len(token) - 6), 'a=gcube_' + '*' * (len(token) - 6), '422', 'all', '127.0.0.1', 'whole'],
        ['GET', '/api/cube/metrics/lag', '/api/cube/metrics/lag', 'token=***', '401', '', '127.0.0.1', 'whole'],
        ['HEAD', 'other', '/nothing\\nforged=1', '', '404', '', '127.0.0.1', 'whole']])
    answer = server.ask(RATE + '?days=7&tier=tier_1', token)
    equal('bytes', [int(line['bytes']) > 0 for line in found], [True, True, True, False])
    equal('bytes of the answer', int(found[0]['bytes']), len(answer.body))
    with open('serve.log', encoding='utf-8') as file:
        if re.search('gcube_[0-9a-f]', file.read()):
            fail('a token is in the log')
    shown('the access log has one line a request: route, status, bytes, time, who, from where; no token')


# --- Live -------------------------------------------------------------------------------------------------------------

class Listener(threading.Thread):
    """Reads an event stream; events as (when, data)."""
    def __init__(self, server, token):
        super().__init__(daemon=True)
        self.server, self.token, self.events, self.alive = server, token, [], True
        self.start()

    def run(self):
        connection = self.server.connect(timeout=60)
        connection.request('GET', '/api/cube/events', headers={'Authorization': 'Bearer ' + self.token})
        self.answer = connection.getresponse()
        name = None
        while True:
            line = self.answer.readline()
            if not line:
                break
            if line.startswith(b'event: '):
                name = line[7:].strip()
            elif line.startswith(b'data: ') and name == b'changed':
                self.events.append((time.time(), json.loads(line[6:])))
        self.alive = False


def live(server, token):
    """Records arrive, 20 clients ask, 12 pages are open."""
    pages = [Listener(server, token) for _ in range(12)]
    consumer = subprocess.Popen([PROGRAM, 'run', '-s', 'run.workers=2', '-s', 'run.batch_records=50'], stdout=subprocess.DEVNULL, stderr=open('run.log', 'ab'))
    started.append(consumer)
    broker = Kafka(BROKERS)
    wait_until(10, 'open pages', lambda: all(hasattr(page, 'answer') for page in pages))
    equal('listening connections', value("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'gracecube serve events' AND datname = current_database()"), 1)
    stop, count = threading.Event(), [0] * 20

    def client(n):
        connection, chance = server.connect(), random.Random(n)
        paths = [RATE, '/api/cube/metrics/hourly-verification', '/api/cube/metrics/error-trends', '/api/cube/executions', '/api/cube/metrics/freshness']
        while not stop.is_set():
            answer = server.ask(chance.choice(paths), token, connection=connection)
            equal('status of client %d (%s)' % (n, answer.body[:200]), answer.status, 200)
            json.loads(answer.body)
            count[n] += 1

    with concurrent.futures.ThreadPoolExecutor(20) as clients:
        done = [clients.submit(client, n) for n in range(20)]
        for i in range(300):
            row = {'id': 900000 + i, 'contract_id': 'live-%d' % i, 'action_type': 'live', 'tier': 'tier_1', 'status': 'verified', 'triggered_by': 'user:live',
                   'created_at': '2026-11-23T08:00:00Z', 'confidence_score': 0.5}
            broker.send(PREFIX + '.action_contracts', json.dumps({'id': 'live-%d' % i}).encode(), json.dumps(dict(row, id='live-%d' % i)).encode())
            if i % 20 == 0:
                broker.flush()
                time.sleep(0.1)  # traffic has pauses
        broker.flush()
        wait_until(60, 'the records in the cube', lambda: value("SELECT count(*) FROM cube.fact_verification_executions WHERE contract_id LIKE 'live-%'") == 300)
        stop.set()
        for future in done:
            future.result()
    wait_until(5, 'an event on every page', lambda: all(page.events for page in pages))

    time.sleep(1.5)  # nothing happens meanwhile: the next event is not held back behind others
    before = len(pages[0].events)
    broker.send(PREFIX + '.action_contracts', b'{"id": "live-last"}', json.dumps({
        'id': 'live-last', 'action_type': 'live', 'tier': 'tier_1', 'status': 'pending', 'triggered_by': 'user:live', 'created_at': '2026-11-23T08:00:00Z'}).encode())
    broker.flush()
    wait_until(20, 'the next event', lambda: all(len(page.events) > before for page in pages))
    committed = value('SELECT extract(epoch FROM max(updated_at))::float8 FROM cube.etl_offset')
    late = max(page.events[before][0] for page in pages) - committed
    if late > 1:
        fail('the event came %.2f s after the commit' % late)
    if 'action_contracts' not in pages[0].events[before][1]['streams']:
        fail('the event does not name its stream: %r' % (pages[0].events[before],))
    times = [when for when, _ in pages[0].events]
    if any(times[i + 6] - times[i] < 1 for i in range(len(times) - 6)):
        fail('more than five events within a second')
    consumer.terminate()
    equal('exit code of run', consumer.wait(timeout=30), 0)
    # whoever may log in may notify, and say anything: pages are told that all has changed, not what he says
    before = len(pages[0].events)
    psql("SELECT pg_notify('cube_changed', n || repeat('x', 7000)) FROM generate_series(1, 300) n")
    wait_until(5, 'an event that names no stream', lambda: any(event['streams'] == [] for _, event in pages[0].events[before:]))
    if max(len(json.dumps(event)) for _, event in pages[0].events[before:]) > 20000:
        fail('what a stranger notified of is told to every page')
    verify_agrees()
    shown('%d requests of 20 clients while records arrived, all 200; 12 pages hear of a commit within %.2f s, by one connection' % (sum(count), late))
    return pages


# --- TLS and addresses ------------------------------------------------------------------------------------------------

def tls(token):
    subprocess.run(['openssl', 'req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-keyout', 'key.pem', '-out', 'cert.pem', '-days', '2', '-subj', '/CN=localhost',
                    '-addext', 'subjectAltName=IP:127.0.0.1'], check=True, stderr=subprocess.DEVNULL)
    context = ssl.create_default_context(cafile='cert.pem')
    server = Server('-s', 'serve.tls_certificate=cert.pem', '-s', 'serve.tls_key=key.pem', tls=context)
    equal('over TLS', server.status(RATE, token), 200)
    server.stop()
    open_to_all = 'serve.listen=0.0.0.0:%d' % free_port()
    program('serve', '-s', open_to_all, expect=78)
    program('serve', '-s', 'serve.tls_certificate=cert.pem', expect=78)
    program('serve', '-s', 'serve.tls_certificate=cert.pem', '-s', 'serve.tls_key=cert.pem', expect=78)
    shown('TLS by certificate files; plain HTTP for other machines is refused')


# --- A database that goes away ----------------------------------------------------------------------------------------

def shell(command):
    done = subprocess.run(['bash', '-c', 'set -euo pipefail; . "$CUBE_TEST_ROOT/deploy/lib/common.sh"; . "$CUBE_TEST_ROOT/deploy/lib/postgres.sh"; ' + command],
                          stdout=subprocess.PIPE, stderr=open('postgres.log', 'ab'), stdin=subprocess.DEVNULL, check=False)
    if done.returncode:
        fail('%s: %s' % (command, tail('postgres.log')))
    return done.stdout.decode().strip()


def outage():
    shell('POSTGRES_NO_SYNC=1 postgres_start "$PWD/postgres" fsync=off')
    try:
        dsn = shell('postgres_psql "$PWD/postgres" postgres -c "CREATE DATABASE cube"; postgres_dsn "$PWD/postgres" cube')
        os.environ['GRACECUBE_POSTGRES_DSN'] = dsn
        program('migrate')
        token = new_token('all')
        server = Server('-s', 'serve.statement_timeout=500ms')
        equal('before', server.status(RATE, token), 200)

        locker = subprocess.Popen(['psql', '-X', '-q', '-d', dsn, '-c', 'BEGIN', '-c', 'LOCK cube.dim_tier', '-c', 'SELECT pg_sleep(4)'], stdout=subprocess.DEVNULL)
        wait_until(5, 'the lock', lambda: is_locked('dim_tier', dsn))
        begun = time.time()
        slow = server.ask(RATE, token)
        problem(slow, 503)
        if time.time() - begun > 3 or not slow.headers['Retry-After']:
            fail('a slow database was waited for: %.1f s' % (time.time() - begun))
        locker.wait()
        equal('after the lock', server.status(RATE, token), 200)

        shell('postgres_stop "$PWD/postgres"')
        problem(server.ask(RATE, token), 503)
        wait_until(5, 'not ready', lambda: server.status('/readyz') == 503)
        equal('alive', server.status('/livez'), 200)
        equal('the page', server.status('/'), 200)
        equal('probes', [server.probe('/livez')[0], server.probe('/readyz')[0], server.metric('gracecube_pg_reachable')], [200, 503, 0])
        shell('POSTGRES_NO_SYNC=1 postgres_start "$PWD/postgres" fsync=off')
        with concurrent.futures.ThreadPoolExecutor(20) as clients:
            def ask_together():
                return {done.result() for done in [clients.submit(server.status, RATE, token) for _ in range(20)]}
            wait_until(10, 'healed', lambda: 200 in ask_together())
            equal('once healed', ask_together(), {200})
        wait_until(10, 'ready again', lambda: server.status('/readyz') == 200)

        psql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'gracecube serve'")
        equal('with its connections cut', {server.status(RATE, token) for _ in range(8)}, {200})
        server.stop()
    finally:
        shell('postgres_remove "$PWD/postgres"')
    shown('a slow or stopped database: 503 at once, and 200 again by itself; the page and /livez stay')


def main():
    new_cube()
    own_topics()
    broker = Kafka(BROKERS)
    os.makedirs('capture')
    for path in sorted(glob.glob(ROOT + '/tests/data/capture/*.jsonl.gz')):
        stream = path.split('.')[-3]
        if stream not in streams():
            continue
        subprocess.run("gzip -dc %s | sed 's/^{\"topic\": \"[^\"]*\"/{\"topic\": \"%s.%s\"/' > capture/%s.jsonl" % (path, PREFIX, stream, stream), shell=True, check=True)
    program('publish', '--create-topics', '--partitions', str(PARTITIONS), '--progress', 'none', *sorted(glob.glob('capture/*.jsonl')))
    del broker
    catch_up('-s', 'run.workers=2')
    token = new_token('all', '--role', 'operator')
    api_user = PREFIX + '_api'
    psql('CREATE ROLE %s LOGIN IN ROLE gracecube_api' % api_user)
    try:
        ask_everything(token, re.sub(r'user=\S+', 'user=' + api_user, os.environ['GRACECUBE_POSTGRES_DSN']))
    finally:
        psql('DROP ROLE ' + api_user)
    tls(token)
    outage()


def ask_everything(token, dsn):
    """By a server whose database user is a member of gracecube_api and no more."""
    server = Server('-s', 'serve.access_log=on', dsn=dsn)
    document = openapi(server, token)
    every_route(server, token, document)
    windows(server, token)
    components(server, token)
    chain()
    same_questions(server, token)
    errors(server, token)
    tokens(server, token)
    tiers(server, token)
    registry(server, token)
    agents(server, token, document)
    thirty_questions(server, token)
    audit(server, token)
    metrics(server, token)
    access_log(server, token)
    forms(server, token)
    paging(server, token)
    drills(server, token)
    definitions()
    pages = live(server, token)
    server.stop()
    wait_until(5, 'the end of the streams', lambda: not any(page.alive for page in pages))
    slow_clients(token)
    greedy_tokens(token)


try:
    main()
finally:
    for process in started:
        if process.poll() is None:
            process.kill()
