/* The name of the cube, put into SQL: the only place where it is.
 *
 * All SQL, in sinks/sql and in C, is written for the schema `cube`. That of a cube elsewhere is the same text with these put in, here for the
 * schema sales, in strings and comments too, since functions write functions:
 *
 *     cube.fact, cube.%I, 'cube.'        sales.fact …         cube. before a name, a placeholder or a quote; not before a blank (a sentence's end)
 *     'cube'                             'sales'
 *     SCHEMA cube, EXISTS cube           SCHEMA sales …
 *     search_path = cube                 search_path = sales
 *     gracecube_reader, 'gracecube_'     gracecube_sales_reader …   roles, which the cluster shares
 *     cube_changed                       sales_changed        the channel that commits are told on, which the database shares
 *     7240003                            1<hash of sales>03   advisory locks, which the database shares: seven digits that begin with 72400
 *
 * What has the word and is none of these stays: options (cube.business_zone is a row of cube.setting), views (cube_daily_approvals), settings of
 * the session (gracecube.lane), prose. tests/unit/test_names.c holds all SQL to this. Text for `cube` is handed on as it is.
 * Threads: no shared state; a connection's buffer belongs to its thread.
 */
#include "pg.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

#define SCHEMA "cube"
#define ROLE "gracecube_"
#define CHANNEL "cube_changed"
#define LOCK "72400"
#define LOCK_DIGITS 7

/* Two names of one hash share locks, and so wait for each other now and then; nothing worse comes of it. */
static unsigned hash_name(const char *name)
{
	unsigned hash = 2166136261u; /* FNV-1a */

	for (; *name; name++)
		hash = (hash ^ (unsigned char)*name) * 16777619u;
	return hash % 10000000;
}

void gc_pg_names_init(struct gc_pg_names *names, const struct gc_config *config)
{
	const char *roles = config->cube_roles ? config->cube_roles : config->cube_schema;

	*names = (struct gc_pg_names){ .is_plain = strcmp(config->cube_schema, SCHEMA) == 0 };
	snprintf(names->schema, sizeof(names->schema), "%s", config->cube_schema);
	snprintf(names->roles, sizeof(names->roles), "%s", strcmp(roles, SCHEMA) == 0 ? "" : roles);
	snprintf(names->lock, sizeof(names->lock), "1%07u", hash_name(config->cube_schema));
}

const char *gc_pg_application(const struct gc_pg_names *names, const char *role, char *buffer)
{
	const char *rest = role + strlen("gracecube");

	snprintf(buffer, GC_PG_APPLICATION_BYTES, "gracecube%s%s%s", names->is_plain ? "" : "/",
		 names->is_plain ? "" : names->schema, rest);
	return buffer;
}

/* ---- the rule ---- */

static bool is_word(char c)
{
	return isalnum((unsigned char)c) || c == '_';
}

static bool is_behind(const char *text, const char *at, const char *what)
{
	size_t length = strlen(what);

	return (size_t)(at - text) >= length && memcmp(at - length, what, length) == 0;
}

static bool is_option(const char *name, size_t length)
{
	static const char *const options[] = { "business_days", "business_hours", "business_zone", "metrics_files", "schema" };

	for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
		if (strlen(options[i]) == length && memcmp(options[i], name, length) == 0)
			return true;
	}
	return false;
}

static size_t word_length(const char *at)
{
	size_t length = 0;

	while (is_word(at[length]))
		length++;
	return length;
}

/* `at` is the word cube. */
static bool is_schema(const char *text, const char *at)
{
	const char *after = at + strlen(SCHEMA);

	if (*after == '.')
		return (is_word(after[1]) || (after[1] && strchr("%'\"<*", after[1]))) &&
		       !is_option(after + 1, word_length(after + 1));
	return (*after == '\'' && is_behind(text, at, "'")) || is_behind(text, at, "SCHEMA ") || is_behind(text, at, "EXISTS ") ||
	       is_behind(text, at, "search_path = ");
}

static bool is_lock(const char *at, size_t length)
{
	return length == LOCK_DIGITS && strspn(at, "0123456789") == length && strncmp(at, LOCK, strlen(LOCK)) == 0;
}

/* How much of the word goes, and the two texts that come in its place; 0: it stays. */
static size_t replace(const struct gc_pg_names *names, const char *text, const char *at, size_t length, const char *put[2])
{
	put[1] = "";
	if (length == strlen(SCHEMA) && strncmp(at, SCHEMA, length) == 0 && is_schema(text, at)) {
		put[0] = names->schema;
		return length;
	}
	if (length == strlen(CHANNEL) && strncmp(at, CHANNEL, length) == 0) {
		put[0] = names->schema;
		return strlen(SCHEMA);
	}
	if (strncmp(at, ROLE, strlen(ROLE)) == 0) {
		put[0] = *names->roles ? ROLE : "gracecube";
		put[1] = names->roles;
		return strlen("gracecube");
	}
	if (is_lock(at, length)) {
		put[0] = names->lock;
		return strlen(LOCK);
	}
	return 0;
}

static void append(struct gc_pg_text *out, const char *text, size_t length)
{
	if (out->used + length + 1 > out->bytes) {
		out->bytes = 2 * (out->used + length + 1);
		out->text = gc_realloc(out->text, out->bytes);
	}
	memcpy(out->text + out->used, text, length);
	out->used += length;
	out->text[out->used] = '\0';
}

const char *gc_pg_put_names(const struct gc_pg_names *names, const char *text, struct gc_pg_text *out)
{
	const char *kept = text, *at = text;

	if (names->is_plain)
		return text;
	out->used = 0;
	while (*at) {
		size_t length = word_length(at), gone;
		const char *put[2];

		gone = length > 0 ? replace(names, text, at, length, put) : 0;
		if (gone > 0) {
			append(out, kept, (size_t)(at - kept));
			append(out, put[0], strlen(put[0]));
			append(out, put[1], strlen(put[1]));
			kept = at + gone;
		}
		at += length > 0 ? length : 1;
	}
	append(out, kept, (size_t)(at - kept));
	return out->text;
}

void gc_pg_text_done(struct gc_pg_text *out)
{
	free(out->text);
	*out = (struct gc_pg_text){ .text = NULL };
}

const char *gc_pg_sql(struct gc_pg *pg, const char *text)
{
	return gc_pg_put_names(&pg->names, text, &pg->text);
}

void gc_cube_name(const struct gc_config *config, char *text, size_t bytes)
{
	struct gc_pg_text out = { .text = NULL };
	struct gc_pg_names names;
	const char *named;

	gc_pg_names_init(&names, config);
	named = gc_pg_put_names(&names, text, &out);
	if (named != text)
		snprintf(text, bytes, "%s", named);
	gc_pg_text_done(&out);
}

static void name_text(struct gc_pg *pg, char *text, size_t bytes)
{
	const char *named = gc_pg_sql(pg, text);

	if (named != text)
		snprintf(text, bytes, "%s", named);
}

enum gc_verdict gc_pg_name_err(struct gc_pg *pg, struct gc_err *err)
{
	name_text(pg, err->where, sizeof(err->where));
	name_text(pg, err->text, sizeof(err->text));
	return err->verdict;
}
