/* Inside of the PostgreSQL sink. Threads: one connection belongs to one worker. */
#ifndef GRACECUBE_PG_H
#define GRACECUBE_PG_H

#include <gracecube/sink.h>
#include <libpq-fe.h>

/* What a cube is called in its database: see names.c. */
struct gc_pg_names {
	bool is_plain; /* the schema is `cube`: SQL is as it was written */
	char schema[GC_SCHEMA_BYTES];
	char roles[GC_SCHEMA_BYTES]; /* between gracecube_ and what a role may; empty: nothing */
	char lock[12];               /* what its advisory locks begin with */
};

struct gc_pg_text {
	char *text;
	size_t used, bytes;
};

struct gc_pg {
	PGconn *conn;
	struct gc_pg_names names;
	struct gc_pg_text text; /* what gc_pg_sql() has put names into */
	bool lost;
	int statements; /* how many the pipeline under way has sent */
	int failed;     /* the first of them that failed, -1 for none */
	struct gc_pg_bound {
		int64_t count, bytes, drops_oldest;
	} bound; /* of the dead letters that are kept */
};

/* Every session that works on the cube holds this advisory lock, shared, with the number of its schema as the second key: `migrate` sees by it
 * which programs are of an older one. */
#define GC_PG_SCHEMA_LOCK "7240004"

void gc_pg_names_init(struct gc_pg_names *names, const struct gc_config *config);
/* SQL as it is for this cube: the text itself, or in `out`, which gc_pg_text_done() frees. */
const char *gc_pg_put_names(const struct gc_pg_names *names, const char *text, struct gc_pg_text *out);
void gc_pg_text_done(struct gc_pg_text *out);
/* The same for a connection, for all that is handed to libpq; good until the next call. */
const char *gc_pg_sql(struct gc_pg *pg, const char *text);
/* The same with what a message says: returns its verdict. */
enum gc_verdict gc_pg_name_err(struct gc_pg *pg, struct gc_err *err);
/* A program's name in pg_stat_activity: "gracecube worker 1", or "gracecube/sales worker 1". Returns buffer. */
#define GC_PG_APPLICATION_BYTES (GC_SCHEMA_BYTES + 64)
const char *gc_pg_application(const struct gc_pg_names *names, const char *role, char *buffer);

/* Connects without asking for a schema. */
enum gc_verdict gc_pg_connect(const struct gc_config *config, const char *role, struct gc_pg **ret_pg,
			      struct gc_err *err) GC_MUST_CHECK;

/* A sentence for people: what happened and what to do. The message of a connection that was not made, with or without the server's
 * SQLSTATE in it; the parts of a statement's error, hint may be NULL. Each returns buffer. */
const char *gc_pg_word_refusal(const char *message, char *buffer, size_t bytes);
const char *gc_pg_word_error(const char *sqlstate, const char *primary, const char *hint, char *buffer, size_t bytes);

/* Where the server's SQLSTATE stands in a line of libpq ("FATAL:  28P01: …"); NULL where it does not. */
const char *gc_pg_find_sqlstate(const char *line, size_t length);
/* What libpq's words about a connection that was not made mean: GC_FATAL when people are needed for each host that was tried. */
enum gc_verdict gc_pg_refusal(const char *message);

/* Fills err from a failed result, or from the connection when there is none. */
enum gc_verdict gc_pg_fail(struct gc_pg *pg, const PGresult *result, const char *doing, struct gc_err *err);

/* A statement without parameters that returns nothing of interest. */
enum gc_verdict gc_pg_do(struct gc_pg *pg, const char *sql, struct gc_err *err) GC_MUST_CHECK;

/* Who may hold a lock that was waited for in vain: that is not known any more once the wait is over; most likely whoever has been at it for the
 * longest. Returns buffer. */
#define GC_PG_BLOCKER_BYTES 160
const char *gc_pg_find_blocker(struct gc_pg *pg, char *buffer);

/* Parameters of one statement, binary arrays built in an arena. */
#define GC_PG_PARAMETERS_MAX 64
struct gc_pg_parameters {
	struct gc_arena *arena;
	int count;
	Oid types[GC_PG_PARAMETERS_MAX];
	const char *values[GC_PG_PARAMETERS_MAX];
	int lengths[GC_PG_PARAMETERS_MAX];
	int formats[GC_PG_PARAMETERS_MAX];
};

