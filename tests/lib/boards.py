"""The queries of a Grafana dashboard, ready to be sent: one a line, panel title and query with a tab between.

    boards.py FILE      PromQL and SQL with Grafana's variables replaced
"""
import json
import re
import sys


def ready(text):
    text = text.replace('$__rate_interval', '1m')
    # as Grafana has it: up to the first closing parenthesis, and of what is between commas the first
    text = re.sub(r'\$__timeFilter\(([^)]*)\)', lambda found: "%s BETWEEN '2000-01-01T00:00:00Z' AND '2100-01-01T00:00:00Z'" % found.group(1).split(',')[0].strip(), text)
    left = re.search(r'\$\w+', text)
    if left:
        sys.exit('a variable that is not known: %s in %s' % (left.group(), text))
    return text


with open(sys.argv[1], encoding='utf-8') as file:
    board = json.load(file)
panels = [panel for panel in board['panels'] if panel['type'] != 'row']
for panel in panels:
    if not panel['targets'] or not panel['title']:
        sys.exit('a panel without a query or a title: %s' % panel)
    for target in panel['targets']:
        print('%s\t%s' % (panel['title'], ready(target.get('expr') or target['rawSql'])))
ids = [panel['id'] for panel in board['panels']]
if len(set(ids)) != len(ids) or board['schemaVersion'] > 39 or not board['uid']:
    sys.exit('ids are not unique, or the model is newer than Classic')
