/* Tokens of the API: "gcube_<12 hex digits, its id>_<64 hex digits, 256 random bits>". The cube keeps the SHA-256 of the last part.
 *
 * Threads: no shared state.
 */
#ifndef GRACECUBE_TOKEN_H
#define GRACECUBE_TOKEN_H

#include <stdbool.h>
#include <stddef.h>

#include <gracecube/err.h>

#define GC_TOKEN_ID_DIGITS 12
#define GC_TOKEN_SECRET_DIGITS 64
#define GC_TOKEN_HASH_BYTES 32
#define GC_TOKEN_TEXT_BYTES 96 /* of the whole, with its NUL */

struct gc_token {
	char id[GC_TOKEN_ID_DIGITS + 1];
	unsigned char hash[GC_TOKEN_HASH_BYTES];
};

/* A new one: `text` is shown once, the rest is kept. GC_FATAL when the machine has no random bits. */
enum gc_verdict gc_token_make(char text[GC_TOKEN_TEXT_BYTES], struct gc_token *ret_token, struct gc_err *err) GC_MUST_CHECK;
/* False when it does not look like one. */
bool gc_token_parse(const char *text, struct gc_token *ret_token);
/* Takes the same time wherever the two differ. */
bool gc_token_equal(const unsigned char a[GC_TOKEN_HASH_BYTES], const unsigned char b[GC_TOKEN_HASH_BYTES]);
/* Makes stars of what follows "gcube_", wherever it stands: for texts that somebody else will read. */
void gc_token_mask(char *text, size_t bytes);

#endif
