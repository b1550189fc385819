#!/usr/bin/env python3
"""What each SQLSTATE means for a record, raised by a real server while the consumer runs. tests/contract/sqlstates.csv says it: what is wrong with
the record leaves exactly one dead letter, and the records beside it are applied; what is wrong with anything else is waited for, or ends the
process, and leaves none. Codes that a server sends only in a condition of its own come from that condition where one can be made."""
import csv
import json
import os
import signal
import subprocess
import time

import sys
sys.path.insert(0, os.path.join(os.environ['CUBE_TEST_ROOT'], 'tests', 'lib'))
from scenario import *  # noqa: E402,F403

TOPIC = PREFIX + '.approval_requests'
LIB = os.path.join(ROOT, 'deploy', 'lib')
sent = 0


class Session:
    """One psql for all that is asked so often here."""

    def __init__(self, dsn):
        with open('session.log', 'ab') as log:
            self.psql = subprocess.Popen(['psql', '-X', '-q', '-At', '-v', 'ON_ERROR_STOP=1', '-d', dsn], stdin=subprocess.PIPE,
                                         stdout=subprocess.PIPE, stderr=log, text=True)

    def ask(self, sql):
        self.psql.stdin.write(sql + ';\n\\echo end\n')
        self.psql.stdin.flush()
        lines = []
        while (line := self.psql.stdout.readline().strip()) != 'end':
            if not line and self.psql.poll() is not None:
                fail('psql: %s in %s' % (tail('session.log'), sql))
            lines.append(line)
        return lines


def codes(verdict):
    with open(os.path.join(ROOT, 'tests', 'contract', 'sqlstates.csv'), encoding='utf-8') as file:
        return [row['sqlstate'] for row in csv.DictReader(file) if row['verdict'] == verdict]


def every_class_is_placed():
    """As this server's own list has them."""
    share = value("SELECT setting FROM pg_config WHERE name = 'SHAREDIR'")
    with open(os.path.join(share, 'errcodes.txt'), encoding='utf-8') as file:
        known = {line[:2] for line in file if line[5:].split()[:1] == ['E']}
    placed = {code[:2] for verdict in ('retry', 'reject', 'fenced', 'fatal') for code in codes(verdict)}
    equal('classes of SQLSTATE without a case in sqlstates.csv', sorted(known - placed), [])
    if len(known) < 35:
        fail('classes in errcodes.txt: %s' % sorted(known))


def one_a_class(all_codes):
    return [code for n, code in enumerate(all_codes) if code[:2] not in {other[:2] for other in all_codes[:n]}]


def tell(*reasons, decided_by=None):
    """Approvals, one a reason."""
    global sent
    for reason in reasons:
        sent += 1
        producer.send(TOPIC, value=json.dumps({'id': sent, 'reason': reason, 'status': 'pending', 'created_at': '2026-11-20T10:00:00Z',
                                               'decision_by': decided_by}).encode())
    producer.flush()


def position():
    return int(session.ask("SELECT coalesce(sum(next_offset), 0) FROM cube.etl_offset WHERE topic = '%s'" % TOPIC)[0])


def dead_letters():
    return [line.split('|') for line in session.ask('SELECT kafka_offset, error_code FROM cube.etl_dead_letter ORDER BY 1')]


def wait_for(what, seconds, is_so):
    until = time.monotonic() + seconds
    while not is_so():
        if time.monotonic() > until:
            fail('%s: not after %d s; %s' % (what, seconds, tail('run.log')))
        time.sleep(0.1)


def run(login=None):
    """As a consumer is to be run: by a login that is a member of gracecube_writer."""
    dsn = os.environ['GRACECUBE_POSTGRES_DSN']
    with open('run.log', 'ab') as log:
        return subprocess.Popen([PROGRAM, 'run', '-s', 'run.workers=1', '-s', 'postgres.dsn=' + (dsn + ' user=' + login if login else dsn)],
                                stderr=log, stdout=log)


def log_since(at):
    with open('run.log', encoding='utf-8', errors='replace') as file:
        file.seek(at)
        return file.read()


def log_end():
    return os.path.getsize('run.log') if os.path.exists('run.log') else 0


def says_waiting(at, code):
    return any('waiting to try again' in line and ' code=' + code in line for line in log_since(at).splitlines())


def waits(process, what, is_told, begin, end, **more):
    """A record comes while something is wrong with the environment; when that is over, it is applied. No dead letter."""
    dead, at, before = dead_letters(), log_end(), position()
    begin()
    tell(what, **more)
    wait_for('the log tells of it: ' + what, 40, lambda: is_told(at))
    equal('dead letters: ' + what, dead_letters(), dead)
    equal('position: ' + what, position(), before)
    if process.poll() is not None:
        fail('%s: the process has ended with %d: %s' % (what, process.returncode, tail('run.log')))
    end()
    wait_for('the record is applied: ' + what, 60, lambda: position() == before + 1)
    equal('dead letters: ' + what, dead_letters(), dead)


