#!/usr/bin/env python3
"""Runs a command and prints what it cost, itself and the PostgreSQL server, as one JSON object.

    meter.py CONNINFO COMMAND…

The server's processor time is that of all its processes, background ones and those that have ended too. What the command prints, one
JSON object, becomes "said". A checkpoint before, so that each begins with as many page images to write. Linux only: /proc; the
server is on this machine, and the user is its superuser.
"""
import json
import os
import subprocess
import sys
import time


def server_seconds(postmaster):
    ticks = 0
    for pid in filter(str.isdigit, os.listdir('/proc')):
        try:
            with open(f'/proc/{pid}/stat', encoding='utf-8') as file:
                fields = file.read().rpartition(')')[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if pid == postmaster:
            ticks += sum(int(field) for field in fields[11:15])  # utime, stime, and of the children that have ended
        elif fields[1] == postmaster:
            ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf('SC_CLK_TCK')


def ask(conninfo, sql):
    return subprocess.run(['psql', '-XAtq', '-v', 'ON_ERROR_STOP=1', '-d', conninfo, '-c', sql], check=True, capture_output=True, text=True).stdout.strip()


def main():
    conninfo, command = sys.argv[1], sys.argv[2:]
    postmaster = ask(conninfo, "SELECT split_part(pg_read_file('postmaster.pid'), E'\\n', 1)")
    ask(conninfo, 'CHECKPOINT')
    wal = ask(conninfo, 'SELECT pg_current_wal_insert_lsn()')
    cpu, started = server_seconds(postmaster), time.monotonic()
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as run:
        said = run.stdout.read()
        _, status, used = os.wait4(run.pid, 0)  # of this command alone
        run.returncode = os.waitstatus_to_exitcode(status)
    if run.returncode != 0:
        sys.exit(f'{os.path.basename(command[0])} ended with {run.returncode}')
    wall = time.monotonic() - started
    print(json.dumps({
        'said': json.loads(said), 'wall_seconds': round(wall, 3), 'own_cpu_seconds': round(used.ru_utime + used.ru_stime, 2),
        'memory_bytes': used.ru_maxrss * 1024, 'postgres_cpu_seconds': round(server_seconds(postmaster) - cpu, 2),
        'wal_bytes': int(ask(conninfo, f"SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '{wal}')::bigint"))}))


if __name__ == '__main__':
    main()
