/* Secrets: what is one, how a text looks without it, and the password file.
 *
 * Masking rather hides too much than too little. Threads: no shared state.
 */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <gracecube/arena.h>

#include "options.h"

#define MASK "***"
#define PASSWORD_BYTES_MAX 4096

static bool ends_with(const char *text, size_t len, const char *end)
{
	size_t end_len = strlen(end);
	return len >= end_len && strncasecmp(text + len - end_len, end, end_len) == 0;
}

static bool contains(const char *text, size_t len, const char *lower)
{
	return gc_span_contains_nocase((struct gc_span){ text, len }, gc_span_of(lower));
}

static bool is_secret(const char *name, size_t len)
{
	/* password_file, ssl.key.location: where a secret is, not what it is */
	if (ends_with(name, len, "file") || ends_with(name, len, ".location"))
		return false;
	return contains(name, len, "password") || contains(name, len, "passwd") || contains(name, len, "secret") ||
	       contains(name, len, "jaas.config") || contains(name, len, "oauthbearer.config") || ends_with(name, len, "key.pem");
}

bool gc_secret_name(const char *name)
{
	return is_secret(name, strlen(name));
}

/* Where the password in user:password@host ends, or NULL. The last @ counts: an unescaped one may be in a password. */
static const char *userinfo_end(const char *authority)
{
	const char *end = NULL;
	for (const char *at = authority; *at && !isspace((unsigned char)*at); at++)
		if (*at == '@')
			end = at;
	return end;
}

/* Past the value of a key: a quoted one to its closing quote, else to a blank or &. A backslash protects what follows
 * (conninfo strings). After a colon (YAML) all the rest of the line may be the value. */
static const char *skip_value(const char *at, char separator)
{
	if (separator == ':')
		return at + strcspn(at, "\n");
	char quote = *at == '\'' || *at == '"' ? *at : '\0';
	for (at += quote != '\0'; *at; at++) {
		if (*at == '\\' && at[1])
			at++;
		else if (quote ? *at == quote : isspace((unsigned char)*at) || *at == '&')
			break;
	}
	return quote && *at ? at + 1 : at;
}

static size_t key_length(const char *at)
{
	size_t len = 0;
	while (isalnum((unsigned char)at[len]) || (at[len] && strchr("_.-%", at[len])))
		len++;
	return len;
}

/* If a secret's key starts here: where its value starts. */
static const char *secret_value(const char *at, size_t key_len, char *ret_separator)
{
	const char *after = at + key_len;
	after += *after == '"' || *after == '\'';
	after += strspn(after, " \t");
	/* libpq decodes %70assword in a URI, so a key with a % may be anything. */
	bool hidden = *after == '=' && memchr(at, '%', key_len);
	if ((*after != '=' && *after != ':') || !(hidden || is_secret(at, key_len)))
		return NULL;
	*ret_separator = *after++;
	return after + strspn(after, " \t");
}

/* mask_*: write what stands at `at` without its secret and return what comes next. */
static const char *mask_userinfo(const char *at, FILE *out)
{
	const char *authority = at + strlen("://"), *end = userinfo_end(authority);
	const char *colon = end ? memchr(authority, ':', (size_t)(end - authority)) : NULL;
	if (!colon)
		end = colon = authority;
	fwrite(at, 1, (size_t)(colon - at), out);
	if (end != colon)
		fputs(":" MASK, out);
	return end;
}

static const char *mask_key(const char *at, size_t key_len, FILE *out)
{
	char separator = '\0';
	const char *value = secret_value(at, key_len, &separator);
	fwrite(at, 1, value ? (size_t)(value - at) : key_len, out);
	if (!value)
		return at + key_len;
	fputs(MASK, out);
	return skip_value(value, separator);
}

char *gc_secret_mask(const char *text)
{
	char *masked = NULL;
	size_t bytes;
	FILE *out = gc_text_open(&masked, &bytes);
	while (*text) {
		size_t key_len = key_length(text);
		if (key_len)
			text = mask_key(text, key_len, out);
		else if (strncmp(text, "://", 3) == 0)
			text = mask_userinfo(text, out);
		else
			fputc(*text++, out);
	}
	fclose(out);
	return masked;
}

/* -- the password files -- */

struct secret_file {
	const char *option, *path;
};

static enum gc_verdict fail_file(const struct secret_file *file, const char *code, const char *problem, struct gc_err *err)
{
	return gc_fail(err, GC_FATAL, code, file->path, "%s %s", file->option, problem);
}

/* systemd and Kubernetes hand secrets over as root's files that our group, or an access list shown as its rights, may read. */
static bool is_handed_by_root(const struct stat *status)
{
	return status->st_uid == 0 && geteuid() != 0;
}

/* As libpq does it with .pgpass: a secret that others can read is no secret. */
static enum gc_verdict check_mode(const struct secret_file *file, int fd, struct gc_err *err)
{
	struct stat status;
	if (fstat(fd, &status) || !S_ISREG(status.st_mode))
		return fail_file(file, "config_unreadable", "is no plain file", err);
	if (status.st_mode & (is_handed_by_root(&status) ? 037 : 077))
		return fail_file(file, "config_secret", "can be read by others; its mode must be 0600 or stricter", err);
	return GC_OK;
}

static enum gc_verdict read_password(const struct secret_file *file, int fd, char **ret_password, struct gc_err *err)
{
	char *buffer = gc_calloc(1, PASSWORD_BYTES_MAX + 1);
	size_t len = 0;
	ssize_t got;
	while ((got = read(fd, buffer + len, PASSWORD_BYTES_MAX - len)) > 0)
		len += (size_t)got;
	buffer[strcspn(buffer, "\r\n")] = '\0';
	if (got < 0 || *buffer == '\0' || strlen(buffer) == PASSWORD_BYTES_MAX) {
		explicit_bzero(buffer, PASSWORD_BYTES_MAX);
		free(buffer);
		return fail_file(file, "config_unreadable", "must hold a password in its first line", err);
	}
	*ret_password = buffer;
	return GC_OK;
}

static enum gc_verdict read_file(const struct secret_file *file, char **ret_password, struct gc_err *err)
{
	if (!file->path || *file->path == '\0') {
		*ret_password = NULL;
		return GC_OK;
	}
	int fd = open(file->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return gc_fail(err, GC_FATAL, "config_unreadable", file->path, "%s cannot be opened: %s", file->option,
			       strerror(errno));
	enum gc_verdict verdict = check_mode(file, fd, err);
	if (!verdict)
		verdict = read_password(file, fd, ret_password, err);
	close(fd);
	return verdict;
}

enum gc_verdict gc_config_password(const struct gc_config *config, char **ret_password, struct gc_err *err)
{
	return read_file(&(struct secret_file){ "postgres.password_file", config->postgres_password_file }, ret_password, err);
}

enum gc_verdict gc_config_kafka_password(const struct gc_config *config, char **ret_password, struct gc_err *err)
{
	return read_file(&(struct secret_file){ "kafka.password_file", config->kafka_password_file }, ret_password, err);
}
