/* Environment variables in the values of the file. Done after the YAML is parsed, scalar by scalar, so that a value can
 * hold anything and never adds structure to the file.
 *
 * Threads: getenv() only; nobody may change the environment meanwhile.
 */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

#include <gracecube/arena.h>

#include "options.h"

/* A text that grows; malloc'ed. */
struct text {
	char *bytes;
	size_t len, capacity;
};

static void append(struct text *text, const char *bytes, size_t len)
{
	if (text->len + len + 1 > text->capacity) {
		text->capacity = (text->len + len + 1) * 2;
		text->bytes = gc_realloc(text->bytes, text->capacity);
	}
	memcpy(text->bytes + text->len, bytes, len);
	text->len += len;
	text->bytes[text->len] = '\0';
}

static size_t name_length(const char *text)
{
	size_t len = 0;
	while (isalnum((unsigned char)text[len]) || text[len] == '_')
		len++;
	return len;
}

/* What stands between the braces: NAME, NAME:-default, NAME:?message. */
struct reference {
	char name[128];
	char operator;    /* 0, '-' or '?' */
	const char *rest; /* the default or the message */
	size_t rest_len;
};

static bool read_reference(const char *inside, size_t len, struct reference *ret_reference)
{
	size_t name_len = name_length(inside);
	if (name_len == 0 || name_len > len || name_len >= sizeof(ret_reference->name))
		return false;
	struct reference reference = { .operator= 0 };
	memcpy(reference.name, inside, name_len);
	if (name_len < len) {
		const char *colon = inside + name_len;
		if (len - name_len < 2 || colon[0] != ':' || (colon[1] != '-' && colon[1] != '?'))
			return false;
		reference.operator= colon[1];
		reference.rest = colon + 2;
		reference.rest_len = len - name_len - 2;
	}
	*ret_reference = reference;
	return true;
}

static bool expand(struct gc_config *config, struct text *text, const struct reference *reference, char *problem,
		   size_t problem_bytes)
{
	const char *value = getenv(reference->name);
	gc_variable_note(config, reference->name);
	bool is_there = value && (*value || !reference->operator); /* as in a shell, ":" asks for more than nothing */
	if (is_there) {
		append(text, value, gc_variable_length(value));
		return true;
	}
	if (reference->operator== '-') {
		append(text, reference->rest, reference->rest_len);
		return true;
	}
	if (reference->operator== '?')
		snprintf(problem, problem_bytes, "the environment variable %s is not set: %.*s", reference->name,
			 (int)reference->rest_len, reference->rest);
	else
		snprintf(problem, problem_bytes, "the environment variable %s is not set; ${%s:-default} gives it a default",
			 reference->name, reference->name);
	return false;
}

/* One "${...}" at `at`; returns what follows it, or NULL with a problem. */
static const char *expand_at(struct gc_config *config, struct text *text, const char *at, char *problem, size_t problem_bytes)
{
	struct reference reference;
	const char *end = strchr(at, '}');
	if (!end || !read_reference(at + 2, (size_t)(end - at - 2), &reference)) {
		snprintf(problem, problem_bytes,
			 "${ must go on as ${VAR}, ${VAR:-default} or ${VAR:?message}; a dollar sign itself is $$");
		return NULL;
	}
	return expand(config, text, &reference, problem, problem_bytes) ? end + 1 : NULL;
}

bool gc_substitute(struct gc_config *config, const char *source, char **ret_text, char *problem, size_t problem_bytes)
{
	struct text text = { .bytes = NULL };
	append(&text, "", 0);
	while (source && *source) {
		if (source[0] == '$' && source[1] == '{') {
			source = expand_at(config, &text, source, problem, problem_bytes);
			continue;
		}
		append(&text, source, 1);
		source += source[0] == '$' && source[1] == '$' ? 2 : 1;
	}
	if (!source) {
		free(text.bytes);
		return false;
	}
	*ret_text = text.bytes;
	return true;
}
