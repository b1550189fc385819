#!/usr/bin/env python3
"""Opens the address that the quickstart printed, as its user does, watches it for a minute, and says what it saw.

    quickstart.py ADDRESS PORT PICTURE      → NAME<tab>VALUE: "freshness", "moved", "panels", "address", "console"
"""
import os
import signal
import sys
import time

from webdriver import Browser, Failed, until

NUMBERS = '''
    const text = node => node.textContent.replace(/\\s+/g, ' ').trim();
    return [...document.querySelectorAll('.tile')].flatMap(tile => [[tile.id.slice(7), text(tile.querySelector('b'))]])'''
COUNTS = ('execution-count', 'error-count', 'approval-count')


def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that the browser is closed
    page = Browser(os.getcwd(), int(sys.argv[2]))
    numbers = lambda: dict(page.run(NUMBERS))
    began = time.monotonic()
    try:
        page.go(sys.argv[1])
        until(20, 'the page has read its numbers', lambda: page.run('return document.body.dataset.reads > 0 && !document.querySelector(".panel[data-state=loading]")'))
        until(20, 'the page is live', lambda: page.text('#connection') == 'live')
        print('address', page.run('return location.href'), sep='\t')
        first = numbers()
        until(60, 'executions, errors and approvals move before the eyes', lambda: all(numbers()[name] != first[name] for name in COUNTS))
        took = time.monotonic() - began
        time.sleep(max(0, 60 - took))  # the picture is of the page after a minute
        then = numbers()
        print('moved', f'{", ".join(f"{name[:-6]}s {first[name]} to {then[name]}" for name in COUNTS)} within a minute', sep='\t')
        print('freshness', page.text('#number-freshness .state'), sep='\t')
        states = page.run('return [...document.querySelectorAll(".panel")].map(panel => panel.dataset.state)')
        print('panels', ' '.join(sorted(set(states))), sep='\t')
        page.prefers(color_scheme='light', reduced_motion='reduce')
        page.size(1440, 900)
        page.picture(sys.argv[3])
        print('console', ' '.join(page.console()), sep='\t')
    finally:
        page.close()


try:
    main()
except Failed as failure:
    sys.exit(str(failure))
