#!/usr/bin/env python3
"""Looks at the dashboard through a real browser.

    dashboard.py URL TOKEN DSN PICTURES PORT

How it looks, lives and survives is here, what an analyst relies on in analyst.py.
"""
import os
import re
import signal
import sys
import time
import urllib.parse

import analyst
from page import *

# --- What is looked at ------------------------------------------------------------------------------------------------

def asks_for_a_token(page):
    page.open(token='')
    until(10, 'the form for a token', lambda: page.run('return !document.getElementById("gate").hidden'))
    page.is_quiet('without a token')
    page.press(*'wrong', 'Enter')
    until(10, 'a wrong token is refused', lambda: 'another' in page.text('#gate-why'))
    if not page.run('return document.getElementById("main").hidden'):
        raise Failed('numbers are shown without a token')
    page.console()  # the browser itself reports the 401
    page.press(*TOKEN, 'Enter')
    page.is_read()
    page.open('?range=all')
    equal('the address', page.run('return location.href'), URL + '?range=all')
    shown('without a token a form asks for one; a token of a link is taken out of the address')


def has_the_true_numbers(page):
    page.open(CAPTURED)
    runs, good, back = sql('SELECT count(*), count(*) FILTER (WHERE was_successful), count(*) FILTER (WHERE was_rolled_back) '
                           'FROM cube.fact_verification_executions WHERE created_at ' + IN_DAYS)[0]
    errors, auto = sql('SELECT count(*), count(*) FILTER (WHERE was_auto_resolved) FROM cube.fact_error_events WHERE created_at ' + IN_DAYS)[0]
    asked, waiting = sql('SELECT count(*), count(*) FILTER (WHERE was_approved IS NULL) FROM cube.fact_approvals WHERE created_at ' + IN_DAYS)[0]
    equal('success rate', page.tile('success-rate'), percent(good, runs))
    if not page.detail('success-rate').startswith('%s of %s ' % (grouped(good), grouped(runs))):
        raise Failed('success rate without its denominator: ' + page.detail('success-rate'))
    equal('executions', page.tile('execution-count'), grouped(runs))
    equal('rollback rate', page.tile('rollback-rate'), percent(back, runs))
    equal('errors', page.tile('error-count'), grouped(errors))
    equal('auto-resolved', page.detail('error-count'), '%s auto-resolved, %s of %s' % (percent(auto, errors), grouped(auto), grouped(errors)))
    equal('approvals', page.tile('approval-count'), grouped(asked))
    if not page.detail('approval-count').startswith(grouped(waiting) + ' pending'):
        raise Failed('pending approvals: ' + page.detail('approval-count'))

    by_tier = {}
    for _, tier, n, ok, *_ in page.table('success'):
        by_tier.setdefault(tier, [0, 0])
        by_tier[tier][0] += whole(n)
        by_tier[tier][1] += whole(ok)
    equal('executions by tier', {tier: tuple(map(str, sums)) for tier, sums in by_tier.items()}, {
        tier: (n, ok) for tier, n, ok in sql('SELECT tier_name, count(*), count(*) FILTER (WHERE was_successful) FROM '
                                             'cube.fact_verification_executions JOIN cube.dim_tier USING (tier_key) WHERE created_at ' + IN_DAYS + ' GROUP BY 1')})
    runs_table = page.table('executions')
    equal('executions by day', [[row[i].replace(',', '') for i in (1, 2, 4)] for row in runs_table], [list(row) for row in sql(
        'SELECT count(*), count(*) FILTER (WHERE was_successful), count(*) FILTER (WHERE was_rolled_back) FROM cube.fact_verification_executions '
        'WHERE created_at ' + IN_DAYS + ' GROUP BY created_at::date ORDER BY created_at::date')])
    equal('types of errors', [(row[0], row[1].replace(',', ''), row[2].replace(',', '')) for row in page.table('types')], sql(
        'SELECT error_type, count(*), count(*) FILTER (WHERE was_auto_resolved) FROM cube.fact_error_events WHERE created_at ' + IN_DAYS +
        ' GROUP BY 1 ORDER BY 2 DESC, 1'))
    equal('errors by day', [row[1] for row in page.table('errors')], [grouped(n) for n, in sql(
        'SELECT count(*) FROM cube.fact_error_events WHERE created_at ' + IN_DAYS + ' GROUP BY created_at::date ORDER BY created_at::date')])
    equal('approvals by day', [tuple(row[1:5]) for row in page.table('approvals')], sql(
        'SELECT count(*), count(*) FILTER (WHERE was_approved), count(*) FILTER (WHERE NOT was_approved), count(*) FILTER (WHERE was_approved IS NULL) '
        'FROM cube.fact_approvals WHERE created_at ' + IN_DAYS + ' GROUP BY created_at::date ORDER BY created_at::date'))
    equal('confidence', [(row[1].replace(',', ''), row[2].replace(',', '')) for row in page.table('confidence')], sql(
        'SELECT count(*), count(*) FILTER (WHERE was_successful) FROM cube.fact_verification_executions WHERE confidence_score IS NOT NULL '
        'AND created_at ' + IN_DAYS + ' GROUP BY least(floor(confidence_score * 20), 19) ORDER BY least(floor(confidence_score * 20), 19)'))
    days = {'Mon': 1, 'Tue': 2, 'Wed': 3, 'Thu': 4, 'Fri': 5, 'Sat': 6, 'Sun': 7}
    equal('heat map', [(str(days[row[0]]), row[1].split(':')[0], row[2].replace(',', '')) for row in page.table('heat')], sql(
        'SELECT extract(isodow FROM created_at), extract(hour FROM created_at), count(*) FROM cube.fact_verification_executions '
        'WHERE created_at ' + IN_DAYS + ' GROUP BY 1, 2 ORDER BY 1, 2'))
    equal('missions', sorted((row[0], row[1], row[2], row[3]) for row in page.table('missions')), sorted(sql(
        'SELECT mission_type, tier_name, total_missions, successful_missions FROM cube.cube_mission_metrics')))
    equal('durations', total(page.table('durations'), 2), number(
        'SELECT count(*) FROM cube.fact_verification_executions WHERE duration_seconds IS NOT NULL AND created_at ' + IN_DAYS))
    told = page.run('return document.querySelector("#panel-durations .says").textContent')
    for tier, seconds in sql('SELECT tier_name, percentile_disc(0.5) WITHIN GROUP (ORDER BY cube.bucket_value(cube.log_bucket(duration_seconds))) FROM '
                             'cube.fact_verification_executions JOIN cube.dim_tier USING (tier_key) WHERE duration_seconds IS NOT NULL AND created_at ' + IN_DAYS + ' GROUP BY 1'):
        words = page.run('return import("/assets/format.js").then(format => format.duration(Number(arguments[0])))', seconds)
        if '%s %s' % (tier, words) not in told:
            raise Failed('p50 of %s is %s; the page says: %s' % (tier, words, told))
    checked = len(page.run('return document.querySelectorAll(".panel[data-state=ready]")'))
    equal('panels that are ready', checked, len(page.run('return document.querySelectorAll(".panel")')))
    page.is_quiet('while numbers are compared')
    shown('the captured traffic: %s executions, %s verified, %s errors, %s approvals; %d panels, each table equals SQL over the facts' % (
        grouped(runs), percent(good, runs), grouped(errors), grouped(asked), checked))