void gc_pg_parameters_init(struct gc_pg_parameters *parameters, struct gc_arena *arena);
/* Each adds one array parameter. `stride` is the distance from one item to the next in bytes, so that a member of a struct
 * can be sent from an array of structs. */
void gc_pg_add_int8s(struct gc_pg_parameters *parameters, const int64_t *items, size_t stride, size_t count);
void gc_pg_add_int4s(struct gc_pg_parameters *parameters, const int32_t *items, size_t stride, size_t count);
void gc_pg_add_texts(struct gc_pg_parameters *parameters, const struct gc_span *items, size_t stride, size_t count);
void gc_pg_add_byteas(struct gc_pg_parameters *parameters, const struct gc_span *items, size_t stride, size_t count);
/* One value, not an array. */
void gc_pg_add_text(struct gc_pg_parameters *parameters, const char *text);
void gc_pg_add_number(struct gc_pg_parameters *parameters, int64_t number);
/* dead.max_count, dead.max_bytes, dead.when_full: three numbers. */
void gc_pg_add_bound(struct gc_pg_parameters *parameters, const struct gc_pg *pg);
/* One column of rows. */
void gc_pg_add_column(struct gc_pg_parameters *parameters, struct gc_row *const *rows, size_t count, int column);
/* The version, deletion mark and ledger row of rows: the six arrays that every merge function takes last. */
void gc_pg_add_versions(struct gc_pg_parameters *parameters, struct gc_row *const *rows, size_t count,
			const struct gc_partition_batch *partitions);

/* cube.etl_offset.truncated as text; what is none has the place 0. */
struct gc_version gc_pg_read_place(const char *text);

/* [["name in base64", "value in base64" or null], …]: names too, since a header's name may be any bytes. */
struct gc_span gc_pg_headers(struct gc_arena *arena, const struct gc_header *headers, size_t count);

/* PostgreSQL's array type of a column. */
Oid gc_pg_array_type(enum gc_kind kind);

/* Name and text of a target's merge statement. */
struct gc_span gc_pg_merge_name(const struct gc_target *target, struct gc_arena *arena);
struct gc_span gc_pg_merge_text(const struct gc_target *target, struct gc_arena *arena);
/* All merges, and what else each batch says, by these names. */
#define GC_PG_ADVANCE "advance"
#define GC_PG_GATE_SHARED "gate_shared"
#define GC_PG_GATE_ALONE "gate_alone"
enum gc_verdict gc_pg_prepare(struct gc_pg *pg, struct gc_err *err) GC_MUST_CHECK;

/* Pipeline: begin, send …, then finish, which reads all answers. The first failure is reported; the transaction is closed. */
enum gc_verdict gc_pg_begin(struct gc_pg *pg, struct gc_err *err) GC_MUST_CHECK;
void gc_pg_send(struct gc_pg *pg, const char *sql, const struct gc_pg_parameters *parameters);
void gc_pg_send_prepared(struct gc_pg *pg, const char *name, const struct gc_pg_parameters *parameters);
/* `each` gets the result of the n-th statement (0 is the first after BEGIN) and may be NULL. */
enum gc_verdict gc_pg_commit(struct gc_pg *pg, void (*each)(void *arg, int n, const PGresult *result), void *arg,
			     struct gc_err *err) GC_MUST_CHECK;

/* What a batch does to facts, between the fence and the bookkeeping; which of the statements are merges, and what they answered. */
struct gc_pg_merges {
	int first, end;
	int64_t superseded; /* records that were older than what is there */
};
void gc_pg_send_changes(struct gc_pg *pg, struct gc_batch *batch, struct gc_pg_merges *ret_merges);
void gc_pg_send_issues(struct gc_pg *pg, struct gc_batch *batch);
/* Only a merge looks at a record: what the others refuse is no record's fault. */
enum gc_verdict gc_pg_judge(const struct gc_pg *pg, const struct gc_pg_merges *merges, enum gc_verdict verdict, struct gc_err *err);

#endif
