CREATE OR REPLACE VIEW cube.cube_next WITH (security_invoker = true) AS
SELECT day, action_type, cube.total(executions) AS executions FROM cube.rollup_next_daily GROUP BY 1, 2 HAVING cube.total(executions) <> 0;
CREATE OR REPLACE VIEW cube.cube_next_status WITH (security_invoker = true) AS
SELECT contract_status, cube.total(executions) AS executions FROM cube.rollup_next_status GROUP BY 1 HAVING cube.total(executions) <> 0;
