"""What an analyst relies on: files are what is shown, limits are told, nothing is compared with nothing, and Back goes back."""
import csv
import io
import os
import re

from page import *

DRAWER = '#drawer tbody tr'


def choose(page, name, value):
    page.run('const s = document.querySelector(`[name=${arguments[0]}]`); s.value = arguments[1]; s.dispatchEvent(new Event("change", {bubbles: true}))', name, value)


def is_open(page):
    return page.run('return document.getElementById("drawer").open')


def address(page):
    return page.run('return location.search')


def rows_shown(page):
    return page.run('return document.querySelectorAll(arguments[0]).length', DRAWER)


def all_rows(page, what, count):
    until(10, '%s: %s facts' % (what, count), lambda: '%s row%s, all there are' % (grouped(count), '' if count == 1 else 's') in (page.text('#drawer .foot') or ''))


# --- Files ------------------------------------------------------------------------------------------------------------

def catch_files(page):
    """What would be saved is kept in the page instead: [name, text]."""
    page.run('''window.files = [];
        const kept = new Map();
        URL.createObjectURL = blob => { const url = `blob:${kept.size}`; kept.set(url, blob); return url; };
        URL.revokeObjectURL = () => {};
        HTMLAnchorElement.prototype.click = function () { const name = this.download; kept.get(this.href).arrayBuffer().then(bytes => files.push([name, new TextDecoder("utf-8", {ignoreBOM: true}).decode(bytes)])); };''')


def file(page, press, *arguments):
    page.run('files.length = 0; ' + press, *arguments)
    until(20, 'a file', lambda: page.run('return files.length'))
    name, text = page.run('return files[0]')
    if not text.startswith('\ufeff'):
        raise Failed('%s has no mark by which Excel knows UTF-8' % name)
    return name, list(csv.reader(io.StringIO(text[1:], newline='')))


PANEL_CSV = '[...document.querySelectorAll(`#panel-${arguments[0]} .tools button`)].find(b => b.textContent === "CSV").click()'
DRAWER_CSV = '[...document.querySelectorAll("#drawer .foot button")].find(b => b.textContent === "CSV").click()'


def is_same(cell, value):
    """A number of the table, and of the file, which has all its digits."""
    digits = re.fullmatch(r'-?\d+\.(\d+)', cell)
    if digits and value:
        return abs(float(cell) - float(value)) <= 0.501 * 10 ** -len(digits[1])
    if cell.endswith('%') and '–' not in cell[1:]:
        return abs(float(cell[:-1]) - float(value)) <= 0.0501
    return cell == value or cell.replace(',', '') == value or (cell == '–' and value == '')


def files_are_what_is_shown(page):
    compared = 0
    for query in (CAPTURED, CAPTURED + '&tier=tier_2', '?range=all'):
        page.open(query)
        catch_files(page)
        for panel in page.run('return [...document.querySelectorAll(".panel[data-state=ready]")].map(p => p.id.slice(6))'):
            _, (head, *lines) = file(page, PANEL_CSV, panel)
            if panel == 'streams':  # a picture that is a table
                equal('streams in the file', len(lines), page.run('return document.querySelectorAll("#panel-streams .streams tbody tr").length'))
                continue
            shown_rows = page.table(panel)
            equal('rows of %s%s in the file' % (panel, query), len(lines), len(shown_rows))
            for line, row in zip(lines, shown_rows):
                for name, value, cell in list(zip(head, line, row))[1:]:
                    if name.endswith('(s)') or name in ('95 % interval', 'newest'):
                        continue
                    if not is_same(cell, value):
                        raise Failed('%s%s: %s is %r in the table, %r in the file' % (panel, query, name, cell, value))
                    compared += 1
    page.open(CAPTURED + '&tier=tier_2')
    catch_files(page)
    name, (head, *lines) = file(page, PANEL_CSV, 'success')
    equal('its name', name, 'gracecube-success_2026-10-24_2026-11-22_tier_2.csv')
    equal('executions of the tier in the file', sum(int(line[2]) for line in lines), number(
        "SELECT count(*) FROM cube.fact_verification_executions JOIN cube.dim_tier USING (tier_key) WHERE tier_code = 'tier_2' AND created_at " + IN_DAYS))
    equal('days are dates', all(len(line[0]) == 10 for line in lines), True)

    sql("UPDATE cube.fact_error_events SET error_type = '=1+1' WHERE error_id = (SELECT error_id FROM cube.fact_error_events WHERE created_at %s LIMIT 1)" % IN_DAYS)
    page.open(CAPTURED)
    catch_files(page)
    _, (head, *lines) = file(page, PANEL_CSV, 'types')
    equal('formulas in the file', [line[0] for line in lines if '1+1' in line[0]], ["'=1+1"])

    page.run('document.querySelectorAll("#panel-executions .tools button")[1].click()')
    until(5, 'the facts', lambda: rows_shown(page) == 50)
    name, (head, *lines) = file(page, DRAWER_CSV)
    total = number('SELECT count(*) FROM cube.fact_verification_executions WHERE created_at ' + IN_DAYS)
    if total < 800:
        raise Failed('too few executions for a file of several pieces: %d' % total)
    equal('facts in the file', len({line[head.index('contract_id')] for line in lines}), total)
    equal('what is said of it', page.text('#drawer .foot .about'), 'The file has all rows.')
    page.press('Escape')
    shown('%d numbers in the files of all panels are those of their tables; the file of facts has all %d, in pieces of 700' % (compared, total))


