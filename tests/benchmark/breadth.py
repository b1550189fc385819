#!/usr/bin/env python3
"""Makes change events of contracts as broad as Grace's own: one capture file, which the benchmarks multiply with new ids.

    breadth.py OUTPUT SEED [HOURS ENDING]

Two months of hours, 26 actors, 8 components, 7 spellings of tiers; 10,487 records of 5,001 contracts and about 1,230 plans: half of the
contracts come as the snapshot of a connector, one record each, the others as they change, mostly neighbours on the topic; a restart
sends 517 records again; 29 are deleted. All numbers here were counted in a month of Grace's traffic; the texts are those of
tests/data/capture, of 2.5 kB a record like there. With HOURS all contracts are made in so many hours before ENDING (seconds since
1970), as in a cube that is up to date. The same arguments make the same file.
"""
import bisect
import gzip
import itertools
import json
import os
import random
import sys

CAPTURE = os.path.join(os.path.dirname(os.path.abspath(__file__)), '../data/capture/grace.public.action_contracts.jsonl.gz')
SECOND = 10**6
DAY = 86400 * SECOND
FIRST_DAY = 20750  # since 1970: 2026-10-24
# how many contracts were made on each day, and in each hour of a day
DAYS = [67, 195, 202, 59, 119, 226, 212, 121, 73, 147, 119, 165, 242, 289, 150, 85, 193, 124, 82, 323, 226, 163, 72, 182, 238, 235, 255, 54, 164, 180]
HOURS = [84, 79, 61, 55, 61, 49, 74, 54, 125, 148, 181, 297, 420, 402, 491, 485, 493, 337, 325, 327, 172, 137, 76, 65]
HOURS_A_DAY = 12  # in which there are any: 356 in all
LONG_AGO = 38 / 4998 / 0.63  # contracts of 19 of these days are 400 days older
TIERS = {'tier_1': 2906, 'tier_2': 1420, 'tier_3': 599, 'tier_4': 21, None: 19, '': 17, 'TIER_1': 16}
TRIGGERS = {'cognition:plan-': 1237, 'scheduler': 492, 'agent:action_executor': 244, 'agent:input_sentinel': 233, 'agent:shard_orchestrator': 218,
            'agent:policy_engine': 217, 'agent:cognition_authority': 214, 'agent:parliament_engine': 211, 'agent:hunter': 204,
            'agent:grace_autonomous': 197, 'input_sentinel': 182, 'user:bob': 158, 'user:李雷': 155, 'user:svc-ci': 152, 'user:aaron': 147,
            'user:alice': 137, 'user:zoë': 136, "user:o'brien": 134, ':': 39, ' user:space ': 38, 'agent:a:b:c': 35, 'trigger_mesh/event#42': 34,
            'USER:Alice': 34, 'user:': 31, 'user:' + 'x' * 120: 29, None: 25, 'system\tcron': 24, '': 23, '🤖': 18}
CONFIDENCES = {1.0: 3289, 0.0: 445, 0.5: 119, 0.2: 71, 0.25: 60, 0.75: 60, 0.8: 57, 0.125: 36, 0.6: 33, 0.4: 32, 0.1: 28, 0.625: 20, -0.2: 16,
               0.7: 16, 'NaN': 15, 1e-320: 14, 0.3: 14, 0.9: 13, 0.875: 11, 1.7: 10, 'Infinity': 9}
# seconds: the percentiles 0, 5, … 95, 100
DURATIONS = [2.5, 5.9, 8.8, 11.4, 13.2, 15.1, 17, 18.7, 20.7, 22.4, 24.5, 27.3, 31.2, 36.9, 46.9, 65.8, 106, 212, 490, 1350, 6300]
# what becomes of a contract: c is made, u changes, d is deleted with a tombstone
SNAPSHOT = {'verified': 1583, 'failed': 245, 'rolled_back': 223, 'pending': 142, 'partial_success': 137, 'executing': 46, 'VERIFIED': 11, 'cancelled': 9,
            'verified rolled_back': 3, 'verified d': 5}
