/* An arena that all tests of a file share: suite_run(&suite, set_up, tear_down). */
#ifndef GRACECUBE_TESTS_ARENA_H
#define GRACECUBE_TESTS_ARENA_H

#include <gracecube/arena.h>

static struct gc_arena arena;

static int set_up(void **state)
{
	(void)state;
	gc_arena_init(&arena);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	gc_arena_done(&arena);
	return 0;
}

#endif