# --- What a token may see ---------------------------------------------------------------------------------------------

def limits_are_told(page):
    def token(*options):
        done = subprocess.run([os.environ['CUBE_TEST_BIN'], 'token', 'create', *options], stdout=subprocess.PIPE, check=True)
        return done.stdout.decode().strip()
    page.open(CAPTURED, token=token('low', '--highest-tier', 'tier_1'))
    equal('the limit', page.text('#limit'), 'only Operational, by your token')
    equal('tiers to choose from', page.run('return [...document.querySelector("[name=tier]").options].map(o => o.value)'), ['', 'tier_1'])
    equal('executions', page.tile('execution-count'), grouped(number(
        "SELECT count(*) FROM cube.fact_verification_executions JOIN cube.dim_tier USING (tier_key) WHERE tier_code = 'tier_1' AND created_at " + IN_DAYS)))
    equal('of what', page.detail('execution-count'), 'only Operational, by your token')
    if 'by your token' not in page.detail('approval-count'):
        raise Failed('approvals: ' + page.detail('approval-count'))
    for panel in ('success', 'executions', 'durations', 'heat', 'confidence'):
        if 'only Operational, by your token' not in page.text('#panel-%s .foot-note' % panel):
            raise Failed('%s does not tell the limit: %s' % (panel, page.text('#panel-%s .foot-note' % panel)))
    if 'all tiers' not in page.text('#panel-errors .foot-note'):
        raise Failed('errors do not say that they are of all tiers')
    if page.run('return document.querySelector("#panel-approvals").dataset.state') == 'zero' and 'that your token sees' not in page.text('#panel-approvals .empty'):
        raise Failed('approvals: ' + page.text('#panel-approvals .empty'))
    page.open(CAPTURED + '&tier=tier_3', token='')
    until(5, 'a tier that is not for this token', lambda: 'Strategic is not for you' in page.text('#misread'))
    page.open(CAPTURED, token=token('watcher', '--role', 'viewer'))
    equal('a viewer has lists of facts', page.run('return [...document.querySelectorAll(".tools button")].filter(b => b.textContent === "Facts" && !b.hidden).length'), 0)
    equal('no limit', page.run('return document.getElementById("limit").hidden'), True)
    page.open(CAPTURED)
    shown('a limited token is told what it sees, in the head, on tiles and panels, and is not offered the rest')


# --- Comparisons, axes, heat ------------------------------------------------------------------------------------------

