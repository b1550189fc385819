/* Probes: see probes.h.
 *
 * Threads: the server has one, which shares nothing but what the answers share.
 */
#include <gracecube/arena.h>
#include <gracecube/log.h>
#include <gracecube/probes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h> /* microhttpd.h needs it */
#include <microhttpd.h>
#include <unistd.h>

#define CONNECTIONS_MAX 32
#define CONNECTION_TIMEOUT_S 10

struct gc_probes {
	struct MHD_Daemon *daemon;
	const struct gc_probe *table;
	void *arg;
};

static const struct gc_probe *find(const struct gc_probe *table, const char *path)
{
	while (table->path && strcmp(table->path, path) != 0)
		table++;
	return table->path ? table : NULL;
}

/* Takes the body. */
static enum MHD_Result send_text(struct MHD_Connection *connection, unsigned status, const char *type, char *body, size_t length)
{
	struct MHD_Response *response = MHD_create_response_from_buffer(length, body, MHD_RESPMEM_MUST_FREE);
	enum MHD_Result result;

	MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type);
	MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
	if (status == MHD_HTTP_METHOD_NOT_ALLOWED)
		MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, "GET, HEAD");
	result = MHD_queue_response(connection, status, response);
	MHD_destroy_response(response);
	return result;
}

static enum MHD_Result refuse(struct MHD_Connection *connection, unsigned status, const char *text)
{
	return send_text(connection, status, GC_PROBE_TEXT, gc_strdup(text), strlen(text));
}

static enum MHD_Result answer(void *arg, struct MHD_Connection *connection, const char *path, const char *method,
			      const char *version, const char *upload, size_t *upload_bytes, void **state)
{
	const struct gc_probes *probes = arg;
	const struct gc_probe *probe = find(probes->table, path);
	/* "?verbose" has no value, so it is looked for among the names */
	bool verbose = MHD_get_connection_values(connection, MHD_GET_ARGUMENT_KIND, NULL, NULL) > 0;
	char *body = NULL;
	size_t length = 0;
	unsigned status;
	FILE *out;

	(void)version;
	(void)upload;
	(void)state;
	if (!probe)
		return refuse(connection, MHD_HTTP_NOT_FOUND, "there is /livez, /readyz and /metrics\n");
	if (strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0) {
		*upload_bytes = 0;
		return refuse(connection, MHD_HTTP_METHOD_NOT_ALLOWED, "only GET and HEAD\n");
	}
	out = open_memstream(&body, &length);
	if (!out)
		return MHD_NO;
	status = probe->answer(probes->arg, verbose, out) ? MHD_HTTP_OK : MHD_HTTP_SERVICE_UNAVAILABLE;
	fclose(out);
	return send_text(connection, status, probe->type, body, length);
}

enum gc_verdict gc_probes_start(int take_listen_fd, const char *option, const char *address, const struct gc_probe *probes,
				void *arg, struct gc_probes **ret_probes, struct gc_err *err)
{
	struct gc_probes *p = gc_calloc(1, sizeof(*p));

	p->table = probes;
	p->arg = arg;
	p->daemon = MHD_start_daemon(MHD_USE_AUTO_INTERNAL_THREAD, 0, NULL, NULL, answer, p, MHD_OPTION_LISTEN_SOCKET,
				     take_listen_fd, MHD_OPTION_CONNECTION_LIMIT, (unsigned)CONNECTIONS_MAX,
				     MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)CONNECTION_TIMEOUT_S, MHD_OPTION_END);
	if (!p->daemon) {
		close(take_listen_fd);
		free(p);
		return gc_fail(err, GC_FATAL, option, address, "the HTTP server does not start");
	}
	*ret_probes = p;
	gc_info("probes and metrics are served", GC_S("address", address));
	return GC_OK;
}

void gc_probes_stop(struct gc_probes *probes)
{
	if (!probes)
		return;
	MHD_stop_daemon(probes->daemon);
	free(probes);
}
