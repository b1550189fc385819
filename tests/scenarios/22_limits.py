#!/usr/bin/env python3
"""Who is limited to a tier sees nothing of a higher one: every table, view, partition, function and statistic of the cube is read by such a login,
also where it is a member of other roles and takes them. Aggregates say of which tiers they are. And no function that runs with the rights of the owner
uses a name that its caller has planted; what the writer may call with them is what the program calls."""
import os
import re
import sys

sys.path.insert(0, os.path.join(os.environ['CUBE_TEST_ROOT'], 'tests', 'lib'))
from scenario import *  # noqa: E402,F403

MARK = 'secret-|hush'  # the first names what is of a higher tier, the second is what it says
AT = '2026-11-05T10:00:00Z'
DSN = {}


# --- Records of two contracts, and all that can tell of them -----------------------------------------------------------------

def story(name, tier, word):
    """(stream, key, row): what a contract's records say, with `word` in each text that can be read one by one."""
    n = {'tier_1': 1, 'tier_2': 2, 'tier_3': 3, None: 4}[tier] * 1000
    contract = '%s-contract' % name
    log = {'actor': 'hunter', 'action': 'checked', 'subsystem': 'x', 'result': word, 'payload': '{}', 'timestamp': AT}
    return [
        ('action_contracts', contract, {'id': contract, 'action_type': word, 'tier': tier, 'status': 'verified', 'created_at': AT, 'executed_at': AT, 'verified_at': AT,
                                        'triggered_by': 'hunter', 'confidence_score': 7, 'playbook_id': word, 'error_message': word}),
        ('safe_hold_snapshots', name + '-snapshot', {'id': name + '-snapshot', 'action_contract_id': contract, 'created_at': AT, 'notes': word, 'system_health_score': 'NaN'}),
        ('benchmark_runs', n, {'id': name + '-benchmark', 'action_contract_id': contract, 'created_at': AT, 'run_id': word, 'drift_score': -1}),
        ('constitutional_compliance', n, {'id': name + '-check', 'action_id': contract, 'created_at': AT, 'resource': word, 'compliance_score': 7, 'actor': 'hunter'}),
        ('approval_requests', n, {'id': name + '-approval', 'contract_id': contract, 'tier': 'tier_1', 'created_at': AT, 'reason': word, 'risk_score': -1}),
        ('approval_requests', n + 1, {'id': name + '-asked', 'tier': 'tier_1', 'created_at': AT, 'reason': word + ' contract=%s tier_1' % contract}),
        ('immutable_log', n, {**log, 'id': name + '-entry', 'sequence': n, 'resource': word, 'payload': json.dumps({'contract_id': contract})}),
        ('immutable_log', n + 1, {**log, 'id': name + '-resource', 'sequence': n + 1, 'resource': contract}),
        ('immutable_log', n + 2, {**log, 'id': name + '-error', 'sequence': n + 2, 'action': 'action_failed', 'resource': word, 'payload': json.dumps({'contract_id': contract})}),
        ('immutable_log', n + 3, {**log, 'id': name + '-error-of', 'sequence': n + 3, 'action': 'action_failed', 'resource': contract}),
        ('trigger_events', n, {'event_type': 'approval.requested', 'source': word, 'actor': 'hunter', 'resource': name + '-mesh', 'timestamp': AT,
                               'payload': {'approval_id': name + '-mesh', 'contract_id': contract, 'tier': 'tier_1', 'reason': word}}),
        ('action_contracts', name + '-dead', {'id': name + '-dead', 'created_at': word}),
    ]


def publish_all():
    broker = Kafka(BROKERS)
    for stream, key, row in story('open', 'tier_1', 'said') + story('secret-t2', 'tier_2', 'hush') + story('secret-t3', 'tier_3', 'hush') + [
            r for r in story('secret-none', None, 'hush')] + [r for r in story('secret-unknown', 'tier_3', 'hush') if not r[1] == 'secret-unknown-contract']:
        broker.send('%s.%s' % (PREFIX, stream), json.dumps({'id': key}).encode(), json.dumps(row).encode())
    broker.flush()


# --- The walk -----------------------------------------------------------------------------------------------------------------