def nothing_is_compared_with_nothing(page):
    page.open(CAPTURED)
    for tile in TILES:
        text = page.text('#number-' + tile)
        if ' of 30 days have data' not in text:
            raise Failed('%s: %s' % (tile, text))
    if 'compared with' in page.text('#shown') or 'period before' in ' '.join(page.run('return [...document.querySelectorAll(".says")].map(p => p.textContent)')):
        raise Failed('a period before the data began is compared with: ' + page.text('#shown'))
    page.open('?range=custom&from=2026-11-08&to=2026-11-22')
    before = number("SELECT count(*) FROM cube.fact_verification_executions WHERE created_at BETWEEN '2026-10-24' AND '2026-11-07 23:59:59.999999+00'")
    if 'compared with the 15 days before' not in page.text('#shown') or ('from %s' % grouped(before)) not in page.text('#number-execution-count').replace('on ', 'from '):
        raise Failed('nothing is compared: %s; %s' % (page.text('#shown'), page.text('#number-execution-count')))
    shown('with 30 days of which few have data nothing is compared, and it says so; with 15 whole days before everything is')


def axes_are_of_the_data(page):
    page.open('?range=custom&from=1999-01-01&to=2099-12-31')
    first, last = sql("SELECT to_char(min(first_day), 'FMDD Mon YYYY'), to_char(max(last_day), 'FMDD Mon YYYY') FROM cube.cube_extents")[0]
    if not page.text('#shown').startswith('%s to %s, UTC (of 1 Jan 1999 to 31 Dec 2099: beyond there are no data)' % (first, last)):
        raise Failed('a hundred years: ' + page.text('#shown'))
    for query in ('?range=custom&from=1999-01-01&to=2099-12-31', '?range=all'):
        page.open(query)
        table = page.table('executions')
        equal('executions of %s' % query, total(table, 1), number('SELECT count(*) FROM cube.fact_verification_executions'))
        if '2025' not in table[0][0] or '–' not in table[0][0]:
            raise Failed('the strays of 2025 have no place of their own: %s' % table[0])
        labels = page.run('return [...document.querySelectorAll("#plot-executions svg .axis")].map(t => t.textContent)')
        if 'before' not in labels or len([label for label in labels if 'Nov' in label]) < 2:
            raise Failed('the axis is not of the data: %s' % labels)
    shown('a hundred years and all time: the axis is of the days with data, a few strays of a year before have one place')


def every_cell_has_its_number(page):
    drawn = '''const texts = [...host.querySelectorAll("svg .cell")], rects = [...host.querySelectorAll("svg .heat:not(.none)")];
        const wide = texts.filter((t, i) => t.getBBox().width > rects[i].getBBox().width + 0.5).map(t => t.textContent);
        return [texts.length, rects.length, wide, texts[0]?.textContent];'''
    for phone in (False, True):
        page.size(390 if phone else 1440, 844 if phone else 900, phone)
        page.open('?range=all')
        texts, rects, wide, _ = page.run('const host = document.getElementById("plot-heat"); ' + drawn)
        equal('cells without a number', rects - texts, 0)
        equal('numbers wider than their cell', wide, [])
        for n in (7, 999, 1000, 54321, 999999, 12345678):
            texts, rects, wide, first = page.run('''const [n] = arguments, host = document.createElement("div");
                host.className = "plot"; document.getElementById("panel-heat").append(host);
                return import("/assets/charts.js").then(charts => {
                    charts.heat(host, { label: "x", cells: Array.from({length: 7}, () => Array.from({length: 24}, () => ({n}))), weekdays: ["a", "b", "c", "d", "e", "f", "g"], tell: () => ({}) });
                    try { %s } finally { host.remove(); }
                })''' % drawn, n)
            equal('numbers of %d' % n, (texts, rects), (168, 168))
            equal('numbers of %d wider than their cell (%s)' % (n, first), wide, [])
    page.size(1440, 900)
    shown('every cell of the heat map has its number, of one digit and of eight, and none is wider than its cell')


# --- From marks to facts, and back ------------------------------------------------------------------------------------

