/* The words of expressions and formulas, one after the other, and the first mistake in them. Threads: a parser belongs to one thread. */
#include "registry.h"

#include <ctype.h>
#include <stdarg.h>

static const char names[] = "abcdefghijklmnopqrstuvwxyz_0123456789";

/* ---- tokens ---- */

bool gc_parser_fail(struct gc_parser *parser, size_t at, const char *format, ...)
{
	va_list arguments;

	if (parser->failed)
		return false;
	parser->failed = true;
	parser->mistake->at = at;
	va_start(arguments, format);
	vsnprintf(parser->mistake->text, sizeof(parser->mistake->text), format, arguments);
	va_end(arguments);
	return false;
}

/* Signs, the longer ones first; what is typed, and what it is taken for. */
static const struct {
	const char *typed, *sign;
} signs[] = {
	{ "<>", "<>" },      { "!=", "<>" },      { "<=", "<=" }, { ">=", ">=" }, { "\xE2\x88\x92", "-" },
	{ "\xC3\x97", "*" }, { "\xC3\xB7", "/" }, { "=", "=" },   { "<", "<" },   { ">", ">" },
	{ "+", "+" },        { "-", "-" },        { "*", "*" },   { "/", "/" },   { "(", "(" },
	{ ")", ")" },        { ",", "," },
};

static bool find_sign(struct gc_token *token, const char *text)
{
	for (size_t i = 0; i < sizeof(signs) / sizeof(signs[0]); i++) {
		size_t len = strlen(signs[i].typed);

		if (strncmp(text, signs[i].typed, len) != 0)
			continue;
		token->kind = GC_TOKEN_SIGN;
		token->len = len;
		snprintf(token->sign, sizeof(token->sign), "%s", signs[i].sign);
		return true;
	}
	return false;
}

/* 'it''s': up to the quote that no other follows. 0: it does not end. */
static size_t measure_text(const char *text)
{
	size_t len = 1;

	while (text[len] && (text[len] != '\'' || text[len + 1] == '\''))
		len += text[len] == '\'' ? 2 : 1;
	return text[len] ? len + 1 : 0;
}

static void take_text(struct gc_parser *parser, struct gc_token *token, const char *text)
{
	token->kind = GC_TOKEN_TEXT;
	token->len = measure_text(text);
	if (token->len == 0)
		gc_parser_fail(parser, token->at, "this text has no end; write ' behind it");
	for (size_t i = 0; i < token->len; i++) {
		if (text[i] == '\\' || (unsigned char)text[i] < ' ')
			gc_parser_fail(parser, token->at + i, "a text may hold neither \\ nor control characters");
	}
}

/* 10, 0.95; a dot has digits on both sides. */
static size_t measure_number(const char *text)
{
	size_t len = strspn(text, "0123456789"), more;

	if (text[len] != '.')
		return len;
	more = strspn(text + len + 1, "0123456789");
	return more ? len + 1 + more : 0;
}

static void take_number(struct gc_parser *parser, struct gc_token *token, const char *text)
{
	token->kind = GC_TOKEN_NUMBER;
	token->len = measure_number(text);
	if (token->len == 0 || token->len > 20 || isalnum((unsigned char)text[token->len]) || text[token->len] == '_')
		gc_parser_fail(parser, token->at, "this is no number; write it like 10 or 0.95, of at most 20 digits");
}

void gc_parser_next(struct gc_parser *parser)
{
	struct gc_token *token = &parser->token;
	size_t at = token->at + token->len;

	at += strspn(parser->text + at, " \t\r\n");
	*token = (struct gc_token){ .at = at };
	if (parser->failed || !parser->text[at])
		return;
	if (parser->text[at] == '\'') {
		take_text(parser, token, parser->text + at);
	} else if (isdigit((unsigned char)parser->text[at])) {
		take_number(parser, token, parser->text + at);
	} else if ((token->len = strspn(parser->text + at, names)) > 0) {
		token->kind = GC_TOKEN_NAME;
	} else if (!find_sign(token, parser->text + at)) {
		gc_parser_fail(
			parser, at,
			isupper((unsigned char)parser->text[at])
				? "names and words are of lower-case letters, digits and underscores"
				: "this does not belong here; allowed are columns, numbers, 'texts', = <> < <= > >=, and, or, not, in, between, is null, + - * /");
	}
	if (parser->failed)
		token->kind = GC_TOKEN_END;
}

void gc_parser_begin(struct gc_parser *parser, const struct gc_scope *scope, const char *text, struct gc_mistake *mistake)
{
	*parser = (struct gc_parser){ .scope = scope, .text = text, .mistake = mistake };
	if (strlen(text) > GC_EXPRESSION_BYTES_MAX)
		gc_parser_fail(parser, 0, "is longer than %d bytes", GC_EXPRESSION_BYTES_MAX);
	gc_parser_next(parser);
}

bool gc_parser_is(const struct gc_parser *parser, const char *word)
{
	const struct gc_token *token = &parser->token;

	if (token->kind == GC_TOKEN_SIGN)
		return strcmp(token->sign, word) == 0;
	return token->kind == GC_TOKEN_NAME && strlen(word) == token->len &&
	       strncmp(parser->text + token->at, word, token->len) == 0;
}

bool gc_parser_take(struct gc_parser *parser, const char *word)
{
	if (!gc_parser_is(parser, word))
		return false;
	gc_parser_next(parser);
	return !parser->failed;
}

const char *gc_parser_word(struct gc_parser *parser)
{
	return gc_arena_dup(parser->scope->arena, (struct gc_span){ parser->text + parser->token.at, parser->token.len }).ptr;
}

bool gc_parser_expect(struct gc_parser *parser, const char *sign)
{
	if (gc_parser_take(parser, sign))
		return true;
	if (parser->token.kind == GC_TOKEN_END)
		return gc_parser_fail(parser, parser->token.at, "ends where \"%s\" should stand", sign);
	return gc_parser_fail(parser, parser->token.at, "\"%s\" should stand here, not \"%s\"", sign, gc_parser_word(parser));
}

bool gc_parser_end(struct gc_parser *parser)
{
	if (parser->failed)
		return false;
	if (parser->token.kind == GC_TOKEN_END)
		return true;
	return gc_parser_fail(parser, parser->token.at, "should end before \"%s\"", gc_parser_word(parser));
}
