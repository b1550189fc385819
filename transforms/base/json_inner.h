/* Inside of JSON: what the parser and the reading of its tokens share. Threads: pure. */
#ifndef GRACECUBE_JSON_INNER_H
#define GRACECUBE_JSON_INNER_H

#include <endian.h>
#include <gracecube/json.h>

/* Compares while unescaping: looking for a member allocates nothing. */
bool gc_json_equals_unescaped(const struct gc_json *key, struct gc_span name);

static inline bool is_named(const struct gc_json *key, struct gc_span name)
{
	if (key->escaped)
		return gc_json_equals_unescaped(key, name);
	return key->len == name.len && (name.len == 0 || memcmp(key->ptr, name.ptr, name.len) == 0);
}

/* The key of a member that a later one of the same name has replaced is no string any more. */
static inline bool is_valid_key(const struct gc_json *key)
{
	return key->type == GC_JSON_STRING;
}

/* ---- eight bytes at a time ---- */

#define ONES UINT64_C(0x0101010101010101)
#define HIGH_BITS UINT64_C(0x8080808080808080)

/* The high bit of each byte of the word that equals the byte. Only the lowest bit set is certain: a borrow may set
 * those above it. */
static inline uint64_t mark_byte(uint64_t word, unsigned char byte)
{
	uint64_t same = word ^ (ONES * byte);

	return (same - ONES) & ~same & HIGH_BITS;
}

/* The first byte in memory is the lowest. */
static inline uint64_t load_word(const char *p)
{
	uint64_t word;

	memcpy(&word, p, sizeof(word));
	return le64toh(word);
}

static inline unsigned first_marked(uint64_t marks)
{
	return (unsigned)__builtin_ctzll(marks) / 8;
}

#endif