def marks_lead_to_their_facts(page):
    page.open('?range=all')
    equal('tiers to choose from', page.run('return [...document.querySelector("[name=tier]").options].map(o => o.value).includes("tier_4")'), True)

    def enter(panel, *keys):
        page.run('document.querySelector(`#plot-${arguments[0]} svg.chart`).focus()', panel)
        page.press('Home', *keys, 'Enter')
        until(5, 'the facts of %s' % panel, lambda: is_open(page))

    table = page.table('heat')
    day, hour = {'Mon': 0, 'Tue': 1, 'Wed': 2, 'Thu': 3, 'Fri': 4, 'Sat': 5, 'Sun': 6}[table[0][0]], int(table[0][1].split(':')[0])
    enter('heat', *['ArrowDown'] * day, *['ArrowRight'] * hour)
    all_rows(page, 'the first hour of the heat map', whole(table[0][2]))
    page.press('Escape')
    table = page.table('confidence')
    enter('confidence', *['ArrowRight'] * round(float(table[-1][0].split('–')[0]) * 20))
    all_rows(page, 'the highest confidence', whole(table[-1][1]))
    page.press('Escape')
    kind, tier, executions = sql("SELECT m.mission_type, m.tier_name, m.executions FROM cube.cube_mission_metrics m")[0]
    kinds = page.run('return [...document.querySelectorAll("#plot-missions .row-label")].map(t => t.textContent)')
    tiers = page.run('return [...document.querySelectorAll("#plot-missions .axis.strong")].map(t => t.textContent)')
    enter('missions', *['ArrowDown'] * kinds.index(kind.replace('_', ' ')), *['ArrowRight'] * tiers.index(tier))
    all_rows(page, 'missions of type %s, %s' % (kind, tier), int(executions))
    if kind.replace('_', ' ') not in page.text('#drawer-title'):
        raise Failed('the list does not say of which missions it is: ' + page.text('#drawer-title'))
    page.press('Escape')
    best = page.text('#panel-missions .says')
    for kind, ended, successful in sql('SELECT mission_type, missions - running, successful FROM cube.cube_missions_by_type WHERE missions - running >= 10 AND mission_type <> \'unknown\''):
        name = kind.replace('_', ' ')
        if name in best and '%s (%s of %s that ended)' % (name, percent(successful, ended, 0), ended) not in best:
            raise Failed('%s: %s of %s; the page says: %s' % (name, successful, ended, best))
    for status, n in sql("SELECT replace(status, '_', ' '), sum(errors) FROM cube.cube_errors_by_status WHERE status NOT IN ('resolved', 'unknown') GROUP BY 1"):
        if '%s %s' % (grouped(n), status) not in page.text('#panel-errors .says'):
            raise Failed('%s errors are %s; the page says: %s' % (n, status, page.text('#panel-errors .says')))
    shown('heat, confidence and missions lead to as many facts as they count; errors are told by how they ended, false positives apart')


def back_goes_back(page):
    page.open(CAPTURED)
    page.run('document.querySelectorAll("#panel-executions .tools button")[1].click()')
    until(5, 'the facts', lambda: rows_shown(page) > 0)
    of_list = address(page)
    if 'list=executions' not in of_list:
        raise Failed('the list is not in the address: ' + of_list)
    page.run('document.querySelector("#drawer tbody .link").click()')
    until(5, 'the story', lambda: page.run('return document.querySelectorAll("#drawer .story li").length') > 0)
    page.run('history.back()')
    until(5, 'back from the story to the list', lambda: rows_shown(page) > 0 and address(page) == of_list)
    page.run('history.back()')
    until(5, 'back from the list to the page', lambda: not is_open(page))
    equal('the address', address(page), CAPTURED)
    page.run('history.forward()')
    until(5, 'forward to the list', lambda: is_open(page) and rows_shown(page) > 0)
    page.run('document.querySelector("#drawer tbody .link").click()')
    until(5, 'the story again', lambda: page.run('return document.querySelectorAll("#drawer .story li").length') > 0)
    page.press('Escape')
    until(5, 'Escape leaves the drawer', lambda: not is_open(page) and address(page) == CAPTURED)
    # a link into the drawer: to the story and back, or out of it
    for way in ('history.back()', None):
        page.open(of_list)
        until(5, 'the list of a link', lambda: rows_shown(page) > 0)
        page.run('document.querySelector("#drawer tbody .link").click()')
        until(5, 'its story', lambda: page.run('return document.querySelectorAll("#drawer .story li").length') > 0)
        if way:
            page.run(way)
            until(5, 'back to the list of the link', lambda: rows_shown(page) > 0 and address(page) == of_list)
        page.press('Escape')
        until(5, 'out of the drawer', lambda: not is_open(page) and address(page) == CAPTURED)
    equal('still on the page', page.run('return document.querySelectorAll(".panel[data-state=ready]").length > 0'), True)
    page.is_quiet('while the drawer comes and goes')
    shown('lists and stories are in the address: Back leads from the story to the list to the page, Escape out of both, also behind a link')


