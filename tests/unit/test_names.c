/* The cube's name in SQL: the rule of sinks/postgres/names.c case by case, and all SQL there is held to it. */
#include "unit.h"

#include <ctype.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <gracecube/stream.h>

#include "postgres/pg.h"
#include "postgres/sql.h"

static struct gc_pg_names names_of(const char *schema, const char *roles)
{
	char schema_text[GC_SCHEMA_BYTES], roles_text[GC_SCHEMA_BYTES];
	struct gc_config config = { .cube_schema = schema_text, .cube_roles = roles ? roles_text : NULL };
	struct gc_pg_names names;

	snprintf(schema_text, sizeof(schema_text), "%s", schema);
	snprintf(roles_text, sizeof(roles_text), "%s", roles ? roles : "");
	gc_pg_names_init(&names, &config);
	return names;
}

/* ---- the rule ---- */

static const struct {
	const char *text, *named; /* named: NULL stands for the same */
} cases[] = {
	{ "", NULL },
	{ "SELECT 1", NULL },
	{ "SELECT cube.as_of()", "SELECT sales.as_of()" },
	{ "cube.x", "sales.x" },
	{ "'cube.%I'", "'sales.%I'" },
	{ "'cube.' || name", "'sales.' || name" },
	{ "ARRAY['cube.'||x]", "ARRAY['sales.'||x]" },
	{ "cube.\"x\"", "sales.\"x\"" },
	{ "format('cube.key_%s k', x)", "format('sales.key_%s k', x)" },
	{ "a.cube.x(cube.y)", "a.sales.x(sales.y)" },
	{ "RAISE EXCEPTION E'cube.% is'", "RAISE EXCEPTION E'sales.% is'" },
	{ "'cube'::regnamespace", "'sales'::regnamespace" },
	{ "CREATE SCHEMA IF NOT EXISTS cube;", "CREATE SCHEMA IF NOT EXISTS sales;" },
	{ "ON SCHEMA cube IS 'The Grace Data Cube'", "ON SCHEMA sales IS 'The Grace Data Cube'" },
	{ "IN SCHEMA cube FROM", "IN SCHEMA sales FROM" },
	{ "SET search_path = cube, pg_temp", "SET search_path = sales, pg_temp" },
	{ "\ncube.x\ncube.y", "\nsales.x\nsales.y" },

	{ "what the cube holds; the cube. And 'a cube'", NULL },
	{ "ends with the cube.", NULL },
	{ "cube.cube_daily_approvals", "sales.cube_daily_approvals" },
	{ "LIKE 'cube\\_%'", NULL },
	{ "('cube.business_zone', 'cube.business_days', 'cube.business_hours', 'cube.schema')", NULL },
	{ "cube.schema_version, cube.schema_file, cube.business_dayz",
	  "sales.schema_version, sales.schema_file, sales.business_dayz" },
	{ "hypercube.x, cubes.x, mycube.x, cube_x.y", NULL },
	{ "current_setting('gracecube.lane', true)", NULL },
	{ "gracecube verify --repair", NULL },

	{ "TO gracecube_reader, gracecube_tier_1", "TO gracecube_sales_reader, gracecube_sales_tier_1" },
	{ "'gracecube_' || p_tier", "'gracecube_sales_' || p_tier" },
	{ "my_gracecube_reader", NULL },

	{ "LISTEN cube_changed", "LISTEN sales_changed" },
	{ "pg_notify('cube_changed', $1)", "pg_notify('sales_changed', $1)" },
	{ "cube_changed_at", NULL },

	{ "pg_try_advisory_lock(7240003, l)", "pg_try_advisory_lock(1837637503, l)" },
	{ "72400, 724000, 72400031, 172400031, 7240a03, 7341000", NULL },
};

static void names_are_put_in(void **state)
{
	struct gc_pg_names sales = names_of("sales", NULL);
	struct gc_pg_text out = { .text = NULL };

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++)
		assert_string_equal(gc_pg_put_names(&sales, cases[i].text, &out), cases[i].named ? cases[i].named : cases[i].text);
	gc_pg_text_done(&out);
}

