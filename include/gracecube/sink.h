/* The PostgreSQL sink: one batch is one transaction, one pipeline round trip.
 *
 * A sink returns a verdict; it never sleeps, retries or drops. After GC_RETRY and GC_FENCED with gc_pg_is_lost() the caller opens a
 * new connection and claims again. Threads: one connection belongs to one worker.
 */
#ifndef GRACECUBE_SINK_H
#define GRACECUBE_SINK_H

#include <gracecube/batch.h>
#include <gracecube/config.h>

/* The schema that this program needs: the number of its newest file of sinks/sql/tables. */
int gc_schema_version(void);

struct gc_pg;

/* Connects and checks the schema, see gc_pg_check_schema(). `role` is shown in pg_stat_activity: "gracecube worker 1". */
enum gc_verdict gc_pg_open(const struct gc_config *config, const char *role, struct gc_pg **ret_pg,
			   struct gc_err *err) GC_MUST_CHECK;
/* The same for who only reads: where no server is written to, one that is not. */
enum gc_verdict gc_pg_open_reader(const struct gc_config *config, const char *role, struct gc_pg **ret_pg,
				  struct gc_err *err) GC_MUST_CHECK;
/* As gc_pg_open, and takes a lane for its rollup rows, prepares every statement against its descriptor, and caches the declared components. */
enum gc_verdict gc_pg_open_writer(const struct gc_config *config, const char *role, struct gc_dimension_cache *cache,
				  struct gc_pg **ret_pg, struct gc_err *err) GC_MUST_CHECK;
void gc_pg_close(struct gc_pg *pg);
/* Is the cube one that this program may work on? GC_FATAL with the code no_schema or schema_version where people have to migrate. */
enum gc_verdict gc_pg_check_schema(struct gc_pg *pg, struct gc_err *err) GC_MUST_CHECK;
/* The connection is gone: nothing that was cached may be trusted. */
bool gc_pg_is_lost(const struct gc_pg *pg);

struct gc_claim {
	const char *stream;
	struct gc_span topic;
	int32_t partition;
	int64_t low_offset; /* Kafka's low watermark */
	/* answers */
	int64_t offset_id, owner_epoch, next_offset;
	int64_t last_hash;           /* gc_message_hash() of the record before next_offset; 0: not known */
	struct gc_order order;       /* as of next_offset */
	struct gc_version truncated; /* see gc_partition_batch */
	int64_t lost;                /* records that retention deleted before they were read: noted in cube.etl_gap */
};
/* Claims partitions for an owner ("host:process:worker"), raising their epochs: whoever held them is fenced off. */
enum gc_verdict gc_pg_claim(struct gc_pg *pg, const char *group, const char *owner, struct gc_claim *claims, size_t count,
			    struct gc_err *err) GC_MUST_CHECK;

/* Resolves what the batch misses, in a transaction of its own, and caches it. */
enum gc_verdict gc_pg_resolve(struct gc_pg *pg, struct gc_batch *batch, struct gc_dimension_cache *cache,
			      struct gc_err *err) GC_MUST_CHECK;
/* Fence, rows, dead letters, quality issues, commit. GC_OK: durable. GC_FENCED: nothing was written. GC_REJECT: a record is bad,
 * or, with the code GC_PG_NO_PARTITION, the table of its month was taken away.
 * *ret_superseded: how many of the records that the batch counted as applied were older than what the cube holds. */
enum gc_verdict gc_pg_apply(struct gc_pg *pg, struct gc_batch *batch, int64_t *ret_superseded, struct gc_err *err) GC_MUST_CHECK;

/* ---- a TRUNCATE of the source ---- */

/* Notes it for all partitions of its topic. held[0] is the one that it came by, behind it are all that the caller holds; others are claimed anew
 * by whoever reads them. From the answer on the cube gets no row of the topic from before it without its delete. GC_REJECT: it does not say which
 * of the topic's rows it means. */
enum gc_verdict gc_pg_note_truncate(struct gc_pg *pg, const struct gc_truncate *truncate, const struct gc_claim *held, size_t count,
				    struct gc_err *err) GC_MUST_CHECK;

