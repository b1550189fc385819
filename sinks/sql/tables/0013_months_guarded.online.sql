-- Rows are changed through their fact, whose triggers keep what follows from them: the months that are there already are told so, each in a
-- transaction of its own.
SELECT cube.guard_statements();
