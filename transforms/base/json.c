/* JSON in one pass: bytes are looked at once, eight at a time where they are plain text, and become a flat token array.
 *
 * Guarantees: exactly RFC 8259 in well-formed UTF-8 is accepted, no name twice in an object, no depth above
 * GC_JSON_MAX_DEPTH, so the recursion is bounded; what gc_json_parse_lenient() takes beside is listed there. Time is linear
 * in the text, also for objects with very many members and for names made of escapes. Nothing is read beyond the text's end;
 * no NUL is needed there.
 * Threads: no shared state.
 */
#include <stdio.h>

#include <gracecube/hex.h>

#include "base/json_inner.h"
#include "base/utf8.h"

/* A change event has some 150 tokens, with its schema beside it some 800: they are built on the stack and copied once,
 * at their exact size. */
#define STACK_TOKENS 1024
/* Up to so many members a name is compared with the earlier ones of its object, and that only where the filter cannot tell; above, it is
 * looked up in a table. */
#define NAMES_COMPARED 32

struct parser {
	const char *start, *end;
	struct gc_json *tokens;
	uint32_t count, capacity, depth;
	bool is_lenient;
	struct gc_arena *arena;
	struct gc_err *err;
};

struct name_slot {
	uint32_t hash;
	uint32_t token; /* 0: empty, for token 0 is never a name */
};

/* The names of the object being read. Most are new, and the filter tells so at the price of a few bytes read. */
struct names {
	uint64_t filter[4];
	uint32_t count, capacity;
	struct name_slot *slots; /* NULL up to NAMES_COMPARED */
};

static const char *parse_value(struct parser *ps, const char *p);

/* ---- refusing ---- */

static const char *refuse(struct parser *ps, const char *p, const char *code, const char *sentence)
{
	char where[32];

	snprintf(where, sizeof(where), "byte %zu", (size_t)(p - ps->start));
	gc_fail(ps->err, GC_REJECT, code, where, "%s", sentence);
	return NULL;
}

/* Says so when the text has ended where more was expected. */
static const char *refuse_syntax(struct parser *ps, const char *p, const char *sentence)
{
	char longer[160];

	if (p < ps->end)
		return refuse(ps, p, "not_json", sentence);
	snprintf(longer, sizeof(longer), "%s, but the text ends", sentence);
	return refuse(ps, p, "not_json", longer);
}

/* ---- tokens ---- */

static void move_tokens(struct parser *ps, uint32_t capacity)
{
	struct gc_json *moved = gc_arena_alloc(ps->arena, capacity * sizeof(*moved));

	memcpy(moved, ps->tokens, ps->count * sizeof(*moved));
	ps->tokens = moved;
	ps->capacity = capacity;
}

/* Twice as many: what is left behind in the arena is less than what is kept. */
static void grow_tokens(struct parser *ps)
{
	uint64_t wanted = (uint64_t)ps->capacity * 2;
	/* each token but the root has a byte of its own and one that parts it from the next */
	uint64_t enough = (uint64_t)(ps->end - ps->start) / 2 + 1;

	move_tokens(ps, (uint32_t)(wanted < enough ? wanted : enough));
}

static uint32_t add_token(struct parser *ps, enum gc_json_type type, const char *p, size_t len)
{
	if (ps->count == ps->capacity)
		grow_tokens(ps);
	ps->tokens[ps->count] = (struct gc_json){ .ptr = p, .len = (uint32_t)len, .size = 1, .type = (uint8_t)type };
	return ps->count++;
}

/* ---- strings ---- */

/* Quote, backslash, control character, or the first byte of something that is not ASCII. */
static uint64_t mark_special(uint64_t word)
{
	uint64_t control = (word - ONES * 0x20) & ~word & HIGH_BITS;

	return control | mark_byte(word, '"') | mark_byte(word, '\\') | (word & HIGH_BITS);
}

static bool is_plain(char c)
{
	return (unsigned char)c >= 0x20 && (unsigned char)c < 0x80 && c != '"' && c != '\\';
}