def keeps_its_state_in_the_address(page):
    page.open(CAPTURED)
    page.run('const s = document.querySelector("[name=tier]"); s.value = "tier_2"; s.dispatchEvent(new Event("change", {bubbles: true}))')
    tactical = grouped(number("SELECT count(*) FROM cube.fact_verification_executions JOIN cube.dim_tier USING (tier_key) WHERE tier_code = 'tier_2' "
                              'AND created_at ' + IN_DAYS))
    until(5, 'the tier is chosen', lambda: page.tile('execution-count') == tactical)
    if 'tier=tier_2' not in page.run('return location.search'):
        raise Failed('the tier is not in the address')
    address = page.run('return location.search')
    page.open(address)
    equal('executions of a shared address', page.tile('execution-count'), tactical)
    page.run('const s = document.querySelector("[name=component]"); s.value = "hunter"; s.dispatchEvent(new Event("change", {bubbles: true}))')
    errors = grouped(number("SELECT count(*) FROM cube.fact_error_events JOIN cube.dim_component USING (component_key) WHERE component_name = 'hunter' "
                            'AND created_at ' + IN_DAYS))
    until(5, 'the component is chosen', lambda: page.tile('error-count') == errors)
    of_hunter = ("FROM cube.fact_verification_executions JOIN cube.dim_component USING (component_key) WHERE component_name = 'hunter' AND created_at " + IN_DAYS)
    equal('executions of tier and component', page.tile('execution-count'), grouped(number(
        "SELECT count(*) FROM cube.fact_verification_executions JOIN cube.dim_tier USING (tier_key) JOIN cube.dim_component USING (component_key) "
        "WHERE component_name = 'hunter' AND tier_code = 'tier_2' AND created_at " + IN_DAYS)))
    page.open(CAPTURED + '&component=hunter')
    runs, good, back = sql('SELECT count(*), count(*) FILTER (WHERE was_successful), count(*) FILTER (WHERE was_rolled_back) ' + of_hunter)[0]
    if runs == '0':
        raise Failed('the scenario gave hunter no executions')
    equal('executions of hunter', page.tile('execution-count'), grouped(runs))
    equal('success rate of hunter', page.tile('success-rate'), percent(good, runs))
    equal('rollback rate of hunter', page.tile('rollback-rate'), percent(back, runs))
    rate = page.table('success')
    equal('rates of hunter', (total(rate, 2), total(rate, 3)), (int(runs), int(good)))
    equal('executions of hunter by day', [row[1].replace(',', '') for row in page.table('executions')], [n for n, in sql(
        'SELECT count(*) ' + of_hunter + ' GROUP BY created_at::date ORDER BY created_at::date')])
    equal('heat map of hunter', total(page.table('heat'), 2), int(runs))
    equal('durations of hunter', total(page.table('durations'), 2), number('SELECT count(*) ' + of_hunter + ' AND duration_seconds IS NOT NULL'))
    equal('confidence of hunter', total(page.table('confidence'), 1), number('SELECT count(*) ' + of_hunter + ' AND confidence_score IS NOT NULL'))
    unheeding = page.run('return [...document.querySelectorAll(".panel")].filter(p => p.querySelector(".foot-note").textContent.includes("all components")).map(p => p.id)')
    equal('panels that say that they are of all components', unheeding, ['panel-approvals', 'panel-missions', 'panel-streams'])
    page.run('document.querySelectorAll("#panel-executions button")[1].click()')
    until(5, 'the facts of hunter', lambda: '%d row' % min(int(runs), 50) in (page.text('#drawer .foot') or ''))
    page.press('Escape')
    page.run('const s = document.querySelector("[name=component]"); s.value = ""; s.dispatchEvent(new Event("change", {bubbles: true}))')
    until(5, 'all components', lambda: page.tile('execution-count') == grouped(number(
        'SELECT count(*) FROM cube.fact_verification_executions WHERE created_at ' + IN_DAYS)))
    page.run('history.back()')
    until(5, 'back', lambda: 'component=hunter' in page.run('return location.search') and page.tile('error-count') == errors)
    page.open('?range=custom&from=2024-01-01&to=2024-01-31')
    equal('a range without anything', page.tile('execution-count'), '0')
    equal('panels that say so', page.run('return document.querySelectorAll(".panel[data-state=zero] button").length > 0'), True)
    page.is_quiet('while filters change')
    shown('tier and component are in the address: a shared link and the way back show the same; each panel of executions and errors heeds the component, '
          'the others say that they do not; an empty range says what to do')


