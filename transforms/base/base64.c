/* Base64: see gracecube/base64.h. Threads: pure. */
#include <gracecube/base64.h>

#include <stdint.h>

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

size_t gc_base64_bytes(size_t bytes)
{
	return (bytes + 2) / 3 * 4;
}

char *gc_base64_put(char *at, struct gc_span bytes)
{
	for (size_t i = 0; i < bytes.len; i += 3) {
		uint32_t bits = (uint32_t)(uint8_t)bytes.ptr[i] << 16;

		if (i + 1 < bytes.len)
			bits |= (uint32_t)(uint8_t)bytes.ptr[i + 1] << 8;
		if (i + 2 < bytes.len)
			bits |= (uint32_t)(uint8_t)bytes.ptr[i + 2];
		*at++ = digits[bits >> 18];
		*at++ = digits[bits >> 12 & 63];
		*at++ = i + 1 < bytes.len ? digits[bits >> 6 & 63] : '=';
		*at++ = i + 2 < bytes.len ? digits[bits & 63] : '=';
	}
	return at;
}

static int value_of(char c)
{
	const char *at = c ? strchr(digits, c) : NULL;

	return at ? (int)(at - digits) : -1;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

struct base64 {
	char *bytes;
	size_t len, digits, fills;
	uint32_t bits;
};

/* Four digits are three bytes: the second, third and fourth complete one each. */
static void take_digit(struct base64 *base64, int digit)
{
	size_t nth = base64->digits++ % 4;

	base64->bits = base64->bits << 6 | (uint32_t)digit;
	if (nth > 0)
		base64->bytes[base64->len++] = (char)(base64->bits >> (6 - 2 * nth) & 0xFF);
}

/* '=' fills up the last four, where two or three digits are there. */
static bool may_fill(const struct base64 *base64)
{
	return base64->digits % 4 >= 2 && base64->digits % 4 + base64->fills < 4;
}

bool gc_base64_decode(struct gc_span text, struct gc_arena *arena, struct gc_span *ret_bytes)
{
	struct base64 base64 = { .bytes = gc_arena_alloc(arena, text.len / 4 * 3 + 4) };

	for (size_t i = 0; i < text.len; i++) {
		int digit = value_of(text.ptr[i]);

		if (is_blank(text.ptr[i]))
			continue;
		if (text.ptr[i] == '=' && may_fill(&base64))
			base64.fills++;
		else if (digit >= 0 && base64.fills == 0)
			take_digit(&base64, digit);
		else
			return false;
	}
	if ((base64.digits + base64.fills) % 4)
		return false;
	*ret_bytes = (struct gc_span){ base64.bytes, base64.len };
	return true;
}
