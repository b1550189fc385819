/* Events: see events.h. Threads: no shared state. */
#include "events.h"

#include <kafka/capture.h>
#include <gracecube/arena.h>
#include <gracecube/json.h>
#include <gracecube/time.h>
#include <stdio.h>
#include <stdlib.h>

/* What a copy has of its own; the rest of a message is literal. */
enum slot { SLOT_NONE, SLOT_ID, SLOT_LSN, SLOT_TIME };

struct piece {
	struct gc_span literal;
	enum slot slot;   /* what stands behind it */
	int64_t captured; /* SLOT_TIME, µs */
};

/* One message, cut into pieces. */
struct form {
	struct piece *pieces;
	size_t count;
	size_t bytes; /* of the captured text */
};

struct template
{
	char *id; /* while reading */
	struct gc_message states[BENCH_STATES];
	int state_count;
	int64_t created_us;
	struct form keys[BENCH_STATES], values[BENCH_STATES];
	size_t value_bytes; /* all states */
};

/* Templates of one day, in two heaps: small values, large values. */
struct day {
	int64_t number; /* since 1970 */
	struct template **small, **large;
	size_t small_count, large_count;
	uint64_t first, contracts; /* which contracts are of this day */
};

struct place { /* one event of the backlog */
	uint64_t at;
	uint32_t contract;
	uint32_t state;
};

struct bench_events {
	struct bench_events_options options;
	struct gc_arena arena; /* texts of the templates */
	struct template *templates;
	size_t template_count;
	struct day *days;
	size_t day_count;
	double large_share; /* probability of a large value */
	uint64_t contracts;
	struct place *places;
	uint64_t next;
	char *key, *value; /* of the last message */
};

/* splitmix64, https://prng.di.unimi.it/splitmix64.c: any number to a well mixed one */
static uint64_t mix(uint64_t x)
{
	x += 0x9e3779b97f4a7c15;
	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
	x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
	return x ^ (x >> 31);
}

static double unit_of(uint64_t x)
{
	return (double)(mix(x) >> 11) / 9007199254740992.0;
}

/* ---- reading ---- */

static struct template *template_of(struct bench_events *events, struct gc_span id)
{
	struct template *t;

	for (size_t i = 0; i < events->template_count; i++) {
		if (gc_span_equal(gc_span_of(events->templates[i].id), id))
			return &events->templates[i];
	}
	events->templates = gc_realloc(events->templates, (events->template_count + 1) * sizeof(*events->templates));
	t = &events->templates[events->template_count++];
	*t = (struct template){ .id = (char *)gc_arena_dup(&events->arena, id).ptr };
	return t;
}

static struct gc_message dup_message(struct gc_arena *arena, const struct gc_message *message)
{
	struct gc_message copy = *message;
	struct gc_header *headers = gc_arena_alloc(arena, message->header_count * sizeof(*headers));

	copy.topic = gc_arena_dup(arena, message->topic);
	copy.key = gc_arena_dup(arena, message->key);
	copy.value = gc_arena_dup(arena, message->value);
	for (size_t i = 0; i < message->header_count; i++)
		headers[i] = (struct gc_header){ gc_arena_dup(arena, message->headers[i].name),
						 gc_arena_dup(arena, message->headers[i].value) };
	copy.headers = headers;
	return copy;
}

static bool is_text(const struct gc_json *value)
{
	return value && value->type == GC_JSON_STRING;
}

