/* Hexadecimal digits: see gracecube/hex.h. Threads: pure. */
#include <gracecube/hex.h>

void gc_hex_put(const unsigned char *bytes, size_t count, char *text)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < count; i++) {
		*text++ = digits[bytes[i] >> 4];
		*text++ = digits[bytes[i] & 15];
	}
	*text = '\0';
}

bool gc_hex_decode(const char *text, size_t count, unsigned char *ret_bytes)
{
	for (size_t i = 0; i < count; i++) {
		int high = gc_hex_digit(text[2 * i]), low = high < 0 ? -1 : gc_hex_digit(text[2 * i + 1]);

		if (low < 0)
			return false;
		ret_bytes[i] = (unsigned char)(high << 4 | low);
	}
	return true;
}
