#!/usr/bin/env python3
"""One answer everywhere: fifteen plain questions, each asked four ways while traffic flows (SQL over the views, the API's JSON, its
CSV, and the numbers on an open dashboard in a real Chromium), agree at one as-of.

Every answer is filed under the commit that it says it is of: SQL reads cube.as_of() and cube.records_read() in the snapshot of its
answers, the API says both in its headers, the page on each panel and each number. Whatever was filed under the same commit must be
the same, to the page's last digit. Traffic comes in bursts; a pause ends when all fifteen were answered four ways at one commit.
"""
import csv
import datetime
import decimal
import glob
import http.client
import io
import itertools
import os
import random
import re
import sys
import threading

sys.path[:0] = [os.path.join(os.environ['CUBE_TEST_ROOT'], 'tests', part) for part in ('lib', 'browser')]
from scenario import *  # noqa: E402,F403
from webdriver import Browser, Failed, until  # noqa: E402

FROM, TO, LAST = '2026-10-24', '2026-11-23', '2026-11-22'  # the days of the captured traffic; the generated one begins there, too
ROUNDS = 8  # commits at which all must agree
PAUSES = 8  # that may go by without; they are 2 s at first, and 34 s at last
WAYS = ('SQL', 'JSON', 'CSV', 'page')
DAY = "make_date(year, month, day) BETWEEN '%s' AND '%s'" % (FROM, LAST)
started = []


# --- Numbers as the page writes them ----------------------------------------------------------------------------------

def number(field):
    """Of JSON or CSV."""
    return None if field in (None, '') else float(field)


def fixed(x, digits):
    """JavaScript's toFixed: of the double's exact value, ties away from zero."""
    return str(decimal.Decimal(x).quantize(decimal.Decimal(1).scaleb(-digits), decimal.ROUND_HALF_UP))


def count(n):
    return '{:,}'.format(int(n))


def percent(part, total):
    return fixed(part / total * 100, 1) + ' %' if total else '–'


