#!/usr/bin/env python3
"""A worker whose machine vanishes in the middle of sending a batch: it owns the partitions of the cube, has begun and moved their positions,
and says nothing more.

    half.py SOCKET_DIRECTORY PORT USER DATABASE      prints "sent" when the server has heard so much; then stays as it is
"""
import signal
import socket
import struct
import sys


def message(kind, body):
    return kind + struct.pack('!i', len(body) + 4) + body


def statement(sql):
    return message(b'P', b'\0' + sql + b'\0\0\0') + message(b'B', b'\0\0\0\0\0\0\0\0') + message(b'E', b'\0\0\0\0\0')


def wait_for(connection, what):
    heard = b''
    while what not in heard:
        more = connection.recv(65536)
        if not more:
            sys.exit('the server has closed: %r' % heard)
        heard += more


def main():
    if len(sys.argv) != 5:
        sys.exit(__doc__)
    directory, port, user, database = sys.argv[1:]
    connection = socket.socket(socket.AF_UNIX)
    connection.connect('%s/.s.PGSQL.%s' % (directory, port))
    names = {'user': user, 'database': database, 'application_name': 'gracecube worker 1'}
    body = b''.join(name.encode() + b'\0' + value.encode() + b'\0' for name, value in names.items()) + b'\0'
    connection.sendall(struct.pack('!ii', len(body) + 8, 196608) + body)
    wait_for(connection, b'Z\0\0\0\x05')
    connection.sendall(message(b'Q', b'UPDATE cube.etl_offset SET owner_pid = pg_backend_pid()\0'))
    wait_for(connection, b'Z\0\0\0\x05')
    # no Sync follows: the server waits for the rest of the batch, and no time-out of its own runs
    connection.sendall(statement(b'BEGIN') + statement(b'UPDATE cube.etl_offset SET updated_at = now()') + message(b'H', b''))
    wait_for(connection, b'C\0\0\0\x0dUPDATE ')
    print('sent', flush=True)
    signal.pause()


if __name__ == '__main__':
    main()
