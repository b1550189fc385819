#!/usr/bin/env python3
"""Opens the address that the quickstart printed, as its user does, and says what is there.

    quickstart.py ADDRESS PORT      → NAME<tab>VALUE for each number, and "address", "panels", "console"
"""
import os
import signal
import sys

from webdriver import Browser, Failed, until

NUMBERS = '''
    const text = node => node.textContent.replace(/\\s+/g, ' ').trim();
    return [...document.querySelectorAll('.tile')].flatMap(tile => [[tile.id.slice(7), text(tile.querySelector('b'))], [tile.id.slice(7) + '-detail', text(tile.querySelector('.detail'))]])'''


def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that the browser is closed
    page = Browser(os.getcwd(), int(sys.argv[2]))
    try:
        page.go(sys.argv[1])
        until(20, 'the page has read its numbers', lambda: page.run('return document.body.dataset.reads > 0 && !document.querySelector(".panel[data-state=loading]")'))
        until(20, 'the page is live', lambda: page.text('#connection') == 'live')
        for name, value in page.run(NUMBERS):
            print(name, value, sep='\t')
        states = page.run('return [...document.querySelectorAll(".panel")].map(panel => panel.dataset.state)')
        print('panels', ' '.join(sorted(set(states))), sep='\t')
        print('address', page.run('return location.href'), sep='\t')
        print('console', ' '.join(page.console()), sep='\t')
    finally:
        page.close()


try:
    main()
except Failed as failure:
    sys.exit(str(failure))