static const char *skip_plain(const char *p, const char *end)
{
	for (; end - p >= 8; p += 8) {
		uint64_t marks = mark_special(load_word(p));

		if (marks)
			return p + first_marked(marks);
	}
	while (p < end && is_plain(*p))
		p++;
	return p;
}

/* p is at the backslash; surrogates may stand alone, so each \u is checked by itself. */
static const char *parse_escape(struct parser *ps, const char *p)
{
	const char *sentence = "expected one of \" \\ / b f n r t u after a backslash";

	if (++p == ps->end)
		return refuse_syntax(ps, p, sentence);
	switch (*p) {
	case '"':
	case '\\':
	case '/':
	case 'b':
	case 'f':
	case 'n':
	case 'r':
	case 't':
		return p + 1;
	case 'u':
		break;
	default:
		return refuse_syntax(ps, p, sentence);
	}
	p++;
	for (int i = 0; i < 4; i++, p++)
		if (p == ps->end || gc_hex_digit(*p) < 0)
			return refuse_syntax(ps, p, "expected four hexadecimal digits after \\u");
	return p;
}

static const char *parse_utf8(struct parser *ps, const char *p)
{
	while (p < ps->end && (unsigned char)*p >= 0x80) {
		size_t length = gc_utf8_length(p, ps->end);

		if (length == 0)
			return refuse(ps, p, "not_json", "a string is not well-formed UTF-8");
		p += length;
	}
	return p;
}

static const char *parse_string(struct parser *ps, const char *quote)
{
	const char *text = quote + 1, *p = text;
	bool escaped = false;

	for (;;) {
		p = skip_plain(p, ps->end);
		if (p == ps->end)
			return refuse(ps, quote, "not_json", "a string begins here and never ends");
		if (*p == '"')
			break;
		if (*p == '\\') {
			escaped = true;
			p = parse_escape(ps, p);
		} else if ((unsigned char)*p >= 0x80) {
			p = parse_utf8(ps, p);
		} else {
			return refuse(ps, p, "not_json", "a control character stands bare in a string");
		}
		if (!p)
			return NULL;
	}
	uint32_t token = add_token(ps, GC_JSON_STRING, text, (size_t)(p - text));
	ps->tokens[token].escaped = escaped;
	return p + 1;
}

/* ---- numbers and words ---- */

static const char *skip_digits(const char *p, const char *end)
{
	while (p < end && *p >= '0' && *p <= '9')
		p++;
	return p;
}

static bool is_int64(struct gc_span number)
{
	int64_t value;

	return number.len <= 18 || gc_span_int64(number, &value);
}

static const char *parse_exponent(struct parser *ps, const char *p)
{
	if (p < ps->end && (*p == '+' || *p == '-'))
		p++;
	const char *end = skip_digits(p, ps->end);

	return end > p ? end : refuse_syntax(ps, p, "expected a digit in the exponent");
}

static const char *parse_fraction(struct parser *ps, const char *p)
{
	const char *end = skip_digits(p, ps->end);

	return end > p ? end : refuse_syntax(ps, p, "expected a digit after the decimal point");
}

static const char *parse_number(struct parser *ps, const char *start)
{
	const char *whole = *start == '-' ? start + 1 : start;
	const char *p = skip_digits(whole, ps->end);
	size_t whole_digits = (size_t)(p - whole);
	bool real = false;

	if (whole_digits == 0)
		return refuse_syntax(ps, p, "expected a digit");
	if (*whole == '0' && whole_digits > 1)
		return refuse(ps, whole, "not_json", "a number begins with a needless 0");
	if (p < ps->end && *p == '.') {
		real = true;
		if (!(p = parse_fraction(ps, p + 1)))
			return NULL;
	}
	if (p < ps->end && (*p == 'e' || *p == 'E')) {
		real = true;
		if (!(p = parse_exponent(ps, p + 1)))
			return NULL;
	}
	struct gc_span number = { start, (size_t)(p - start) };
	add_token(ps, real || !is_int64(number) ? GC_JSON_REAL : GC_JSON_INT, start, number.len);
	return p;
}