def works_by_keyboard(page):
    page.open(CAPTURED)
    seen, invisible = [], []
    page.run('document.activeElement.blur(); scrollTo(0, 0)')
    for _ in range(90):
        page.press('Tab')
        name, outline = page.run('''
            const a = document.activeElement, inner = a.matches('.segments input') ? a.nextElementSibling : a;
            return [a.matches('svg.chart') ? a.parentElement.id : a.id || a.name || a.textContent, getComputedStyle(inner).outlineStyle]''')
        if page.run('return document.activeElement === document.body'):
            break
        seen.append(name)
        if outline == 'none':
            invisible.append(name)
    charts = [name for name in seen if name.startswith('plot-')]
    expected = page.run('return [...document.querySelectorAll("svg.chart")].map(chart => chart.parentElement.id)')
    equal('charts that Tab reaches', sorted(set(charts)), sorted(expected))
    for control in ('range', 'tier', 'component', 'theme'):
        if control not in seen:
            raise Failed('Tab does not reach %s: %s' % (control, seen[:12]))
    if invisible:
        raise Failed('focus is not visible on %s' % invisible)
    for chart in charts:
        page.run('document.querySelector(`#${arguments[0]} svg.chart`).focus()', chart)
        page.press('Home')
        until(3, 'a tooltip in ' + chart, lambda: page.run('return !document.getElementById("tip").hidden'))
        first = page.text('#tip')
        page.press('ArrowRight', 'ArrowDown')
        until(3, 'the tooltip of %s follows the keys' % chart, lambda first=first: page.text('#tip') != first)
        page.press('Escape')
        until(3, 'Escape hides it', lambda: page.run('return document.getElementById("tip").hidden'))

    # from the chart to the facts, from a fact to its story, and back to where one was
    page.run('document.querySelector("#plot-executions svg.chart").focus()')
    first, first_day = sql("SELECT created_at::date - DATE '2026-10-24', count(*) FROM cube.fact_verification_executions WHERE created_at " + IN_DAYS +
                           ' GROUP BY 1 ORDER BY 1 LIMIT 1')[0]
    page.press('Home', *['ArrowRight'] * int(first), 'Enter')
    until(5, 'the facts', lambda: page.run('return document.querySelectorAll("#drawer tbody tr").length') > 0)
    until(5, 'all facts of the day', lambda: '%d row' % min(int(first_day), 50) in page.text('#drawer .foot'))
    contract = page.run('const link = document.querySelector("#drawer tbody .link"); link.focus(); return link.title')
    page.press('Enter')
    until(5, 'the story', lambda: page.run('return document.querySelectorAll("#drawer .story li").length') > 0)
    steps = number("SELECT count(*) FROM cube.cube_execution_timeline('%s')" % contract)
    equal('steps of ' + contract, page.run('return document.querySelectorAll("#drawer .story li").length'), steps)
    if contract not in page.run('return decodeURIComponent(location.search)'):
        raise Failed('the contract is not in the address')
    page.press('Escape')
    until(3, 'the drawer is closed', lambda: not page.run('return document.getElementById("drawer").open'))
    equal('focus after the drawer', page.run('return document.activeElement.parentElement.id'), 'plot-executions')

    longest, steps = sql('SELECT f.contract_id, t.n FROM cube.fact_verification_executions f, LATERAL (SELECT count(*) AS n FROM '
                         'cube.cube_execution_timeline(f.contract_id)) t ORDER BY t.n DESC, f.contract_id LIMIT 1')[0]
    page.open(CAPTURED + '&contract=' + urllib.parse.quote(longest))
    until(5, 'the story of a shared link', lambda: page.run('return document.querySelectorAll("#drawer .story li").length') == int(steps))
    page.picture(os.path.join(PICTURES, 'dashboard-timeline.png'), whole=False)
    page.press('Escape')

    # closed and opened again at once: the browser tells of the closing a moment later
    page.run('const facts = document.querySelectorAll("#panel-executions button")[1]; facts.click(); document.getElementById("drawer").close(); facts.click()')
    until(5, 'the facts of a list that was opened again', lambda: page.run('return document.querySelectorAll("#drawer tbody tr").length') > 0)
    if page.run('return document.querySelector("#drawer header").textContent.includes("back")'):
        raise Failed('a list that was closed is still there to go back to')
    page.press('Escape')
    until(3, 'the drawer is closed again', lambda: not page.run('return document.getElementById("drawer").open'))

    # the mouse tells the same
    def hover(step=[0]):  # noqa: B006 (it is meant to be one for all calls)
        # measured anew each time: the page may still move after the drawer has gone
        x, y = page.run('const f = document.querySelector("#plot-executions svg.chart"); f.scrollIntoView({block: "center"}); '
                        'const r = f.getBoundingClientRect(); return [Math.round(r.left + r.width / 2), Math.round(r.top + r.height / 3)]')
        step[0] += 1
        page.move(x + step[0] % 2, y)
        return page.run('return !document.getElementById("tip").hidden')

    until(5, 'a tooltip under the mouse', hover)
    page.is_quiet('while keys are used')
    shown('by keyboard: %d charts with tooltips, the facts behind a day, the %d steps of a contract, and back; focus is always visible' % (len(charts), int(steps)))


