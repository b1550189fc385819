/* The property test: whatever the order, the batches, the redeliveries and the owners, the cube is one and the same.
 *
 *     capture   the captured records, read once, and those of edges.c
 *     plan      of one seed: what lies on each partition, in which order, what comes twice
 *     crew      of one seed: workers that read the plan and write a cube
 *     cube      of one seed: a database, its hashes, and how it differs from the one that was read in order
 *
 * Everything that is random comes from the seed, so a seed can be run again; with concurrent workers the machine has its say too.
 */
#ifndef GRACECUBE_TESTS_PROPERTY_H
#define GRACECUBE_TESTS_PROPERTY_H

#include <gracecube/batch.h>
#include <gracecube/config.h>
#include <gracecube/sink.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* ---- chance: splitmix64, https://prng.di.unimi.it/splitmix64.c ---- */

struct rng {
	uint64_t state;
};

static inline uint64_t rng_next(struct rng *rng)
{
	uint64_t z = rng->state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

/* 0 to n − 1; n is small, so the bias of the remainder does not matter. */
static inline size_t rng_below(struct rng *rng, size_t n)
{
	return n ? (size_t)(rng_next(rng) % n) : 0;
}

static inline double rng_unit(struct rng *rng)
{
	return (double)(rng_next(rng) >> 11) * 0x1p-53;
}

/* True once in n times. */
static inline bool rng_once_in(struct rng *rng, size_t n)
{
	return rng_below(rng, n) == 0;
}

/* ---- capture ---- */

#define NO_RECORD SIZE_MAX

struct record {
	struct gc_message message; /* partition and offset are the plan's to give */
	const struct gc_stream *stream;
	enum gc_time_unit unit;
	size_t topic;    /* records of one topic have one number */
	size_t key;      /* and so have those of one key of a topic */
	bool comes_once; /* it has no position: what a partition has later is newer, so it does not come again, nor out of turn */
	size_t behind;   /* the record that must have come before, even when versions are shuffled; NO_RECORD: none */
};

struct capture {
	struct record *records; /* those of a key in their order */
	size_t count, key_count, topic_count;
	size_t *by_key;    /* records of one key side by side, in their order … */
	size_t *key_begin; /* … beginning here; key_count + 1 of them */
};

/* Records of edges.c; key and value are the caller's to free. */
struct edge_record {
	const char *stream;
	int64_t timestamp_us;
	struct gc_span key, value;
};
size_t edge_count(void);
struct edge_record edge_at(size_t i);

/* The files, and behind them the records of edges.c. */
enum gc_verdict capture_read(const struct gc_config *config, char *const *paths, size_t path_count, bool with_edges,
			     struct capture *ret_capture, struct gc_err *err) GC_MUST_CHECK;
void capture_free(struct capture *capture);

/* ---- plan ---- */

enum order {
	ORDER_AS_CAPTURED, /* by Kafka's timestamps, one partition a topic, nothing twice */
	ORDER_WITHIN_KEY,  /* mode A: any order but within a key */
	ORDER_NONE,        /* mode B: any order, see plan.c for what is excepted */
};

/* One partition of one topic, from its low watermark to its end. */
struct track {
	struct gc_span topic;
	int32_t partition;
	const struct gc_stream *stream;
	enum gc_time_unit unit;
	int64_t low_offset, end_offset;
	double weight; /* how soon it is read */
	struct gc_message *messages;
	const struct record **records; /* which they are */
	size_t count, capacity;
};

struct plan {
	struct track *tracks;
	size_t count, messages;
};

void plan_make(const struct capture *capture, enum order order, uint64_t seed, struct plan *ret_plan);
void plan_free(struct plan *plan);

/* ---- crew ---- */

/* What happened on the way. */
struct stats {
	int64_t messages, batches, retries, deadlocks, fenced, reconnects, forgotten, moved, cut, cancelled, refused, rebalanced;
};

struct crew_options {
	size_t workers;
	bool concurrent; /* threads; else one thread that runs now this one, now that one */
	bool faults;     /* caches forgotten, connections cut, partitions given to others */
	size_t batch_max;
	int64_t cache_limit;
	uint64_t seed;
};

void stats_add(struct stats *sum, const struct stats *stats);

enum gc_verdict crew_run(const struct gc_config *config, const struct plan *plan, const struct crew_options *options,
			 struct stats *stats, struct gc_err *err) GC_MUST_CHECK;

/* ---- cube ---- */

struct cube {
	char name[64]; /* of the database */
	struct gc_config config;
	char dsn[600];
};

/* The cube that all others are copies of. Its configuration points into it: it is not to be moved. */
enum gc_verdict cube_make_model(const struct gc_config *config, struct cube *cube, struct gc_err *err) GC_MUST_CHECK;
enum gc_verdict cube_copy(const struct gc_config *config, const struct cube *model, const char *suffix, struct cube *cube,
			  struct gc_err *err) GC_MUST_CHECK;
/* As the model, with the minutes that another cube has: making them costs more than all facts do. */
enum gc_verdict cube_make_used_model(const struct gc_config *config, const struct cube *model, const struct cube *read,
				     struct cube *cube, struct gc_err *err) GC_MUST_CHECK;
void cube_drop(const struct gc_config *config, const struct cube *cube);

struct cube_hash {
	char table[64], hash[33];
	int64_t rows;
};

struct cube_hashes {
	struct cube_hash items[256];
	size_t count;
	char all[33]; /* one for all of them */
};

/* Hashes the cube and has it verified. GC_REJECT: cube.verify() finds a difference, told in err; the hashes are there. */
enum gc_verdict cube_check(const struct cube *cube, struct cube_hashes *ret_hashes, struct gc_err *err) GC_MUST_CHECK;
/* Prints the first tables that differ, and the first rows. */
void cube_print_difference(const struct cube *expected, const struct cube_hashes *expected_hashes, const struct cube *found,
			   const struct cube_hashes *found_hashes);

#endif
