SELECT cube.define_view('cube_next', $$
SELECT day, action_type, cube.total(executions) AS executions FROM cube.rollup_next_daily GROUP BY 1, 2 HAVING cube.total(executions) <> 0$$);

-- ----
SELECT cube.define_view('cube_next_status', $$
SELECT contract_status, cube.total(executions) AS executions FROM cube.rollup_next_status GROUP BY 1 HAVING cube.total(executions) <> 0$$);
