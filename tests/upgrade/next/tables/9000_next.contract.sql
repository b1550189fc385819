-- An index that only programs of before ask by.
DROP INDEX cube.dim_mission_mission_type_idx;
