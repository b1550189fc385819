/* What approval_requests and the mesh both say of an approval. Threads: pure. */
#include "rules/targets.h"

#include <ctype.h>

#define NAMES_CONTRACT "contract="

static bool begins_word(struct gc_span text, size_t at)
{
	return at == 0 || !(isalnum((unsigned char)text.ptr[at - 1]) || text.ptr[at - 1] == '_');
}

struct gc_span gc_approval_names_contract(struct gc_span reason)
{
	struct gc_span sign = GC_LIT(NAMES_CONTRACT);

	for (size_t at = 0; at + sign.len < reason.len; at++) {
		struct gc_span rest = { reason.ptr + at, reason.len - at }, id = { rest.ptr + sign.len, 0 };

		if (!gc_span_starts_with(rest, sign) || !begins_word(reason, at))
			continue;
		while (id.len < rest.len - sign.len && !memchr(" \t\r\n,;)]", id.ptr[id.len], 8))
			id.len++;
		if (id.len > 0)
			return id;
	}
	return GC_SPAN_NULL;
}

struct gc_span gc_approval_contract(struct gc_decode *decode, struct gc_span own, struct gc_span reason)
{
	struct gc_span contract = gc_decode_member(decode, own, "contract_id");

	return contract.len > 0 ? contract : gc_decode_member(decode, gc_approval_names_contract(reason), "reason");
}