def duration(seconds):
    def two_digits(x):
        if x >= 100:
            return fixed(x, 0)
        exact = decimal.Decimal(x)
        return '%g' % exact.quantize(decimal.Decimal(1).scaleb(exact.adjusted() - 1), decimal.ROUND_HALF_UP)

    if seconds is None:
        return '–'
    minutes = int(seconds / 60 + 0.5)
    if seconds == 0:
        return '0 s'
    if seconds < 0.9995:
        return two_digits(seconds * 1000) + ' ms'
    if seconds < 99.5:
        return two_digits(seconds) + ' s'
    if seconds < 3600:
        return '%d min' % minutes
    if seconds < 36000:
        return '%d h' % (minutes // 60) + (' %d min' % (minutes % 60) if minutes % 60 else '')
    return '%d h' % int(seconds / 3600 + 0.5) if seconds < 2 * 86400 else count(seconds / 86400 + 0.5) + ' d'


def day_name(day):
    """A date, or its text → 5 Nov 2026"""
    day = datetime.date.fromisoformat(str(day)[:10])
    return day.strftime('%-d %b %Y')


def week_day(day):
    return datetime.date.fromisoformat(str(day)).strftime('%a ') + day_name(day)


def clock_name(time):
    return datetime.datetime.fromisoformat(re.sub(r'(\.\d+)?(Z|\+00:00)$', '', time)).strftime('%-d %b %H:%M:%S')


def row_day(row):
    return '%04d-%02d-%02d' % tuple(int(row[part]) for part in ('year', 'month', 'day'))


def summed(rows, key, *columns):
    """Rows of JSON or CSV → (key…, sums…), as GROUP BY has them."""
    sums = {}
    for row in rows:
        line = sums.setdefault(key(row), [0] * len(columns))
        for i, column in enumerate(columns):
            line[i] += int(row[column])
    return [(*name, *line) for name, line in sums.items()]


# --- The questions ----------------------------------------------------------------------------------------------------

class Question:
    """sql gives rows of values, of_api the same from the API's rows; words writes such a row as the page does; of_page finds these
    words on the page, at the places whose as-of counts."""

    def __init__(self, group, name, sql, path, of_api, words, places, of_page):
        self.group, self.name, self.sql, self.path = group, name, sql, path
        self.of_api, self.words, self.places, self.of_page = of_api, words, places, of_page


METRICS = '/api/cube/metrics/'
WINDOW = '?from=%s&to=%s' % (FROM, TO)
by_tier = lambda row: (row['tier_name'],)  # noqa: E731
by_day = lambda row: (row_day(row),)  # noqa: E731
by_nothing = lambda row: ()  # noqa: E731
by_type_and_tier = lambda row: (row['mission_type'], row['tier_name'])  # noqa: E731


def tiers_of(table):
    """The table has a line for each day and tier."""
    sums = {}
    for _, tier, n, *_ in table:
        sums[tier] = sums.get(tier, 0) + int(n.replace(',', ''))
    return [(tier, count(n)) for tier, n in sums.items()]


def severities_of(page):
    names = page['heads']['errors'][2:-2]
    return [(row[0], name, n) for row in page['tables']['errors'] for name, n in zip(names, row[2:-2]) if n != '0']


def decisions_of(rows):
    times = [time for time in (number(row['decision_time_seconds']) for row in rows) if time is not None]
    return [(sum(row['was_approved'] in (None, '') for row in rows), len(times), sum(times) / len(times))]


QUESTIONS = [
    Question('executions', 'executions by tier',
             'SELECT tier_name, sum(total_executions)::bigint FROM cube.cube_daily_verification_by_tier WHERE %s GROUP BY 1' % DAY,
             METRICS + 'daily-verification-by-tier' + WINDOW, lambda rows: summed(rows, by_tier, 'total_executions'),
             lambda tier, n: (tier, count(n)), ['success'], lambda page: tiers_of(page['tables']['success'])),
    Question('executions', 'success rate by tier',
             'SELECT tier_name, sum(successful_executions)::bigint, sum(total_executions)::bigint FROM cube.cube_daily_verification_by_tier WHERE %s GROUP BY 1' % DAY,
             METRICS + 'daily-verification-by-tier' + WINDOW, lambda rows: summed(rows, by_tier, 'successful_executions', 'total_executions'),
             lambda tier, good, n: (tier, percent(good, n), '%s of %s' % (count(good), count(n))), ['success'], lambda page: page['strips']),
    Question('executions', 'rollbacks by day',
             'SELECT make_date(year, month, day), sum(rollbacks)::bigint, sum(total_executions)::bigint FROM cube.cube_daily_verification_by_tier WHERE %s GROUP BY 1' % DAY,
             METRICS + 'daily-verification-by-tier' + WINDOW, lambda rows: summed(rows, by_day, 'rollbacks', 'total_executions'),
             lambda day, back, n: (week_day(day), count(back), percent(back, n)), ['executions'],
             lambda page: [(row[0], row[4], row[5]) for row in page['tables']['executions']]),
    Question('executions', 'success, executions and rollbacks at a glance',
             'SELECT sum(successful_executions)::bigint, sum(total_executions)::bigint, sum(rollbacks)::bigint FROM cube.cube_daily_verification_by_tier WHERE %s' % DAY,
             METRICS + 'daily-verification-by-tier' + WINDOW,
             lambda rows: summed(rows, by_nothing, 'successful_executions', 'total_executions', 'rollbacks'),
             lambda good, n, back: (percent(good, n), count(n), percent(back, n)), ['success-rate', 'execution-count', 'rollback-rate'],
             lambda page: [tuple(page['numbers'][name][0] for name in ('success-rate', 'execution-count', 'rollback-rate'))]),
    Question('durations and confidence', 'percentiles of the duration by day and tier',
             "SELECT day, tier_name, executions, p50_seconds, p95_seconds, p99_seconds FROM cube.cube_duration_percentiles WHERE day BETWEEN '%s' AND '%s'" % (FROM, LAST),
             METRICS + 'duration-percentiles' + WINDOW,
             lambda rows: [(row['day'], row['tier_name'], row['executions'], *(number(row[p + '_seconds']) for p in ('p50', 'p95', 'p99'))) for row in rows],
             lambda day, tier, n, *times: (day_name(day), tier, count(n), *map(duration, times)), ['durations'], lambda page: page['tables']['durations']),
    Question('durations and confidence', 'histogram of the confidence',
             "SELECT bucket, sum(executions)::bigint, sum(successful_executions)::bigint FROM cube.cube_confidence_distribution WHERE day BETWEEN '%s' AND '%s' GROUP BY 1" % (FROM, LAST),
             METRICS + 'confidence-distribution' + WINDOW, lambda rows: summed(rows, lambda row: (int(row['bucket']),), 'executions', 'successful_executions'),
             lambda bucket, n, good: ('%.2f–%.2f' % (bucket / 20, (bucket + 1) / 20), count(n), count(good)), ['confidence'],
             lambda page: [row[:3] for row in page['tables']['confidence']]),
    Question('durations and confidence', 'executions by weekday and hour',
             "SELECT extract(isodow FROM hour AT TIME ZONE 'UTC')::int, extract(hour FROM hour AT TIME ZONE 'UTC')::int, sum(total_executions)::bigint, sum(successful_executions)::bigint "
             "FROM cube.cube_hourly_verification WHERE hour >= '%sZ' AND hour < '%sZ' GROUP BY 1, 2" % (FROM, TO),
             METRICS + 'activity-heatmap' + WINDOW, lambda rows: summed(rows, lambda row: (int(row['iso_weekday']), int(row['hour'])), 'executions', 'successful'),
             lambda day, hour, n, good: ('Mon Tue Wed Thu Fri Sat Sun'.split()[day - 1], '%d:00' % hour, count(n), count(good), percent(good, n)), ['heat'],
             lambda page: page['tables']['heat']),
    Question('errors', 'errors by day and severity',
             'SELECT make_date(year, month, day), severity, error_count FROM cube.cube_error_trends WHERE %s' % DAY,
             METRICS + 'error-trends' + WINDOW, lambda rows: summed(rows, lambda row: (row_day(row), row['severity']), 'error_count'),
             lambda day, severity, n: (week_day(day), severity, count(n)), ['errors'], severities_of),
    Question('errors', 'errors that were resolved without a person',
             'SELECT sum(error_count)::bigint, sum(auto_resolved_count)::bigint FROM cube.cube_error_trends WHERE %s' % DAY,
             METRICS + 'error-trends' + WINDOW, lambda rows: summed(rows, by_nothing, 'error_count', 'auto_resolved_count'),
             lambda n, auto: (count(n), '%s auto-resolved, %s of %s' % (percent(auto, n), count(auto), count(n))), ['error-count'],
             lambda page: [page['numbers']['error-count']]),
    Question('errors', 'types of errors',
             "SELECT error_type, sum(errors)::bigint, sum(auto_resolved)::bigint FROM cube.cube_top_error_types WHERE day BETWEEN '%s' AND '%s' GROUP BY 1" % (FROM, LAST),
             METRICS + 'top-error-types' + WINDOW, lambda rows: summed(rows, lambda row: (row['error_type'],), 'errors', 'auto_resolved'),
             lambda name, n, auto: (name, count(n), count(auto), percent(auto, n)), ['types'], lambda page: [row[:4] for row in page['tables']['types']]),
    Question('approvals', 'approvals by day: asked, approved, rejected, pending',
             "SELECT day, total, approved, rejected, pending FROM cube.cube_daily_approvals WHERE day BETWEEN '%s' AND '%s'" % (FROM, LAST),
             METRICS + 'approvals' + WINDOW, lambda rows: summed(rows, lambda row: (row['day'],), 'total', 'approved', 'rejected', 'pending'),
             lambda day, *n: (week_day(day), *map(count, n)), ['approvals'], lambda page: [row[:5] for row in page['tables']['approvals']]),
    Question('approvals', 'mean time to decide, and what is pending',
             'SELECT count(*) FILTER (WHERE was_approved IS NULL), count(decision_time_seconds), avg(decision_time_seconds) '
             "FROM cube.cube_approvals WHERE created_at >= '%sZ' AND created_at < '%sZ'" % (FROM, TO),
             '/api/cube/approvals' + WINDOW + '&limit=10000', decisions_of,
             lambda pending, timed, mean: ('%s pending · mean %s, n %s' % (count(pending), duration(mean), count(timed)),), ['approval-count'],
             lambda page: [page['numbers']['approval-count'][1:]]),
    Question('missions', 'missions by type and tier, and how many succeeded',
             'SELECT mission_type, tier_name, total_missions, successful_missions FROM cube.cube_mission_metrics',
             METRICS + 'mission-performance', lambda rows: summed(rows, by_type_and_tier, 'total_missions', 'successful_missions'),
             lambda kind, tier, n, good: (kind, tier, count(n), count(good), percent(good, n)), ['missions'], lambda page: [row[:5] for row in page['tables']['missions']]),
    Question('missions', 'their executions and mean confidence',
             'SELECT mission_type, tier_name, executions, avg_confidence FROM cube.cube_mission_metrics',
             METRICS + 'mission-performance', lambda rows: [(*by_type_and_tier(row), row['executions'], number(row['avg_confidence'])) for row in rows],
             lambda kind, tier, n, mean: (kind, tier, count(n), '–' if mean is None else fixed(mean, 3)), ['missions'],
             lambda page: [(*row[:2], *row[5:]) for row in page['tables']['missions']]),
    Question('freshness', 'records and dead letters of each stream, and how far it reaches',
             "SELECT stream, records_read, dead_letters, to_char(data_through AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"') FROM cube.cube_freshness",
             METRICS + 'freshness', lambda rows: [(row['stream'], row['records_read'], row['dead_letters'], row['data_through']) for row in rows],
             lambda stream, n, dead, through: (stream.replace('_', ' '), count(n), count(dead), clock_name(through)), ['streams'],
             lambda page: [(row[0], row[3], row[4], row[2]) for row in page['tables']['streams']]),
]


# --- The four ways ----------------------------------------------------------------------------------------------------

def commit_of(as_of, records):
    """One spelling for PostgreSQL's and the API's."""
    moment = re.fullmatch(r'(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d+))?Z', as_of)
    if not moment:
        fail('this is no as-of: %r' % as_of)
    return moment[1] + '.' + (moment[2] or '').ljust(6, '0') + 'Z', int(records)


def written(question, rows):
    return sorted(question.words(*row) for row in rows)


SQL = ('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;\n'
       "SELECT json_build_array(to_char(cube.as_of() AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"'), cube.records_read());\n" + ''.join(
           "SELECT coalesce(json_agg(ARRAY(SELECT value FROM json_each(row_to_json(q)))), '[]') FROM (%s) q;\n" % q.sql for q in QUESTIONS) + 'COMMIT;\n')