/* States that follow one another; a snapshot tells the last one only, a redelivery the same once more. */
static void read_state(struct bench_events *events, const struct gc_message *message)
{
	static const char *const wanted[] = { "pending", "executing", NULL };
	const struct gc_json *root, *after, *created;
	struct gc_span status;
	struct template *t;

	if (gc_json_parse(message->value, &events->arena, &root, NULL) != GC_OK)
		return;
	after = gc_json_get(root, GC_LIT("after"));
	created = gc_json_get(after, GC_LIT("created_at"));
	if (!is_text(gc_json_get(after, GC_LIT("id"))) || !is_text(gc_json_get(after, GC_LIT("status"))) || !created ||
	    created->type != GC_JSON_INT)
		return;
	t = template_of(events, gc_json_text(gc_json_get(after, GC_LIT("id")), &events->arena, NULL));
	status = gc_json_text(gc_json_get(after, GC_LIT("status")), &events->arena, NULL);
	if (t->state_count < BENCH_STATES - 1 && !gc_span_equal(status, gc_span_of(wanted[t->state_count])))
		return;
	if (t->state_count == BENCH_STATES || gc_span_equal(status, GC_LIT("pending")) != (t->state_count == 0))
		return;
	t->created_us = gc_json_int(created);
	t->states[t->state_count++] = dup_message(&events->arena, message);
}

static enum gc_verdict read_capture(struct bench_events *events, struct gc_err *err)
{
	struct gc_capture *capture = NULL;
	const struct gc_message *message = NULL;
	enum gc_verdict verdict = gc_capture_open(events->options.capture, &capture, err);

	while (verdict == GC_OK) {
		verdict = gc_capture_next(capture, &message, err);
		if (verdict != GC_OK || !message)
			break;
		if (message->value.ptr)
			read_state(events, message);
	}
	gc_capture_close(capture);
	return verdict;
}

/* ---- cutting ---- */

struct cut {
	const char *text; /* what stands before the slot, or the slot itself for an id */
	enum slot slot;
};

/* A number behind "name": — nested JSON has \" there, and is left alone. */
static bool begins_number(const char *at, const char *name)
{
	size_t length = strlen(name);

	return strncmp(at, name, length) == 0 && at[length] >= '0' && at[length] <= '9';
}

static enum slot slot_at(const char *at, const char *id, size_t *ret_before, size_t *ret_length)
{
	static const struct cut cuts[] = { { "\"created_at\":", SLOT_TIME },
					   { "\"executed_at\":", SLOT_TIME },
					   { "\"verified_at\":", SLOT_TIME },
					   { "\"lsn\":", SLOT_LSN } };

	if (strncmp(at, id, strlen(id)) == 0) {
		*ret_before = 0;
		*ret_length = strlen(id);
		return SLOT_ID;
	}
	for (size_t i = 0; *at == '"' && i < sizeof(cuts) / sizeof(cuts[0]); i++) {
		if (begins_number(at, cuts[i].text)) {
			*ret_before = strlen(cuts[i].text);
			*ret_length = strspn(at + *ret_before, "0123456789");
			return cuts[i].slot;
		}
	}
	return SLOT_NONE;
}

static void add_piece(struct form *form, const char *from, const char *to, enum slot slot)
{
	form->pieces = gc_realloc(form->pieces, (form->count + 1) * sizeof(*form->pieces));
	form->pieces[form->count++] = (struct piece){ { from, (size_t)(to - from) },
						      slot,
						      slot == SLOT_TIME ? strtoll(to, NULL, 10) : 0 };
}

static struct form cut_form(struct gc_span text, const char *id)
{
	struct form form = { .bytes = text.len };
	const char *from = text.ptr;

	for (const char *at = text.ptr; *at;) {
		size_t before = 0, length = 0;
		enum slot slot = slot_at(at, id, &before, &length);

		if (slot == SLOT_NONE) {
			at++;
			continue;
		}
		add_piece(&form, from, at + before, slot);
		from = at = at + before + length;
	}
	add_piece(&form, from, text.ptr + text.len, SLOT_NONE);
	return form;
}

static void cut_templates(struct bench_events *events)
{
	size_t kept = 0;

	for (size_t i = 0; i < events->template_count; i++) {
		struct template *t = &events->templates[i];

		if (t->state_count < BENCH_STATES)
			continue;
		for (int s = 0; s < BENCH_STATES; s++) {
			t->keys[s] = cut_form(t->states[s].key, t->id);
			t->values[s] = cut_form(t->states[s].value, t->id);
			t->value_bytes += t->values[s].bytes;
		}
		events->templates[kept++] = *t;
	}
	events->template_count = kept;
}

