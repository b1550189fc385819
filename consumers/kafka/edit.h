/* JSON with some of its scalars replaced, all other bytes as they were.
 *
 * The walk comes to every number and text of an object or array at any depth, also of JSON within text: an outbox, a JSON column,
 * a payload. Threads: no shared state.
 */
#ifndef GRACECUBE_EDIT_H
#define GRACECUBE_EDIT_H

#include <gracecube/json.h>

struct gc_edit_at {
	struct gc_span name;         /* of the member, or of that whose array the value is in; NULL at the top */
	const struct gc_json *value; /* a number or a text */
	bool is_signed;              /* below an object that has a member …_hash, which covers what lies below it */
};

/* True with what shall stand there instead: a number, or text as it stands between quotes. */
typedef bool (*gc_edit_fn)(void *arg, const struct gc_edit_at *at, struct gc_span *ret_new);

/* The edited JSON in the arena; `json` itself where nothing was replaced, or where it is no JSON. */
struct gc_span gc_edit_json(struct gc_span json, gc_edit_fn edit, void *arg, struct gc_arena *arena);

#endif
