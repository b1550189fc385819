/* How tests run a command as its user would, and catch what it prints. */
#ifndef GRACECUBE_TESTS_COMMAND_RUN_H
#define GRACECUBE_TESTS_COMMAND_RUN_H

#include <unistd.h>

#include "cli/command.h"
#include "suite.h"

#define WORDS_MAX 32

/* Cuts "try --count 3" at its blanks; the words live as long as `text`. */
static inline int cut_words(char *text, char **words)
{
	int count = 0;
	words[count++] = strdup("gracecube");
	for (char *word = strsep(&text, " "); word; word = strsep(&text, " ")) {
		assert_true(count < WORDS_MAX - 1);
		if (*word)
			words[count++] = word;
	}
	words[count] = NULL;
	return count;
}

struct capture {
	FILE *file;
	int fd, saved;
};

static inline struct capture start_capture(int fd)
{
	struct capture capture = { tmpfile(), fd, dup(fd) };
	assert_non_null(capture.file);
	fflush(stdout);
	assert_true(dup2(fileno(capture.file), fd) >= 0);
	return capture;
}

static inline char *end_capture(struct capture *capture)
{
	char *text = calloc(1, 100000);
	fflush(stdout);
	assert_true(dup2(capture->saved, capture->fd) >= 0);
	close(capture->saved);
	rewind(capture->file);
	text[fread(text, 1, 99999, capture->file)] = '\0';
	fclose(capture->file);
	return text;
}

/* Runs it all; what came out on both sides is malloc'ed. */
static inline int run_main(const struct gc_command *const *table, const char *text, char **ret_out, char **ret_messages)
{
	char *copy = strdup(text), *words[WORDS_MAX];
	int count = cut_words(copy, words);
	struct capture out = start_capture(STDOUT_FILENO), messages = start_capture(STDERR_FILENO);
	int code = gc_command_main(table, count, words);
	*ret_messages = end_capture(&messages);
	*ret_out = end_capture(&out);
	free(words[0]);
	free(copy);
	return code;
}

static inline void assert_has(const char *text, const char *part)
{
	if (!strstr(text, part))
		fail_msg("\"%s\" is not in: %s", part, text);
}

#endif
