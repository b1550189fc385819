"""A small client of WebDriver: what it takes to drive Debian's chromium by Debian's chromedriver, with nothing else installed."""
import base64
import json
import os
import signal
import subprocess
import time
import urllib.error
import urllib.request

ELEMENT = 'element-6066-11e4-a52e-4f735466cecf'
KEYS = {'Tab': '\ue004', 'Enter': '\ue007', 'Escape': '\ue00c', 'ArrowLeft': '\ue012', 'ArrowUp': '\ue013',
        'ArrowRight': '\ue014', 'ArrowDown': '\ue015', 'Home': '\ue011', 'End': '\ue010'}
ARGUMENTS = ['--headless=new', '--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage', '--disable-background-networking',
             '--disable-component-update', '--disable-sync', '--no-first-run', '--window-size=1440,900']


class Failed(Exception):
    pass


class Browser:
    def __init__(self, directory, port):
        self.base = 'http://127.0.0.1:%d' % port
        with open(os.path.join(directory, 'chromedriver.log'), 'ab') as log:
            self.process = subprocess.Popen(['chromedriver', '--port=%d' % port], stdout=log, stderr=log, start_new_session=True)
        self.session = None
        until(20, 'chromedriver answers', lambda: self.call('GET', '/status')['ready'])
        options = {'args': ARGUMENTS + ['--user-data-dir=' + os.path.join(directory, 'profile')]}
        self.session = self.call('POST', '/session', {'capabilities': {'alwaysMatch': {
            'browserName': 'chrome', 'goog:chromeOptions': options, 'goog:loggingPrefs': {'browser': 'ALL'}}}})['sessionId']

    def close(self):
        try:
            if self.session:
                self.call('DELETE', '')
        except (Failed, OSError):
            pass
        os.killpg(self.process.pid, signal.SIGTERM)  # a group of its own, made above
        self.process.wait(10)

    def call(self, method, path, body=None):
        url = self.base + ('/session/' + self.session if self.session else '') + path
        data = None if method != 'POST' else json.dumps(body or {}).encode()
        request = urllib.request.Request(url, data, {'Content-Type': 'application/json'}, method=method)
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return json.load(answer)['value']
        except urllib.error.HTTPError as error:
            raise Failed(json.load(error)['value']['message'].split('\n')[0]) from None

    def devtools(self, command, **parameters):
        return self.call('POST', '/goog/cdp/execute', {'cmd': command, 'params': parameters})

    def go(self, url):
        self.call('POST', '/url', {'url': url})

    def run(self, script, *arguments):
        """A script's `return` value; arguments[0] … are its arguments."""
        return self.call('POST', '/execute/sync', {'script': script, 'args': list(arguments)})

    def text(self, selector):
        """The text of an element, with plain blanks; None when it is not there."""
        found = self.run('return document.querySelector(arguments[0])?.textContent ?? null', selector)
        return found and ' '.join(found.split())

    def click(self, selector):
        element = self.call('POST', '/element', {'using': 'css selector', 'value': selector})[ELEMENT]
        self.call('POST', '/element/%s/click' % element)

    def press(self, *keys):
        actions = [{'type': kind, 'value': KEYS.get(key, key)} for key in keys for kind in ('keyDown', 'keyUp')]
        self.call('POST', '/actions', {'actions': [{'type': 'key', 'id': 'keys', 'actions': actions}]})

    def move(self, x, y):
        self.call('POST', '/actions', {'actions': [{'type': 'pointer', 'id': 'mouse', 'actions': [
            {'type': 'pointerMove', 'duration': 0, 'x': x, 'y': y}]}]})

    def console(self):
        """What the console said of trouble since the last time."""
        return [entry['message'] for entry in self.call('POST', '/se/log', {'type': 'browser'})
                if entry['level'] in ('SEVERE', 'WARNING')]

    def size(self, width, height, phone=False):
        self.devtools('Emulation.setDeviceMetricsOverride', width=width, height=height, deviceScaleFactor=2 if phone else 1,
                      mobile=phone)

    def prefers(self, **features):
        self.devtools('Emulation.setEmulatedMedia', features=[
            {'name': 'prefers-' + name.replace('_', '-'), 'value': value} for name, value in features.items()])

    def picture(self, path, whole=True):
        shot = self.devtools('Page.captureScreenshot', format='png', captureBeyondViewport=whole)
        with open(path, 'wb') as file:
            file.write(base64.b64decode(shot['data']))


def until(seconds, what, holds):
    """Waits for a condition; returns how long it took."""
    seconds *= 5  # what is waited for is said below; how long a busy machine may take for it is another matter
    start = time.monotonic()
    trouble = ''
    while True:
        try:
            if holds():
                return time.monotonic() - start
            trouble = ''
        except (Failed, OSError) as error:
            trouble = ': %s' % error
        if time.monotonic() - start > seconds:
            raise Failed('after %d s still not: %s%s' % (seconds, what, trouble))
        time.sleep(0.02)
