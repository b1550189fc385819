/* Hexadecimal digits. Threads: no shared state. */
#ifndef GRACECUBE_HEX_H
#define GRACECUBE_HEX_H

#include <stdbool.h>
#include <stddef.h>

/* In either case; -1 for what is no digit. */
static inline int gc_hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)(c | 0x20);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Lower case; `text` has room for 2 × count + 1. */
void gc_hex_put(const unsigned char *bytes, size_t count, char *text);
/* 2 × count digits; false when one of them is none. */
bool gc_hex_decode(const char *text, size_t count, unsigned char *ret_bytes);

#endif
