/* The chain of the immutable log. Threads: pure. */
#include <openssl/evp.h>

#include <gracecube/chain.h>
#include <gracecube/hex.h>

static struct gc_span as_python_prints(struct gc_span text)
{
	return text.ptr ? text : GC_LIT("None");
}

bool gc_chain_hash(const struct gc_chain_entry *entry, struct gc_arena *arena, char hex[GC_CHAIN_HASH_BYTES])
{
	const struct gc_span parts[] = { entry->actor,   entry->action, entry->resource,
					 entry->payload, entry->result, entry->previous_hash };
	struct gc_span text = gc_arena_printf(arena, "%lld", (long long)entry->sequence);
	unsigned char digest[32];

	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		struct gc_span part = as_python_prints(parts[i]);

		text = gc_arena_printf(arena, "%.*s:%.*s", (int)text.len, text.ptr, (int)part.len, part.ptr);
	}
	if (EVP_Digest(text.ptr, text.len, digest, NULL, EVP_sha256(), NULL) != 1)
		return false;
	gc_hex_put(digest, sizeof(digest), hex);
	return true;
}
