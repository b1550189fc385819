SELECT cube.index_partitions('fact_verification_executions_playbook_run');