def ask_sql():
    """All questions in one snapshot."""
    commit, *answers = [json.loads(line) for line in re.sub(r'\n ', ' ', psql(SQL)).splitlines()]
    return [(commit_of(*commit), written(q, rows)) for q, rows in zip(QUESTIONS, answers)]


class Api:
    def __init__(self, port, token):
        self.connection, self.token = http.client.HTTPConnection('127.0.0.1', port, timeout=60), token

    def ask(self, question, form):
        self.connection.request('GET', question.path, headers={'Authorization': 'Bearer ' + self.token, 'Accept': form})
        answer = self.connection.getresponse()
        body = answer.read().decode()
        equal('%s: status (%s)' % (question.path, body[:200]), (answer.status, answer.headers['X-Cube-More']), (200, 'false'))
        rows = json.loads(body) if form == 'application/json' else list(csv.DictReader(io.StringIO(body, newline='')))
        return commit_of(answer.headers['X-Cube-As-Of'], answer.headers['X-Cube-Records']), written(question, question.of_api(rows))


LOOK = '''
    const text = node => node.textContent.replace(/\\s+/g, ' ').trim(), page = {commits: {}, titles: {}, tables: {}, heads: {}, numbers: {}, states: {}};
    for (const panel of document.querySelectorAll('.panel')) {
        const id = panel.id.slice(6), foot = panel.querySelector('.foot-note');
        page.states[id] = panel.dataset.state;
        page.commits[id] = [foot.dataset.asOf, foot.dataset.records];
        page.titles[id] = foot.title;
        page.heads[id] = [...panel.querySelectorAll('thead th')].map(text);
        page.tables[id] = [...panel.querySelectorAll('tbody tr')].map(row => [...row.cells].map(text));
    }
    for (const tile of document.querySelectorAll('.tile')) {
        const id = tile.id.slice(7);
        page.commits[id] = [tile.dataset.asOf, tile.dataset.records];
        page.numbers[id] = [text(tile.querySelector('b')), text(tile.querySelector('.detail'))];
    }
    page.strips = [...document.querySelectorAll('#plot-success .row-label')].map(label => [label, label.nextElementSibling, label.nextElementSibling.nextElementSibling].map(text));
    return page'''


