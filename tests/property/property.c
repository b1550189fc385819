/* property: see property.h, and usage below. Seeds are spread over jobs; each has a database of its own.
 *
 * Threads: one a job; a job's seeds may have workers that are threads of their own.
 */
#include "property.h"

#include <getopt.h>
#include <glob.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <gracecube/arena.h>
#include <gracecube/log.h>

#include "cli/command.h"

#define SEEDS_DEFAULT 25
#define JOBS_MAX 16

static const char usage[] =
	"usage: property [options] [FILE…]\n"
	"\n"
	"  --seeds N    how many seeds (CUBE_TEST_SEEDS, else 25), beginning with --first (1)\n"
	"  --first N    the first seed\n"
	"  --seed N     this one alone; a seed with concurrent workers may need more than one --times\n"
	"  --times N    every seed so often (1)\n"
	"  --jobs N     seeds at a time (processors)\n"
	"  --keep       keep the databases of seeds that fail, and the one that was read in order\n"
	"  --no-edges   the captured records alone, without those of edges.c\n"
	"  --verbose    a line a seed\n"
	"\n"
	"FILE… are capture files, tests/data/capture by default. The databases are made where the configuration's postgres.dsn points to\n"
	"(keywords, not a URI), beside its dbname and named after it; the role must be a superuser. Exit code: 0 one cube, 1 a difference.\n";

struct options {
	long seeds, first, times, jobs;
	bool keep, verbose, no_edges;
};

/* What all seeds share. */
struct test {
	struct options options;
	struct gc_config config;
	struct capture capture;
	struct cube model, used_model, in_order;
	struct cube_hashes expected;
	_Atomic long next; /* seed to be taken, counted from 0 */
	_Atomic long failed;
	pthread_mutex_t report; /* guards stdout and the two below */
	struct stats stats;
	long done[2][2]; /* by mode, by concurrency */
};

/* What a seed is, from its number alone: four kinds in turn, one in four of them on a cube that was never used. */
struct kind {
	uint64_t seed;
	enum order order;
	bool concurrent;
	bool is_new; /* no minute is there yet */
};

static struct kind kind_of(long seed)
{
	return (struct kind){ (uint64_t)seed, seed % 2 ? ORDER_WITHIN_KEY : ORDER_NONE, (seed / 2) % 2 == 1, (seed / 4) % 4 == 0 };
}

static const char *kind_text(struct kind kind)
{
	static const char *const texts[2][2] = { { "mode A (in order within a key)",
						   "mode A (in order within a key), concurrent workers" },
						 { "mode B (any order)", "mode B (any order), concurrent workers" } };

	return texts[kind.order == ORDER_NONE][kind.concurrent];
}

static struct crew_options crew_of(struct kind kind)
{
	static const int64_t cache_limits[] = { 5, 100, 200000, 200000 };
	static const size_t batch_sizes[] = { 100, 500, 500, 500 };
	struct rng rng = { .state = kind.seed * 3 };

	return (struct crew_options){ .workers = rng_once_in(&rng, 4) ? 3 : 2,
				      .concurrent = kind.concurrent,
				      .faults = true,
				      .cache_limit = cache_limits[rng_below(&rng, COUNT(cache_limits))],
				      .batch_max = batch_sizes[rng_below(&rng, COUNT(batch_sizes))],
				      .seed = kind.seed };
}

/* ---- the cube that all others must equal ---- */

static enum gc_verdict make_expected(struct test *test, struct gc_err *err)
{
	struct crew_options alone = { .workers = 1, .batch_max = 500, .cache_limit = 200000 };
	struct stats stats = { .batches = 0 };
	struct plan plan;
	enum gc_verdict verdict = cube_make_model(&test->config, &test->model, err);

	if (verdict == GC_OK)
		verdict = cube_copy(&test->config, &test->model, "in_order", &test->in_order, err);
	if (verdict != GC_OK)
		return verdict;
	plan_make(&test->capture, ORDER_AS_CAPTURED, 0, &plan);
	verdict = crew_run(&test->in_order.config, &plan, &alone, &stats, err);
	plan_free(&plan);
	if (verdict == GC_OK)
		verdict = cube_check(&test->in_order, &test->expected, err);
	if (verdict == GC_OK)
		verdict = cube_make_used_model(&test->config, &test->model, &test->in_order, &test->used_model, err);
	return verdict;
}

/* ---- one seed ---- */

