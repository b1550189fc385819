/* Tokens: making, reading, comparing. Threads: no shared state. */
#include <gracecube/hex.h>
#include <gracecube/token.h>

#include <ctype.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <string.h>

static const char prefix[] = "gcube_";
static const char digits[] = "0123456789abcdef";

static bool hash_secret(const char *secret, unsigned char *ret_hash)
{
	return EVP_Digest(secret, GC_TOKEN_SECRET_DIGITS, ret_hash, NULL, EVP_sha256(), NULL) == 1;
}

enum gc_verdict gc_token_make(char text[GC_TOKEN_TEXT_BYTES], struct gc_token *ret_token, struct gc_err *err)
{
	unsigned char id[GC_TOKEN_ID_DIGITS / 2], secret[GC_TOKEN_SECRET_DIGITS / 2];
	char shown[GC_TOKEN_SECRET_DIGITS + 1];
	struct gc_token token;
	bool made = RAND_bytes(id, sizeof(id)) == 1 && RAND_priv_bytes(secret, sizeof(secret)) == 1;

	gc_hex_put(id, sizeof(id), token.id);
	gc_hex_put(secret, sizeof(secret), shown);
	made = made && hash_secret(shown, token.hash);
	if (made) {
		snprintf(text, GC_TOKEN_TEXT_BYTES, "%s%s_%s", prefix, token.id, shown);
		*ret_token = token;
	}
	OPENSSL_cleanse(secret, sizeof(secret));
	OPENSSL_cleanse(shown, sizeof(shown));
	return made ? GC_OK : gc_fail(err, GC_FATAL, "no_random", "token", "the machine has no random bits to make a token of");
}

bool gc_token_parse(const char *text, struct gc_token *ret_token)
{
	const char *id = text + sizeof(prefix) - 1, *secret = id + GC_TOKEN_ID_DIGITS + 1;
	struct gc_token token;

	if (strncmp(text, prefix, sizeof(prefix) - 1) != 0 || strspn(id, digits) != GC_TOKEN_ID_DIGITS || secret[-1] != '_' ||
	    strspn(secret, digits) != GC_TOKEN_SECRET_DIGITS || secret[GC_TOKEN_SECRET_DIGITS])
		return false;
	memcpy(token.id, id, GC_TOKEN_ID_DIGITS);
	token.id[GC_TOKEN_ID_DIGITS] = '\0';
	if (!hash_secret(secret, token.hash))
		return false;
	*ret_token = token;
	return true;
}

bool gc_token_equal(const unsigned char a[GC_TOKEN_HASH_BYTES], const unsigned char b[GC_TOKEN_HASH_BYTES])
{
	return CRYPTO_memcmp(a, b, GC_TOKEN_HASH_BYTES) == 0;
}

void gc_token_mask(char *text, size_t bytes)
{
	char *end = text + bytes, *at = text;

	while ((at = memmem(at, (size_t)(end - at), prefix, sizeof(prefix) - 1))) {
		at += sizeof(prefix) - 1;
		for (; at < end && (isalnum((unsigned char)*at) || *at == '_'); at++)
			*at = '*';
	}
}
