/* Well-formed UTF-8, one character at a time: the one place that knows the byte ranges (Unicode, table 3-7).
 *
 * Private to the base library and the JSON reader, inline because it sits in their inner loops.
 * Threads: no shared state.
 */
#ifndef GRACECUBE_BASE_UTF8_H
#define GRACECUBE_BASE_UTF8_H

#include <stdbool.h>
#include <stddef.h>

static inline bool gc_utf8_is_tail(unsigned char byte)
{
	return (byte & 0xC0) == 0x80;
}

/* Bytes of the well-formed character at p (p < end), 0 when there is none: no surrogate, no overlong form. */
static inline size_t gc_utf8_length(const char *p, const char *end)
{
	const unsigned char *u = (const unsigned char *)p;
	size_t left = (size_t)(end - p);

	if (u[0] < 0x80)
		return 1;
	if (left < 2 || !gc_utf8_is_tail(u[1]))
		return 0;
	if (u[0] >= 0xC2 && u[0] <= 0xDF)
		return 2;
	if (left < 3 || !gc_utf8_is_tail(u[2]))
		return 0;
	if (u[0] == 0xE0)
		return u[1] >= 0xA0 ? 3 : 0;
	if (u[0] == 0xED)
		return u[1] <= 0x9F ? 3 : 0;
	if (u[0] >= 0xE1 && u[0] <= 0xEF)
		return 3;
	if (left < 4 || !gc_utf8_is_tail(u[3]))
		return 0;
	if (u[0] == 0xF0)
		return u[1] >= 0x90 ? 4 : 0;
	if (u[0] == 0xF4)
		return u[1] <= 0x8F ? 4 : 0;
	return u[0] >= 0xF1 && u[0] <= 0xF3 ? 4 : 0;
}

#endif