/* ---- arranging ---- */

static struct day *day_of(struct bench_events *events, int64_t number)
{
	size_t i = 0;

	while (i < events->day_count && events->days[i].number < number)
		i++;
	if (i < events->day_count && events->days[i].number == number)
		return &events->days[i];
	events->days = gc_realloc(events->days, (events->day_count + 1) * sizeof(*events->days));
	memmove(&events->days[i + 1], &events->days[i], (events->day_count - i) * sizeof(*events->days));
	events->day_count++;
	events->days[i] = (struct day){ .number = number,
					.small = gc_calloc(events->template_count, sizeof(struct template *)),
					.large = gc_calloc(events->template_count, sizeof(struct template *)) };
	return &events->days[i];
}

/* How often a large one must be chosen for the mean to be BENCH_VALUE_BYTES. */
static void weigh_templates(struct bench_events *events)
{
	double sums[2] = { 0, 0 }, counts[2] = { 0, 0 }, share;

	for (size_t i = 0; i < events->template_count; i++) {
		bool large = events->templates[i].value_bytes >= BENCH_STATES * BENCH_VALUE_BYTES;

		sums[large] += (double)events->templates[i].value_bytes / BENCH_STATES;
		counts[large]++;
	}
	share = counts[0] == 0 ? 1 : 0;
	if (counts[0] > 0 && counts[1] > 0)
		share = (BENCH_VALUE_BYTES - sums[0] / counts[0]) / (sums[1] / counts[1] - sums[0] / counts[0]);
	events->large_share = share < 0 ? 0 : share > 1 ? 1 : share;
}

/* Days get contracts by their captured numbers of contracts. */
static void share_days(struct bench_events *events)
{
	uint64_t first = 0, seen = 0;

	for (size_t i = 0; i < events->template_count; i++) {
		struct template *t = &events->templates[i];
		struct day *day = day_of(events, t->created_us / GC_DAY_US);

		if (t->value_bytes >= BENCH_STATES * BENCH_VALUE_BYTES)
			day->large[day->large_count++] = t;
		else
			day->small[day->small_count++] = t;
	}
	for (size_t i = 0; i < events->day_count; i++) {
		struct day *day = &events->days[i];

		seen += day->small_count + day->large_count;
		day->first = first;
		day->contracts = events->contracts * seen / events->template_count - first;
		first += day->contracts;
	}
}

static int compare_places(const void *a, const void *b)
{
	const struct place *left = a, *right = b;

	if (left->at != right->at)
		return left->at < right->at ? -1 : 1;
	return left->contract != right->contract ? (left->contract < right->contract ? -1 : 1)
						 : (int)left->state - (int)right->state;
}

static void order_places(struct bench_events *events)
{
	uint64_t spread = events->options.neighbours ? 1 : BENCH_SPREAD, n = 0;

	events->places = gc_malloc((events->contracts * BENCH_STATES + 1) * sizeof(*events->places));
	for (uint64_t c = 0; c < events->contracts; c++) {
		uint64_t at = c * BENCH_STATES;

		for (uint32_t s = 0; s < BENCH_STATES; s++) {
			at += s == 0 ? 0 : mix(mix(events->options.salt + c) + s) % spread;
			events->places[n++] = (struct place){ at, (uint32_t)c, s };
		}
	}
	qsort(events->places, n, sizeof(*events->places), compare_places);
}

enum gc_verdict bench_events_open(const struct bench_events_options *options, struct bench_events **ret_events, struct gc_err *err)
{
	struct bench_events *events = gc_calloc(1, sizeof(*events));
	enum gc_verdict verdict;

	events->options = *options;
	events->contracts = (options->count + BENCH_STATES - 1) / BENCH_STATES;
	gc_arena_init(&events->arena);
	verdict = read_capture(events, err);
	if (verdict == GC_OK)
		cut_templates(events);
	if (verdict == GC_OK && events->template_count == 0)
		verdict = gc_fail(err, GC_FATAL, "no_contracts", options->capture, "no contract with three states is in %s",
				  options->capture);
	if (verdict != GC_OK) {
		bench_events_close(events);
		return verdict;
	}
	weigh_templates(events);
	share_days(events);
	order_places(events);
	*ret_events = events;
	return GC_OK;
}