static void report(struct test *test, struct kind kind, const struct cube *cube, const struct cube_hashes *found,
		   const struct stats *stats, int64_t took_us, const struct gc_err *err)
{
	pthread_mutex_lock(&test->report);
	stats_add(&test->stats, stats);
	test->done[kind.order == ORDER_NONE][kind.concurrent]++;
	if (test->options.verbose)
		printf("seed %llu: %lld messages, %lld batches, %lld retries, %.2f s\n", (unsigned long long)kind.seed,
		       (long long)stats->messages, (long long)stats->batches, (long long)stats->retries, (double)took_us / 1e6);
	if (err->verdict != GC_OK) {
		atomic_fetch_add(&test->failed, 1);
		printf("FAILED seed %llu, %s: %s %s: %s\n", (unsigned long long)kind.seed, kind_text(kind), err->code, err->where,
		       err->text);
		if (found->count > 0 && strcmp(found->all, test->expected.all) != 0)
			cube_print_difference(&test->in_order, &test->expected, cube, found);
		printf("  again: property --seed %llu --keep%s\n", (unsigned long long)kind.seed,
		       kind.concurrent ? " --times 20" : "");
	}
	fflush(stdout);
	pthread_mutex_unlock(&test->report);
}

static enum gc_verdict run_seed(struct test *test, struct kind kind, const struct cube *cube, struct stats *stats,
				struct cube_hashes *found, struct gc_err *err)
{
	struct crew_options crew = crew_of(kind);
	struct plan plan;
	enum gc_verdict verdict;

	plan_make(&test->capture, kind.order, kind.seed, &plan);
	verdict = crew_run(&cube->config, &plan, &crew, stats, err);
	plan_free(&plan);
	if (verdict == GC_OK)
		verdict = cube_check(cube, found, err);
	if (verdict == GC_OK && strcmp(found->all, test->expected.all) != 0)
		verdict = gc_fail(err, GC_REJECT, "difference", "hash", "another cube than the one that was read in order");
	return verdict;
}

static void try_seed(struct test *test, long number, long time)
{
	struct kind kind = kind_of(number);
	struct cube_hashes *found = gc_calloc(1, sizeof(*found));
	struct stats stats = { .batches = 0 };
	struct gc_err err = { .verdict = GC_OK };
	struct cube cube = { .name = "" };
	int64_t started = gc_monotonic_us();
	char suffix[48];
	enum gc_verdict verdict;

	snprintf(suffix, sizeof(suffix), "%ld_%ld", number, time);
	verdict = cube_copy(&test->config, kind.is_new ? &test->model : &test->used_model, suffix, &cube, &err);
	if (verdict == GC_OK)
		verdict = run_seed(test, kind, &cube, &stats, found, &err);
	if (verdict == GC_OK)
		err.verdict = GC_OK; /* what a retry has left there */
	report(test, kind, &cube, found, &stats, gc_monotonic_us() - started, &err);
	if (*cube.name && (verdict == GC_OK || !test->options.keep))
		cube_drop(&test->config, &cube);
	free(found);
}

static void *take_seeds(void *arg)
{
	struct test *test = arg;
	long all = test->options.seeds * test->options.times, n;

	while ((n = atomic_fetch_add(&test->next, 1)) < all)
		try_seed(test, test->options.first + n / test->options.times, n % test->options.times);
	return NULL;
}

/* ---- all of them ---- */

static void run_jobs(struct test *test)
{
	pthread_t threads[JOBS_MAX];

	for (long i = 0; i < test->options.jobs; i++)
		pthread_create(&threads[i], NULL, take_seeds, test);
	for (long i = 0; i < test->options.jobs; i++)
		pthread_join(threads[i], NULL);
}

static void summarize(const struct test *test, int64_t took_us)
{
	const struct stats *t = &test->stats;

	printf("%ld seeds of %zu records: %ld in order within a key, %ld in any order, half of them by concurrent workers\n",
	       test->done[0][0] + test->done[0][1] + test->done[1][0] + test->done[1][1], test->capture.count,
	       test->done[0][0] + test->done[0][1], test->done[1][0] + test->done[1][1]);
	printf("%lld records applied in %lld batches; partitions moved %lld times, fenced off %lld, caches forgotten %lld, connections cut "
	       "%lld, statements cancelled %lld, retries %lld (deadlocks %lld); in parts after %lld refusals, rebalanced between two parts %lld times\n",
	       (long long)t->messages, (long long)t->batches, (long long)t->moved, (long long)t->fenced, (long long)t->forgotten,
	       (long long)t->cut, (long long)t->cancelled, (long long)t->retries, (long long)t->deadlocks, (long long)t->refused,
	       (long long)t->rebalanced);
	if (atomic_load(&test->failed) == 0)
		printf("one cube, %s, and cube.verify() has no difference; %.0f s\n", test->expected.all, (double)took_us / 1e6);
	else
		printf("%ld seeds failed; %.0f s\n", atomic_load(&test->failed), (double)took_us / 1e6);
}

