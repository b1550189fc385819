/* The HTTP API and the dashboard: what `gracecube serve` runs. All numbers come from views and functions of the cube.
 *
 * Threads: one for HTTP, which never waits for the database; serve.connections that answer, each with a connection of its own;
 * one that listens for commits, one that writes the audit, one that answers probes.
 */
#ifndef GRACECUBE_SERVE_H
#define GRACECUBE_SERVE_H

#include <gracecube/config.h>
#include <gracecube/metric.h>

#define GC_PROBES_OPTION "serve.probes_listen"

struct gc_serve;

/* Answers on listening sockets, which it closes at the end, also while the database is away; the second one is for probes, -1 for none.
 * GC_FATAL when a certificate is wrong, or when others than this machine would be answered without TLS and serve.allow_plain does not
 * say so. The configuration must live until gc_serve_stop(). */
enum gc_verdict gc_serve_start(const struct gc_config *config, int take_listen_fd, int take_probes_fd, struct gc_serve **ret_serve,
			       struct gc_err *err) GC_MUST_CHECK;
/* "http://127.0.0.1:8080", with the port that was really taken. */
const char *gc_serve_address(const struct gc_serve *serve);
/* Answers what is under way, closes streams, writes the audit. NULL is allowed. */
void gc_serve_stop(struct gc_serve *serve);

/* What its /metrics tells; for the page. */
extern const struct gc_metric gc_serve_metrics[];

#endif