RELATIONS = """SELECT c.oid::regclass, (SELECT string_agg(quote_ident(attname), ', ' ORDER BY attnum) FROM pg_attribute WHERE attrelid = c.oid AND attnum > 0
    AND NOT attisdropped AND has_column_privilege('%s', c.oid, attnum, 'SELECT')) FROM pg_class c
    WHERE c.relnamespace = 'cube'::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm', 'S') ORDER BY 1"""
FUNCTIONS = """SELECT p.oid::regproc, (SELECT string_agg(format('%%I => %%s', p.proargnames[n], CASE
        WHEN n > %d AND t = 'text'::regtype THEN 'NULL' WHEN t IN ('text'::regtype, 'name'::regtype) THEN '''%s''' WHEN t = 'text[]'::regtype THEN 'ARRAY[''%s'']' WHEN t = 'timestamptz'::regtype THEN
            CASE n WHEN 1 THEN '''2026-11-01''' ELSE '''2026-12-01''' END
        WHEN t = 'date'::regtype THEN '''2026-11-05''' WHEN t = 'boolean'::regtype THEN 'true' ELSE 'NULL' END || '::' || t), ', ' ORDER BY n)
    FROM unnest(p.proargtypes::regtype[]) WITH ORDINALITY u (t, n)) FROM pg_proc p
    WHERE p.pronamespace = 'cube'::regnamespace AND p.prokind = 'f' AND p.prorettype <> 'trigger'::regtype AND (p.proargnames IS NOT NULL OR p.pronargs = 0)
    ORDER BY 1"""