/* Of the cube that everybody has: the same pointer. */
static void plain_text_is_handed_on(void **state)
{
	struct gc_pg_names cube = names_of("cube", NULL);
	struct gc_pg_text out = { .text = NULL };

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++)
		assert_ptr_equal(gc_pg_put_names(&cube, cases[i].text, &out), cases[i].text);
	assert_null(out.text);
}

static void roles_may_be_those_of_another(void **state)
{
	struct gc_pg_names shadow = names_of("cube_rebuild", "cube"), other = names_of("sales_rebuild", "sales");
	struct gc_pg_text out = { .text = NULL };

	(void)state;
	assert_string_equal(gc_pg_put_names(&shadow, "GRANT SELECT ON cube.x TO gracecube_reader", &out),
			    "GRANT SELECT ON cube_rebuild.x TO gracecube_reader");
	assert_string_equal(gc_pg_put_names(&other, "GRANT SELECT ON cube.x TO gracecube_reader", &out),
			    "GRANT SELECT ON sales_rebuild.x TO gracecube_sales_reader");
	gc_pg_text_done(&out);
}

static void programs_say_whose_they_are(void **state)
{
	struct gc_pg_names cube = names_of("cube", NULL), sales = names_of("sales", NULL);
	char buffer[GC_PG_APPLICATION_BYTES];

	(void)state;
	assert_string_equal(gc_pg_application(&cube, "gracecube worker 1", buffer), "gracecube worker 1");
	assert_string_equal(gc_pg_application(&sales, "gracecube worker 1", buffer), "gracecube/sales worker 1");
}

/* ---- all SQL ---- */

/* A word that the rule leaves where it is must be prose, an option or a view. */
static bool is_prose(const char *text, const char *at)
{
	static const char *const before[] = { "the ", "The ", "this ",  "a ",    "A ",   "another ",
					      "new ", "no ",  "whole ", "Data ", "one ", "of " };
	static const char *const after[] = { ".business_", ".metrics_files", ".schema", "\\_%", "\\\\_%" };

	for (size_t i = 0; i < COUNT(before); i++) {
		size_t length = strlen(before[i]);

		if ((size_t)(at - text) >= length && memcmp(at - length, before[i], length) == 0)
			return true;
	}
	for (size_t i = 0; i < COUNT(after); i++) {
		if (strncmp(at + strlen("cube"), after[i], strlen(after[i])) == 0)
			return true;
	}
	return false;
}

static bool is_word(char c)
{
	return strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_", c) && c;
}

static void check_text(const char *name, const char *text)
{
	static const char *const roles[] = { "reader", "writer", "api", "tier_" };
	struct gc_pg_names names = names_of("zzz", NULL);
	struct gc_pg_text out = { .text = NULL };
	const char *named = gc_pg_put_names(&names, text, &out);

	for (const char *at = named; (at = strstr(at, "cube")); at++) {
		if ((at > named && is_word(at[-1])) || is_word(at[4]) || is_prose(named, at))
			continue;
		fail_msg("%s: what is the cube of \"%.*s\"? Neither a name by the rule of sinks/postgres/names.c nor prose", name,
			 60, at - (at - named < 30 ? at - named : 30));
	}
	for (const char *at = named; (at = strstr(at, "gracecube_zzz")); at++) {
		const char *role = at + strlen("gracecube_zzz_");
		bool is_known = *role == '\'';

		for (size_t i = 0; i < COUNT(roles); i++)
			is_known = is_known || strncmp(role, roles[i], strlen(roles[i])) == 0;
		if (!is_known)
			fail_msg("%s: %.40s is no role of a cube", name, at);
	}
	gc_pg_text_done(&out);
}

static void files_keep_to_the_rule(void **state)
{
	int schemas = 0;

	(void)state;
	for (const struct gc_sql_file *f = gc_sql_files; f->name; f++) {
		check_text(f->name, f->text);
		schemas += strstr(f->text, "cube.") != NULL;
	}
	assert_true(schemas > 40);
}

/* ---- SQL in C: the literals of every source ---- */

static char *read_whole(const char *path)
{
	FILE *in = fopen(path, "r");
	char *text = calloc(1, 1 << 20);
	size_t length;

	assert_non_null(in);
	length = fread(text, 1, (1 << 20) - 1, in);
	assert_true(length < (1 << 20) - 1);
	fclose(in);
	return text;
}