STREAMED = {'pending executing verified': 1703, 'pending executing failed rolled_back': 201, 'pending executing partial_success': 193,
            'pending': 155, 'pending executing failed': 123, 'pending failed': 105, 'pending executing': 42, 'pending executing verified rolled_back': 24,
            'pending executing verified d': 24, 'verified': 11, 'VERIFIED': 10, 'cancelled': 6}
STEPS = {1: 3534, 2: 469, 3: 154, 4: 111, 5: 43, 6: 40, 7: 33, 8: 24, 30: 273}  # records from one change to the next
LATE = 0.1  # of those that failed are rolled back some hundred records later; what was verified, always
LARGER = 0.15  # as often the larger one of two captured texts is taken: those in the repository are a little too small
SNAPSHOTS = 0.19  # of the contracts name one
SENT_AGAIN = (4874, 517)  # from this record on so many
WITHOUT_END = {'pending', 'executing'}


class Choice:
    """Draws from {what: how often}."""

    def __init__(self, counts):
        self.items, self.sums = list(counts), list(itertools.accumulate(counts.values()))

    def __call__(self, rng):
        return self.items[bisect.bisect(self.sums, rng.randrange(self.sums[-1]))]


class Texts:
    """The texts of captured records, by the status in which they stand."""

    def __init__(self):
        self.records, self.deleted = {}, None  # by (status, is it of a snapshot)
        with gzip.open(CAPTURE, 'rt', encoding='utf-8') as file:
            for message in map(json.loads, file):
                value = json.loads(message['value']) if message['value'] else None
                if value and value['after']:
                    self.records.setdefault((value['after']['status'], value['op'] == 'r'), []).append(value)
                    self.headers = message['headers']
                elif value:
                    self.deleted = value

    def draw(self, rng, status, of_snapshot):
        records = self.records.get((status, of_snapshot)) or self.records[status, not of_snapshot]
        return max(rng.choices(records, k=2 if rng.random() < LARGER else 1), key=lambda value: len(str(value)))