static int run_test(struct test *test)
{
	struct gc_err err;
	int64_t started = gc_monotonic_us();

	if (make_expected(test, &err) != GC_OK) {
		printf("FAILED in order: %s %s: %s\n", err.code, err.where, err.text);
		return 1;
	}
	run_jobs(test);
	summarize(test, gc_monotonic_us() - started);
	if (!test->options.keep) {
		cube_drop(&test->config, &test->in_order);
		cube_drop(&test->config, &test->used_model);
		cube_drop(&test->config, &test->model);
	}
	return atomic_load(&test->failed) > 0;
}

/* ---- the command line ---- */

static long number_of(const char *name, const char *text, long min, long max)
{
	int64_t number;

	if (gc_span_int64(gc_span_of(text), &number) && number >= min && number <= max)
		return (long)number;
	fprintf(stderr, "property: %s is %s; it must be %ld to %ld\n", name, text, min, max);
	exit(2);
}

static void read_options(int argc, char **argv, struct options *options)
{
	static const struct option names[] = { { "seeds", 1, NULL, 'n' },    { "first", 1, NULL, 'f' },   { "seed", 1, NULL, 's' },
					       { "times", 1, NULL, 't' },    { "jobs", 1, NULL, 'j' },    { "keep", 0, NULL, 'k' },
					       { "no-edges", 0, NULL, 'e' }, { "verbose", 0, NULL, 'v' }, { "help", 0, NULL, 'h' },
					       { NULL, 0, NULL, 0 } };
	const char *seeds = getenv("CUBE_TEST_SEEDS");
	int letter;

	*options = (struct options){ .seeds = seeds && *seeds ? number_of("CUBE_TEST_SEEDS", seeds, 1, 1000000000) : SEEDS_DEFAULT,
				     .first = 1,
				     .times = 1,
				     .jobs = sysconf(_SC_NPROCESSORS_ONLN) };
	while ((letter = getopt_long(argc, argv, "", names, NULL)) != -1) {
		switch (letter) {
		case 'n':
			options->seeds = number_of("--seeds", optarg, 1, 1000000000);
			break;
		case 'f':
			options->first = number_of("--first", optarg, 1, 1000000000);
			break;
		case 's':
			options->first = number_of("--seed", optarg, 1, 1000000000), options->seeds = 1;
			break;
		case 't':
			options->times = number_of("--times", optarg, 1, 1000000);
			break;
		case 'j':
			options->jobs = number_of("--jobs", optarg, 1, JOBS_MAX);
			break;
		case 'k':
			options->keep = true;
			break;
		case 'e':
			options->no_edges = true;
			break;
		case 'v':
			options->verbose = true;
			break;
		case 'h':
			fputs(usage, stdout);
			exit(0);
		default:
			fputs(usage, stderr);
			exit(2);
		}
	}
	if (options->jobs > JOBS_MAX)
		options->jobs = JOBS_MAX;
}

static enum gc_verdict read_capture(struct test *test, char *const *paths, size_t count, struct gc_err *err)
{
	glob_t files = { .gl_pathc = 0 };
	enum gc_verdict verdict;

	if (count == 0 && glob(GRACECUBE_SOURCE_DIR "/tests/data/capture/*.jsonl.gz", 0, NULL, &files) == 0) {
		paths = files.gl_pathv;
		count = files.gl_pathc;
	}
	verdict = capture_read(&test->config, paths, count, !test->options.no_edges, &test->capture, err);
	globfree(&files);
	return verdict;
}

int main(int argc, char **argv)
{
	static struct test test = { .report = PTHREAD_MUTEX_INITIALIZER };
	const char **streams = gc_command_stream_names();
	struct gc_err err;
	enum gc_verdict verdict;
	int status = 1;

	read_options(argc, argv, &test.options);
	gc_log_setup(GC_LOG_ERROR, GC_LOG_LOGFMT);
	verdict = gc_config_load(&test.config, NULL, streams, &err);
	if (verdict == GC_OK)
		verdict = read_capture(&test, argv + optind, (size_t)(argc - optind), &err);
	if (verdict == GC_OK)
		status = run_test(&test);
	else
		fprintf(stderr, "property: %s: %s\n", err.where, err.text);
	capture_free(&test.capture);
	gc_config_free(&test.config);
	free(streams);
	return status;
}
