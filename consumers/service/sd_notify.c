/* See sd_notify.h. Threads: safe from any thread. */
#include "service/sd_notify.h"

#include <gracecube/span.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

void gc_notify(const char *state)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	size_t length = path ? strlen(path) : 0;
	int fd;

	if (length < 2 || length >= sizeof(address.sun_path) || (*path != '/' && *path != '@'))
		return;
	memcpy(address.sun_path, path, length);
	if (*path == '@')
		address.sun_path[0] = '\0'; /* a name of the kernel's own, not of the file system */
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return;
	sendto(fd, state, strlen(state), MSG_NOSIGNAL | MSG_DONTWAIT, (const struct sockaddr *)&address,
	       (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length));
	close(fd);
}

static bool is_for_us(const char *pid)
{
	int64_t number;

	return !pid || (gc_span_int64(gc_span_of(pid), &number) && number == getpid());
}

int64_t gc_notify_interval_us(void)
{
	const char *us = getenv("WATCHDOG_USEC");
	int64_t number;

	if (!us || !is_for_us(getenv("WATCHDOG_PID")) || !gc_span_int64(gc_span_of(us), &number))
		return 0;
	return number / 2;
}
