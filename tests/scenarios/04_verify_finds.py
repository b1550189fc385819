#!/usr/bin/env python3
"""verify says no, with exit code 1, and names the place, whatever is changed behind the cube's back; and yes again once it is
put back. "Behind the back" is session_replication_role = replica: no trigger fires."""
import glob
import gzip
import json
import os
import sys

sys.path.insert(0, os.path.join(os.environ['CUBE_TEST_ROOT'], 'tests', 'lib'))
from scenario import *  # noqa: E402,F403


def fill():
    """The capture and one record that is no JSON."""
    kafka = Kafka(BROKERS)
    for path in sorted(glob.glob(ROOT + '/tests/data/capture/*.gz')):
        topic = '%s.%s' % (PREFIX, path.split('.')[-3])
        kafka.create(topic, PARTITIONS)
        with gzip.open(path, 'rt', encoding='utf-8') as lines:
            for line in lines:
                record = json.loads(line)
                kafka.send(topic, *(record[part] and record[part].encode() for part in ('key', 'value')),
                           timestamp=record['timestamp'])
    kafka.send(PREFIX + '.security_events', b'x', b'not json')
    kafka.flush()
    catch_up()


def quietly(text):
    psql('SET session_replication_role = replica;\n' + text)


def differing():
    answer = json.loads(program('verify', '--json', expect=1))
    return {(check['check'], check['of']): check['example'] for check in answer['checks'] if check['differing']}


def tampered(what, tables, change, expected):
    """`change` is done to `tables` quietly; verify must name each of `expected`: (check, of, text of the example)."""
    psql(''.join('DROP TABLE IF EXISTS saved_%s;\nCREATE TABLE saved_%s AS TABLE cube.%s;' % (table, table, table) for table in tables))
    quietly(change)
    found = differing()
    for check, of, text in expected:
        if (check, of) not in found:
            fail('%s: verify does not name "%s" of %s, but %r' % (what, check, of, found))
        if not found[check, of] or text not in found[check, of]:
            fail('%s: "%s" of %s names %r, not %r' % (what, check, of, found[check, of], text))
    quietly(''.join('DELETE FROM cube.%s;\nINSERT INTO cube.%s OVERRIDING SYSTEM VALUE SELECT * FROM saved_%s;' % (table, table, table)
                    for table in tables))
    verify_agrees()
    done.append(what)


def rollups():
    found = rows("SELECT rollup, sums -> 0 ->> 0 AS sum, cells -> 0 ->> 0 FROM cube.rollup ORDER BY rollup")
    found = [rollup for rollup in found if value('SELECT count(*) FROM cube.' + rollup[0])]
    tampered('a cell of each of %d rollups one too high' % len(found), [name for name, _, _ in found],
             ''.join('UPDATE cube.%s SET %s = %s + 1 WHERE ctid = (SELECT min(ctid) FROM cube.%s);' % (name, column, column, name)
                     for name, column, _ in found),
             [('rollup equals facts', name, 'cell (') for name, _, _ in found])
    tampered('a cell of each gone', [name for name, _, _ in found],
             ''.join('DELETE FROM cube.%s WHERE (%s) = (SELECT min(%s) FROM cube.%s);' % (name, cell, cell, name) for name, _, cell in found),
             [('rollup equals facts', name, 'cell (') for name, _, _ in found])


def facts():
    known = [(fact, target, key, value('SELECT min(%s) FROM cube.%s' % (key, fact)))
             for fact, target, key in rows('SELECT fact, target, key_column FROM cube.fact ORDER BY fact')]
    empty = [fact for fact, _, _, first in known if first is None]
    known = [row for row in known if row[3] is not None]
    names = ['%d facts' % len(known)] + (['without %s, of which nothing is captured' % ', '.join(empty)] if empty else [])
    where = " WHERE %s = '%s';"

    def ledgers(text):
        return [('rollup equals facts', 'rollup_%s_ledger' % target, text) for _, target, _, _ in known]

    tampered('a row changed in each of ' + ' '.join(names), [fact for fact, _, _, _ in known],
             ''.join('UPDATE cube.%s SET %s' % (fact, changed_column(fact)) + where % (key, first) for fact, _, key, first in known),
             ledgers('cell ('))
    tampered('a row deleted in each', [fact for fact, _, _, _ in known],
             ''.join('DELETE FROM cube.%s' % fact + where % (key, first) for fact, _, key, first in known),
             ledgers('cell (') + [('each key has its one fact', fact, first) for fact, _, _, first in known])
    tampered('a row doubled in another month', ['fact_verification_executions'],
             """
             CREATE TEMP TABLE twin AS SELECT * FROM cube.fact_verification_executions ORDER BY contract_id LIMIT 1;
             UPDATE twin SET created_at = (SELECT min(created_at) FROM cube.fact_verification_executions WHERE date_trunc('month', created_at)
                <> (SELECT date_trunc('month', created_at) FROM twin));
             INSERT INTO cube.fact_verification_executions TABLE twin;""",
             [('each key has its one fact', 'fact_verification_executions', value('SELECT min(contract_id) FROM cube.fact_verification_executions'))])
    tampered('a key row deleted in each', ['key_' + target for _, target, _, _ in known],
             ''.join('DELETE FROM cube.key_%s' % target + where % (key, first) for _, target, key, first in known),
             [('each key has its one fact', fact, first) for fact, _, _, first in known])
    tampered('a key row with another time in each', ['key_' + target for _, target, _, _ in known],
             ''.join("UPDATE cube.key_%s SET created_at = created_at + '1 us'" % target + where % (key, first) for _, target, key, first in known),
             [('each key has its one fact', fact, first) for fact, _, _, first in known])