def stops(what, code, text, begin, end, **more):
    """The same, and the process ends with a sentence; the next one goes on."""
    dead, before = dead_letters(), position()
    begin()
    tell(what, **more)
    done = subprocess.run([PROGRAM, 'run', '--until-caught-up', '--progress', 'none', '-s', 'run.workers=1'], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, check=False, timeout=120)
    words = done.stdout.decode()
    equal('exit code: %s: %s' % (what, words), done.returncode, code)
    if text not in words:
        fail('%s: nothing says %r: %s' % (what, text, words))
    equal('dead letters: ' + what, dead_letters(), dead)
    equal('position: ' + what, position(), before)
    end()


def of_records():
    """All in one batch, with good ones between: each is found, and is alone in what becomes of it."""
    bad = codes('reject')
    tell(*[reason for code in bad for reason in ('good', 'raises ' + code)])
    catch_up()
    equal('dead letters', dead_letters(), [[str(2 * n + 1), code] for n, code in enumerate(bad)])
    equal('approvals', value('SELECT count(*) FROM cube.fact_approvals'), len(bad))
    verify_agrees()
    shown('%d SQLSTATEs of three classes say that a record is bad: %d dead letters, each with its code; %d good records between them are applied' % (
        len(bad), len(bad), len(bad)))


def of_the_environment():
    process = run(LOGIN)
    # a right that was there may come back, any other fault that needs people ends the process
    retried = codes('retry') + ['42501']
    for code in retried:
        waits(process, code, lambda at, code=code: says_waiting(at, code), lambda code=code: raising(code), lambda: raising(None))
    fenced = codes('fenced')
    for code in fenced:
        waits(process, code, lambda at: 'another owner has moved these partitions' in log_since(at), lambda code=code: raising(code),
              lambda: raising(None))
    shown('%d SQLSTATEs of the environment: the record waits, the log has the code, no dead letter; it is applied when that is over' % (
        len(retried) + len(fenced)))
    conditions(process)
    process.send_signal(signal.SIGTERM)
    equal('exit code', process.wait(30), 0)

    ended = one_a_class([code for code in codes('fatal') if code != '42501'])
    for code in ended:
        stops(code, {'25': 70, '42': 70, '55': 75}.get(code[:2], 78), 'as told', lambda code=code: raising(code), lambda: raising(None))
    catch_up()
    equal('records', position(), sent)
    shown('%d classes that need people: the process ends and says what was raised, the position stays, no dead letter; all records are applied after' % len(ended))


def raising(code):
    session.ask('DELETE FROM public.raising' + ("; INSERT INTO public.raising VALUES ('%s')" % code if code else ''))


def ended_sessions():
    psql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND usename = '%s';" % LOGIN)


