-- The roles of gracecube and one login each for its parts, so that none has more rights than its work needs. An administrator runs it
-- once in the cube's database, before the first `gracecube migrate`; it is safe to repeat, and sets the passwords anew:
--
--     export CUBE_OWNER_PASSWORD=… CUBE_WRITER_PASSWORD=… CUBE_API_PASSWORD=… CUBE_READER_PASSWORD=…
--     psql -h db -U postgres -d gracecube -f deploy/postgres/roles.sql
--
--   gracecube_owner    migrate, token               owns the cube
--   gracecube_run      run, verify, retention       gracecube_writer: reads, and writes by the owner's functions only
--   gracecube_serve    serve                        gracecube_api: reads as the token's tier may, keeps the audit
--   gracecube_grafana  dashboards, notebooks        gracecube_reader: reads views, facts and dimensions
--
-- Compose runs it at each start.
\set ON_ERROR_STOP on
\getenv owner_password CUBE_OWNER_PASSWORD
\getenv writer_password CUBE_WRITER_PASSWORD
\getenv api_password CUBE_API_PASSWORD
\getenv reader_password CUBE_READER_PASSWORD
SET client_min_messages = warning;
SET password_encryption = 'scram-sha-256';
BEGIN;

-- migrate would make the roles too, if it might: so its login need not.
SELECT format('CREATE ROLE %I NOLOGIN', wanted) FROM unnest(ARRAY['gracecube_writer', 'gracecube_reader', 'gracecube_api',
	'gracecube_tier_1', 'gracecube_tier_2', 'gracecube_tier_3']) AS u (wanted)
WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = wanted)
\gexec
SELECT format('CREATE ROLE %I', wanted) FROM unnest(ARRAY['gracecube_owner', 'gracecube_run', 'gracecube_serve', 'gracecube_grafana']) AS u (wanted)
WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = wanted)
\gexec
GRANT gracecube_tier_1 TO gracecube_tier_2;
GRANT gracecube_tier_2 TO gracecube_tier_3;
GRANT gracecube_tier_3, gracecube_reader TO gracecube_api;

ALTER ROLE gracecube_owner LOGIN NOSUPERUSER NOCREATEROLE NOCREATEDB PASSWORD :'owner_password';
ALTER ROLE gracecube_run LOGIN NOSUPERUSER NOCREATEROLE NOCREATEDB PASSWORD :'writer_password';
ALTER ROLE gracecube_serve LOGIN NOSUPERUSER NOCREATEROLE NOCREATEDB PASSWORD :'api_password';
ALTER ROLE gracecube_grafana LOGIN NOSUPERUSER NOCREATEROLE NOCREATEDB PASSWORD :'reader_password';
GRANT gracecube_api TO gracecube_owner;
GRANT gracecube_writer TO gracecube_run;
GRANT gracecube_api TO gracecube_serve;
GRANT gracecube_reader TO gracecube_grafana;

SELECT format('GRANT CONNECT, CREATE, TEMPORARY ON DATABASE %I TO gracecube_owner', current_database())
\gexec
SELECT format('GRANT CONNECT ON DATABASE %I TO gracecube_run, gracecube_serve, gracecube_grafana', current_database())
\gexec

-- A cube that another login made (as 0.1.0 in compose did, by the superuser) is handed over, so that the owner can migrate it.
SELECT format('ALTER SCHEMA cube OWNER TO gracecube_owner') FROM pg_namespace WHERE nspname = 'cube' AND nspowner <> 'gracecube_owner'::regrole
\gexec
SELECT format('ALTER TABLE %s OWNER TO gracecube_owner', c.oid::regclass) FROM pg_class c
WHERE c.relnamespace = to_regnamespace('cube') AND c.relkind IN ('r', 'p', 'v', 'm') AND c.relowner <> 'gracecube_owner'::regrole
\gexec
SELECT format('ALTER ROUTINE %s OWNER TO gracecube_owner', p.oid::regprocedure) FROM pg_proc p
WHERE p.pronamespace = to_regnamespace('cube') AND p.proowner <> 'gracecube_owner'::regrole
\gexec
SELECT format('ALTER SEQUENCE %s OWNER TO gracecube_owner', c.oid::regclass) FROM pg_class c
WHERE c.relnamespace = to_regnamespace('cube') AND c.relkind = 'S' AND c.relowner <> 'gracecube_owner'::regrole
\gexec
SELECT 'ALTER DEFAULT PRIVILEGES FOR ROLE gracecube_owner IN SCHEMA cube GRANT SELECT ON TABLES TO gracecube_writer'
WHERE to_regnamespace('cube') IS NOT NULL
\gexec
COMMIT;