class Page:
    """The dashboard, open all the time; its tables are shown. One look is one moment of it: nothing is drawn meanwhile."""

    def __init__(self, url, token):
        self.browser = Browser(os.getcwd(), free_port())
        self.browser.go('%s?range=custom&from=%s&to=%s#token=%s' % (url, FROM, LAST, token))
        until(15, 'the page has read its numbers', lambda: self.browser.run('return document.body.dataset.reads > 0 && !document.querySelector(".panel[data-state=loading]")'))
        self.browser.run('for (const button of document.querySelectorAll("[aria-pressed=false]")) button.click()')
        until(15, 'the page is live', lambda: self.browser.text('#connection') == 'live')

    def ask(self):
        page = self.browser.run(LOOK)
        answers = []
        for q in QUESTIONS:
            commits = {tuple(page['commits'][place]) for place in q.places}
            # over answers of two commits there is no as-of: on one panel it is empty then, on several they differ
            answers.append((commit_of(*commits.pop()), sorted(map(tuple, q.of_page(page)))) if len(commits) == 1 and ('', '') not in commits else (None, None))
        for panel, title in page['titles'].items():
            equal('state of ' + panel, page['states'][panel], 'ready')
            as_of, records = page['commits'][panel]
            if as_of:
                equal('what a mouse over the foot of %s tells' % panel, title, 'as of %s, with %s records' % (as_of, count(records)))
        return answers