class Contract:
    def __init__(self, rng, created_us, choices):
        self.id = 'contract-%016x-%d.%06d' % (rng.getrandbits(64), created_us // SECOND, created_us % SECOND)
        self.created_us = created_us
        self.executed_us = created_us + int(rng.uniform(0.5, 20) * SECOND)
        place = rng.random() * (len(DURATIONS) - 1)
        low, high = DURATIONS[int(place)], DURATIONS[int(place) + 1]
        self.verified_us = created_us + int(low * (high / low) ** (place % 1) * SECOND)
        self.tier, self.trigger, self.confidence = (choices[name](rng) for name in ('tier', 'trigger', 'confidence'))
        if self.trigger == 'cognition:plan-':
            self.trigger += '%08x' % rng.getrandbits(32)
        self.run = rng.randrange(1, 500) if rng.random() < 0.5 else None
        self.snapshot = 'snapshot-%s' % self.id[9:] if rng.random() < SNAPSHOTS else None
        self.own = None  # the captured record whose plan this contract follows

    def state(self, rng, texts, status, op):
        record = texts.draw(rng, status, op == 'r')
        self.own = self.own or record
        ended = status not in WITHOUT_END and record['after']['verified_at'] is not None
        after = dict(record['after'], id=self.id, status=status, tier=self.tier, triggered_by=self.trigger, created_at=self.created_us,
                     executed_at=None if status == 'pending' else self.executed_us, verified_at=self.verified_us if ended else None,
                     confidence_score=self.confidence if ended else None, run_id=self.run, safe_hold_snapshot_id=self.snapshot)
        for name in ('action_type', 'playbook_id', 'expected_effect', 'requires_approval'):
            after[name] = self.own['after'][name]
        return after


def weighted_hours(rng):
    """Hours since 1970, as many contracts in each day and hour of a day as counted, but no two days alike."""
    hours, draw = {}, Choice(dict(enumerate(HOURS)))
    for day, contracts in enumerate(DAYS):
        busy = {}
        while len(busy) < HOURS_A_DAY:
            busy[draw(rng)] = rng.lognormvariate(0, 0.5)
        for hour, weight in busy.items():
            hours[(FIRST_DAY + day) * 24 + hour] = int(1000 * contracts * weight / sum(busy.values()))
    return Choice(hours)


def make_times(rng, count, hours, ending):
    if hours:
        return sorted(int((ending - rng.random() * hours * 3600) * SECOND) for _ in range(count))
    draw = weighted_hours(rng)
    times = [draw(rng) * 3600 * SECOND + rng.randrange(3600 * SECOND) for _ in range(count)]
    return sorted(t - (400 * DAY if t // DAY % 30 < 19 and rng.random() < LONG_AGO else 0) for t in times)


def lay_out(rng, times):
    """(place on the topic, op, contract, status), sorted."""
    choices = {'tier': Choice(TIERS), 'trigger': Choice(TRIGGERS), 'confidence': Choice(CONFIDENCES)}
    step, steps = Choice(STEPS), []
    snapshots = [life.split() for life, count in SNAPSHOT.items() for _ in range(count)]
    streamed = [life.split() for life, count in STREAMED.items() for _ in range(count)]
    rng.shuffle(snapshots)
    rng.shuffle(streamed)
    for number, (life, created_us) in enumerate(zip(snapshots + streamed, times)):
        contract = Contract(rng, created_us, choices)
        place = number + 2 * max(0, number - len(snapshots))  # those streamed are of two to three records
        for i, status in enumerate(life):
            op = 'd' if status == 'd' else 'u' if i else 'r' if number < len(snapshots) else 'c'
            steps.append((place, number, i, op, contract, status))
            late = status == 'verified' or op == 'r' or status == 'failed' and rng.random() < LATE
            place += rng.randrange(100, 1000) if late else step(rng)
    return sorted(steps, key=lambda s: s[:3])


def make_messages(rng, texts, steps):
    lsn, at_us = 64960680, 1795410137725798
    for _, _, _, op, contract, status in steps:
        at_us += rng.randrange(10000)
        lsn += 0 if op == 'r' else rng.randrange(8, 4000) // 8 * 8
        before, after = (dict(texts.deleted['before'], id=contract.id), None) if op == 'd' else (None, contract.state(rng, texts, status, op))
        source = dict((texts.deleted if op == 'd' else contract.own)['source'], lsn=lsn, ts_ms=at_us // 1000, ts_us=at_us, ts_ns=at_us * 1000,
                      snapshot='true' if op == 'r' else 'false')
        value = {'before': before, 'after': after, 'source': source, 'transaction': None, 'op': op, 'ts_ms': at_us // 1000, 'ts_us': at_us, 'ts_ns': at_us * 1000}
        message = {'topic': 'grace.public.action_contracts', 'partition': 0, 'timestamp': at_us // 1000, 'headers': texts.headers,
                   'key': json.dumps({'id': contract.id}, separators=(',', ':')),
                   'value': json.dumps(value, ensure_ascii=False, separators=(',', ':'))}
        yield message
        if op == 'd':
            yield dict(message, value=None)


def main():
    if len(sys.argv) not in (3, 5):
        sys.exit(__doc__)
    rng, texts = random.Random(int(sys.argv[2])), Texts()
    hours, ending = (float(sys.argv[3]), int(sys.argv[4])) if len(sys.argv) == 5 else (0, 0)
    times = make_times(rng, sum(SNAPSHOT.values()) + sum(STREAMED.values()), hours, ending)
    messages = list(make_messages(rng, texts, lay_out(rng, times)))
    first, count = SENT_AGAIN
    messages[first + count:first + count] = messages[first:first + count]
    with open(sys.argv[1], 'w', encoding='utf-8') as file:
        for offset, message in enumerate(messages):
            file.write(json.dumps(dict(message, offset=offset), ensure_ascii=False) + '\n')


if __name__ == '__main__':
    main()
