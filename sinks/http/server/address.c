/* Where the server is reached, and with which certificate: what must hold before it starts.
 *
 * Threads: the one that starts it.
 */
#include "http/server/server.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>

static enum gc_verdict read_pem(const char *path, const char *option, char **ret_text, struct gc_err *err)
{
	struct gc_text text = { NULL, 0, 0 };
	char bytes[4096];
	size_t n;
	FILE *file = fopen(path, "re");

	if (!file)
		return gc_fail(err, GC_FATAL, "tls", option, "%s cannot be read: %s", path, strerror(errno));
	while (text.len < 1024 * 1024 && (n = fread(bytes, 1, sizeof(bytes), file)) > 0)
		gc_text_add(&text, (struct gc_span){ bytes, n });
	fclose(file);
	if (!text.ptr || !strstr(text.ptr, "-----BEGIN ")) {
		gc_text_done(&text);
		return gc_fail(err, GC_FATAL, "tls", option, "%s holds no PEM", path);
	}
	*ret_text = text.ptr;
	return GC_OK;
}

enum gc_verdict gc_serve_certificate(struct gc_serve *serve, struct gc_err *err)
{
	const struct gc_config *config = &serve->config;
	enum gc_verdict verdict;

	if (!*config->serve_tls_certificate && !*config->serve_tls_key)
		return GC_OK;
	if (!*config->serve_tls_certificate || !*config->serve_tls_key)
		return gc_fail(err, GC_FATAL, "tls", "serve.tls_key", "TLS needs both serve.tls_certificate and serve.tls_key");
	verdict = read_pem(config->serve_tls_certificate, "serve.tls_certificate", &serve->certificate, err);
	if (verdict == GC_OK)
		verdict = read_pem(config->serve_tls_key, "serve.tls_key", &serve->key, err);
	return verdict;
}

static bool is_loopback(const struct sockaddr_storage *address)
{
	const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)address;

	if (address->ss_family == AF_INET)
		return ntohl(((const struct sockaddr_in *)address)->sin_addr.s_addr) >> 24 == 127;
	return address->ss_family == AF_INET6 && IN6_IS_ADDR_LOOPBACK(&six->sin6_addr);
}

/* Tokens in clear text are for this machine only. */
enum gc_verdict gc_serve_find_address(struct gc_serve *serve, int fd, struct gc_err *err)
{
	struct sockaddr_storage address;
	socklen_t bytes = sizeof(address);
	char host[80] = "", port[12] = "";
	bool is_tls = serve->certificate, is_six;

	if (getsockname(fd, (struct sockaddr *)&address, &bytes) != 0)
		return gc_fail(err, GC_FATAL, "listen", "serve.listen", "%s", strerror(errno));
	getnameinfo((struct sockaddr *)&address, bytes, host, sizeof(host), port, sizeof(port), NI_NUMERICHOST | NI_NUMERICSERV);
	is_six = strchr(host, ':');
	snprintf(serve->address, sizeof(serve->address), "%s://%s%s%s:%s", is_tls ? "https" : "http", is_six ? "[" : "", host,
		 is_six ? "]" : "", port);
	if (!is_tls && !is_loopback(&address) && !serve->config.serve_allow_plain)
		return gc_fail(
			err, GC_FATAL, "plain_http", "serve.listen",
			"%s can be reached from other machines, and tokens would travel in clear text: give serve.tls_certificate and "
			"serve.tls_key, or, behind a proxy that does TLS, serve.allow_plain=true",
			serve->address);
	return GC_OK;
}