def changed_column(fact):
    """An assignment that changes a column of the fact that no key, time or dimension hangs on."""
    name, kind = rows("SELECT attname, format_type(atttypid, NULL) FROM pg_attribute WHERE attrelid = 'cube.%s'::regclass AND attnum > 1"
                      " AND NOT attisdropped AND attname NOT LIKE '%%\\_key' AND attname NOT LIKE '%%\\_at' ORDER BY attnum DESC" % fact)[0]
    new = {'text': "coalesce(%s, '') || '.'", 'boolean': '%s IS NOT TRUE'}.get(kind, 'coalesce(%s, 0) + 1')
    return '%s = %s' % (name, new % name)


def links_and_dimensions():
    contract = value("SELECT min(contract_id) FROM cube.fact_verification_executions WHERE mission_key <> 0")
    tampered('a link that the log does not tell of', ['key_verification_executions'],
             "UPDATE cube.key_verification_executions SET log_mission_key = 1 WHERE contract_id = '%s';" % contract,
             [('links are what the other facts say', 'fact_verification_executions', contract)])
    psql("UPDATE cube.fact_verification_executions SET actor_key = actor_key + 1000000 WHERE contract_id = '%s'" % contract)
    found = differing()
    equal('an orphan', list(found), [('no orphans', 'fact_verification_executions.actor_key')])
    psql("UPDATE cube.fact_verification_executions SET actor_key = actor_key - 1000000 WHERE contract_id = '%s'" % contract)
    verify_agrees()
    done.append('a fact whose actor is none')
    tampered('a minute gone', ['dim_time'], "DELETE FROM cube.dim_time WHERE time_key = (SELECT min(time_key) FROM cube.fact_approvals);",
             [('each fact has its minute', 'fact_approvals', value('SELECT approval_id FROM cube.fact_approvals ORDER BY time_key, approval_id LIMIT 1'))])


def histories():
    for dim, history in (('mission', 'dim_mission_history'), ('tier', 'dim_tier_history')):
        check = ('ranges do not overlap, one is current', history)
        if dim == 'mission':
            key = value('SELECT min(mission_key) FROM cube.dim_mission_history WHERE version_number = 2')
            tampered('a mission whose ranges overlap', [history],
                     "UPDATE cube.%s SET effective_to = effective_to + interval '1 s' WHERE mission_key = %d AND version_number = 1;" % (history, key),
                     [(*check, str(key))])
            tampered('a mission with two current versions', [history],
                     'UPDATE cube.%s SET effective_to = NULL, is_current = true WHERE mission_key = %d AND version_number = 1;' % (history, key),
                     [(*check, str(key))])
        key = value('SELECT min(%s_key) FROM cube.%s' % (dim, history))
        tampered('a %s with another beginning than in its history' % dim, ['dim_' + dim],
                 "UPDATE cube.dim_%s SET effective_from = effective_from + interval '1 s' WHERE %s_key = %d;" % (dim, dim, key), [(*check, str(key))])
        tampered('a %s with another name than in its history' % dim, ['dim_' + dim],
                 "UPDATE cube.dim_%s SET %s_name = '?' WHERE %s_key = %d;" % (dim, dim, dim, key), [(*check, str(key))])


def bookkeeping():
    place = value("SELECT topic || '[' || partition || ']' FROM cube.etl_offset WHERE applied > 0 ORDER BY 1 LIMIT 1")
    topic, partition = place[:-1].split('[')
    row = " WHERE topic = '%s' AND partition = %s;" % (topic, partition)
    refused = "ALTER TABLE cube.etl_offset %s CONSTRAINT ledger_closed"
    constraint = value("SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = 'ledger_closed'")
    tampered('a ledger with one record too many', ['etl_offset'],
             refused % 'DROP' + ';UPDATE cube.etl_offset SET applied = applied + 1' + row, [('ledger closed', 'etl_offset', place)])
    psql(refused % 'ADD' + ' ' + constraint)
    tampered('a position moved by hand beyond Kafka', ['etl_offset'],
             'UPDATE cube.etl_offset SET next_offset = next_offset + 1, applied = applied + 1' + row,
             [('positions are within Kafka', 'etl_offset', place)])
    dead = value("SELECT topic || '[' || partition || ']' FROM cube.etl_offset WHERE dead > 0")
    tampered('a dead letter that the ledger does not know', ['etl_offset'],
             'UPDATE cube.etl_offset SET dead = dead - 1, applied = applied + 1 WHERE dead > 0;',
             [('dead letters are in the ledger', 'etl_dead_letter', dead)])


new_cube()
own_topics()
fill()
verify_agrees()
for part in (rollups, facts, links_and_dimensions, histories, bookkeeping):
    done = []
    part()
    shown('found and named, and equal once it was put back: ' + '; '.join(done))