def is_live(page):
    page.open('?range=all')
    until(10, 'the stream is open', lambda: page.text('#connection') == 'live')
    before = whole(page.tile('execution-count'))
    took = []
    for i in range(3):
        do('publish', 'live-%d' % i)
        took.append(until(10, 'execution %d is on the page' % (i + 1), lambda i=i: whole(page.tile('execution-count')) == before + i + 1))
    equal('executions', page.tile('execution-count'), grouped(number('SELECT count(*) FROM cube.fact_verification_executions')))
    if max(took) > 6:
        raise Failed('it took %s s' % ', '.join('%.1f' % t for t in took))
    if 'Executions' not in page.text('#said'):
        raise Failed('the change is not announced: %r' % page.text('#said'))
    # one stream is new, but those that bring something every day are old: that is not fresh
    busy = number('SELECT count(*) FROM cube.cube_freshness WHERE usual_gap_seconds <= 86400')
    until(5, 'freshness is that of the worst busy stream', lambda: page.text('#number-freshness .state') == 'stale' and page.detail('freshness').endswith('; 0 of %d streams fresh' % busy))
    page.run('Object.defineProperty(document, "hidden", {value: true, configurable: true}); document.dispatchEvent(new Event("visibilitychange"))')
    equal('a hidden tab', page.text('#connection'), 'paused')
    reads = page.reads()
    do('publish', 'hidden')
    time.sleep(2)  # nothing happens meanwhile
    equal('reads of a hidden tab', page.reads(), reads)
    page.run('delete document.hidden; document.dispatchEvent(new Event("visibilitychange"))')
    until(5, 'the tab caught up', lambda: whole(page.tile('execution-count')) == before + 4)
    page.is_quiet('while events come')
    shown('an event is on the open page %.1f s after publishing ended (slowest of 3); a hidden tab reads nothing, then catches up' % max(took))


