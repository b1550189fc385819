"""The queries of a Grafana dashboard, ready to be sent: one a line, panel title and query with a tab between.

    boards.py FILE              PromQL and SQL with Grafana's variables replaced
    boards.py FILE METRICS      and each panel that asks for a metric says of it what `metrics list --json` does; none computes a number by itself
"""
import json
import re
import sys


def ready(text):
    text = text.replace('$__rate_interval', '1m')
    # as Grafana has it: up to the first closing parenthesis, and of what is between commas the first
    text = re.sub(r'\$__timeFilter\(([^)]*)\)', lambda found: "%s BETWEEN '2000-01-01T00:00:00Z' AND '2100-01-01T00:00:00Z'" % found.group(1).split(',')[0].strip(), text)
    text = text.replace('$__timeFrom()', "'2000-01-01T00:00:00Z'").replace('$__timeTo()', "'2100-01-01T00:00:00Z'")
    left = re.search(r'\$\w+', text)
    if left:
        sys.exit('a variable that is not known: %s in %s' % (left.group(), text))
    return text


UNITS = {'count': 'short', 'ratio': 'percentunit', 'seconds': 's', 'score': 'none'}
COUNTS_OF_BUCKETS = {'Confidence'}  # whole numbers of parts that add; no metric is cut by them


def check_metric(panel, metrics):
    text = panel['targets'][0]['rawSql']
    name = re.search(r"cube\.metric\('(\w+)'", text)
    if not name:
        if re.search(r'(sum|avg|count|max)\(|/', text) and panel['title'] not in COUNTS_OF_BUCKETS:
            sys.exit('%s computes a number of its own: %s' % (panel['title'], text))
        return
    metric = metrics[name.group(1)]
    said = panel['description'], panel['fieldConfig']['defaults']['unit']
    if said != (metric['about'], UNITS[metric['unit']]):
        sys.exit('%s: says %s of %s, which is %s' % (panel['title'], said, metric['name'], (metric['about'], metric['unit'])))


with open(sys.argv[1], encoding='utf-8') as file:
    board = json.load(file)
panels = [panel for panel in board['panels'] if panel['type'] != 'row']
for panel in panels:
    if not panel['targets'] or not panel['title']:
        sys.exit('a panel without a query or a title: %s' % panel)
    if len(sys.argv) > 2:
        with open(sys.argv[2], encoding='utf-8') as file:
            check_metric(panel, {metric['name']: metric for metric in json.load(file)})
    for target in panel['targets']:
        print('%s\t%s' % (panel['title'], ready(target.get('expr') or target['rawSql'])))
ids = [panel['id'] for panel in board['panels']]
if len(set(ids)) != len(ids) or board['schemaVersion'] > 39 or not board['uid']:
    sys.exit('ids are not unique, or the model is newer than Classic')
