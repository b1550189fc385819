#!/usr/bin/env python3
"""Says what tests/bench measured: a table, or one JSON object.

    report.py DIR NAME=VALUE… [--json]

DIR has a file NAME.json of each measurement; what others call by name stands in its JSON as it is.
"""
import json
import os
import sys

PEERS = ('gracecube', 'against', 'plain_1', 'plain_2', 'python')
FIGURES = {'events_per_second': 'events a second', 'postgres_cpu_us': "PostgreSQL's CPU an event, µs", 'wal_bytes': 'WAL an event, bytes',
           'own_cpu_us': 'own CPU an event, µs', 'memory_mb': 'peak memory, MB'}


def read(directory, given):
    measured = {'cores': os.cpu_count(), **dict(word.split('=', 1) for word in given)}
    for name in ('publish', *PEERS, 'written', 'idle', 'busy'):
        path = os.path.join(directory, name + '.json')
        if os.path.exists(path):
            with open(path, encoding='utf-8') as file:
                measured[name] = json.load(file)
    return measured


def figures_of(name, cost):
    said = cost['said']
    events, seconds = (said['records'], said['wall_seconds']) if 'records' in said else (said['events'], said['seconds'])
    figures = {'events_per_second': events / seconds, 'postgres_cpu_us': 1e6 * cost['postgres_cpu_seconds'] / events, 'wal_bytes': cost['wal_bytes'] / events}
    if not name.startswith('plain'):  # whose own is that of decoding beforehand
        figures |= {'own_cpu_us': 1e6 * cost['own_cpu_seconds'] / events, 'memory_mb': cost['memory_bytes'] / 1e6}
    return figures


def compare(measured):
    figures = {name: figures_of(name, measured[name]) for name in PEERS if name in measured}
    ours = figures.get('gracecube')
    measured['an_event'] = figures
    measured['ratios'] = {name: {what: ours[what] / value for what, value in theirs.items() if value} for name, theirs in figures.items() if name != 'gracecube'}


def line(what, *values):
    print(f'  {what:<40}' + ''.join(f'{value:>14}' for value in values))


def print_throughput(measured):
    said, written = measured['gracecube']['said'], measured['written']
    events, costs = said['records'], measured['an_event']
    print(f"\nThroughput, {measured['profile']}: {events:,} contract events of {measured['publish']['value_bytes']:,.0f} bytes, {measured['workers']} workers, all rollups")
    line('', *costs)
    for what, title in FIGURES.items():
        line(title, *(f'{cost[what]:,.1f}' if what in cost else '' for cost in costs.values()))
        line('  gracecube has … times as much', '', *(f'{ratio[what]:.2f}' if what in ratio else '' for ratio in measured['ratios'].values()))
    line('fact rows written an event', f"{written['fact_versions'] / events:.2f}")
    line('rollup cells written an event', f"{written['cell_versions'] / events:.2f}")
    for what in ('facts', 'keys', 'rollups'):
        line(f'bytes a fact, of {what}', f"{written['bytes'][what] / written['facts']:,.0f}")
    line('batches, records in each', f"{said['batches']:,} × {events / max(said['batches'], 1):,.0f}")
    stages = {'poll': said['poll_seconds'], 'decode': said['decode_seconds'], 'keys': said['keys_seconds'],
              'encode': said['encode_cpu_seconds'], 'database': said['apply_seconds'] - said['encode_cpu_seconds']}
    for name, seconds in stages.items():
        line(f'  time in {name}, all workers', f'{seconds:.2f} s', f'{100 * seconds / sum(stages.values()):.0f} %')


def print_latency(measured):
    print(f"\nLatency of {measured['idle']['events']} events, publish → visible, ms; busy: while {measured['rate']} others a second are published")
    quantiles = list(measured['idle']['visible_ms'])
    line('', *quantiles)
    for name in ('idle', 'busy'):
        for what in ('acknowledged_ms', 'visible_ms'):
            line(f"{name}, {what.removesuffix('_ms')}", *(f'{measured[name][what][q]:.2f}' for q in quantiles))


def main():
    words = [word for word in sys.argv[2:] if word != '--json']
    measured = read(sys.argv[1], words)
    compare(measured)
    if '--json' in sys.argv:
        print(json.dumps(measured, indent=2, ensure_ascii=False))
        return
    print(f"{measured['program']}: {measured['cores']} cores, Apache Kafka {measured['kafka']} and PostgreSQL {measured['postgres']} on the same machine, "
          f"{measured['settings']}")
    if 'gracecube' in measured:
        print_throughput(measured)
    if 'idle' in measured:
        print_latency(measured)


if __name__ == '__main__':
    main()