static const char *parse_word(struct parser *ps, const char *p, enum gc_json_type type, struct gc_span word)
{
	if (!gc_span_starts_with((struct gc_span){ p, (size_t)(ps->end - p) }, word))
		return refuse_syntax(ps, p, "expected a value");
	add_token(ps, type, p, word.len);
	return p + word.len;
}

/* Python and JavaScript libraries write these; as JavaScript's own JSON.stringify() does, a lenient reader takes null. */
static const char *parse_no_number(struct parser *ps, const char *p, struct gc_span word)
{
	if (!gc_span_starts_with((struct gc_span){ p, (size_t)(ps->end - p) }, word))
		return refuse_syntax(ps, p, *p == '-' ? "expected a digit" : "expected a value");
	if (!ps->is_lenient)
		return refuse(ps, p, "not_json", "expected a value: NaN and Infinity are not JSON, null is");
	add_token(ps, GC_JSON_NULL, p, word.len);
	return p + word.len;
}

/* ---- names of an object ---- */

/* The slot with the name, or the empty one for it. */
static struct name_slot *find_name_slot(const struct parser *ps, const struct names *names, uint32_t hash, struct gc_span name)
{
	uint32_t mask = names->capacity - 1;

	for (uint32_t i = hash & mask;; i = (i + 1) & mask) {
		struct name_slot *slot = &names->slots[i];

		if (slot->token == 0 || (slot->hash == hash && is_named(&ps->tokens[slot->token], name)))
			return slot;
	}
}

/* The slots move without a look at the names: they are known to differ. */
static void grow_name_slots(struct parser *ps, struct names *names)
{
	const struct name_slot *old = names->slots;
	uint32_t old_capacity = names->capacity;
	uint32_t mask = old_capacity * 4 - 1;

	names->capacity = old_capacity * 4;
	names->slots = gc_arena_zalloc(ps->arena, names->capacity * sizeof(*names->slots));
	for (uint32_t i = 0; i < old_capacity; i++) {
		uint32_t at = old[i].hash & mask;

		if (old[i].token == 0)
			continue;
		while (names->slots[at].token)
			at = (at + 1) & mask;
		names->slots[at] = old[i];
	}
}

/* From comparing to looking up: all names so far get their slots. */
static void start_name_slots(struct parser *ps, struct names *names, uint32_t object)
{
	uint32_t key = object + 1;

	names->capacity = NAMES_COMPARED * 4;
	names->slots = gc_arena_zalloc(ps->arena, names->capacity * sizeof(*names->slots));
	for (uint32_t i = 0; i < names->count; i++) {
		struct gc_span name = gc_json_text(&ps->tokens[key], ps->arena, NULL);
		uint32_t hash = (uint32_t)gc_span_hash(name);

		if (is_valid_key(&ps->tokens[key]))
			*find_name_slot(ps, names, hash, name) = (struct name_slot){ hash, key };
		key += 1 + ps->tokens[key + 1].size;
	}
}

/* The key that had the name before; 0 for none. */
static uint32_t put_name_slot(struct parser *ps, struct names *names, struct gc_span name, uint32_t key)
{
	uint32_t hash = (uint32_t)gc_span_hash(name), earlier;
	struct name_slot *slot;

	if (names->count >= names->capacity / 2)
		grow_name_slots(ps, names);
	slot = find_name_slot(ps, names, hash, name);
	earlier = slot->token;
	*slot = (struct name_slot){ hash, key };
	return earlier;
}

/* One of 256 bits, from the length and three characters: names of one table seldom agree in all of them. */
static bool set_in_filter(struct names *names, struct gc_span name)
{
	uint32_t mix = (uint32_t)name.len * 0x9E3779B1U;

	if (name.len)
		mix ^= (unsigned char)name.ptr[0] * 0x85EBCA77U ^ (unsigned char)name.ptr[name.len / 2] * 0xC2B2AE3DU ^
		       (unsigned char)name.ptr[name.len - 1] * 0x27D4EB2FU;
	uint64_t *word = &names->filter[mix >> 30], bit = UINT64_C(1) << (mix >> 24 & 63);
	bool known = *word & bit;
	*word |= bit;
	return known;
}

