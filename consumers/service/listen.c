/* Addresses: see listen.h. The client side is a dozen lines of HTTP/1.0, so that a container needs no other program to be probed.
 *
 * Threads: no shared state.
 */
#include "service/listen.h"

#include <errno.h>
#include <gracecube/time.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#define BACKLOG 64

static enum gc_verdict find_addresses(const char *address, const char *host, const char *port, struct addrinfo **ret_found,
				      struct gc_err *err)
{
	const struct addrinfo hints = { .ai_family = AF_UNSPEC,
					.ai_socktype = SOCK_STREAM,
					.ai_flags = AI_PASSIVE | AI_NUMERICSERV };
	int code = getaddrinfo(host, port, &hints, ret_found);

	return code ? gc_fail(err, GC_FATAL, "address", address, "the address is not known: %s", gai_strerror(code)) : GC_OK;
}

/* Offers all addresses of the name in turn until `use` takes one. "::" stands for all addresses of both families: where the kernel has
 * no IPv6 those of IPv4 are left. `use` gives a descriptor, or -1 and errno. */
static enum gc_verdict use_first(const char *address, int (*use)(const struct addrinfo *one, void *arg), void *arg, int *ret_fd,
				 struct gc_err *err)
{
	const char *colon = strrchr(address, ':');
	bool bracketed = *address == '[' && colon && colon[-1] == ']';
	char host[128];
	int fd = -1;

	if (!colon)
		return gc_fail(err, GC_FATAL, "address", address, "an address and a port are needed, like 127.0.0.1:9187");
	snprintf(host, sizeof(host), "%.*s", (int)(colon - address) - 2 * bracketed, address + bracketed);
	for (const char *name = host; name && fd < 0; name = strcmp(name, "::") == 0 ? "0.0.0.0" : NULL) {
		struct addrinfo *found = NULL;
		enum gc_verdict verdict = find_addresses(address, name, colon + 1, &found, err);
		int error;

		if (verdict != GC_OK)
			return verdict;
		for (const struct addrinfo *one = found; one && fd < 0; one = one->ai_next)
			fd = use(one, arg);
		error = errno;
		freeaddrinfo(found);
		errno = error;
	}
	*ret_fd = fd;
	return GC_OK;
}

static int listen_at(const struct addrinfo *one, void *arg)
{
	const int on = 1, off = 0;
	int fd = socket(one->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0), error;

	(void)arg;
	if (fd < 0)
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)); /* else a restart waits for old connections to time out */
	if (one->ai_family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off)); /* whatever net.ipv6.bindv6only says */
	if (bind(fd, one->ai_addr, one->ai_addrlen) == 0 && listen(fd, BACKLOG) == 0)
		return fd;
	error = errno;
	close(fd);
	errno = error;
	return -1;
}

enum gc_verdict gc_listen(const char *address, const char *option, int *ret_fd, struct gc_err *err)
{
	int fd = -1;
	enum gc_verdict verdict = use_first(address, listen_at, NULL, &fd, err);

	if (verdict != GC_OK)
		return verdict;
	if (fd < 0)
		return gc_fail(err, GC_FATAL, option, address, "cannot listen here: %s; choose another address with %s",
			       strerror(errno), option);
	*ret_fd = fd;
	return GC_OK;
}

static void limit_waits(int fd, int64_t timeout_us)
{
	struct timeval limit = { .tv_sec = timeout_us / GC_SECOND_US, .tv_usec = timeout_us % GC_SECOND_US };

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
}

static bool send_request(int fd, const char *address, const char *path)
{
	char request[512];
	int length = snprintf(request, sizeof(request), "GET %s HTTP/1.0\r\nHost: %s\r\n\r\n", path, address);

	return send(fd, request, (size_t)length, MSG_NOSIGNAL) == length;
}

static size_t read_all(int fd, char *buffer, size_t bytes)
{
	size_t used = 0;
	ssize_t n;

	while (used + 1 < bytes && (n = recv(fd, buffer + used, bytes - used - 1, 0)) > 0)
		used += (size_t)n;
	buffer[used] = '\0';
	return used;
}

/* "HTTP/1.1 200 OK\r\n…\r\n\r\nbody" */
static bool read_answer(int fd, int *ret_status, char *body, size_t bytes)
{
	char answer[8192];
	const char *end;

	if (read_all(fd, answer, sizeof(answer)) < 12 || strncmp(answer, "HTTP/1.", 7) != 0)
		return false;
	end = strstr(answer, "\r\n\r\n");
	if (!end)
		return false;
	*ret_status = (int)strtol(answer + 9, NULL, 10);
	snprintf(body, bytes, "%s", end + 4);
	return true;
}

struct question {
	const char *address, *path;
	int64_t timeout_us;
	int *ret_status;
	char *body;
	size_t bytes;
};

static int ask_at(const struct addrinfo *one, void *arg)
{
	const struct question *question = arg;
	int fd = socket(one->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0), error;

	if (fd < 0)
		return -1;
	limit_waits(fd, question->timeout_us);
	errno = 0;
	if (connect(fd, one->ai_addr, one->ai_addrlen) == 0 && send_request(fd, question->address, question->path) &&
	    read_answer(fd, question->ret_status, question->body, question->bytes))
		return fd;
	error = errno;
	close(fd);
	errno = error;
	return -1;
}

enum gc_verdict gc_http_get(const char *address, const char *path, int64_t timeout_us, int *ret_status, char *body, size_t bytes,
			    struct gc_err *err)
{
	struct question question = { address, path, timeout_us, ret_status, body, bytes };
	int fd = -1;
	enum gc_verdict verdict = use_first(address, ask_at, &question, &fd, err);

	if (verdict != GC_OK)
		return verdict;
	if (fd < 0)
		return gc_fail(err, GC_RETRY, "no_answer", address, "nobody answers here%s%s", errno ? ": " : "",
			       errno ? strerror(errno) : "");
	close(fd);
	return GC_OK;
}
