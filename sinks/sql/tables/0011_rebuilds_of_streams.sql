-- Rebuilds that read some streams again; NULL: all of them, as those of before.

ALTER TABLE cube.rebuild ADD COLUMN streams text[];