/* 0 for none. */
static uint32_t find_same_name(const struct parser *ps, uint32_t object, uint32_t key, struct gc_span name)
{
	for (uint32_t earlier = object + 1; earlier < key; earlier += 1 + ps->tokens[earlier + 1].size)
		if (is_valid_key(&ps->tokens[earlier]) && is_named(&ps->tokens[earlier], name))
			return earlier;
	return 0;
}

/* The key is the last token so far. False when the name is known and may not be. */
static bool add_name(struct parser *ps, struct names *names, uint32_t object)
{
	uint32_t key = ps->count - 1, earlier = 0;
	struct gc_span name = gc_json_text(&ps->tokens[key], ps->arena, NULL);

	if (names->count == NAMES_COMPARED)
		start_name_slots(ps, names, object);
	if (names->slots)
		earlier = put_name_slot(ps, names, name, key);
	else if (set_in_filter(names, name))
		earlier = find_same_name(ps, object, key, name);
	names->count++;
	if (earlier && ps->is_lenient)
		ps->tokens[earlier].type = GC_JSON_NULL; /* the last one counts: see is_valid_key() */
	return !earlier || ps->is_lenient;
}

static const char *refuse_name(struct parser *ps)
{
	const struct gc_json *key = &ps->tokens[ps->count - 1];
	int shown = key->len < 64 ? (int)key->len : 64;
	char sentence[128];

	snprintf(sentence, sizeof(sentence), "the name \"%.*s\" stands twice in one object", shown, key->ptr);
	return refuse(ps, key->ptr - 1, "duplicate_key", sentence);
}

/* ---- objects and arrays ---- */

static const char *skip_space(const char *p, const char *end)
{
	while (p < end && (*p == ' ' || *p == '\n' || *p == '\r' || *p == '\t'))
		p++;
	return p;
}

static bool is_at(const struct parser *ps, const char *p, char c)
{
	return p < ps->end && *p == c;
}

static bool open_container(struct parser *ps, enum gc_json_type type, const char *p, uint32_t *ret_token)
{
	char sentence[64];

	if (ps->depth == GC_JSON_MAX_DEPTH) {
		snprintf(sentence, sizeof(sentence), "objects and arrays are more than %d deep", GC_JSON_MAX_DEPTH);
		refuse(ps, p, "too_deep", sentence);
		return false;
	}
	ps->depth++;
	*ret_token = add_token(ps, type, p, 0);
	return true;
}

/* p is at the closing bracket. */
static const char *close_container(struct parser *ps, uint32_t token, const char *p)
{
	struct gc_json *container = &ps->tokens[token];

	ps->depth--;
	container->len = (uint32_t)(p + 1 - container->ptr);
	container->size = ps->count - token;
	return p + 1;
}

/* The name, the colon and the value; the white space behind it too. */
static const char *parse_member(struct parser *ps, const char *p, struct names *names, uint32_t object)
{
	if (!is_at(ps, p, '"'))
		return refuse_syntax(ps, p, "expected a name in quotes");
	if (!(p = parse_string(ps, p)))
		return NULL;
	if (!add_name(ps, names, object))
		return refuse_name(ps);
	p = skip_space(p, ps->end);
	if (!is_at(ps, p, ':'))
		return refuse_syntax(ps, p, "expected ':' after a name");
	p = parse_value(ps, skip_space(p + 1, ps->end));
	return p ? skip_space(p, ps->end) : NULL;
}

