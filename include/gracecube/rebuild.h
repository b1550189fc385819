/* A rebuild: the cube made again from its topics, in the schema <schema>_rebuild beside it, until it takes its place; the one before is
 * <schema>_old then. All that a rebuild knows is in that schema: killed anywhere, the next one goes on. One at a time; the live cube is only
 * read, but for the numbers that are set apart at the begin and the moment of the swap.
 *
 * Threads: one rebuild belongs to one thread; its workers have connections of their own.
 */
#ifndef GRACECUBE_REBUILD_H
#define GRACECUBE_REBUILD_H

#include <gracecube/config.h>
#include <gracecube/err.h>

struct gc_rebuild;

enum gc_rebuild_state {
	GC_REBUILD_NONE,  /* there is no such schema */
	GC_REBUILD_EMPTY, /* it was made, and has no begin yet */
	GC_REBUILD_BEGUN,
	GC_REBUILD_READ, /* all was read once */
};

#define GC_REBUILD_STREAMS_BYTES 512
struct gc_rebuild_status {
	enum gc_rebuild_state state;
	bool has_old;       /* the cube before the last swap is still there */
	bool is_unfinished; /* and gc_rebuild_finish_swap() is due: the program ended just after the swap */
	char began_at[32];
	char streams[GC_REBUILD_STREAMS_BYTES];    /* those that are read again, "a, b"; empty: all */
	char incomplete[GC_REBUILD_STREAMS_BYTES]; /* of these the ones of which not all can be read any more */
	int64_t kept;                              /* facts taken from the live cube */
};

/* A partition that the live cube has read. */
struct gc_rebuild_place {
	char *topic, *stream;
	int32_t partition;
	int64_t offset_id;
	int64_t first_offset, live_offset; /* of the live cube */
	int64_t next_offset;               /* of the new one */
	/* The caller's to find out. */
	int64_t low;  /* the first offset that can be read; -1: none */
	bool is_kept; /* of a stream that is not read again: the new cube goes on with it from where the live one stands */
};

struct gc_rebuild_places {
	struct gc_rebuild_place *items;
	size_t count;
};
void gc_rebuild_places_done(struct gc_rebuild_places *places);

/* Opens the live cube. GC_RETRY with the code "lock" when another rebuild is at work, which is named. */
enum gc_verdict gc_rebuild_open(const struct gc_config *config, struct gc_rebuild **ret_rebuild, struct gc_err *err) GC_MUST_CHECK;
/* NULL is allowed. */
void gc_rebuild_close(struct gc_rebuild *rebuild);
/* For whoever works on the new cube. */
const struct gc_config *gc_rebuild_config(const struct gc_rebuild *rebuild);
const char *gc_rebuild_old_schema(const struct gc_rebuild *rebuild);

enum gc_verdict gc_rebuild_look(struct gc_rebuild *rebuild, struct gc_rebuild_status *ret_status, struct gc_err *err) GC_MUST_CHECK;
/* The partitions of the live cube's group. */
enum gc_verdict gc_rebuild_live_places(struct gc_rebuild *rebuild, struct gc_rebuild_places *ret_places,
				       struct gc_err *err) GC_MUST_CHECK;
/* Makes the new cube and gives it its begin: those places are read whose `low` is known. `streams`, "a, b", are read again; empty: all. */
enum gc_verdict gc_rebuild_begin(struct gc_rebuild *rebuild, const struct gc_rebuild_places *places, const char *streams,
				 struct gc_err *err) GC_MUST_CHECK;
/* Where the new cube stands in what it reads, and how far it may read now. */
enum gc_verdict gc_rebuild_follow(struct gc_rebuild *rebuild, struct gc_rebuild_places *ret_places,
				  struct gc_err *err) GC_MUST_CHECK;
/* All is read, and nobody reads on: adds what only the live cube knows. */
enum gc_verdict gc_rebuild_end_reading(struct gc_rebuild *rebuild, struct gc_err *err) GC_MUST_CHECK;

/* ---- the difference ---- */

/* Links that wait for their slice, of both cubes, are made: each that only one of them has would be a difference. */
enum gc_verdict gc_rebuild_link(struct gc_rebuild *rebuild, struct gc_err *err) GC_MUST_CHECK;
/* Nobody moves the live cube's positions until it is let go: writers wait. GC_RETRY when somebody is in the way. */
enum gc_verdict gc_rebuild_hold(struct gc_rebuild *rebuild, struct gc_err *err) GC_MUST_CHECK;
void gc_rebuild_let_go(struct gc_rebuild *rebuild);
/* While both stand at the same positions: what is compared is of this moment, and the live cube is let go. */
enum gc_verdict gc_rebuild_freeze(struct gc_rebuild *rebuild, struct gc_err *err) GC_MUST_CHECK;

struct gc_rebuild_difference {
	const char *kind, *subject; /* "rows" of a table, "cells" of a rollup */
	int64_t both_sides, only_live, only_rebuilt, different;
	const char *example; /* a key; NULL where nothing differs */
};
struct gc_rebuild_metric {
	const char *name;
	double live, rebuilt; /* NaN: none */
};
/* Ends what gc_rebuild_freeze() began. */
enum gc_verdict gc_rebuild_compare(struct gc_rebuild *rebuild,
				   void (*each)(void *arg, const struct gc_rebuild_difference *difference),
				   void (*metric)(void *arg, const struct gc_rebuild_metric *metric), void *arg,
				   struct gc_err *err) GC_MUST_CHECK;

/* ---- the swap ---- */

/* Begins the transaction that lets the two change places; nobody sees or waits for anything yet. gc_rebuild_hold() and gc_rebuild_let_go()
 * are within it from now on. */
enum gc_verdict gc_rebuild_begin_swap(struct gc_rebuild *rebuild, struct gc_err *err) GC_MUST_CHECK;
/* While it is held and both stand at the same positions. */
enum gc_verdict gc_rebuild_commit_swap(struct gc_rebuild *rebuild, struct gc_err *err) GC_MUST_CHECK;
void gc_rebuild_cancel_swap(struct gc_rebuild *rebuild);
/* The last step of a swap, and the first of the next program where this one ended before it: the code of the cube before says its new name. */
enum gc_verdict gc_rebuild_finish_swap(struct gc_rebuild *rebuild, struct gc_err *err) GC_MUST_CHECK;

/* Views in other schemas that read a schema, which no swap changes: "a.x, b.y"; empty when there are none. */
#define GC_REBUILD_VIEWS_BYTES 512
enum gc_verdict gc_rebuild_views_elsewhere(struct gc_rebuild *rebuild, const char *schema, char ret_views[GC_REBUILD_VIEWS_BYTES],
					   struct gc_err *err) GC_MUST_CHECK;
/* Drops the new cube, or the one before the last swap. GC_REJECT when there is none. */
enum gc_verdict gc_rebuild_abandon(struct gc_rebuild *rebuild, struct gc_err *err) GC_MUST_CHECK;
enum gc_verdict gc_rebuild_drop_old(struct gc_rebuild *rebuild, struct gc_err *err) GC_MUST_CHECK;

#endif