void bench_events_close(struct bench_events *events)
{
	if (!events)
		return;
	for (size_t i = 0; i < events->template_count; i++) {
		for (int s = 0; s < BENCH_STATES; s++) {
			free(events->templates[i].keys[s].pieces);
			free(events->templates[i].values[s].pieces);
		}
	}
	for (size_t i = 0; i < events->day_count; i++) {
		free(events->days[i].small);
		free(events->days[i].large);
	}
	free(events->days);
	free(events->templates);
	free(events->places);
	free(events->key);
	free(events->value);
	gc_arena_done(&events->arena);
	free(events);
}

size_t bench_events_templates(const struct bench_events *events)
{
	return events->template_count;
}

/* ---- filling in ---- */

struct copy { /* one contract */
	const struct template *template;
	int64_t created_us;
	char id[64];
};

static struct copy copy_of(const struct bench_events *events, uint64_t contract)
{
	uint64_t nth = contract, random = mix(events->options.salt * 0x10001 + contract);
	const struct day *day = events->days;
	struct copy copy;
	bool large;

	/* 2^31 − 1 is prime: with any number of contracts this is a permutation */
	if (events->options.days_mixed)
		nth = contract * INT32_MAX % events->contracts;
	while (nth >= day->first + day->contracts)
		day++;
	large = day->small_count == 0 || (day->large_count > 0 && unit_of(random + 1) < events->large_share);
	copy.template = large ? day->large[mix(random + 2) % day->large_count] : day->small[mix(random + 2) % day->small_count];
	copy.created_us = day->number * GC_DAY_US +
			  (int64_t)((double)(nth - day->first) * (double)GC_DAY_US / (double)day->contracts);
	snprintf(copy.id, sizeof(copy.id), "contract-%016llx-%lld.%06lld", (unsigned long long)random,
		 (long long)(copy.created_us / GC_SECOND_US), (long long)(copy.created_us % GC_SECOND_US));
	return copy;
}

#define SLOT_BYTES_MAX 64 /* what an id or a number takes, with its end */

static struct gc_span fill_form(const struct form *form, const struct copy *copy, uint64_t number, char **buffer)
{
	char *at = *buffer = gc_realloc(*buffer, form->bytes + form->count * SLOT_BYTES_MAX + 1);

	for (size_t i = 0; i < form->count; i++) {
		const struct piece *piece = &form->pieces[i];

		memcpy(at, piece->literal.ptr, piece->literal.len);
		at += piece->literal.len;
		if (piece->slot == SLOT_ID)
			at += snprintf(at, SLOT_BYTES_MAX, "%s", copy->id);
		else if (piece->slot == SLOT_LSN)
			at += snprintf(at, SLOT_BYTES_MAX, "%lld", (long long)(65000000 + 408 * number));
		else if (piece->slot == SLOT_TIME)
			at += snprintf(at, SLOT_BYTES_MAX, "%lld",
				       (long long)(piece->captured + copy->created_us - copy->template->created_us));
	}
	return (struct gc_span){ *buffer, (size_t)(at - *buffer) };
}

bool bench_events_next(struct bench_events *events, struct gc_message *ret_message)
{
	const struct place *place = &events->places[events->next];
	struct copy copy;

	if (events->next >= events->options.count)
		return false;
	copy = copy_of(events, place->contract);
	*ret_message = copy.template->states[place->state];
	ret_message->offset = (int64_t)events->next;
	ret_message->partition = 0;
	ret_message->timestamp_us = -1;
	ret_message->key = fill_form(&copy.template->keys[place->state], &copy, events->next, &events->key);
	ret_message->value = fill_form(&copy.template->values[place->state], &copy, events->next, &events->value);
	events->next++;
	return true;
}
