/* A disk that is full, or broken, for a server of the tests: preloaded into PostgreSQL, it refuses to let files of tables grow while a file says
 * which errno is to be had. What is there can be overwritten, as on a disk that is full.
 *
 *     cc -shared -fPIC -o full_disk.so full_disk.c -ldl
 *     LD_PRELOAD=$PWD/full_disk.so FULL_DISK_FILE=$PWD/errno pg_ctl start …     echo 28 >errno
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

/* 0: all is well. */
static int errno_told(void)
{
	const char *path = getenv("FULL_DISK_FILE");
	int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1, number = 0;
	char text[16] = "";

	if (fd < 0)
		return 0;
	if (read(fd, text, sizeof(text) - 1) > 0)
		number = (int)strtol(text, NULL, 10);
	close(fd);
	return number;
}

static int is_table(int fd)
{
	char link[64], path[512] = "";

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	return readlink(link, path, sizeof(path) - 1) > 0 && strstr(path, "/base/");
}

/* Of a write that makes the file longer. */
static int refused(int fd, off_t end)
{
	struct stat about;
	int number;

	if (!is_table(fd) || fstat(fd, &about) != 0 || end <= about.st_size || (number = errno_told()) == 0)
		return 0;
	errno = number;
	return number;
}

static off_t sum_of(const struct iovec *parts, int count)
{
	off_t sum = 0;

	for (int i = 0; i < count; i++)
		sum += (off_t)parts[i].iov_len;
	return sum;
}

#define REAL(name) __typeof__(&name) real = (__typeof__(&name))dlsym(RTLD_NEXT, #name)

ssize_t pwrite(int fd, const void *bytes, size_t count, off_t at)
{
	REAL(pwrite);

	return refused(fd, at + (off_t)count) ? -1 : real(fd, bytes, count, at);
}

ssize_t pwrite64(int fd, const void *bytes, size_t count, off_t at)
{
	REAL(pwrite64);

	return refused(fd, at + (off_t)count) ? -1 : real(fd, bytes, count, at);
}

ssize_t pwritev(int fd, const struct iovec *parts, int count, off_t at)
{
	REAL(pwritev);

	return refused(fd, at + sum_of(parts, count)) ? -1 : real(fd, parts, count, at);
}

ssize_t pwritev64(int fd, const struct iovec *parts, int count, off_t at)
{
	REAL(pwritev64);

	return refused(fd, at + sum_of(parts, count)) ? -1 : real(fd, parts, count, at);
}

int posix_fallocate(int fd, off_t at, off_t count)
{
	REAL(posix_fallocate);
	int number = refused(fd, at + count);

	return number ? number : real(fd, at, count);
}

int posix_fallocate64(int fd, off_t at, off_t count)
{
	REAL(posix_fallocate64);
	int number = refused(fd, at + count);

	return number ? number : real(fd, at, count);
}
