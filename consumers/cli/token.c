/* gracecube token: who may ask the API. A token is shown once; the cube keeps its SHA-256.
 *
 * Threads: the main thread.
 */
#include <inttypes.h>
#include <stdlib.h>

#include <gracecube/hex.h>
#include <gracecube/sink.h>
#include <gracecube/token.h>

#include "cli/output.h"
#include "cli/command.h"

static const char *const roles[] = { "viewer", "analyst", "operator", NULL };
static const char *const tiers[] = { "all", "tier_1", "tier_2", "tier_3", NULL };

struct token_options {
	int role, tier;
	int64_t expires_us;
};

static const struct gc_flag flags[] = {
	{ "role", 0, "ROLE", "what a new token may see: aggregates, also single facts, also the audit", GC_FLAG_CHOICE,
	  .offset = offsetof(struct token_options, role), .initially = "analyst", .choices = roles },
	{ "highest-tier", 0, "TIER", "a new token sees rows of this tier and below only", GC_FLAG_CHOICE,
	  .offset = offsetof(struct token_options, tier), .initially = "all", .choices = tiers },
	{ "expires", 0, "TIME", "how long a new token is good, like 90d; 0 is for ever", GC_FLAG_DURATION,
	  .offset = offsetof(struct token_options, expires_us), .initially = "90d" },
	{ .name = NULL },
};

/* ---- create ---- */

static enum gc_verdict keep(struct gc_pg *pg, const struct gc_token *token, const char *name, const struct token_options *options,
			    struct gc_err *err)
{
	static const char sql[] = "SELECT cube.create_api_token($1, decode($2, 'hex'), $3, $4, $5, to_timestamp($6::bigint / 1e6))";
	char hash[2 * GC_TOKEN_HASH_BYTES + 1], expires[24];
	const char *values[] = { token->id,
				 hash,
				 name,
				 roles[options->role],
				 options->tier ? tiers[options->tier] : NULL,
				 options->expires_us ? expires : NULL };
	enum gc_verdict verdict;

	gc_hex_put(token->hash, sizeof(token->hash), hash);
	snprintf(expires, sizeof(expires), "%" PRId64, gc_now_us() + options->expires_us);
	verdict = gc_pg_query(pg, sql, values, 6, NULL, NULL, err);
	if (verdict != GC_OK && strcmp(err->code, "23505") == 0)
		return gc_fail(err, GC_FATAL, "usage", "token",
			       "there is a valid token named %s already; revoke it first, or choose another name", name);
	return verdict;
}

/* A limit is only as good as the role behind it. */
static enum gc_verdict check_limit(struct gc_pg *pg, const struct token_options *options, struct gc_err *err)
{
	return options->tier ? gc_pg_query(pg, "SELECT cube.api_role($1)", &tiers[options->tier], 1, NULL, NULL, err) : GC_OK;
}

static void show_token(const char *text, const struct gc_token *token, const char *name, bool as_json)
{
	if (as_json) {
		gc_output_print_json(json_pack("{s:s, s:s, s:s}", "token", text, "id", token->id, "name", name), false);
		return;
	}
	puts(text);
	fprintf(stderr, "gracecube: this is the only time that the token of %s is shown\n", name);
}

static enum gc_verdict create(struct gc_pg *pg, struct gc_command_line *line, struct gc_err *err)
{
	const struct token_options *options = line->options;
	const char *name = line->args[0];
	char text[GC_TOKEN_TEXT_BYTES];
	struct gc_token token;
	enum gc_verdict verdict = check_limit(pg, options, err);

	if (verdict == GC_OK)
		verdict = gc_token_make(text, &token, err);
	if (verdict == GC_OK)
		verdict = keep(pg, &token, name, options, err);
	if (verdict == GC_OK)
		show_token(text, &token, name, line->json);
	explicit_bzero(text, sizeof(text));
	return verdict;
}

/* ---- list ---- */

enum list_column { LIST_ID, LIST_NAME, LIST_ROLE, LIST_TIER, LIST_CREATED, LIST_EXPIRES, LIST_USED, LIST_STATE, LIST_COUNT };

static const char list_sql[] =
	"SELECT token_id, name, role, coalesce(highest_tier, 'all'), " GC_SQL_US("created_at") ", " GC_SQL_US("expires_at") ", " GC_SQL_US(
		"last_used_at") ","
				" CASE WHEN revoked_at IS NOT NULL THEN 'revoked' WHEN expires_at <= now() THEN 'expired' ELSE 'valid' END"
				" FROM cube.api_token ORDER BY created_at, token_id";

static const struct gc_table_column list_columns[LIST_COUNT] = {
	{ "id", false, 0 },      { "name", false, 40 },   { "role", false, 0 },      { "highest tier", false, 0 },
	{ "created", false, 0 }, { "expires", false, 0 }, { "last used", false, 0 }, { "state", false, 0 },
};

struct list {
	struct gc_table table;
	json_t *json; /* NULL when a table is wanted */
};