static const char *parse_object(struct parser *ps, const char *p)
{
	struct names names = { .slots = NULL };
	uint32_t object;

	if (!open_container(ps, GC_JSON_OBJECT, p, &object))
		return NULL;
	p = skip_space(p + 1, ps->end);
	if (is_at(ps, p, '}'))
		return close_container(ps, object, p);
	for (;;) {
		if (!(p = parse_member(ps, p, &names, object)))
			return NULL;
		if (is_at(ps, p, '}'))
			return close_container(ps, object, p);
		if (!is_at(ps, p, ','))
			return refuse_syntax(ps, p, "expected ',' or '}' after a member");
		p = skip_space(p + 1, ps->end);
	}
}

static const char *parse_array(struct parser *ps, const char *p)
{
	uint32_t array;

	if (!open_container(ps, GC_JSON_ARRAY, p, &array))
		return NULL;
	p = skip_space(p + 1, ps->end);
	if (is_at(ps, p, ']'))
		return close_container(ps, array, p);
	for (;;) {
		if (!(p = parse_value(ps, p)))
			return NULL;
		p = skip_space(p, ps->end);
		if (is_at(ps, p, ']'))
			return close_container(ps, array, p);
		if (!is_at(ps, p, ','))
			return refuse_syntax(ps, p, "expected ',' or ']' after an element");
		p = skip_space(p + 1, ps->end);
	}
}

/* p is at the first byte: where the text goes on, or NULL when it was refused. */
static const char *parse_value(struct parser *ps, const char *p)
{
	if (p == ps->end)
		return refuse_syntax(ps, p, "expected a value");
	switch (*p) {
	case '"':
		return parse_string(ps, p);
	case '{':
		return parse_object(ps, p);
	case '[':
		return parse_array(ps, p);
	case 'n':
		return parse_word(ps, p, GC_JSON_NULL, GC_LIT("null"));
	case 't':
		return parse_word(ps, p, GC_JSON_TRUE, GC_LIT("true"));
	case 'f':
		return parse_word(ps, p, GC_JSON_FALSE, GC_LIT("false"));
	case 'N':
		return parse_no_number(ps, p, GC_LIT("NaN"));
	case 'I':
		return parse_no_number(ps, p, GC_LIT("Infinity"));
	case '-':
		return is_at(ps, p + 1, 'I') ? parse_no_number(ps, p, GC_LIT("-Infinity")) : parse_number(ps, p);
	case '0':
	case '1':
	case '2':
	case '3':
	case '4':
	case '5':
	case '6':
	case '7':
	case '8':
	case '9':
		return parse_number(ps, p);
	default:
		return refuse_syntax(ps, p, "expected a value");
	}
}

static const char *parse_text(struct parser *ps)
{
	const char *p = parse_value(ps, skip_space(ps->start, ps->end));

	if (!p)
		return NULL;
	p = skip_space(p, ps->end);
	return p == ps->end ? p : refuse(ps, p, "not_json", "expected nothing more after the value");
}

static enum gc_verdict parse(struct gc_span text, bool is_lenient, struct gc_arena *arena, const struct gc_json **ret_root,
			     struct gc_err *err)
{
	struct gc_json stack[STACK_TOKENS];
	const char *start = text.len ? text.ptr : "";
	struct parser ps = { .start = start,
			     .end = start + text.len,
			     .tokens = stack,
			     .capacity = STACK_TOKENS,
			     .is_lenient = is_lenient,
			     .arena = arena,
			     .err = err };

	if (text.len >= UINT32_MAX)
		return gc_fail(err, GC_REJECT, "not_json", "byte 0", "the text is longer than 4 GiB");
	if (!parse_text(&ps))
		return GC_REJECT;
	if (ps.tokens == stack)
		move_tokens(&ps, ps.count);
	*ret_root = ps.tokens;
	return GC_OK;
}

enum gc_verdict gc_json_parse(struct gc_span text, struct gc_arena *arena, const struct gc_json **ret_root, struct gc_err *err)
{
	return parse(text, false, arena, ret_root, err);
}

enum gc_verdict gc_json_parse_lenient(struct gc_span text, struct gc_arena *arena, const struct gc_json **ret_root,
				      struct gc_err *err)
{
	return parse(text, true, arena, ret_root, err);
}
