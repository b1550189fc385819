/* Errors and verdicts: what happened, and what the caller's next step is.
 *
 * A struct gc_err sits on the caller's stack; setting it allocates nothing. A function that can fail either fills the
 * error and returns its verdict, or logs it: never both. On failure outputs named ret_* are untouched.
 * Threads: no shared state.
 */
#ifndef GRACECUBE_ERR_H
#define GRACECUBE_ERR_H

#include <stdarg.h>

enum gc_verdict {
	GC_OK = 0, /* done and durable: forget the batch */
	GC_RETRY,  /* the other side is away or busy: the same batch again after a back-off */
	GC_REJECT, /* this record is bad: dead-letter it and go on */
	GC_FENCED, /* another owner holds the partition: abandon the batch, claim again, never retry */
	GC_FATAL,  /* people are needed: stop with the reason */
};

struct gc_err {
	enum gc_verdict verdict;
	char code[32];   /* short and stable: "not_json", an SQLSTATE, an option's name */
	char where[128]; /* the place: a field path, file:line:column, host:port */
	char text[640];  /* one sentence for a person */
};

/* Fills err (which may be NULL) and returns the verdict, so that callers can `return gc_fail(...)`. */
enum gc_verdict gc_fail(struct gc_err *err, enum gc_verdict verdict, const char *code, const char *where, const char *format, ...)
	__attribute__((format(printf, 5, 6)));

/* "ok", "retry", "reject", "fenced", "fatal" */
const char *gc_verdict_name(enum gc_verdict verdict);

#define GC_MUST_CHECK __attribute__((warn_unused_result))

#endif