def odd_links_are_said(page):
    for query, words, right in (
            ('?range=bogus', 'there is no range “bogus”', '?range=30d'),
            ('?range=custom&from=2026-11-22&to=2026-10-24', 'its first day was later than its last, and they changed places', CAPTURED),
            ('?range=custom&from=yesterday&to=2026-10-24', 'its days are not like 2026-11-05', '?range=30d'),
            (CAPTURED + '&tier=gold', 'there is no tier “gold”', CAPTURED),
            (CAPTURED + '&component=nope', 'no record names the component “nope”', CAPTURED + '&component=nope')):
        page.open(query)
        until(5, 'a word on %s' % query, lambda words=words: words in page.text('#misread') and not page.run('return document.getElementById("misread").hidden'))
        equal('the address after %s' % query, address(page), right)
    page.open(CAPTURED)
    equal('a word on a good link', page.run('return document.getElementById("misread").hidden'), True)
    page.open(CAPTURED + '&contract=nope')
    until(5, 'a story that is not there', lambda: 'There is no such record, or this token may not see it.' in (page.text('#drawer') or ''))
    if 'reload' in page.text('#drawer'):
        raise Failed('wrong advice: ' + page.text('#drawer'))
    page.press('Escape')
    page.console()  # the browser itself reports the 404
    shown('links that are not understood: what is wrong is said, the address put right; a contract that is not there gets the right advice')


def odd_texts_stay_plain(page):
    contract = sql('SELECT contract_id FROM cube.fact_verification_executions WHERE created_at %s ORDER BY created_at DESC LIMIT 1' % IN_DAYS)[0][0]
    sql("UPDATE cube.fact_verification_executions SET action_type = 'safe' || chr(8238) || 'ltr' WHERE contract_id = '%s'" % contract.replace("'", "''"))
    page.open(CAPTURED)
    page.run('document.querySelectorAll("#panel-executions .tools button")[1].click()')
    until(5, 'a text that would be turned round', lambda: 'safe‹U+202E›ltr' in (page.text('#drawer tbody') or ''))
    page.press('Escape')
    page.size(390, 844, True)
    page.open(CAPTURED)
    page.run('document.querySelectorAll("#panel-executions .tools button")[1].click()')
    until(5, 'the facts on a phone', lambda: rows_shown(page) > 0)
    outside = page.run('''return [...document.querySelectorAll("#drawer tbody tr:first-child td")].filter(cell => {
        const box = cell.getBoundingClientRect(); return box.right > innerWidth || box.width === 0; }).map(cell => cell.dataset.head)''')
    equal('what of a fact is off the screen of a phone', outside, [])
    page.picture(os.path.join(PICTURES, 'dashboard-phone-facts.png'), whole=False)
    page.press('Escape')
    page.size(1440, 900)
    shown('characters that turn text round are shown as what they are; on a phone a fact is a card with nothing off the screen')


def looks_around(page):
    back_goes_back(page)  # first: of more than fifty places a browser forgets those that no hand has made
    odd_links_are_said(page)
    nothing_is_compared_with_nothing(page)
    axes_are_of_the_data(page)
    every_cell_has_its_number(page)
    marks_lead_to_their_facts(page)
    odd_texts_stay_plain(page)
    limits_are_told(page)


def takes_files(page):
    files_are_what_is_shown(page)
    page.is_quiet('while files are taken')
