/* Numbers with units, choices, and nearest names.
 *
 * Threads: no shared state.
 */
#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <gracecube/human.h>

struct unit {
	const char *name;
	int64_t factor;
};

/* The first of each table is the one a bare number has; then growing, and gc_human_print() reads them from the end. */
static const struct unit counts[] = { { "", 1 }, { NULL, 0 } };
static const struct unit sizes[] = {
	{ "", 1 },
	{ "B", 1 },
	{ "KiB", INT64_C(1) << 10 },
	{ "MiB", INT64_C(1) << 20 },
	{ "GiB", INT64_C(1) << 30 },
	{ "TiB", INT64_C(1) << 40 },
	{ NULL, 0 },
};
/* Read, never printed: 1 MB is no multiple of anything here. */
static const struct unit decimal_sizes[] = {
	{ "kB", 1000 }, { "MB", 1000000 }, { "GB", 1000000000 }, { "TB", INT64_C(1000000000000) }, { NULL, 0 },
};
static const struct unit durations[] = {
	{ "us", 1 },
	{ "ms", 1000 },
	{ "s", 1000000 },
	{ "m", INT64_C(60000000) },
	{ "h", INT64_C(3600000000) },
	{ "d", INT64_C(86400000000) },
	{ NULL, 0 },
};

static const struct unit *units_of(enum gc_human_unit unit)
{
	switch (unit) {
	case GC_HUMAN_BYTES:
		return sizes;
	case GC_HUMAN_TIME:
		return durations;
	case GC_HUMAN_COUNT:
		break;
	}
	return counts;
}

static const struct unit *find_unit(const struct unit *units, const char *name)
{
	for (; units->name; units++)
		if (strcmp(units->name, name) == 0)
			return units;
	return NULL;
}

/* The digits at the start of text; NULL when there is none or they overflow. */
static const char *read_digits(const char *text, int64_t *ret_value)
{
	int64_t value = 0;
	const char *at = text;
	for (; *at >= '0' && *at <= '9'; at++)
		if (__builtin_mul_overflow(value, 10, &value) || __builtin_add_overflow(value, *at - '0', &value))
			return NULL;
	if (at == text)
		return NULL;
	*ret_value = value;
	return at;
}

bool gc_human_parse(const char *text, enum gc_human_unit unit, int64_t *ret_value)
{
	int64_t number, value;
	const char *rest = read_digits(text, &number);
	if (!rest)
		return false;
	const struct unit *found = find_unit(units_of(unit), rest);
	if (!found && unit == GC_HUMAN_BYTES)
		found = find_unit(decimal_sizes, rest);
	if (!found && unit == GC_HUMAN_TIME && number == 0 && *rest == '\0')
		found = durations;
	if (!found || __builtin_mul_overflow(number, found->factor, &value))
		return false;
	*ret_value = value;
	return true;
}

const char *gc_human_print(int64_t value, enum gc_human_unit unit, char *buffer, size_t bytes)
{
	const struct unit *best = units_of(unit);
	for (const struct unit *larger = best; larger->name; larger++)
		if (value != 0 && value % larger->factor == 0 && larger->factor > best->factor)
			best = larger;
	snprintf(buffer, bytes, "%" PRId64 "%s", value / best->factor, best->name);
	return buffer;
}

const char *gc_human_domain(enum gc_human_unit unit, int64_t min, int64_t max, char *buffer, size_t bytes)
{
	static const char *const kinds[] = {
		[GC_HUMAN_COUNT] = "whole number", [GC_HUMAN_BYTES] = "size", [GC_HUMAN_TIME] = "duration"
	};
	static const char *const examples[] = {
		[GC_HUMAN_COUNT] = "", [GC_HUMAN_BYTES] = " like 64MiB", [GC_HUMAN_TIME] = " like 30s"
	};
	char low[GC_HUMAN_BYTES_MAX], high[GC_HUMAN_BYTES_MAX];
	if (max == INT64_MAX)
		snprintf(buffer, bytes, "a %s%s", kinds[unit], examples[unit]);
	else
		snprintf(buffer, bytes, "a %s from %s to %s", kinds[unit], gc_human_print(min, unit, low, sizeof(low)),
			 gc_human_print(max, unit, high, sizeof(high)));
	return buffer;
}

int gc_choice_find(const char *const *choices, struct gc_span word)
{
	for (int i = 0; choices[i]; i++) {
		if (gc_span_equal(gc_span_of(choices[i]), word))
			return i;
	}
	return -1;
}

const char *gc_choices_print(const char *const *choices, char *buffer, size_t bytes)
{
	size_t used = 0;

	*buffer = '\0';
	for (const char *const *choice = choices; *choice && used < bytes; choice++)
		used += (size_t)snprintf(buffer + used, bytes - used, "%s%s", choice == choices ? "" : ", ", *choice);
	return buffer;
}

/* Longer names are not compared: the rows below live on the stack. */
#define WORD_MAX 64

static char fold(char c)
{
	return c == '-' ? '_' : (char)tolower((unsigned char)c);
}

static int min3(int a, int b, int c)
{
	int least = a < b ? a : b;
	return least < c ? least : c;
}

/* Insertions, deletions, substitutions, and swaps of neighbours ("wrokers"): the optimal string alignment distance. */
static int edit_distance(const char *a, size_t a_len, const char *b, size_t b_len)
{
	int rows[3][WORD_MAX + 1];
	int *before = rows[0], *above = rows[1], *row = rows[2];
	for (size_t j = 0; j <= b_len; j++)
		above[j] = before[j] = (int)j;
	for (size_t i = 1; i <= a_len; i++) {
		row[0] = (int)i;
		for (size_t j = 1; j <= b_len; j++) {
			int differs = fold(a[i - 1]) != fold(b[j - 1]);
			row[j] = min3(above[j] + 1, row[j - 1] + 1, above[j - 1] + differs);
			bool swapped = i > 1 && j > 1 && fold(a[i - 1]) == fold(b[j - 2]) && fold(a[i - 2]) == fold(b[j - 1]);
			if (swapped && before[j - 2] + 1 < row[j])
				row[j] = before[j - 2] + 1;
		}
		int *spare = before;
		before = above;
		above = row;
		row = spare;
	}
	return above[b_len];
}

/* How far a name may be from the word: a short word with three errors in it is another word. */
static int tolerance(size_t length)
{
	return length <= 3 ? 1 : length <= 7 ? 2 : 3;
}

/* Words cut short ("until" for "until-caught-up") are near, but not as near as a misspelt one. */
static bool is_cut_short(const char *word, size_t word_len, const char *name)
{
	return word_len >= 3 && strncmp(word, name, word_len) == 0;
}

void gc_nearest_offer(struct gc_nearest *nearest, const char *name)
{
	size_t word_len = strlen(nearest->word), name_len = strlen(name);
	if (word_len > WORD_MAX || name_len > WORD_MAX)
		return;
	int distance = edit_distance(nearest->word, word_len, name, name_len);
	if (distance > tolerance(word_len) && is_cut_short(nearest->word, word_len, name))
		distance = tolerance(word_len);
	if (distance > tolerance(word_len) || (nearest->best && distance >= nearest->distance))
		return;
	nearest->best = name;
	nearest->distance = distance;
}
