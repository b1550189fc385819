/* Asks an HTTP server: ask PORT TOKEN CLIENTS SECONDS each|mixed [PID…] <paths, one a line
 * each: all clients ask one path for so many seconds, then the next one; mixed: each client asks any of them at random.
 * Prints one JSON object a path: percentiles of the time from a request to the last byte of its answer, and the processor time
 * that these processes took for one answer (with `mixed`: of any path), which other load on the machine hardly changes. An answer that is no 200 fails.
 * Threads: a client is one; what it measured is read after it has ended.
 */
#include <gracecube/arena.h>
#include <gracecube/time.h>
#include <arpa/inet.h>
#include <dirent.h>
#include <inttypes.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define PATHS_MAX 256
#define CLIENTS_MAX 200
#define HEAD_BYTES_MAX 16384

struct sample {
	int path;
	int took_us;
};

struct run {
	char *paths[PATHS_MAX];
	int path_count;
	const char *token;
	uint16_t port;
	double seconds;
	bool mixed;
	int64_t until_us;
	int only; /* the path, -1: all */
	char **pids;
	int pid_count;
	int64_t cpu_ns;
};

struct client {
	pthread_t thread;
	struct run *run;
	unsigned number;
	int fd;
	struct sample *samples;
	size_t count, room;
	char failure[300]; /* "": none */
};

static bool give_up(struct client *client, const char *path, const char *what)
{
	snprintf(client->failure, sizeof(client->failure), "%.200s: %.80s", path, what);
	return false;
}

static bool open_connection(struct client *client)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
				       .sin_port = htons(client->run->port),
				       .sin_addr = { .s_addr = htonl(INADDR_LOOPBACK) } };
	int on = 1;

	client->fd = socket(AF_INET, SOCK_STREAM, 0);
	if (client->fd < 0 || connect(client->fd, (struct sockaddr *)&address, sizeof(address)) != 0)
		return give_up(client, "connect", "refused");
	setsockopt(client->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	return true;
}

static bool send_request(struct client *client, const char *path)
{
	char text[2048];
	int n = snprintf(text, sizeof(text), "GET %s HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer %s\r\n\r\n", path,
			 client->run->token);

	if (n >= (int)sizeof(text) || send(client->fd, text, (size_t)n, MSG_NOSIGNAL) != n)
		return give_up(client, path, "could not be sent");
	return true;
}

/* Length of the headers with the empty line; 0 while that has not come. */
static size_t read_head(struct client *client, char *text, size_t *ret_len)
{
	const char *end = NULL;

	*ret_len = 0;
	while (!end && *ret_len < HEAD_BYTES_MAX - 1) {
		ssize_t n = recv(client->fd, text + *ret_len, HEAD_BYTES_MAX - 1 - *ret_len, 0);

		if (n <= 0)
			return 0;
		*ret_len += (size_t)n;
		text[*ret_len] = '\0';
		end = strstr(text, "\r\n\r\n");
	}
	return end ? (size_t)(end + 4 - text) : 0;
}

static bool skip_body(struct client *client, int64_t bytes)
{
	static _Thread_local char text[65536];

	while (bytes > 0) {
		ssize_t n = recv(client->fd, text, bytes < (int64_t)sizeof(text) ? (size_t)bytes : sizeof(text), 0);

		if (n <= 0)
			return false;
		bytes -= n;
	}
	return true;
}

static bool read_answer(struct client *client, const char *path)
{
	char head[HEAD_BYTES_MAX];
	const char *length;
	size_t len, end = read_head(client, head, &len);

	if (end == 0)
		return give_up(client, path, "no answer");
	if (strncmp(head, "HTTP/1.1 200 ", 13) != 0)
		return give_up(client, path, head);
	length = strcasestr(head, "\r\ncontent-length:");
	if (!length || !skip_body(client, strtoll(length + 17, NULL, 10) - (int64_t)(len - end)))
		return give_up(client, path, "the answer broke off");
	return true;
}

static void keep(struct client *client, int path, int64_t took_us)
{
	if (client->count == client->room) {
		client->room = client->room ? client->room * 2 : 1024;
		client->samples = gc_realloc(client->samples, client->room * sizeof(*client->samples));
	}
	client->samples[client->count++] = (struct sample){ path, (int)took_us };
}

static bool ask(struct client *client, int path)
{
	int64_t begun = gc_monotonic_us();

	if (!send_request(client, client->run->paths[path]) || !read_answer(client, client->run->paths[path]))
		return false;
	keep(client, path, gc_monotonic_us() - begun);
	return true;
}

static void *run_client(void *argument)
{
	struct client *client = argument;
	struct run *run = client->run;
	unsigned seed = client->number + 1;

	if (!open_connection(client))
		return NULL;
	do {
		int path = run->only >= 0 ? run->only : rand_r(&seed) % run->path_count;

		if (!ask(client, path))
			break;
	} while (gc_monotonic_us() < run->until_us);
	close(client->fd);
	return NULL;
}

/* ---- processor time ---- */