def conditions(process):
    """What only a server in that state says. The process is a member of gracecube_writer."""
    role, database = LOGIN, value('SELECT current_database()')
    merge = value("SELECT oid::regprocedure::text FROM pg_proc WHERE pronamespace = 'cube'::regnamespace AND proname = 'merge_approvals'"
                  ' ORDER BY pronargs DESC LIMIT 1')

    def told(code):
        return lambda at: says_waiting(at, code)

    waits(process, 'a right is revoked', told('42501'), lambda: psql('REVOKE EXECUTE ON FUNCTION %s FROM gracecube_writer;' % merge),
          lambda: psql('GRANT EXECUTE ON FUNCTION %s TO gracecube_writer;' % merge))

    def refuse():
        psql('ALTER ROLE %s CONNECTION LIMIT 0;' % role)
        ended_sessions()
    waits(process, 'too many connections', lambda at: 'waiting to try again' in log_since(at) and 'too many connections' in log_since(at), refuse,
          lambda: psql('ALTER ROLE %s CONNECTION LIMIT -1;' % role))

    def only_read():
        psql('ALTER DATABASE %s SET default_transaction_read_only = on;' % database)
        ended_sessions()
    waits(process, 'only read', lambda at: 'session is read-only' in log_since(at), only_read,
          lambda: psql('SET default_transaction_read_only = off; ALTER DATABASE %s RESET default_transaction_read_only;' % database))

    holder = subprocess.Popen(['psql', '-X', '-q', '-d', OWNER, '-c', "SET application_name = 'holder'; BEGIN; LOCK TABLE cube.key_approvals; SELECT pg_sleep(600)"],
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait_for('the lock', 20, lambda: value("SELECT count(*) FROM pg_locks l JOIN pg_stat_activity a USING (pid) WHERE a.application_name = 'holder'"
                                           " AND a.datname = current_database() AND l.mode = 'AccessExclusiveLock' AND l.granted"))
    waits(process, 'a table is locked', told('55P03'), lambda: None,
          lambda: psql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'holder';"))
    holder.wait(20)
    shown('a right revoked, too many connections, a database that is only read, a table that is locked: waited for, named in the log, no dead letter')


def used_up():
    """A sequence that has no more numbers, and a fault where no record is looked at."""
    tell('an actor', decided_by='user:first')
    tell('another actor', decided_by='user:second')
    catch_up()
    used = value('SELECT max(actor_key) FROM cube.dim_actor')
    stops('a sequence is used up', 78, 'reached maximum value of sequence', lambda: psql(
        "SELECT setval(pg_get_serial_sequence('cube.dim_actor', 'actor_key'), %d); ALTER TABLE cube.dim_actor ALTER COLUMN actor_key SET MAXVALUE %d;" % (used, used)),
        lambda: psql('ALTER TABLE cube.dim_actor ALTER COLUMN actor_key SET MAXVALUE 2147483647;'), decided_by='user:new')
    catch_up()
    stops('a member cannot be made', 78, 'new members, hours or months cannot be made: no member', lambda: psql('CREATE TRIGGER no_member BEFORE INSERT ON cube.dim_actor FOR EACH ROW EXECUTE FUNCTION public.no_member();'),
          lambda: psql('DROP TRIGGER no_member ON cube.dim_actor;'), decided_by='user:newer')
    catch_up()
    equal('records', position(), sent)
    verify_agrees()
    shown('a sequence that is used up, a member that cannot be made (22023): the process ends with a sentence, no dead letter; mended, the records are applied')


def server_does(what, **environment):
    script = '. %s/common.sh; . %s/postgres.sh; %s' % (LIB, LIB, what)
    return subprocess.run(['bash', '-c', script], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True, start_new_session=True,
                          env={**os.environ, **environment}).stdout.decode().strip()


def disks():
    """A server of its own, whose disk is full, then broken."""
    global session
    os.makedirs('disk', mode=0o755)
    library, told = os.path.abspath('disk/full_disk.so'), os.path.abspath('disk/errno')
    subprocess.run([os.environ.get('CC', 'cc'), '-shared', '-fPIC', '-o', library, os.path.join(ROOT, 'tests', 'lib', 'full_disk.c'), '-ldl'], check=True)
    server_does('POSTGRES_NO_SYNC=1 postgres_start "$PWD/postgres" fsync=off', LD_PRELOAD=library, FULL_DISK_FILE=told)
    try:
        os.environ['GRACECUBE_POSTGRES_DSN'] = server_does('postgres_dsn "$PWD/postgres" postgres')
        program('migrate')
        session = Session(os.environ['GRACECUBE_POSTGRES_DSN'])
        catch_up()
        process = run()
        for number, code in ((28, '53100'), (5, '58030')):
            def begin(number=number):
                with open(told, 'w', encoding='utf-8') as file:
                    file.write('%d\n' % number)
            waits(process, os.urandom(6000).hex(), lambda at, code=code: says_waiting(at, code), begin, lambda: os.remove(told))
        process.send_signal(signal.SIGTERM)
        equal('exit code', process.wait(30), 0)
        verify_agrees()
    finally:
        server_does('postgres_stop "$PWD/postgres"')
    shown('a disk that is full, and one that is broken, under a real server: waited for, no dead letter; with room again all is applied')


OWNER = ''
LOGIN = PREFIX + '_w'
os.environ['CUBE_TEST_PARTITIONS'] = '1'
new_cube()
own_topics()
OWNER = os.environ['GRACECUBE_POSTGRES_DSN']
session = Session(OWNER)
producer = Kafka(BROKERS)
producer.create(TOPIC, 1)
psql("""
    CREATE TABLE public.raising (code text);
    GRANT SELECT ON public.raising TO PUBLIC;
    CREATE FUNCTION public.raise_it() RETURNS trigger LANGUAGE plpgsql AS $$
    DECLARE code text := coalesce(substring(NEW.action_description FROM '^raises (.....)$'), (SELECT r.code FROM public.raising r));
    BEGIN
        IF code IS NOT NULL THEN RAISE EXCEPTION 'as told' USING ERRCODE = code, CONSTRAINT = 'told'; END IF;
        RETURN NEW;
    END $$;
    CREATE TRIGGER raise_it BEFORE INSERT ON cube.fact_approvals FOR EACH ROW EXECUTE FUNCTION public.raise_it();
    CREATE FUNCTION public.no_member() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RAISE 'no member' USING ERRCODE = '22023'; END$$;
    DROP ROLE IF EXISTS %(login)s;
    CREATE ROLE %(login)s LOGIN IN ROLE gracecube_writer;
    """ % {'login': LOGIN})
every_class_is_placed()
of_records()
of_the_environment()
used_up()
disks()
