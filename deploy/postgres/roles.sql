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
-- A cube in another schema has roles of its own, because the cluster shares them: with CUBE_SCHEMA=sales they are called
-- gracecube_sales_owner, gracecube_sales_writer and so on. Compose runs this at each start.
\set ON_ERROR_STOP on
\getenv owner_password CUBE_OWNER_PASSWORD
\getenv writer_password CUBE_WRITER_PASSWORD
\getenv api_password CUBE_API_PASSWORD
\getenv reader_password CUBE_READER_PASSWORD
\set schema ''
\getenv schema CUBE_SCHEMA
SELECT coalesce(nullif(:'schema', ''), 'cube') AS schema, 'gracecube' || coalesce('_' || nullif(nullif(:'schema', ''), 'cube'), '') AS name
\gset
SELECT :'name' || '_writer' AS writer, :'name' || '_reader' AS reader, :'name' || '_api' AS api, :'name' || '_tier_1' AS tier_1,
	:'name' || '_tier_2' AS tier_2, :'name' || '_tier_3' AS tier_3, :'name' || '_owner' AS owner, :'name' || '_run' AS run,
	:'name' || '_serve' AS serve, :'name' || '_grafana' AS grafana
\gset
SET client_min_messages = warning;
SET password_encryption = 'scram-sha-256';
BEGIN;

-- migrate would make the roles too, if it might: so its login need not.
SELECT format('CREATE ROLE %I NOLOGIN', wanted) FROM unnest(ARRAY[:'writer', :'reader', :'api', :'tier_1', :'tier_2', :'tier_3']) AS u (wanted)
WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = wanted)
\gexec
SELECT format('CREATE ROLE %I', wanted) FROM unnest(ARRAY[:'owner', :'run', :'serve', :'grafana']) AS u (wanted)
WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = wanted)
\gexec
GRANT :"tier_1" TO :"tier_2";
GRANT :"tier_2" TO :"tier_3";
GRANT :"tier_3", :"reader" TO :"api";

ALTER ROLE :"owner" LOGIN NOSUPERUSER NOCREATEROLE NOCREATEDB PASSWORD :'owner_password';
ALTER ROLE :"run" LOGIN NOSUPERUSER NOCREATEROLE NOCREATEDB PASSWORD :'writer_password';
ALTER ROLE :"serve" LOGIN NOSUPERUSER NOCREATEROLE NOCREATEDB PASSWORD :'api_password';
ALTER ROLE :"grafana" LOGIN NOSUPERUSER NOCREATEROLE NOCREATEDB PASSWORD :'reader_password';
GRANT :"api" TO :"owner";
GRANT :"writer" TO :"run";
GRANT :"api" TO :"serve";
GRANT :"reader" TO :"grafana";

SELECT format('GRANT CONNECT, CREATE, TEMPORARY ON DATABASE %I TO %I', current_database(), :'owner')
\gexec
SELECT format('GRANT CONNECT ON DATABASE %I TO %I, %I, %I', current_database(), :'run', :'serve', :'grafana')
\gexec

-- A cube that another login made (as 0.1.0 in compose did, by the superuser) is handed over, so that the owner can migrate it.
SELECT format('ALTER SCHEMA %I OWNER TO %I', nspname, :'owner') FROM pg_namespace WHERE nspname = :'schema' AND nspowner <> :'owner'::regrole
\gexec
SELECT format('ALTER TABLE %s OWNER TO %I', c.oid::regclass, :'owner') FROM pg_class c
WHERE c.relnamespace = to_regnamespace(:'schema') AND c.relkind IN ('r', 'p', 'v', 'm') AND c.relowner <> :'owner'::regrole
\gexec
SELECT format('ALTER ROUTINE %s OWNER TO %I', p.oid::regprocedure, :'owner') FROM pg_proc p
WHERE p.pronamespace = to_regnamespace(:'schema') AND p.proowner <> :'owner'::regrole
\gexec
SELECT format('ALTER SEQUENCE %s OWNER TO %I', c.oid::regclass, :'owner') FROM pg_class c
WHERE c.relnamespace = to_regnamespace(:'schema') AND c.relkind = 'S' AND c.relowner <> :'owner'::regrole
\gexec
COMMIT;