def shows_markup_as_text(page):
    page.open('?range=24h')
    do('publish-markup')
    evil = '<img src=x onerror="window.taken=1">'
    until(10, 'the error is on the page', lambda: evil in page.text('#panel-types'))
    page.run('document.querySelectorAll("#panel-types button")[1].click()')
    until(5, 'the facts', lambda: evil in (page.text('#drawer tbody') or ''))
    page.press('Escape')
    page.run('document.querySelectorAll("#panel-executions button")[1].click()')
    until(5, 'the facts', lambda: evil in (page.text('#drawer tbody') or ''))
    page.run('[...document.querySelectorAll("#drawer tbody tr")].find(row => row.textContent.includes("onerror")).querySelector(".link").click()')
    until(5, 'the story', lambda: evil in (page.text('#drawer .story') or ''))
    page.press('Escape')
    equal('scripts that ran and elements that were made', page.run(
        'return [window.taken ?? 0, document.querySelectorAll("img[src=x], #drawer script, #drawer img, #panels img").length]'), [0, 0])
    page.is_quiet('with markup in events')
    shown('markup in actions, actors and error types stays text, in charts, lists and stories')


def survives(page, what):
    page.open('?range=all')
    until(10, 'the stream is open', lambda: page.text('#connection') == 'live')
    before = whole(page.tile('execution-count'))
    page.is_quiet('before the ' + what)
    do('stop', what)
    until(20, 'the page says that the %s is gone' % what, lambda: page.run('return !document.getElementById("notice").hidden || document.querySelector("#connection").dataset.state !== "live"'))
    time.sleep(2)  # nothing happens meanwhile
    equal('what stays on the page', whole(page.tile('execution-count')), before)
    if what == 'server':
        page.picture(os.path.join(PICTURES, 'dashboard-without-server.png'), whole=False)
    do('start', what)
    until(45, 'live again', lambda: page.text('#connection') == 'live' and page.run('return document.getElementById("notice").hidden'))
    do('publish', 'after-' + what)
    took = until(20, 'the next event is on the page', lambda: whole(page.tile('execution-count')) == before + 1)
    trouble = [line for line in page.console() if not re.search(r'Failed to load resource|net::ERR_|/api/cube/', line)]
    if trouble:
        raise Failed('the console says: %s' % trouble[:3])
    shown('restart of the %s: the page keeps its numbers, says so, and shows the next event %.1f s after it' % (what, took))


