/* Connections of clients: how many an address may have, and how long one may take to say what it wants.
 *
 * libmicrohttpd ends a connection that is idle; one that sends a byte now and then is not, and a thousand of those would keep everybody
 * else out. So each has a deadline for the whole of its request, from the moment at which it was accepted, and one for taking the
 * answer. Between requests of one connection, and while an answer is made, the limits of libmicrohttpd and of the database hold.
 * An address is that of a house, not of a machine: of IPv6 the first 64 bits count. This machine's own addresses have no limit: a proxy
 * comes from there.
 * Threads: the HTTP thread adds, takes away and sets deadlines; one thread looks at them once a second. All under the lock, so that a
 * socket is never shut down after its number was given to another.
 */
#include "http/server/server.h"

#include <gracecube/arena.h>
#include <netinet/in.h>
#include <sys/socket.h>

#define REQUEST_LIMIT_US (10 * GC_SECOND_US)
/* A page that keeps its connection is idle first, for no longer than libmicrohttpd allows. */
#define NEXT_REQUEST_LIMIT_US (GC_IDLE_SECONDS_MAX * GC_SECOND_US + REQUEST_LIMIT_US)
#define ANSWER_LIMIT_US (10 * GC_MINUTE_US)
#define DEADLINE_CHECK_US GC_SECOND_US
#define CHAINS 1024
#define ADDRESS_BYTES 16

struct connection {
	struct connection *next, **here;
	unsigned char address[ADDRESS_BYTES];
	int64_t until_us; /* monotonic; 0: none */
	int fd;
};

struct gc_connections {
	struct gc_serve *serve;
	struct gc_thread thread;
	pthread_mutex_t lock;              /* of the chains */
	struct connection *chains[CHAINS]; /* by address */
};

/* ---- addresses ---- */

/* IPv4 as IPv6 has it; the interface part of IPv6 is zeros. False when it is this machine's own. */
static bool read_address(const struct sockaddr *address, unsigned char ret_key[ADDRESS_BYTES])
{
	struct in6_addr six = IN6ADDR_LOOPBACK_INIT;

	if (address && address->sa_family == AF_INET6)
		six = ((const struct sockaddr_in6 *)(const void *)address)->sin6_addr;
	if (address && address->sa_family == AF_INET) {
		memset(&six, 0, sizeof(six));
		six.s6_addr[10] = six.s6_addr[11] = 0xFF;
		memcpy(&six.s6_addr[12], &((const struct sockaddr_in *)(const void *)address)->sin_addr, 4);
	}
	memcpy(ret_key, &six, ADDRESS_BYTES);
	if (IN6_IS_ADDR_V4MAPPED(&six))
		return six.s6_addr[12] != 127;
	memset(ret_key + 8, 0, 8);
	return !IN6_IS_ADDR_LOOPBACK(&six);
}

static struct connection **chain_of(struct gc_connections *connections, const unsigned char *address)
{
	return &connections->chains[gc_span_hash((struct gc_span){ (const char *)address, ADDRESS_BYTES }) % CHAINS];
}

static int64_t count_of(struct gc_connections *connections, const unsigned char *address)
{
	int64_t count = 0;

	pthread_mutex_lock(&connections->lock);
	for (struct connection *c = *chain_of(connections, address); c; c = c->next)
		count += memcmp(c->address, address, ADDRESS_BYTES) == 0;
	pthread_mutex_unlock(&connections->lock);
	return count;
}

enum MHD_Result gc_connections_admit(void *argument, const struct sockaddr *address, socklen_t bytes)
{
	struct gc_serve *serve = argument;
	int64_t most = serve->config.serve_clients_per_address;
	unsigned char key[ADDRESS_BYTES];

	(void)bytes;
	if (!read_address(address, key) || most == 0 || count_of(serve->connections, key) < most)
		return MHD_YES;
	atomic_fetch_add(&serve->counters.limited[GC_LIMIT_ADDRESS], 1);
	return MHD_NO;
}

/* ---- coming and going ---- */

static struct connection *add(struct gc_connections *connections, struct MHD_Connection *mhd)
{
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
	struct connection *c = gc_calloc(1, sizeof(*c));

	/* one answer at a time: from libmicrohttpd 1.0 on all of a connection are one and the same union */
	read_address(info ? info->client_addr : NULL, c->address);
	info = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD);
	c->fd = info ? info->connect_fd : -1;
	c->until_us = gc_monotonic_us() + REQUEST_LIMIT_US;
	pthread_mutex_lock(&connections->lock);
	c->here = chain_of(connections, c->address);
	c->next = *c->here;
	if (c->next)
		c->next->here = &c->next;
	*c->here = c;
	pthread_mutex_unlock(&connections->lock);
	return c;
}

static void take_away(struct gc_connections *connections, struct connection *c)
{
	pthread_mutex_lock(&connections->lock);
	*c->here = c->next;
	if (c->next)
		c->next->here = c->here;
	pthread_mutex_unlock(&connections->lock);
	free(c);
}

void gc_connections_notify(void *argument, struct MHD_Connection *mhd, void **context, enum MHD_ConnectionNotificationCode what)
{
	struct gc_serve *serve = argument;

	if (what == MHD_CONNECTION_NOTIFY_STARTED)
		*context = add(serve->connections, mhd);
	else if (*context)
		take_away(serve->connections, *context);
}

void gc_connections_expect(struct gc_serve *serve, struct MHD_Connection *mhd, enum gc_expected expected)
{
	static const int64_t limits_us[] = {
		[GC_EXPECT_NOTHING] = 0, [GC_EXPECT_REQUEST] = NEXT_REQUEST_LIMIT_US, [GC_EXPECT_TAKING] = ANSWER_LIMIT_US
	};
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
	struct connection *c = info ? info->socket_context : NULL;

	if (!c)
		return;
	pthread_mutex_lock(&serve->connections->lock);
	c->until_us = limits_us[expected] ? gc_monotonic_us() + limits_us[expected] : 0;
	pthread_mutex_unlock(&serve->connections->lock);
}

/* ---- deadlines ---- */

/* The HTTP thread finds the socket at its end, and does the rest. */
static int64_t end_late(struct connection *first, int64_t now)
{
	int64_t count = 0;

	for (struct connection *c = first; c; c = c->next) {
		if (c->until_us == 0 || c->until_us > now)
			continue;
		shutdown(c->fd, SHUT_RDWR);
		c->until_us = 0;
		count++;
	}
	return count;
}

static void *watch(void *argument)
{
	struct gc_connections *connections = argument;
	int64_t late = 0;

	while (gc_thread_wait(&connections->thread, DEADLINE_CHECK_US)) {
		pthread_mutex_lock(&connections->lock);
		for (size_t i = 0; i < CHAINS; i++)
			late += end_late(connections->chains[i], gc_monotonic_us());
		pthread_mutex_unlock(&connections->lock);
		atomic_fetch_add(&connections->serve->counters.limited[GC_LIMIT_DEADLINE], late);
		late = 0;
	}
	return NULL;
}

struct gc_connections *gc_connections_start(struct gc_serve *serve)
{
	struct gc_connections *connections = gc_calloc(1, sizeof(*connections));

	connections->serve = serve;
	pthread_mutex_init(&connections->lock, NULL);
	gc_thread_start(&connections->thread, watch, connections);
	return connections;
}

void gc_connections_stop(struct gc_connections *connections)
{
	if (!connections)
		return;
	gc_thread_stop(&connections->thread);
	pthread_mutex_destroy(&connections->lock);
	free(connections);
}