def script(statements, dsn, take=None):
    """What these count, by name; those that fail are left out."""
    text = ('SET ROLE %s;\n' % take if take else '') + "SET statement_timeout = '20s';\n" + '\n'.join(statements)
    done = subprocess.run(['psql', '-X', '-q', '-At', '-d', dsn], input=text.encode(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
    if b'permission denied to set role' in done.stderr:
        fail('%s is refused' % take)
    found = {}
    for line in done.stdout.decode().splitlines():
        if re.fullmatch(r'[^|]+\|\d+', line):
            name, n = line.split('|')
            found[name] = found.get(name, 0) + int(n)
    return found


def walk(login, take=None):
    """Where a login finds something of a higher tier: {table or function: rows}; and how many could be read and called."""
    statements = ["SELECT '%s', count(*) FROM (SELECT concat_ws('|', %s) AS x FROM %s) r WHERE x ~ '%s';" % (name, columns or '1', name, MARK)
                  for name, columns in rows(RELATIONS % (take or login)) if columns]
    statements.append("SELECT 'pg_stats', count(*) FROM pg_stats WHERE concat_ws('|', most_common_vals::text, histogram_bounds::text) ~ '%s';" % MARK)
    called = []
    for given, most in (('secret-t3-contract', 9), ('tier_3', 1), ('tier_3', 0)):
        # what only says again what it was given tells nothing: the second word counts
        called += ["SELECT '%s', count(*) FROM (SELECT f::text AS x FROM cube.%s(%s) f) r WHERE x ~ 'hush|secret-(?!t3-contract)';"
                   % (name, name.removeprefix('cube.'), arguments or '') for name, arguments in rows(FUNCTIONS % (most, given, given))]
    found = script(statements, DSN[login], take)
    by_call = {} if take else script(['BEGIN READ ONLY;'] + ['SAVEPOINT s;\n%s\nROLLBACK TO s;' % call for call in called], DSN[login], take)
    return {name: n for name, n in {**by_call, **found}.items() if n}, len(found), len(by_call)


def limits(logins):
    publish_all()
    summary = catch_up()
    equal('dead letters', summary['dead'], 5)
    psql('ANALYZE')
    seen, relations, functions = walk(logins['reader'])
    for name in ('cube_executions', 'fact_snapshots', 'fact_benchmark_runs', 'fact_compliance_checks', 'fact_approvals', 'fact_agentic_events', 'fact_error_events', 'etl_quality_issue',
                 'cube_approvals', 'cube_errors', 'key_approvals', 'cube_execution_timeline', 'executions', 'approvals'):
        if not {name, 'cube.' + name} & seen.keys():
            fail('an analyst without a limit finds nothing in %s: nothing can be shown by it; but %s' % (name, sorted(seen)))
    told = []
    plant_functions(logins['planting'])
    for who, takes in (('tier_1', [None, 'gracecube_tier_1']), ('planting', [None]), ('both', [None, 'gracecube_reader', 'gracecube_tier_1']), ('heirless', [None, 'gracecube_reader']),
                       ('writing', [None, 'gracecube_writer'])):
        for take in takes:
            found, read, called = walk(logins[who], take)
            equal('where %s finds something of a higher tier, as %s' % (who, take), found, {})
            told.append((read, called))
    own = {'fact_snapshots': 1, 'fact_benchmark_runs': 1, 'fact_compliance_checks': 1, 'fact_approvals': 3, 'fact_agentic_events': 4, 'fact_error_events': 2, 'cube_executions': 1}
    for who in ('tier_1', 'both', 'writing'):
        equal('what %s sees of its own tier' % who, {name: int(n) for name, n in (line.split('|') for line in psql(
            ' UNION ALL '.join("SELECT '%s', count(*) FROM cube.%s" % (name, name) for name in own), DSN[logins[who]]).splitlines())}, own)
    equal('the story of its own contract', psql("SELECT count(*) FROM cube.cube_execution_timeline('open-contract')", DSN[logins['tier_1']]).strip(),
          psql("SELECT count(*) FROM cube.cube_execution_timeline('open-contract')").strip())
    for who, tiers in (('tier_3', ['tier_1', 'tier_2', 'tier_3']), ('api', ['tier_1', 'tier_2', 'tier_3', 'unknown']), ('reader', ['tier_1', 'tier_2', 'tier_3', 'unknown'])):
        equal('tiers that %s sees' % who, psql('SELECT DISTINCT tier_code FROM cube.cube_executions ORDER BY 1', DSN[logins[who]]).split(), tiers)
    equal('as gracecube_api, and then of a tier', psql('SET ROLE gracecube_tier_2; SELECT DISTINCT tier_code FROM cube.cube_executions ORDER BY 1', DSN[logins['api']]).split(), ['tier_1', 'tier_2'])
    shown('a login of tier_1 reads %d tables and views and calls %d functions, with and without other roles that it has and takes, and finds nothing of a higher tier; an analyst does in %d'
          % (max(told)[0], max(called for _, called in told), len(seen)))


def plant_functions(login):
    """A schema that is the first in the login's search_path by default, with functions that are the better match where names of the catalog's are called."""
    psql('CREATE SCHEMA %s AUTHORIZATION %s' % (login, login))
    psql("""CREATE FUNCTION pg_has_role(name, regrole, text) RETURNS boolean LANGUAGE sql AS $$ SELECT $2 = 'gracecube_api'::regrole $$;
        CREATE FUNCTION pg_has_role(name, name, text) RETURNS boolean LANGUAGE sql AS $$ SELECT $2 = 'gracecube_api' $$;
        CREATE FUNCTION to_regrole(name) RETURNS regrole LANGUAGE sql AS $$ SELECT NULL::regrole $$""", DSN[login])
    equal('a planted function where the search_path is looked at', psql("SELECT pg_has_role(current_user, 'gracecube_api'::regrole, 'MEMBER'::text)", DSN[login]).strip(), 't')


def guesses(logins):
    """No function answers otherwise for a contract that is hidden than for one that there is not: ids cannot be tried."""
    def call(given):
        return ["SELECT '%s', md5(coalesce(string_agg(replace(f::text, '%s', ''), '|'), '')) FROM cube.%s(%s) f;" % (name, given, name.removeprefix('cube.'), arguments or '')
                for name, arguments in rows(FUNCTIONS % (9, given, given))]
    for who in ('tier_1', 'both'):
        answers = []
        for given in ('secret-t3-contract', 'secret-t0-contract'):
            text = 'BEGIN READ ONLY;\n' + '\n'.join('SAVEPOINT s;\n%s\nROLLBACK TO s;' % statement for statement in call(given))
            done = subprocess.run(['psql', '-X', '-q', '-At', '-d', DSN[logins[who]]], input=text.encode(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
            answers.append(dict(line.split('|', 1) for line in done.stdout.decode().splitlines()))
        equal('functions that tell %s of a contract by its id' % who, {name for name in answers[0] if answers[0][name] != answers[1].get(name)} - {'cube.as_of'}, set())
        if len(answers[0]) < 30:
            fail('only %d functions answer %s' % (len(answers[0]), who))
    shown('no function of %d tells a contract of a higher tier from one that there is not' % len(answers[0]))


def aggregates(logins):
    """What has no column for the tier says of which tiers it is, and it is true."""
    views = rows("""SELECT c.relname, obj_description(c.oid), EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname IN ('tier_name', 'tier_code')),
        (SELECT string_agg(quote_ident(attname), ', ') FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND attname !~ '^seconds_since')
        FROM pg_class c WHERE c.relnamespace = 'cube'::regnamespace AND c.relkind = 'v' AND has_table_privilege('gracecube_tier_1', c.oid, 'SELECT')""")
    digests, of_all = {}, []
    said = {'Of all tiers, whoever asks.': 0, 'Of the tiers that who asks may see.': 0}
    for name, about, has_tier, columns in views:
        if has_tier or name in ('cube_components', 'cube_errors', 'cube_etl_metadata', 'cube_freshness', 'cube_horizons', 'cube_lag', 'cube_severities', 'metric_catalog'):  # facts; and what is of no tier
            continue
        sentence = next((s for s in said if about.endswith(s)), None)
        if not sentence:
            fail('cube.%s does not say of which tiers it is: %s' % (name, about))
        said[sentence] += 1
        digests[name] = "SELECT '%s', md5(coalesce(string_agg(x, '' ORDER BY x), '')) FROM (SELECT concat_ws('|', %s) AS x FROM cube.%s) v" % (name, columns, name)
        if sentence.startswith('Of all'):
            of_all.append(name)
    everything = ' UNION ALL '.join(digests.values())
    found, limited = (dict(line.split('|') for line in psql(everything, dsn).splitlines()) for dsn in (None, DSN[logins['tier_1']]))
    equal('views that say that they are of all tiers, and are not', [name for name in of_all if found[name] != limited[name]], [])
    equal('all else that a limited login sees otherwise', {name for name in found if found[name] != limited[name]} - {'column_fill', 'cube_daily_approvals', 'cube_approvals_by_approver', 'cube_failed_principles', 'cube_extents', 'cube_metric_answer', 'cube_metric_change'}, set())
    # the ends of a window are read from facts, of which some are not seen
    trends = "SELECT sum(error_count) FROM cube.error_trends('2026-11-05 09:59', '2026-11-05 10:01')"
    equal('errors at the ends of a window', psql(trends, DSN[logins['tier_1']]), psql(trends))
    equal('holes in the log', psql('SELECT sum(missing_entries) FROM cube.cube_log_integrity', DSN[logins['tier_1']]), psql('SELECT sum(missing_entries) FROM cube.cube_log_integrity'))
    shown('%d views without a tier say that they are of all, %d that they are of those that one sees; so it is' % tuple(said.values()))


# --- Planted names ------------------------------------------------------------------------------------------------------------

# Each word of each function that runs with the rights of the owner, as a temporary view of the caller's: who reads it runs the caller's function.
PLANT = """SET search_path = pg_catalog, pg_temp;
    CREATE FUNCTION pg_temp.planted() RETURNS text LANGUAGE plpgsql AS $$
    BEGIN
        IF current_user <> session_user THEN RAISE EXCEPTION 'planted, and run as %', current_user USING ERRCODE = 'GCEVL'; END IF;
        RETURN 'x';
    END $$;
    CREATE FUNCTION pg_temp.planted_row() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_temp.planted(); RETURN NEW; END $$;
    DO $$
    DECLARE
        word text;
        planted int := 0;
    BEGIN
        FOR word IN SELECT DISTINCT m[1] FROM pg_proc p, regexp_matches(p.prosrc, '[a-z_][a-z0-9_]+', 'g') m WHERE p.pronamespace = 'cube'::regnamespace
                AND p.prosecdef AND m[1] <> ALL ('{outcome,planted}') LOOP
            BEGIN
                EXECUTE format('CREATE VIEW pg_temp.%I AS SELECT pg_temp.planted() AS x', word);
                EXECUTE format('CREATE TRIGGER planted INSTEAD OF INSERT OR UPDATE OR DELETE ON pg_temp.%I FOR EACH ROW EXECUTE FUNCTION pg_temp.planted_row()', word);
                EXECUTE format('GRANT ALL ON pg_temp.%I TO PUBLIC', word);
                planted := planted + 1;
            EXCEPTION WHEN duplicate_table THEN NULL;
            END;
        END LOOP;
        IF planted < 200 THEN RAISE 'only % names are planted', planted; END IF;
    END $$;
    """
# Every such function that may be called, with values that most of them can work with.
ATTACK = """CREATE TABLE pg_temp.outcome (name text, state text);
    DO $$
    DECLARE
        f record;
        state text;
    BEGIN
        FOR f IN SELECT p.oid::regprocedure::text AS name, format('SELECT cube.%I(%s)', p.proname, (SELECT string_agg(format('%I => %s::%s', a.name,
                coalesce(CASE WHEN a.is_list THEN quote_literal('{' || v.value || '}') ELSE quote_literal(v.value) END, 'NULL'), a.type), ', ' ORDER BY a.n)
            FROM (SELECT n, p.proargnames[n] AS name, t AS type, t::text LIKE '%[]' AS is_list, replace(t::text, '[]', '') AS of FROM unnest(p.proargtypes::regtype[]) WITH ORDINALITY u (t, n)) a,
                LATERAL (SELECT CASE
                    WHEN a.name = 'p_fact' OR a.name = 'p_subject' THEN 'fact_snapshots' WHEN a.name = 'p_target' THEN 'snapshots' WHEN a.name = 'p_relation' THEN 'key_snapshots'
                    WHEN a.name = 'p_kind' THEN 'facts' WHEN a.name IN ('p_since', 'p_share', 'p_sample') OR a.name IN ('p_from', 'p_to') AND NOT a.is_list THEN NULL
                    WHEN a.name = 'p_month' AND a.of = 'integer' THEN ((date_part('year', now()) - 1970) * 12 + date_part('month', now()) - 1)::int::text WHEN a.of IN ('text', 'bytea') THEN 'a'
                    WHEN a.of IN ('integer', 'bigint', 'double precision') THEN '1' WHEN a.of = 'boolean' THEN 'false' WHEN a.of = 'timestamp with time zone' THEN now()::text
                    WHEN a.of = 'date' THEN current_date::text END AS value) v)) AS call
            FROM pg_proc p WHERE p.pronamespace = 'cube'::regnamespace AND p.prosecdef AND p.prorettype <> 'trigger'::regtype AND has_function_privilege(p.oid, 'EXECUTE') ORDER BY 1 LOOP
            BEGIN
                EXECUTE f.call;
                state := 'done';
            EXCEPTION WHEN OTHERS THEN state := SQLSTATE;
            END;
            INSERT INTO pg_temp.outcome VALUES (f.name, state);
        END LOOP;
    END $$;
    SELECT name || ' ' || state FROM pg_temp.outcome ORDER BY 1"""


def planted(logins):
    """Every function of the owner's is called among names that its caller has planted, by each login that may call it, and by one that may call all."""
    known = [name for name, in rows("SELECT p.oid::regprocedure::text FROM pg_proc p WHERE p.pronamespace = 'cube'::regnamespace AND p.prosecdef AND p.prorettype <> 'trigger'::regtype")]
    equal('functions with the rights of the owner that look elsewhere first', rows("SELECT p.proname FROM pg_proc p WHERE p.pronamespace = 'cube'::regnamespace AND p.prosecdef"
          " AND NOT coalesce('search_path=cube, pg_temp' = ANY (p.proconfig), false)"), [])
    equal('functions of policies that look where the asker says', rows("SELECT DISTINCT p.proname FROM pg_depend d JOIN pg_proc p ON p.oid = d.refobjid AND d.refclassid = 'pg_proc'::regclass"
          " WHERE d.classid = 'pg_policy'::regclass AND p.pronamespace = 'cube'::regnamespace AND NOT coalesce('search_path=cube, pg_temp' = ANY (p.proconfig), false)"), [])
    equal('views that read with the rights of the owner', rows("SELECT relname FROM pg_class WHERE relnamespace = 'cube'::regnamespace AND relkind = 'v'"
          " AND NOT coalesce('security_invoker=true' = ANY (reloptions), false)"), [])
    # that the attack is one: a function that does read what its caller may plant
    psql("CREATE FUNCTION cube.weak() RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER SET search_path = cube, pg_temp AS $$ BEGIN RETURN (SELECT count(x) FROM wanted_rows); END $$;"
         ' GRANT EXECUTE ON FUNCTION cube.weak() TO PUBLIC')
    psql(''.join('GRANT EXECUTE ON FUNCTION %s TO %s;' % (name, logins['everything']) for name in known))
    called, done = set(), set()
    for who in ('writer', 'api', 'reader', 'everything'):
        for line in psql(PLANT + ATTACK, DSN[logins[who]]).splitlines():
            name, state = line.rsplit(' ', 1)
            called.add(name)
            if state == 'done':
                done.add(name)
            if (state == 'GCEVL') != (name == 'cube.weak()'):
                fail('%s, called by %s among planted names: %s' % (name, who, state))
    psql('DROP FUNCTION cube.weak()')
    equal('functions with the rights of the owner that were not tried', set(known) - called, set())
    if len(done) < 40:
        fail('of %d functions only %d came to their end: %s' % (len(called), len(done), sorted(called - done)))
    shown('%d functions run with the rights of the owner; called among planted names, none uses one (%d come to their end)' % (len(called) - 1, len(done)))


def writers_calls():
    """The writer calls with the owner's rights what the program does, of this release or of 0.1.0, and what every analyst does; nothing else."""
    names = set()
    for directory, _, files in (part for room in ('consumers', 'sinks/postgres') for part in os.walk(os.path.join(ROOT, room))):
        for file in files:
            with open(os.path.join(directory, file), encoding='utf-8') as text:
                names |= set(re.findall(r'\bcube\.(\w+)', text.read()))
    targets = [name for name, in rows('SELECT target FROM cube.fact')] + ['missions', 'tiers', 'mesh_events']
    names |= {verb + target for verb in ('merge_', 'lock_') for target in targets} | {'verify', 'closed_before'}
    names |= {'errors_of_minutes', 'issue_last_found', 'log_integrity', 'usual_gap', 'entry_names_contract', 'error_names_contract'}
    extra = {name for name, in rows("SELECT DISTINCT p.proname FROM pg_proc p WHERE p.pronamespace = 'cube'::regnamespace AND p.prosecdef"
                                    " AND has_function_privilege('gracecube_writer', p.oid, 'EXECUTE')")}
    equal('functions that the writer may call with the rights of the owner, and no program does', extra - names, set())
    equal('partitions that are read past the limits', rows("SELECT c.relname FROM pg_class c WHERE c.relnamespace = 'cube'::regnamespace AND c.relispartition"
          " AND (has_table_privilege('gracecube_writer', c.oid, 'SELECT') OR has_table_privilege('gracecube_reader', c.oid, 'SELECT'))"), [])
    shown('of %d functions with the rights of the owner the writer may call %d, those that the program calls; nobody reads partitions' % (value(
        "SELECT count(*) FROM pg_proc p WHERE p.pronamespace = 'cube'::regnamespace AND p.prosecdef"), len(extra)))


def main():
    new_cube()
    own_topics()
    roles = {'tier_1': 'gracecube_tier_1', 'tier_3': 'gracecube_tier_3', 'reader': 'gracecube_reader', 'api': 'gracecube_api', 'both': 'gracecube_tier_1, gracecube_reader',
             'heirless': 'gracecube_tier_1, gracecube_reader', 'planting': 'gracecube_tier_1', 'writing': 'gracecube_tier_1, gracecube_writer', 'writer': 'gracecube_writer',
             'everything': 'gracecube_writer'}
    logins = {who: '%s_%s' % (PREFIX, who) for who in roles}
    for who, login in logins.items():
        psql('CREATE ROLE %s LOGIN %s IN ROLE %s' % (login, 'NOINHERIT' if who == 'heirless' else '', roles[who]))
        DSN[login] = re.sub(r'user=\S+', 'user=' + login, os.environ['GRACECUBE_POSTGRES_DSN'])
    try:
        limits(logins)
        guesses(logins)
        aggregates(logins)
        planted(logins)
        writers_calls()
    finally:
        for login in logins.values():
            psql('DROP OWNED BY %s CASCADE; DROP ROLE %s' % (login, login))


main()
