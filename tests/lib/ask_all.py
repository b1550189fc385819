"""Asks a server for everything that its openapi document has: as JSON, as CSV and compressed, of what there is and of what there is not, without
a token, as an agent, and hears its events meanwhile. Fails when an answer is the server's fault.

usage: ask_all.py PORT TOKEN"""
import http.client
import json
import sys
import threading

PORT, TOKEN = int(sys.argv[1]), sys.argv[2]
COUNTS = {}


def ask(path, message=None, **headers):
    connection = http.client.HTTPConnection('127.0.0.1', PORT, timeout=300)
    connection.request('POST' if message else 'GET', path, message, {'Authorization': 'Bearer ' + TOKEN, **headers})
    answer = connection.getresponse()
    body = answer.read()
    COUNTS[answer.status] = COUNTS.get(answer.status, 0) + 1
    if answer.status >= 500:
        sys.exit('%s: %d %s' % (path, answer.status, body[:300]))
    return answer.status, body


def listen(heard):
    connection = http.client.HTTPConnection('127.0.0.1', PORT, timeout=300)
    connection.request('GET', '/api/cube/events', headers={'Authorization': 'Bearer ' + TOKEN})
    answer = connection.getresponse()
    while not heard.is_set():
        if answer.fp.readline().startswith(b'data:'):
            heard.set()


heard = threading.Event()
threading.Thread(target=listen, args=(heard,), daemon=True).start()
document = json.loads(ask('/api/openapi.json')[1])
contract = json.loads(ask('/api/cube/executions?limit=1')[1])[0]['contract_id']
for path in document['paths']:
    for id in ([contract, 'errors', 'nobody%20at%20all'] if '{' in path else ['']):
        known = path[:path.index('{')] + id + path[path.index('}') + 1:] if '{' in path else path
        if known.endswith('/events'):
            continue
        ask(known)
        ask(known, Accept='text/csv')
        ask(known, **{'Accept-Encoding': 'gzip'})
        ask(known + '?days=91&nonsense=1')
        ask(known, Authorization='Bearer of-nobody')
for path in ('/', '/assets/app.js', '/assets/style.css', '/nowhere', '/..%2f..%2fetc/passwd', '/?' + 'x' * 9000):
    ask(path)
for tool in json.loads(ask('/mcp', '{"jsonrpc": "2.0", "id": 1, "method": "tools/list"}')[1])['result']['tools']:
    for arguments in ({}, {'name': 'errors'}, {'contract_id': contract}, {'name': 'errors', 'days': 91}, {'name': 7}, []):
        call = {'jsonrpc': '2.0', 'id': 'a', 'method': 'tools/call', 'params': {'name': tool['name'], 'arguments': arguments}}
        ask('/mcp', json.dumps(call))
        ask('/mcp', json.dumps(call), Authorization='Bearer of-nobody')
for message in ('{"jsonrpc": "2.0", "id": 1, "method": "initialize"}', '{"jsonrpc": "2.0", "method": "notifications/initialized"}', '[]', '{', 'x' * 60000):
    ask('/mcp', message)
    ask('/mcp', message, Origin='http://elsewhere.example')
if not heard.wait(300):
    sys.exit('no event was heard')
print('%d answers (%s) and an event' % (sum(COUNTS.values()), ', '.join('%d of %d' % (COUNTS[status], status) for status in sorted(COUNTS))))