static int64_t cpu_of_thread(const char *pid, const char *thread)
{
	char path[300];
	int64_t ns = 0;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%.20s/task/%.20s/schedstat", pid, thread);
	file = fopen(path, "re");
	if (!file)
		return 0;
	if (fscanf(file, "%" SCNd64, &ns) != 1)
		ns = 0;
	fclose(file);
	return ns;
}

static int64_t cpu_of(const char *pid)
{
	char path[100];
	const struct dirent *entry;
	int64_t ns = 0;
	DIR *threads;

	snprintf(path, sizeof(path), "/proc/%.20s/task", pid);
	threads = opendir(path);
	while (threads && (entry = readdir(threads)))
		ns += *entry->d_name == '.' ? 0 : cpu_of_thread(pid, entry->d_name);
	if (threads)
		closedir(threads);
	return ns;
}

static int64_t cpu_of_all(const struct run *run)
{
	int64_t ns = 0;

	for (int i = 0; i < run->pid_count; i++)
		ns += cpu_of(run->pids[i]);
	return ns;
}

/* ---- asking ---- */

static bool ask_together(struct run *run, struct client *clients, int count, int only)
{
	bool is_good = true;

	run->only = only;
	run->cpu_ns = -cpu_of_all(run);
	run->until_us = gc_monotonic_us() + (int64_t)(run->seconds * 1e6);
	for (int i = 0; i < count; i++) {
		clients[i] = (struct client){ .run = run, .number = (unsigned)i };
		if (pthread_create(&clients[i].thread, NULL, run_client, &clients[i]) != 0)
			abort();
	}
	for (int i = 0; i < count; i++) {
		pthread_join(clients[i].thread, NULL);
		if (*clients[i].failure) {
			fprintf(stderr, "%s\n", clients[i].failure);
			is_good = false;
		}
	}
	run->cpu_ns += cpu_of_all(run);
	return is_good;
}

static int by_time(const void *a, const void *b)
{
	return *(const int *)a - *(const int *)b;
}

static void print_path(const struct run *run, const struct client *clients, int count, int path)
{
	size_t n = 0, room = 0;
	int *times;

	for (int i = 0; i < count; i++)
		room += clients[i].count;
	times = gc_calloc(room + 1, sizeof(*times));
	for (int i = 0; i < count; i++) {
		for (size_t s = 0; s < clients[i].count; s++) {
			if (clients[i].samples[s].path == path)
				times[n++] = clients[i].samples[s].took_us;
		}
	}
	qsort(times, n, sizeof(*times), by_time);
	if (n)
		printf("{\"path\": \"%s\", \"requests\": %zu, \"p50_ms\": %.2f, \"p95_ms\": %.2f, \"max_ms\": %.2f, \"cpu_ms\": %.2f}\n",
		       run->paths[path], n, times[n / 2] / 1e3, times[n * 95 / 100] / 1e3, times[n - 1] / 1e3,
		       (double)run->cpu_ns / 1e6 / (double)(run->only < 0 ? room : n));
	free(times);
}

static void free_samples(struct client *clients, int count)
{
	for (int i = 0; i < count; i++)
		free(clients[i].samples);
}

static bool ask_each(struct run *run, struct client *clients, int count)
{
	bool is_good = true;

	for (int path = 0; path < run->path_count; path++) {
		is_good &= ask_together(run, clients, count, path);
		print_path(run, clients, count, path);
		free_samples(clients, count);
	}
	return is_good;
}

static bool ask_mixed(struct run *run, struct client *clients, int count)
{
	bool is_good = ask_together(run, clients, count, -1);

	for (int path = 0; path < run->path_count; path++)
		print_path(run, clients, count, path);
	free_samples(clients, count);
	return is_good;
}

static void read_paths(struct run *run)
{
	char line[2048];

	while (run->path_count < PATHS_MAX && fgets(line, sizeof(line), stdin)) {
		line[strcspn(line, "\n")] = '\0';
		if (*line)
			run->paths[run->path_count++] = strdup(line);
	}
}

int main(int argc, char **argv)
{
	static struct client clients[CLIENTS_MAX];
	struct run run = { .only = -1 };
	int count;
	bool is_good;

	if (argc < 6) {
		fputs("usage: ask PORT TOKEN CLIENTS SECONDS each|mixed [PID…] <PATHS\n", stderr);
		return 2;
	}
	run.port = (uint16_t)strtoul(argv[1], NULL, 10);
	run.token = argv[2];
	count = (int)strtol(argv[3], NULL, 10);
	count = count < 1 ? 1 : count > CLIENTS_MAX ? CLIENTS_MAX : count;
	run.seconds = strtod(argv[4], NULL);
	run.pids = argv + 6;
	run.pid_count = argc - 6;
	run.mixed = strcmp(argv[5], "mixed") == 0;
	read_paths(&run);
	is_good = run.path_count > 0 && (run.mixed ? ask_mixed : ask_each)(&run, clients, count);
	for (int i = 0; i < run.path_count; i++)
		free(run.paths[i]);
	return is_good ? 0 : 1;
}
