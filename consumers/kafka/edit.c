/* JSON with some of its scalars replaced: see edit.h. */
#include <stdio.h>

#include "kafka/edit.h"

/* JSON in text in JSON in text …: Grace nests once, a connector once more. */
#define NESTED_MAX 4

struct walk {
	gc_edit_fn edit;
	void *arg;
	struct gc_arena *arena;
	int nested;
	const char *copied; /* the source up to here is in text */
	char *text;
	size_t len, capacity;
};

static void append(struct walk *walk, const char *bytes, size_t len)
{
	if (walk->len + len > walk->capacity) {
		char *larger = gc_arena_alloc(walk->arena, walk->capacity = (walk->len + len) * 2 + 1024);

		if (walk->len > 0)
			memcpy(larger, walk->text, walk->len);
		walk->text = larger;
	}
	if (len > 0)
		memcpy(walk->text + walk->len, bytes, len);
	walk->len += len;
}

static void replace(struct walk *walk, const struct gc_json *old, struct gc_span new)
{
	append(walk, walk->copied, (size_t)(old->ptr - walk->copied));
	append(walk, new.ptr, new.len);
	walk->copied = old->ptr + old->len;
}

/* Text as it stands between quotes. */
static struct gc_span escape(struct gc_span text, struct gc_arena *arena)
{
	char *escaped = gc_arena_alloc(arena, text.len * 6 + 1), *to = escaped;

	for (size_t i = 0; i < text.len; i++) {
		unsigned char c = (unsigned char)text.ptr[i];

		if (c < 0x20) {
			to += snprintf(to, 7, "\\u%04x", c);
			continue;
		}
		if (c == '"' || c == '\\')
			*to++ = '\\';
		*to++ = (char)c;
	}
	return (struct gc_span){ escaped, (size_t)(to - escaped) };
}

static void walk_value(struct walk *walk, struct gc_span name, const struct gc_json *value, bool is_signed, bool below);

static struct gc_span edit_text(struct walk walk, struct gc_span json, bool is_signed)
{
	const struct gc_json *root;
	struct gc_err err;

	if (walk.nested > NESTED_MAX || gc_json_parse(json, walk.arena, &root, &err))
		return json;
	walk.copied = json.ptr;
	walk_value(&walk, GC_SPAN_NULL, root, is_signed, is_signed);
	if (walk.copied == json.ptr)
		return json;
	append(&walk, walk.copied, (size_t)(json.ptr + json.len - walk.copied));
	return (struct gc_span){ walk.text, walk.len };
}

/* A NUL or half a character in it could not be written back. */
static void walk_nested(struct walk *walk, const struct gc_json *string, bool is_signed)
{
	unsigned flags = 0;
	struct gc_span text = gc_json_text(string, walk->arena, &flags), edited;

	if ((flags & GC_JSON_REPLACED) || text.len < 2 || (text.ptr[0] != '{' && text.ptr[0] != '['))
		return;
	edited = edit_text((struct walk){ walk->edit, walk->arg, walk->arena, .nested = walk->nested + 1 }, text, is_signed);
	if (edited.ptr != text.ptr)
		replace(walk, string, escape(edited, walk->arena));
}

static bool signs_itself(const struct walk *walk, const struct gc_json *object)
{
	for (const struct gc_json *k = gc_json_first(object); k; k = gc_json_next(object, k + 1)) {
		struct gc_span name = gc_json_text(k, walk->arena, NULL);

		if (k[1].type == GC_JSON_STRING && name.len > 5 && memcmp(name.ptr + name.len - 5, "_hash", 5) == 0)
			return true;
	}
	return false;
}

static void walk_object(struct walk *walk, const struct gc_json *object, bool is_signed)
{
	bool signs = signs_itself(walk, object);

	for (const struct gc_json *k = gc_json_first(object); k; k = gc_json_next(object, k + 1))
		walk_value(walk, gc_json_text(k, walk->arena, NULL), k + 1, is_signed, is_signed || signs);
}

/* below: what lies below the value is signed. */
static void walk_value(struct walk *walk, struct gc_span name, const struct gc_json *value, bool is_signed, bool below)
{
	struct gc_edit_at at = { name, value, is_signed };
	struct gc_span new;

	if (value->type == GC_JSON_OBJECT)
		walk_object(walk, value, below);
	else if (value->type == GC_JSON_ARRAY)
		for (const struct gc_json *v = gc_json_first(value); v; v = gc_json_next(value, v))
			walk_value(walk, name, v, below, below);
	else if (value->type >= GC_JSON_INT && walk->edit(walk->arg, &at, &new))
		replace(walk, value, new);
	else if (value->type == GC_JSON_STRING)
		walk_nested(walk, value, below);
}

struct gc_span gc_edit_json(struct gc_span json, gc_edit_fn edit, void *arg, struct gc_arena *arena)
{
	return json.ptr ? edit_text((struct walk){ edit, arg, arena, .nested = 0 }, json, false) : json;
}
