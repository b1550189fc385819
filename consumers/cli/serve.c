/* `gracecube serve`: the API and the dashboard. Threads: the main thread waits for a signal; see gracecube/serve.h for the others. */
#include "cli/command.h"
#include "service/listen.h"
#include "service/sd_notify.h"
#include <gracecube/stop.h>
#include <unistd.h>

#include <gracecube/serve.h>

#define WATCH_US (50 * 1000)

/* A second process on a machine finds the default address taken, and runs without probes. An address that was configured must be free: else
 * another process would answer the probes of this one. */
static enum gc_verdict listen_for_probes(const struct gc_config *config, int *ret_fd, struct gc_err *err)
{
	const char *address = config->serve_probes_listen;
	enum gc_verdict verdict;

	if (*address == '\0')
		return GC_OK;
	verdict = gc_listen(address, GC_PROBES_OPTION, ret_fd, err);
	if (verdict == GC_OK || strcmp(err->code, GC_PROBES_OPTION) != 0 || strcmp(address, GC_PROBES_LISTEN_DEFAULT) != 0)
		return verdict;
	gc_warn("no probes and metrics of this process on an address of their own", GC_ERR_FIELDS(err));
	return GC_OK;
}

static enum gc_verdict start(const struct gc_config *config, struct gc_serve **ret_serve, struct gc_err *err)
{
	int fd = -1, probes_fd = -1;
	enum gc_verdict verdict = gc_listen(config->serve_listen, "serve.listen", &fd, err);

	if (verdict == GC_OK)
		verdict = listen_for_probes(config, &probes_fd, err);
	if (verdict == GC_OK)
		return gc_serve_start(config, fd, probes_fd, ret_serve, err);
	if (fd >= 0)
		close(fd);
	return verdict;
}

static int serve(struct gc_command_line *line)
{
	struct gc_config config;
	struct gc_err err = { .verdict = GC_OK };
	struct gc_serve *server = NULL;
	enum gc_verdict verdict;

	if (gc_command_config(line, &config, &err) != GC_OK)
		return gc_command_fail(&err);
	gc_stop_on_signals(config.run_shutdown_timeout_us);
	verdict = start(&config, &server, &err);
	if (verdict == GC_OK) {
		gc_info("serving", GC_S("version", GRACECUBE_VERSION), GC_S("address", gc_serve_address(server)));
		gc_notify("READY=1\nSTATUS=serving");
		while (!gc_stop_was_asked())
			gc_sleep_us(WATCH_US);
		gc_notify("STOPPING=1");
		gc_info("stopping");
		gc_serve_stop(server);
	}
	gc_config_free(&config);
	return verdict == GC_OK ? GC_EXIT_DONE : gc_command_fail(&err);
}

const struct gc_command gc_command_serve = {
	.name = "serve",
	.summary = "answers over HTTP: the API and the dashboard",
	.usage = "serve [options]",
	.help = "Examples:\n"
		"  gracecube serve                                           http://127.0.0.1:8080/\n"
		"  gracecube serve -s serve.listen=0.0.0.0:8443 -s serve.tls_certificate=cert.pem -s serve.tls_key=key.pem\n"
		"  curl -H \"Authorization: Bearer $TOKEN\" 'http://127.0.0.1:8080/api/cube/metrics/verification-success-rate?days=7'\n"
		"\n"
		"Answers come from the views of the cube, as JSON or, with format=csv, as CSV; /api/openapi.json describes them. Every answer\n"
		"says by X-Cube-As-Of and X-Cube-Records which commit it is of. Whoever asks needs a token: `gracecube token create`.\n"
		"It listens on this machine only unless told otherwise, and then wants TLS: by serve.tls_certificate and serve.tls_key, or\n"
		"by a proxy before it (serve.allow_plain=true). The database's user must be a member of the role gracecube_api, or own the\n"
		"cube. While the database is away it answers 503, and heals by itself.\n"
		"serve.probes_listen answers /livez, /readyz and /metrics without a token, on an address that users of the API need not reach.\n"
		"\n"
		"Exit codes: 0 told to stop; 78 configuration is wrong, or the address is taken.\n",
	.run = serve,
};