# --- Traffic ----------------------------------------------------------------------------------------------------------

class Traffic(threading.Thread):
    """Generated records in bursts. Each ends with one record for every panel, so that all of them are read again. A pause ends when
    everything agreed in it; when it does not come to that, the next ones are longer."""

    def __init__(self, bursts):
        super().__init__(daemon=True)
        subprocess.run([sys.executable, '-B', ROOT + '/tests/lib/traffic.py', 'generated', PREFIX, '61', '700'], check=True)
        records = [json.loads(line) for path in sorted(glob.glob('generated/*.jsonl')) if path.split('.')[-2] in streams() for line in open(path, encoding='utf-8')]
        records.sort(key=lambda record: record['timestamp'])  # stable: a topic's order stays
        size = -(-len(records) // bursts)
        self.bursts = [records[i:i + size] for i in range(0, len(records), size)]
        self.broker, self.agreed, self.stopping, self.error = Kafka(BROKERS), threading.Event(), False, None
        self.sent = self.waits = 0

    def run(self):
        try:
            pause = 2.0
            for number, burst in enumerate(self.bursts):
                self.agreed.clear()
                self.send_all(burst + self.closing(number))
                if not self.agreed.wait(pause):
                    self.waits += 1
                    pause *= 1.5
                if self.stopping or self.waits == PAUSES:
                    return
        except Exception as error:  # pylint: disable=broad-except
            self.error = error

    def send_all(self, records):
        for i, record in enumerate(records):
            self.broker.send(record['topic'], record['key'].encode(), None if record['value'] is None else record['value'].encode(), timestamp=record['timestamp'])
            if i % 12 == 11:
                self.broker.flush()
                time.sleep(random.random() / 20)  # traffic has pauses
        self.broker.flush()
        self.sent += len(records)

    def closing(self, number):
        at = '2026-11-02T%02d:%02d:00Z' % divmod(number, 60)
        rows = {'action_contracts': {'id': 'closing-%d' % number, 'action_type': 'close', 'tier': 'tier_2', 'status': 'verified', 'triggered_by': 'user:alice',
                                     'confidence_score': number % 10 / 10, 'created_at': at, 'verified_at': at.replace('00Z', '%02dZ' % (number % 60))},
                'security_events': {'id': 61000000 + number, 'actor': 'hunter', 'action': 'closing', 'resource': '/api', 'severity': 'high', 'status': 'open', 'created_at': at},
                # every other one is decided, nobody knows when
                'approval_requests': {'id': 61000000 + number, 'status': ('pending', 'approved')[number % 2], 'requested_by': 'hunter', 'reason': 'closing', 'created_at': at},
                'mission_timelines': {'id': 61000000 + number, 'mission_id': 'closing-%d' % number, 'mission_name': 'closing', 'started_at': at, 'status': 'planned'}}
        return [{'topic': '%s.%s' % (PREFIX, stream), 'timestamp': int(time.time() * 1000), 'key': json.dumps({'id': row['id']}), 'value': json.dumps(row)}
                for stream, row in rows.items()]


# --- All at one as-of -------------------------------------------------------------------------------------------------

class Files:
    def __init__(self):
        self.answers = {}  # (question, commit) → {way: answer}
        self.compared = 0

    def put(self, way, index, commit, answer):
        if commit is None:
            return
        same = self.answers.setdefault((index, commit), {})
        if same.get(way, answer) != answer:
            fail('%s: %s gave two answers at %s' % (QUESTIONS[index].name, way, commit))
        for other, told in same.items():
            if told != answer:
                fail('%s, at %s with %d records:\n  only %-5s %s\n  only %-5s %s' % (
                    QUESTIONS[index].name, *commit, way, [row for row in answer if row not in told], other, [row for row in told if row not in answer]))
        self.compared += len(same) > 0 and way not in same
        same[way] = answer

    def agreed(self, index):
        """What all four ways answered, by commit."""
        return {commit: ways['SQL'] for (of, commit), ways in self.answers.items() if of == index and len(ways) == len(WAYS)}

    def commits(self):
        return {commit for _, commit in self.answers}


def ask_while_traffic_flows(api, page):
    files, traffic = Files(), Traffic(60)
    tries = moved = 0
    rounds, answers = [], {}
    traffic.start()
    while len(rounds) < ROUNDS:
        if not traffic.is_alive():
            fail('the traffic is over (%s, %d pauses in vain), and all agreed at %d as-ofs only; last seen: %s' % (
                traffic.error or 'no error', traffic.waits, len(rounds), {way: sorted({commit for commit, _ in told}, key=str) for way, told in answers.items()}))
        seen = [set() for _ in QUESTIONS]
        answers = {'SQL': ask_sql(), 'page': page.ask()}
        answers['JSON'], answers['CSV'] = zip(*((api.ask(q, 'application/json'), api.ask(q, 'text/csv')) for q in QUESTIONS))
        for way, told in answers.items():
            for index, (commit, answer) in enumerate(told):
                files.put(way, index, commit, answer)
                seen[index].add(commit)
        tries += 1
        commits = set().union(*seen)
        if len(commits) > 1:
            moved += 1
        elif commits.isdisjoint(rounds):
            rounds += commits
            traffic.agreed.set()
    traffic.stopping = True
    traffic.agreed.set()
    traffic.join()
    for name, group in itertools.groupby(range(len(QUESTIONS)), lambda index: QUESTIONS[index].group):
        group = list(group)
        for index in group:
            told = files.agreed(index)
            if not all(told.values()) or len({str(answer) for answer in told.values()}) < 2:
                fail('%s: the traffic left the answer as it was, or there was none' % QUESTIONS[index].name)
        shown('%s: %d question%s; SQL, JSON, CSV and the page agree, each at %d as-ofs or more' % (
            name, len(group), 's'[:len(group) - 1], min(len(files.agreed(index)) for index in group)))
    if len(files.commits()) < 2 * ROUNDS or not moved:
        fail('the as-of moved to %d values only, in %d tries of %d: the traffic was too slow to show anything' % (len(files.commits()), moved, tries))
    shown('all %d at one as-of %d times while %d records arrived in bursts; the as-of moved under %d of %d tries, over %d values, %d pairs of answers compared' % (
        len(QUESTIONS), len(rounds), traffic.sent, moved, tries, len(files.commits()), files.compared))


def commits_in_another_order(api):
    """A transaction that began first may end last: then the cube changes and its time does not. The number of records tells."""
    question = QUESTIONS[-1]
    first, second = rows('SELECT min(offset_id), max(offset_id) FROM cube.etl_offset')[0]
    move = 'UPDATE cube.etl_offset SET next_offset = next_offset + 1, ignored = ignored + 1, updated_at = clock_timestamp() WHERE offset_id = %d;'
    early = subprocess.Popen(['psql', '-X', '-q', '-At', '-v', 'ON_ERROR_STOP=1', '-d', os.environ['GRACECUBE_POSTGRES_DSN']],
                             stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)
    started.append(early)
    early.stdin.write('BEGIN;\n%s\nSELECT 1;\n' % (move % first))
    equal('the transaction that began first', early.stdout.readline(), '1\n')
    psql(move % second)
    (time_before, records_before), told_before = api.ask(question, 'application/json')
    early.communicate('COMMIT;\n', timeout=60)
    (time_after, records_after), told_after = api.ask(question, 'application/json')
    equal('the newest commit', time_after, time_before)
    equal('records', records_after, records_before + 1)
    if told_after == told_before:
        fail('the answer does not hold the transaction that ended last')
    shown('a transaction that began first and ended last: the as-of stays, its number of records tells the two states apart')


def free_port():
    return int(subprocess.run(['bash', '-c', '. "$CUBE_TEST_ROOT/deploy/lib/common.sh"; free_port'], stdout=subprocess.PIPE, check=True).stdout)


def start(name, *arguments):
    process = subprocess.Popen([PROGRAM, *arguments], stdout=subprocess.DEVNULL, stderr=open(name + '.log', 'ab'))
    started.append(process)
    return process


def main():
    # first of all: it takes minutes on a new machine, and the server hangs up on whoever is silent for 30 s
    subprocess.run(['bash', '-c', 'set -euo pipefail; . "$CUBE_TEST_ROOT/deploy/lib/common.sh"; . "$CUBE_TEST_ROOT/deploy/lib/install.sh"; install_packages browser'],
                   stdout=sys.stderr, stdin=subprocess.DEVNULL, check=True)
    new_cube()
    own_topics()
    os.makedirs('capture')
    for path in glob.glob(ROOT + '/tests/data/capture/*.jsonl.gz'):
        stream = path.split('.')[-3]
        if stream in streams():
            subprocess.run("gzip -dc %s | sed 's/^{\"topic\": \"[^\"]*\"/{\"topic\": \"%s.%s\"/' > capture/%s.jsonl" % (path, PREFIX, stream, stream), shell=True, check=True)
    program('publish', '--create-topics', '--partitions', str(PARTITIONS), '--progress', 'none', *sorted(glob.glob('capture/*.jsonl')))
    consumer = start('run', 'run', '-s', 'run.workers=2')
    port = free_port()
    start('serve', 'serve', '-s', 'serve.listen=127.0.0.1:%d' % port)
    api = Api(port, json.loads(program('token', 'create', 'all', '--json'))['token'])
    captured = sum(1 for path in glob.glob('capture/*.jsonl') for _ in open(path, encoding='utf-8'))
    until(30, 'the captured traffic is in the cube', lambda: value('SELECT cube.records_read()') == captured)
    until(10, 'serve answers', lambda: api.ask(QUESTIONS[0], 'text/csv'))
    page = Page('http://127.0.0.1:%d/' % port, api.token)
    try:
        ask_while_traffic_flows(api, page)
        consumer.terminate()
        equal('exit code of run', consumer.wait(timeout=60), 0)
        verify_agrees()
        commits_in_another_order(api)
        equal('what the console says', page.browser.console(), [])
    finally:
        page.browser.close()


try:
    main()
except Failed as failure:
    fail(str(failure))
finally:
    for process in started:
        if process.poll() is None:
            process.kill()
