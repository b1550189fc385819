-- Quality issues are counted like facts.

SELECT cube.define_rollup('rollup_quality_issues', 'etl_quality_issue', ARRAY['stream text = f.stream', 'field text = f.field', 'rule text = f.rule'], ARRAY['issues bigint = 1']);
