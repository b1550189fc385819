/* Who asks: the token is looked up anew for each request, so that one that was revoked is refused at once.
 * Threads: one connection belongs to one thread.
 */
#include "http/server/server.h"

#include <gracecube/hex.h>
#include <stdio.h>

#define NO_TOKEN "A valid token is needed: Authorization: Bearer …"

enum found { FOUND_HASH, FOUND_NAME, FOUND_ROLE, FOUND_TIER, FOUND_EXPIRES, FOUND_VALID };

static const char find_sql[] =
	"SELECT encode(secret_sha256, 'hex'), name, role, highest_tier, expires_at, is_valid FROM cube.find_api_token($1)";

static const char *field(const PGresult *result, enum found column)
{
	return PQgetvalue(result, 0, (int)column);
}

/* An unknown token is compared too, with zeros, so that time tells nothing. */
static bool is_right(const PGresult *result, const struct gc_token *token)
{
	unsigned char kept[GC_TOKEN_HASH_BYTES] = { 0 };
	bool is_known = PQntuples(result) == 1 && gc_hex_decode(field(result, FOUND_HASH), sizeof(kept), kept);
	bool is_equal = gc_token_equal(kept, token->hash);

	return is_known && is_equal && *field(result, FOUND_VALID) == 't';
}

static int access_of(const char *role)
{
	for (int access = GC_ACCESS_VIEWER; gc_access_names[access]; access++) {
		if (strcmp(gc_access_names[access], role) == 0)
			return access;
	}
	return GC_ACCESS_ANYBODY;
}

static void load_identity(struct gc_request *request, const PGresult *result)
{
	struct gc_text expires = { NULL, 0, 0 };

	snprintf(request->token_name, sizeof(request->token_name), "%s", field(result, FOUND_NAME));
	snprintf(request->token_role, sizeof(request->token_role), "%s", field(result, FOUND_ROLE));
	snprintf(request->token_tier, sizeof(request->token_tier), "%s", field(result, FOUND_TIER));
	request->access = access_of(request->token_role);
	if (PQgetisnull(result, 0, FOUND_EXPIRES))
		return;
	gc_time_put(&expires, field(result, FOUND_EXPIRES));
	snprintf(request->token_expires, sizeof(request->token_expires), "%s", expires.ptr);
	gc_text_done(&expires);
}

static enum gc_verdict identify(struct gc_request *request, struct gc_database *db, struct gc_err *err)
{
	struct gc_token token;
	const char *id = token.id;
	PGresult *result = NULL;
	enum gc_verdict verdict;

	if (!gc_token_parse(request->token, &token))
		return GC_OK;
	memcpy(request->token_id, token.id, sizeof(request->token_id));
	verdict = gc_database_ask(db, find_sql, &id, 1, &result, err);
	if (verdict == GC_OK && is_right(result, &token))
		load_identity(request, result);
	if (verdict == GC_OK)
		PQclear(result);
	return verdict;
}

/* "tier_2" → 2; what is no tier is above all. */
static long rank_of(const char *tier)
{
	return strncmp(tier, "tier_", 5) == 0 ? strtol(tier + 5, NULL, 10) : 1000;
}

bool gc_tier_is_above(const char *tier, const char *limit)
{
	return rank_of(tier) > rank_of(limit);
}

/* Rows of higher tiers would not be found anyway; asking for them by name gets a reason instead of an empty answer. */
static bool asks_too_high(const struct gc_request *request)
{
	const char *tier = gc_values_get(&request->values, "tier");

	return *request->token_tier && tier && gc_tier_is_above(tier, request->token_tier);
}

enum gc_verdict gc_access_check(struct gc_request *request, struct gc_database *db, struct gc_err *err)
{
	enum gc_verdict verdict = identify(request, db, err);

	if (verdict != GC_OK)
		return verdict;
	if (request->access == GC_ACCESS_ANYBODY)
		gc_request_fail(request, 401, NO_TOKEN);
	else if (request->access < (int)request->route->access)
		gc_request_fail(request, 403, "This needs a token with the role %s.", gc_access_names[request->route->access]);
	else if (asks_too_high(request))
		gc_request_fail(request, 403, "This token is limited to %s.", request->token_tier);
	return GC_OK;
}