def looks_good(page):
    pictures = []

    def picture(name, query, width, height, scheme, phone=False):
        page.prefers(color_scheme=scheme, reduced_motion='reduce')
        page.size(width, height, phone)
        page.open(query)
        until(5, 'nothing moves any more', lambda: page.run('return document.getAnimations().length') == 0)
        wide = page.run('return document.documentElement.scrollWidth - document.documentElement.clientWidth')
        equal('pixels that %s is too wide' % name, wide, 0)
        equal('animations in ' + name, page.run('return document.getAnimations().length'), 0)
        path = os.path.join(PICTURES, 'dashboard-%s.png' % name)
        page.picture(path)
        pictures.append(os.path.basename(path))

    picture('light', CAPTURED, 1440, 900, 'light')
    paper = page.run('return getComputedStyle(document.documentElement).backgroundColor')
    picture('dark', CAPTURED, 1440, 900, 'dark')
    if page.run('return getComputedStyle(document.documentElement).backgroundColor') == paper:
        raise Failed('dark looks like light')
    page.click('#theme')
    equal('the switch', page.run('return getComputedStyle(document.documentElement).backgroundColor'), paper)
    page.run('localStorage.clear()')
    picture('phone', CAPTURED, 390, 844, 'light', phone=True)
    picture('empty', '?range=custom&from=2024-01-01&to=2024-01-31', 1440, 900, 'light')
    hosts = page.run('return [...new Set(performance.getEntriesByType("resource").map(entry => new URL(entry.name).origin))]')
    equal('hosts that the page asks', hosts, [URL.rstrip('/')])
    page.is_quiet('while it is looked at')
    shown('light, dark and phone (390 px, nothing too wide, nothing moves): %s' % ', '.join(pictures))


def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that the browser is closed
    page = Page(os.getcwd(), int(PORT))
    try:
        asks_for_a_token(page)
        has_the_true_numbers(page)
        keeps_its_state_in_the_address(page)
        works_by_keyboard(page)
        analyst.looks_around(page)
        is_live(page)
        shows_markup_as_text(page)
        survives(page, 'server')
        survives(page, 'database')
        do('publish-more')
        analyst.takes_files(page)
        looks_good(page)
    except Failed as failure:
        try:
            page.picture(os.path.join(PICTURES, 'dashboard-failed.png'))
            print(page.console(), file=sys.stderr)
        except (Failed, OSError):
            pass
        print('failed', failure, flush=True)  # last: the scenario ends with it, and so does this
        sys.exit(1)
    finally:
        page.close()


main()
