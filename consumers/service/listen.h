/* Addresses of our small HTTP servers, "127.0.0.1:9187": to listen on, and to ask. "[::]:9187" is all addresses of both families, of
 * IPv4 alone where there is no IPv6; of a name with several addresses the first that can be had is taken.
 *
 * Threads: no shared state.
 */
#ifndef GRACECUBE_LISTEN_H
#define GRACECUBE_LISTEN_H

#include <gracecube/err.h>
#include <gracecube/span.h>

/* A listening socket. GC_FATAL names the address and what the system said. */
enum gc_verdict gc_listen(const char *address, const char *option, int *ret_fd, struct gc_err *err) GC_MUST_CHECK;

/* GET of a path; the body, cut to `bytes`, into `body`. GC_RETRY when nobody answers in time. */
enum gc_verdict gc_http_get(const char *address, const char *path, int64_t timeout_us, int *ret_status, char *body, size_t bytes,
			    struct gc_err *err) GC_MUST_CHECK;

#endif
