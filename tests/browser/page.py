"""The dashboard in a browser, the cube beside it, and the scenario that started this: what those who look at the page need.

Writes a line, `shown TEXT` for the report or `do WHAT …` to have something done, and reads a line back when it is done.
"""
import subprocess
import sys

from webdriver import Browser, Failed, until

URL, TOKEN, DSN, PICTURES, PORT = sys.argv[1:]
CAPTURED = '?range=custom&from=2026-10-24&to=2026-11-22'  # the days of the captured traffic
IN_DAYS = "BETWEEN '2026-10-24' AND '2026-11-22 23:59:59.999999+00'"
TILES = ('success-rate', 'execution-count', 'rollback-rate', 'error-count', 'approval-count')


def shown(text):
    print('shown', text, flush=True)


def do(*words):
    print('do', *words, flush=True)
    answer = sys.stdin.readline().strip()
    if answer != 'done':
        raise Failed('%s: %s' % (' '.join(words), answer or 'the scenario is gone'))


def equal(what, actual, expected):
    if actual != expected:
        raise Failed('%s: the page has %r, the cube %r' % (what, actual, expected))


def sql(query):
    done = subprocess.run(['psql', '-X', '-q', '-At', '-F', '|', '-v', 'ON_ERROR_STOP=1', '-d', DSN, '-c', 'SET timezone = UTC', '-c', query],
                          stdout=subprocess.PIPE, check=True)
    return [tuple(line.split('|')) for line in done.stdout.decode().splitlines()]


def number(query):
    return int(sql(query)[0][0])


def grouped(value):
    return '{:,}'.format(int(value))


def percent(part, total, digits=1):
    """As JavaScript's toFixed has it."""
    return '%.*f %%' % (digits, int(part) * 100 / int(total))


class Page(Browser):
    def open(self, query='', token=TOKEN):
        self.go('about:blank')  # else a new fragment alone would load nothing
        self.go(URL + query + ('#token=' + token if token else ''))
        if token:
            self.is_read()

    def reads(self):
        return int(self.run('return document.body.dataset.reads || 0'))

    def is_read(self):
        until(15, 'the page has read its numbers', lambda: self.run(
            'return document.body.dataset.reads > 0 && !document.querySelector(".panel[data-state=loading]")'))

    def tile(self, name):
        return self.text('#number-%s b' % name)

    def detail(self, name):
        return self.text('#number-%s .detail' % name)

    def table(self, panel):
        """The numbers of a panel, as its table has them."""
        self.run('document.querySelector(`#panel-${arguments[0]} [aria-pressed]`).click()', panel)
        rows = self.run('return [...document.querySelectorAll(`#panel-${arguments[0]} tbody tr`)].map(row => [...row.cells].map(cell => cell.textContent))', panel)
        self.run('document.querySelector(`#panel-${arguments[0]} [aria-pressed]`).click()', panel)
        return [[' '.join(cell.split()) for cell in row] for row in rows]

    def is_quiet(self, when):
        trouble = self.console()
        if trouble:
            raise Failed('the console says, %s: %s' % (when, trouble[:3]))


def whole(cell):
    return int(cell.replace(',', ''))


def total(rows, column):
    return sum(whole(row[column]) for row in rows)