/* The next literal from *at on, with those that follow it, unescaped as far as it matters, into buffer; false at the end. */
static bool next_literal(const char **at, char *buffer)
{
	const char *c = *at;

	for (; *c && *c != '"'; c++) {
		if (strncmp(c, "/*", 2) == 0)
			c = strstr(c, "*/") + 1;
		else if (*c == '\'')
			c += c[1] == '\\' ? 3 : 2;
	}
	if (!*c)
		return false;
	while (*c == '"') {
		for (c++; *c != '"'; c++) {
			bool is_escaped = *c == '\\';

			c += is_escaped;
			*buffer++ = is_escaped && *c == 'n' ? '\n' : *c;
		}
		for (c++; isspace((unsigned char)*c);)
			c++;
	}
	*buffer = '\0';
	*at = c;
	return true;
}

static bool is_sql(const char *text)
{
	static const char *const begins[] = { "SELECT",  " FROM ",  " JOIN ",  " WHERE ", "INSERT",
					      "DELETE ", "UPDATE ", "LISTEN ", "DROP " };

	for (size_t i = 0; i < COUNT(begins); i++) {
		if (strstr(text, begins[i]))
			return true;
	}
	return strncmp(text, "cube.", 5) == 0 || strstr(text, "(cube.");
}

static int check_source(const char *path)
{
	char *text = read_whole(path), *literal = malloc(strlen(text) + 1);
	const char *at = text;
	int found = 0;

	while (next_literal(&at, literal)) {
		if (!is_sql(literal) || !strstr(literal, "cube"))
			continue;
		check_text(path, literal);
		found++;
	}
	free(literal);
	free(text);
	return found;
}

/* Whatever is handed to libpq has passed gc_pg_sql(), or is a literal, which check_source() looks at. */
static int check_calls(const char *path)
{
	static const char *const calls[] = { "PQexec(",      "PQexecParams(",      "PQprepare(",
					     "PQsendQuery(", "PQsendQueryParams(", "PQsendPrepare(" };
	char *text = read_whole(path);
	int found = 0;

	for (size_t i = 0; i < COUNT(calls); i++) {
		for (const char *at = text; (at = strstr(at, calls[i])); at++, found++) {
			const char *sql = strstr(at, "gc_pg_sql("), *literal = strchr(at, '"'), *end = strchr(at, ';');

			if (!(sql && sql < end) && !(literal && literal < end && strncmp(literal, "\"SELECT cube", 12) != 0))
				fail_msg("%s: SQL that has not passed gc_pg_sql(): %.*s", path, (int)(end - at), at);
		}
	}
	free(text);
	return found;
}

static int check_sources(const char *room, int (*check)(const char *path))
{
	char path[1024];
	struct dirent *entry;
	DIR *directory;
	int found = 0;

	snprintf(path, sizeof(path), "%s/%s", GRACECUBE_SOURCE_DIR, room);
	directory = opendir(path);
	assert_non_null(directory);
	while ((entry = readdir(directory))) {
		size_t length = strlen(entry->d_name);

		snprintf(path, sizeof(path), "%s/%s/%s", GRACECUBE_SOURCE_DIR, room, entry->d_name);
		if (length > 2 && (strcmp(entry->d_name + length - 2, ".c") == 0 || strcmp(entry->d_name + length - 2, ".h") == 0))
			found += check(path);
	}
	closedir(directory);
	return found;
}

static void sources_keep_to_the_rule(void **state)
{
	static const char *const rooms[] = { "sinks/postgres",  "sinks/http/server", "sinks/http/api",  "consumers/cli",
					     "consumers/kafka", "consumers/service", "consumers/worker" };
	int found = 0;

	(void)state;
	for (size_t i = 0; i < COUNT(rooms); i++)
		found += check_sources(rooms[i], check_source);
	assert_true(found > 60); /* it finds them at all */
	found = 0;
	for (size_t i = 0; i < COUNT(rooms); i++)
		found += check_sources(rooms[i], check_calls);
	assert_true(found > 15);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_are_put_in),
		cmocka_unit_test(plain_text_is_handed_on),
		cmocka_unit_test(roles_may_be_those_of_another),
		cmocka_unit_test(programs_say_whose_they_are),
		cmocka_unit_test(files_keep_to_the_rule),
		cmocka_unit_test(sources_keep_to_the_rule),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
