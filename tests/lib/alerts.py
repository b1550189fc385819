"""Tests of the alert rules that `gracecube metrics alerts` makes, for promtool, from what `gracecube metrics list --json` says of thresholds.

    alerts.py RULES <list.json >test.yaml
"""
import json
import sys

LEVELS = ('warning', 'critical')
MINUTES = 10  # of each value: longer than the rules wait


def is_beyond(value, threshold, better):
    return value < threshold if better == 'up' else value > threshold


def values_of(thresholds, better):
    """Each threshold itself, and a little beyond it."""
    for level in LEVELS:
        if level in thresholds:
            little = 1e-6 * max(1, abs(thresholds[level]))
            yield thresholds[level]
            yield thresholds[level] + (-little if better == 'up' else little)


def expected(name, thresholds, better, value):
    return [{'labels': 'ALERTS{alertname="GracecubeMetricThreshold", alertstate="firing", name="%s", severity="%s"}' % (name, level), 'value': 1}
            for level in LEVELS if level in thresholds and is_beyond(value, thresholds[level], better)]


def test(title, metric, rows, is_heard):
    """One of two processes says the values, the other one a good one all the time."""
    name, thresholds, better = metric['name'], metric['thresholds'], metric['better']
    values = list(values_of(thresholds, better))
    good = thresholds.get('good', values[0])
    length = MINUTES * len(values)
    asked = 'ALERTS{alertname="GracecubeMetricThreshold", alertstate="firing"}'
    return {
        'name': '%s, %s' % (name, title), 'interval': '1m',
        'input_series': [
            {'series': 'gracecube_metric{name="%s", instance="a"}' % name, 'values': ' '.join('%.9fx%d' % (value, MINUTES - 1) for value in values)},
            {'series': 'gracecube_metric{name="%s", instance="b"}' % name, 'values': '%.9fx%d' % (good, length)},
            {'series': 'gracecube_metric_rows{name="%s", instance="a"}' % name, 'values': '%dx%d' % (rows, length)},
            {'series': 'gracecube_metric{name="unknown", instance="a"}', 'values': '1e9x%d' % length}],
        'promql_expr_test': [{'eval_time': '%dm' % (MINUTES * (n + 1) - 1), 'expr': asked,
                              'exp_samples': expected(name, thresholds, better, value) if is_heard else []} for n, value in enumerate(values)]}


tests = []
for listed in json.load(sys.stdin):
    if not any(level in listed['thresholds'] for level in LEVELS):
        continue
    least = listed['thresholds']['min_rows']
    tests.append(test('of enough rows', listed, least, True))
    if least:
        tests.append(test('of too few rows', listed, least - 1, False))
if not tests:
    sys.exit('no metric has thresholds')
json.dump({'rule_files': [sys.argv[1]], 'evaluation_interval': '1m', 'tests': tests}, sys.stdout)
