/* A directory of its own in which a test of the configuration writes its file and where it stands, so that places read "cube.yaml:2:3". */
#ifndef GRACECUBE_TESTS_CONFIG_PLACE_H
#define GRACECUBE_TESTS_CONFIG_PLACE_H

#include <sys/stat.h>
#include <unistd.h>

#include <gracecube/config.h>

#include "../../config/options.h"
#include "suite.h"

static const char *const stream_names[] = { "trigger_events", "action_contracts", NULL };

static char directory[] = "/tmp/test_config.XXXXXX";

static inline void forget_variables(void)
{
	for (char **entry = environ; *entry;) {
		if (strncmp(*entry, "GRACECUBE_", 10) != 0) {
			entry++;
			continue;
		}
		char *name = strndup(*entry, strcspn(*entry, "="));
		unsetenv(name); /* moves the rest of environ down */
		free(name);
	}
}

static inline int enter_directory(void **state)
{
	(void)state;
	forget_variables();
	unsetenv("ABSENT");
	return mkdtemp(directory) && chdir(directory) == 0 ? 0 : -1;
}

static inline int leave_directory(void **state)
{
	(void)state;
	unlink("cube.yaml");
	unlink("password");
	unlink("config/gracecube.yaml");
	rmdir("config");
	return chdir("/") == 0 ? rmdir(directory) : -1;
}

static inline int clear_variables(void **state)
{
	(void)state;
	forget_variables();
	return 0;
}

static inline void write_file(const char *path, const char *bytes, size_t len)
{
	FILE *out = fopen(path, "w");
	assert_non_null(out);
	assert_int_equal(fwrite(bytes, 1, len, out), len);
	assert_int_equal(fclose(out), 0);
}

static inline enum gc_verdict load_text(struct gc_config *ret_config, const char *text, struct gc_err *err)
{
	write_file("cube.yaml", text, strlen(text));
	return gc_config_load(ret_config, "cube.yaml", stream_names, err);
}

/* Loads what must be right. */
static inline struct gc_config load_good(const char *text)
{
	struct gc_config config;
	struct gc_err err = { .verdict = GC_OK };
	if (load_text(&config, text, &err))
		fail_msg("%s: %s", err.where, err.text);
	return config;
}

static inline char *read_whole(const char *path)
{
	FILE *in = fopen(path, "r");
	if (!in)
		fail_msg("%s is not there", path);
	char *text = calloc(1, 100000);
	assert_true(fread(text, 1, 99999, in) > 0);
	fclose(in);
	return text;
}

#endif
