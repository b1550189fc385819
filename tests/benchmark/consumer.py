#!/usr/bin/env python3
"""A peer for the benchmark: what a careful Python programmer writes in an afternoon to have contracts in PostgreSQL.

    consumer.py BROKERS CONNINFO TOPIC EVENTS

Of each batch the last change of a contract, by COPY into a staging table, then one upsert and one delete, and the offsets after the commit
(at least once). Plain columns: no dimensions, no rollups, no versions, no dead letters. Needs confluent-kafka, orjson, psycopg.
"""
import json
import sys
import time
from datetime import datetime, timezone

import confluent_kafka
import orjson
import psycopg

BATCH = 5000
TIMES = ('created_at', 'executed_at', 'verified_at')
COLUMNS = {'id': 'text', 'action_type': 'text', 'playbook_id': 'text', 'status': 'text', 'confidence_score': 'float8', **dict.fromkeys(TIMES, 'timestamptz'),
           'safe_hold_snapshot_id': 'text', 'triggered_by': 'text', 'tier': 'text'}
UPSERT = (f"INSERT INTO contracts SELECT {', '.join(COLUMNS)} FROM staging WHERE NOT deleted "
          f"ON CONFLICT (id) DO UPDATE SET {', '.join(f'{name} = excluded.{name}' for name in COLUMNS if name != 'id')}")


def row_of(after):
    row = [after[name] for name in COLUMNS]
    for i, name in enumerate(COLUMNS):
        if name in TIMES and row[i] is not None:
            row[i] = datetime.fromtimestamp(row[i] / 1e6, timezone.utc)
    return row


def newest_of(messages):
    """The last state of each contract: its row, or None where it is deleted."""
    newest = {}
    for message in messages:
        if message.error():
            raise confluent_kafka.KafkaException(message.error())
        if message.value() is not None:
            change = orjson.loads(message.value())
            newest[(change['after'] or change['before'])['id']] = change['after']
    return newest


def write(cursor, newest):
    with cursor.copy(f"COPY staging ({', '.join(COLUMNS)}, deleted) FROM STDIN") as copy:
        for key, after in newest.items():
            copy.write_row([*(row_of(after) if after else [key] + [None] * (len(COLUMNS) - 1)), after is None])
    cursor.execute('DELETE FROM contracts c USING staging s WHERE s.deleted AND s.id = c.id')
    cursor.execute(UPSERT)


def main():
    brokers, conninfo, topic, events = sys.argv[1:4] + [int(sys.argv[4])]
    consumer = confluent_kafka.Consumer({'bootstrap.servers': brokers, 'group.id': 'consumer.py', 'enable.auto.commit': False,
                                         'auto.offset.reset': 'earliest', 'queued.max.messages.kbytes': 262144})
    consumer.subscribe([topic])
    count, started = 0, None
    columns = ', '.join(f'{name} {kind}' for name, kind in COLUMNS.items())
    with psycopg.connect(conninfo) as database, database.cursor() as cursor:
        cursor.execute(f'CREATE TABLE contracts ({columns}, PRIMARY KEY (id))')
        cursor.execute(f'CREATE TEMPORARY TABLE staging ({columns}, deleted boolean) ON COMMIT DELETE ROWS')
        database.commit()
        while count < events:
            messages = consumer.consume(BATCH, 1.0)
            started = started or (time.monotonic() if messages else None)
            write(cursor, newest_of(messages))
            database.commit()
            if messages:
                consumer.commit(asynchronous=True)
            count += len(messages)
    consumer.close()
    print(json.dumps({'events': count, 'seconds': round(time.monotonic() - started, 3)}))


if __name__ == '__main__':
    main()
