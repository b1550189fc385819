/* Probes: a small HTTP server for those who look after a process: GET and HEAD of a few fixed paths, each answered at once from memory.
 *
 * It is apart from anything that others may reach, so that nobody can keep it busy: connections are few, and short.
 * Threads: the server's own calls the answers.
 */
#ifndef GRACECUBE_PROBES_H
#define GRACECUBE_PROBES_H

#include <gracecube/err.h>
#include <stdbool.h>
#include <stdio.h>

struct gc_probe {
	const char *path; /* NULL ends the list */
	const char *type;
	/* Writes the body; true is 200, false 503. */
	bool (*answer)(void *arg, bool verbose, FILE *out);
};
#define GC_PROBE_TEXT "text/plain; charset=utf-8"
#define GC_PROBE_METRICS "text/plain; version=0.0.4; charset=utf-8"

struct gc_probes;

/* On a listening socket, which it closes at the end, and also when it fails. `option` and `address` are for the error. */
enum gc_verdict gc_probes_start(int take_listen_fd, const char *option, const char *address, const struct gc_probe *probes,
				void *arg, struct gc_probes **ret_probes, struct gc_err *err) GC_MUST_CHECK;
/* NULL is allowed. */
void gc_probes_stop(struct gc_probes *probes);

#endif
