/* Dead letters that are run again, through the code and the configuration of today: decoded, resolved and applied as a worker does it, but from
 * the database instead of from Kafka.
 *
 * Guarantee: what a letter changes in the cube and what became of it are one commit; one that was applied is not applied again, whoever else
 * retries it at the same time. Threads: one run belongs to one thread.
 */
#ifndef GRACECUBE_LETTERS_H
#define GRACECUBE_LETTERS_H

#include <gracecube/sink.h>

struct gc_letters_run {
	const struct gc_config *config;
	const char *by; /* who retries them */
	/* Hears of each letter once that is durable; its outcome and, when it was refused again, its reason are of now. */
	void (*each)(void *arg, const struct gc_letter *letter);
	void *arg;

	struct gc_pg *pg;
	struct gc_dimension_cache cache;
	struct gc_batch *batch;
	struct gc_arena arena; /* of the letters being retried */
};

/* Retries what is selected, in the order of ids, until all is done, a signal asks to stop, or something is wrong that is no letter's fault:
 * what was done until then stays. GC_RETRY: the database is away or busy. */
enum gc_verdict gc_letters_retry(struct gc_letters_run *run, const struct gc_letter_selection *selection,
				 struct gc_err *err) GC_MUST_CHECK;

#endif