/* Rows of a topic, by their keys in the cube: captured ones that stand before a place. */
struct gc_gone {
	const char *target, *topic;
	int64_t before_us, before_lsn;
	const char *after; /* of those in order only the ones behind this key; "": all */
	int64_t count_max; /* 0: no limit */
};
enum gc_verdict gc_pg_gone(struct gc_pg *pg, const struct gc_gone *gone,
			   void (*each)(void *arg, const char *const *values, int columns), void *arg,
			   struct gc_err *err) GC_MUST_CHECK;

/* ---- between batches ---- */

/* Links the next so many keys that wait in cube.relink_queue, in a transaction of its own. *ret_done is 0 when none wait, or others are at them. */
enum gc_verdict gc_pg_link_slice(struct gc_pg *pg, int keys, int64_t *ret_done, struct gc_err *err) GC_MUST_CHECK;

/* Whether a partition stands still. */
struct gc_halt {
	struct gc_span topic;
	int32_t partition;
	int64_t since_us;         /* 0: it is read */
	struct gc_span code, why; /* empty then */
};
/* Told to the cube: `gracecube status` says it from anywhere. */
enum gc_verdict gc_pg_tell_halts(struct gc_pg *pg, const char *group, const char *owner, const struct gc_halt *halts, size_t count,
				 struct gc_err *err) GC_MUST_CHECK;

/* ---- dead letters ---- */

/* Kept: not discarded. */
enum gc_letter_state { GC_LETTER_WAITING, GC_LETTER_RETRIED, GC_LETTER_KEPT, GC_LETTER_DISCARDED, GC_LETTER_ANY };
extern const char *const gc_letter_states[]; /* "waiting", …; ends with NULL */
/* The condition on cube.etl_dead_letter that one of them, a text parameter, stands for. */
#define GC_LETTER_IS(state)                                                                                                        \
	"CASE " state " WHEN 'waiting' THEN outcome IS NULL WHEN 'retried' THEN outcome <> 'discarded'"                            \
	" WHEN 'kept' THEN outcome IS DISTINCT FROM 'discarded' WHEN 'discarded' THEN outcome = 'discarded' ELSE true END"

/* What became of a letter that was retried. */
enum gc_letter_outcome { GC_LETTER_REFUSED, GC_LETTER_APPLIED, GC_LETTER_SUPERSEDED, GC_LETTER_IGNORED, GC_LETTER_OUTCOMES };
extern const char *const gc_letter_outcomes[GC_LETTER_OUTCOMES];

/* Which letters are meant: those with these ids, or those of a group that all of the rest fits. */
struct gc_letter_selection {
	const char *ids;                           /* "{17,18}"; NULL: not by id */
	const char *group, *topic, *stream, *code; /* all but group may be NULL */
	int64_t since_us;
	enum gc_letter_state state;
	int64_t after_id, last_id; /* of those only ids behind the first, up to the second */
};

struct gc_letter {
	int64_t id, tries, dead_us;
	struct gc_message message;
	struct gc_span stream, code, where, reason;
	struct gc_version truncated;    /* see gc_partition_batch */
	enum gc_letter_outcome outcome; /* once it was retried */
};

/* How many there are; *ret_last_id is the highest id of them. */
enum gc_verdict gc_pg_count_letters(struct gc_pg *pg, const struct gc_letter_selection *selection, int64_t *ret_count,
				    int64_t *ret_last_id, struct gc_err *err) GC_MUST_CHECK;
/* The first of them by id, at most so many and about so many bytes, into the arena. */
enum gc_verdict gc_pg_read_letters(struct gc_pg *pg, const struct gc_letter_selection *selection, int64_t count_max,
				   int64_t bytes_max, struct gc_arena *arena, struct gc_letter **ret_letters, size_t *ret_count,
				   struct gc_err *err) GC_MUST_CHECK;
/* As gc_pg_apply(), of a batch whose n-th partition is the n-th letter, with its id as a negative offset_id: its rows and what became of each
 * letter are one commit. GC_FENCED: somebody else has worked on one of them since it was read. */
