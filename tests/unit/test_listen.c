/* Listening and asking: both families on one socket, IPv4 alone where there is no IPv6, and names with several addresses.
 *
 * socket() is this file's, so that the kernel can be one without IPv6.
 */
#include "unit.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <gracecube/time.h>

#include "service/listen.h"

static bool is_six_off;

int socket(int family, int type, int protocol)
{
	if (family == AF_INET6 && is_six_off) {
		errno = EAFNOSUPPORT;
		return -1;
	}
	return (int)syscall(SYS_socket, family, type, protocol);
}

static bool has_six(void)
{
	const struct sockaddr_in6 address = { .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT };
	int fd = socket(AF_INET6, SOCK_STREAM, 0);
	bool has = fd >= 0 && bind(fd, (const struct sockaddr *)&address, sizeof(address)) == 0;
	if (fd >= 0)
		close(fd);
	return has;
}

static int listen_on(const char *address)
{
	struct gc_err err;
	int fd = -1;
	if (gc_listen(address, "http.listen", &fd, &err))
		fail_msg("%s: %s", err.where, err.text);
	return fd;
}

static int port_of(int fd)
{
	struct sockaddr_storage address;
	socklen_t bytes = sizeof(address);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &bytes), 0);
	in_port_t port = address.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&address)->sin6_port
						       : ((struct sockaddr_in *)&address)->sin_port;
	return ntohs(port);
}

/* A child that answers one request. */
static pid_t answer_one(int fd)
{
	static const char answer[] = "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nwell";
	pid_t child = fork();
	if (child != 0)
		return child;
	alarm(10);
	char request[512];
	int client = accept(fd, NULL, NULL);
	bool good = client >= 0 && read(client, request, sizeof(request)) > 0 &&
		    write(client, answer, strlen(answer)) == (ssize_t)strlen(answer);
	_exit(good ? 0 : 1);
}

static void assert_answers(int fd, const char *host)
{
	char address[64], body[64] = "";
	struct gc_err err;
	int status = 0, child_status = 0;
	pid_t child = answer_one(fd);
	snprintf(address, sizeof(address), "%s:%d", host, port_of(fd));
	if (gc_http_get(address, "/readyz", 5 * GC_SECOND_US, &status, body, sizeof(body), &err))
		fail_msg("%s: %s", err.where, err.text);
	assert_int_equal(status, 200);
	assert_string_equal(body, "well");
	assert_int_equal(waitpid(child, &child_status, 0), child);
	assert_int_equal(child_status, 0);
}

static void all_addresses_are_those_of_both_families(void **state)
{
	(void)state;
	int fd = listen_on("[::]:0");
	assert_answers(fd, "127.0.0.1");
	assert_answers(fd, "[::]");
	if (has_six())
		assert_answers(fd, "[::1]");
	close(fd);
}

static void without_six_all_addresses_are_those_of_four(void **state)
{
	(void)state;
	is_six_off = true;
	int fd = listen_on("[::]:0");
	assert_answers(fd, "127.0.0.1");
	assert_answers(fd, "[::]");
	close(fd);
	is_six_off = false;
}

static void every_address_of_a_name_is_tried(void **state)
{
	(void)state;
	int fd = listen_on("127.0.0.1:0");
	assert_answers(fd, "localhost");
	close(fd);
	is_six_off = true;
	close(listen_on("localhost:0"));
	is_six_off = false;
}

static void what_cannot_be_had_is_said(void **state)
{
	(void)state;
	struct gc_err err;
	char address[64];
	int fd = listen_on("127.0.0.1:0"), other = -1, status;
	snprintf(address, sizeof(address), "127.0.0.1:%d", port_of(fd));
	assert_int_equal(gc_listen(address, "http.listen", &other, &err), GC_FATAL);
	assert_string_equal(err.where, address);
	assert_string_equal(err.text, "cannot listen here: Address already in use; choose another address with http.listen");
	close(fd);
	assert_int_equal(gc_http_get(address, "/", GC_SECOND_US, &status, address, 1, &err), GC_RETRY);
	assert_string_equal(err.text, "nobody answers here: Connection refused");
	is_six_off = true;
	assert_int_equal(gc_listen("[::1]:0", "http.listen", &other, &err), GC_FATAL);
	assert_non_null(strstr(err.text, "Address family not supported"));
	is_six_off = false;
	assert_int_equal(gc_listen("no.such.host.invalid:1", "http.listen", &other, &err), GC_FATAL);
	assert_non_null(strstr(err.text, "the address is not known"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_addresses_are_those_of_both_families),
		cmocka_unit_test(without_six_all_addresses_are_those_of_four),
		cmocka_unit_test(every_address_of_a_name_is_tried),
		cmocka_unit_test(what_cannot_be_had_is_said),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
