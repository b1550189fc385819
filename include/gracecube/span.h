/* A span of bytes that somebody else owns. ptr == NULL means SQL NULL (absent), which differs from an empty text. */
#ifndef GRACECUBE_SPAN_H
#define GRACECUBE_SPAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct gc_span {
	const char *ptr;
	size_t len;
};

#define GC_SPAN_NULL ((struct gc_span){ NULL, 0 })
/* for string literals only */
#define GC_LIT(literal) ((struct gc_span){ (literal), sizeof(literal) - 1 })

static inline struct gc_span gc_span_of(const char *text)
{
	return (struct gc_span){ text, text ? strlen(text) : 0 };
}

static inline bool gc_span_equal(struct gc_span a, struct gc_span b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

/* Byte order, shorter first on a tie: the order of PostgreSQL's COLLATE "C", in which every writer locks its keys. */
int gc_span_compare(struct gc_span a, struct gc_span b);

/* Without ASCII white space at both ends (space, \t \n \v \f \r). NULL stays NULL. */
struct gc_span gc_span_trim(struct gc_span text);

/* ASCII letters compared without case. */
bool gc_span_equal_nocase(struct gc_span a, struct gc_span b);
bool gc_span_starts_with(struct gc_span text, struct gc_span prefix);
/* ASCII needle in lower case, found in any case. */
bool gc_span_contains_nocase(struct gc_span text, struct gc_span lower_needle);

/* Splits at the first `separator`: false, outputs untouched, when there is none. */
bool gc_span_split(struct gc_span text, char separator, struct gc_span *ret_before, struct gc_span *ret_after);

/* The next item of *rest between separators, without blanks around it; what is empty is passed over. False at the end. */
bool gc_span_next_item(struct gc_span *rest, char separator, struct gc_span *ret_item);

/* The whole span as a decimal int64: false on anything else, also on overflow. */
bool gc_span_int64(struct gc_span text, int64_t *ret_value);
/* The whole span as a number, also NaN, Infinity, -Infinity, +Infinity in any case; locale-independent. */
bool gc_span_double(struct gc_span text, double *ret_value);

/* 64-bit hash (XXH3) for maps; not for security. */
uint64_t gc_span_hash(struct gc_span text);

/* True when the bytes are well-formed UTF-8 (no surrogates, no overlong forms, at most U+10FFFF). */
bool gc_span_is_utf8(struct gc_span text);

#endif