enum gc_verdict gc_pg_retry_letters(struct gc_pg *pg, struct gc_batch *batch, const char *by, struct gc_letter *letters,
				    struct gc_err *err) GC_MUST_CHECK;
/* Discards the first of them by id, at most so many, and moves the selection behind them. *ret_found: how many that were, 0 at the end;
 * *ret_discarded: how many of them nobody else had discarded meanwhile. */
enum gc_verdict gc_pg_discard_letters(struct gc_pg *pg, struct gc_letter_selection *selection, int64_t count_max, const char *by,
				      int64_t *ret_found, int64_t *ret_discarded, struct gc_err *err) GC_MUST_CHECK;
/* *ret_imported: how many of them were not there yet. */
enum gc_verdict gc_pg_import_letters(struct gc_pg *pg, const char *group, const struct gc_letter *letters, size_t count,
				     int64_t *ret_imported, struct gc_err *err) GC_MUST_CHECK;

/* Notifies the listeners of cube_changed, or of <schema>_changed, which streams have changed, "a,b", after the commit and outside of it. A
 * failure does not matter: listeners also poll every other second. */
void gc_pg_notify(struct gc_pg *pg, const char *streams);

/* What to migrate and what came of it. */
struct gc_migration {
	bool dry_run;       /* tell the plan and change nothing */
	bool prune_metrics; /* take those away, and targets, whose file the configuration does not name */
	/* Both may be NULL. A file that is about to be run, or would be, and at which step: expand, code, online or contract. */
	void (*step)(void *arg, const char *step, const char *file, const char *sha256);
	/* A connected program of an older schema: its application_name, pid, address and since when. */
	void (*old)(void *arg, const char *program, const char *pid, const char *address, const char *since);
	/* A rollup that does not hold all facts yet, how many it holds, of how many; again and again while it is being filled. May be NULL. */
	void (*fill)(void *arg, const char *rollup, int64_t done, int64_t facts);
	/* A file that the configuration does not name, whose metrics or targets stay, and of how many metrics. May be NULL. */
	void (*kept)(void *arg, const char *file, int64_t metrics);
	void *arg;
	/* answers */
	int found, now;        /* complete schema versions, before and after; found 0: there was no cube */
	size_t steps, waiting; /* files; older programs, for whose end the rest waits */
	int64_t metrics;       /* definitions of metrics that were written or taken away, or would be */
};

/* Makes the schema, or brings it to this program's version while the cube is in use; safe to repeat, to kill and to start twice at once. */
enum gc_verdict gc_pg_migrate(const struct gc_config *config, struct gc_migration *migration, struct gc_err *err) GC_MUST_CHECK;
/* The SQL that makes a cube in its schema, to a stream. */
enum gc_verdict gc_pg_print_schema(const struct gc_config *config, void *stdio_file, struct gc_err *err) GC_MUST_CHECK;

/* A message that speaks of cube.something, or of a role, says it of the configured cube: in place. */
void gc_cube_name(const struct gc_config *config, char *text, size_t bytes);

/* A query for the commands: text parameters, text results; `each` gets every row. NULL values are NULL pointers. */
enum gc_verdict gc_pg_query(struct gc_pg *pg, const char *sql, const char *const *parameters, int count,
			    void (*each)(void *arg, const char *const *values, int columns), void *arg,
			    struct gc_err *err) GC_MUST_CHECK;

/* Prepares each target's merge statement and compares it with its descriptor; `each` hears of every one. */
enum gc_verdict gc_pg_check_statements(struct gc_pg *pg, void (*each)(void *arg, const char *name, const char *problem), void *arg,
				       struct gc_err *err) GC_MUST_CHECK;

/* What to do about an SQLSTATE; connection losses have none. */
enum gc_verdict gc_sqlstate_verdict(const char *sqlstate);
/* It goes on in a new session only. */
bool gc_sqlstate_wants_session(const char *sqlstate);
/* What was asked may have been too much at once: time, memory, locks. */
bool gc_sqlstate_wants_less(const char *sqlstate);
/* The code of a record that found no partition of its table: whoever has it cached as there forgets that. */
#define GC_PG_NO_PARTITION "no_partition"

#endif