static bool is_time(int column)
{
	return column == LIST_CREATED || column == LIST_EXPIRES || column == LIST_USED;
}

static void take_token(void *arg, const char *const *values, int columns)
{
	struct list *list = arg;
	json_t *token = list->json ? json_object() : NULL;
	char time[GC_OUTPUT_BYTES];

	(void)columns;
	for (int i = 0; i < LIST_COUNT; i++) {
		int64_t us = is_time(i) ? gc_output_int(values[i], GC_NO_TIME) : GC_NO_TIME;

		if (!token)
			gc_table_add(&list->table, is_time(i) ? gc_output_time(us, time, sizeof(time)) : values[i]);
		else
			json_object_set_new(token, list_columns[i].title,
					    is_time(i) ? gc_output_time_json(us) : gc_output_text_json(values[i]));
	}
	if (token)
		json_array_append_new(list->json, token);
}

static enum gc_verdict list(struct gc_pg *pg, struct gc_command_line *line, struct gc_err *err)
{
	struct list tokens = { .json = line->json ? json_array() : NULL };
	enum gc_verdict verdict;

	gc_table_init(&tokens.table, list_columns, LIST_COUNT);
	verdict = gc_pg_query(pg, list_sql, NULL, 0, take_token, &tokens, err);
	if (verdict == GC_OK && tokens.json)
		gc_output_print_json(tokens.json, false);
	else if (verdict == GC_OK)
		gc_table_print(&tokens.table, stdout);
	else
		json_decref(tokens.json);
	gc_table_done(&tokens.table);
	return verdict;
}

/* ---- revoke ---- */

static void take_name(void *arg, const char *const *values, int columns)
{
	(void)columns;
	fprintf(stderr, "gracecube: the token of %s is no longer taken\n", values[0]);
	*(bool *)arg = true;
}

static enum gc_verdict revoke(struct gc_pg *pg, struct gc_command_line *line, struct gc_err *err)
{
	const char *which = line->args[0];
	bool found = false;
	enum gc_verdict verdict = gc_pg_query(pg, "SELECT cube.revoke_api_token($1)", &which, 1, take_name, &found, err);

	if (verdict == GC_OK && !found)
		return gc_fail(err, GC_REJECT, "no_token", "token",
			       "there is no valid token with the id or name %s; `gracecube token list` shows them", which);
	return verdict;
}

/* ---- all three ---- */

static int with_database(struct gc_command_line *line,
			 enum gc_verdict (*work)(struct gc_pg *pg, struct gc_command_line *line, struct gc_err *err))
{
	struct gc_config config;
	struct gc_err err = { .verdict = GC_OK };
	struct gc_pg *pg = NULL;
	enum gc_verdict verdict;

	if (gc_command_config(line, &config, &err) != GC_OK)
		return gc_command_fail(&err);
	verdict = gc_pg_open_reader(&config, "gracecube token", &pg, &err);
	if (verdict == GC_OK)
		verdict = work(pg, line, &err);
	gc_pg_close(pg);
	gc_config_free(&config);
	return verdict == GC_OK ? GC_EXIT_DONE : gc_command_fail(&err);
}

static int run_create(struct gc_command_line *line)
{
	return with_database(line, create);
}

static int run_list(struct gc_command_line *line)
{
	return with_database(line, list);
}

static int run_revoke(struct gc_command_line *line)
{
	return with_database(line, revoke);
}

static const struct gc_verb verbs[] = {
	{ "create", "makes a token and shows it, once", run_create, .args_min = 1, .args_max = 1 },
	{ "list", "shows all tokens, without their secrets", run_list, .args_max = 0 },
	{ "revoke", "takes a token no longer, by id or name, from the next request on; its event streams end within seconds",
	  run_revoke, .args_min = 1, .args_max = 1 },
	{ .name = NULL },
};

const struct gc_command gc_command_token = {
	.name = "token",
	.summary = "makes, lists and revokes tokens of the API",
	.usage = "token create NAME | list | revoke NAME [options]",
	.help = "Examples:\n"
		"  gracecube token create alice                                         an analyst's, for 90 days\n"
		"  gracecube token create wall --role viewer --highest-tier tier_1 --expires 0\n"
		"  gracecube token list\n"
		"  gracecube token revoke alice\n"
		"\n"
		"A token has 256 random bits. It is printed once; the cube keeps its SHA-256 and nobody can show it again.\n"
		"viewer sees aggregates, analyst also single facts, operator also who asked for what (cube.api_audit).\n"
		"A token with a highest tier sees rows of that tier and below, by row-level security of PostgreSQL; the same holds in SQL for\n"
		"members of the role gracecube_tier_1, gracecube_tier_2 or gracecube_tier_3. Whoever may write cube.api_token may make tokens.\n"
		"\n"
		"Exit codes: 0 done; 1 no such token; 2 wrong usage; 69 PostgreSQL not reachable; 78 configuration or rights are wrong.\n",
	.flags = flags,
	.options_bytes = sizeof(struct token_options),
	.has_json = true,
	.verbs = verbs,
};
