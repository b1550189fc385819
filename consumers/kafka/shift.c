/* Times moved inside a record: see shift.h. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include <gracecube/time.h>

#include "kafka/edit.h"
#include "kafka/shift.h"

/* 1973: below it an epoch's unit cannot be told, and only filler stands there. */
#define FILLER_END_US (INT64_C(100000000) * GC_SECOND_US)

/* ---- one time ---- */

static bool ends_with(struct gc_span text, struct gc_span end)
{
	return text.len >= end.len && memcmp(text.ptr + text.len - end.len, end.ptr, end.len) == 0;
}

static bool is_one_of(struct gc_span name, const char *const *names)
{
	for (; *names; names++) {
		if (gc_span_equal(name, gc_span_of(*names)))
			return true;
	}
	return false;
}

static bool is_journey(struct gc_span name)
{
	static const char *const names[] = { "ts_ms",          "ts_us",          "ts_ns",          "__ts_ms",
					     "__source_ts_ms", "__source_ts_us", "__source_ts_ns", NULL };

	return is_one_of(name, names);
}

static bool is_time_of_row(struct gc_span name)
{
	static const char *const names[] = { "timestamp", "effective_from", "effective_to", NULL };

	return ends_with(name, GC_LIT("_at")) || is_one_of(name, names);
}

/* The same unit that the decoder tells from the size. */
static int64_t units_a_second(int64_t epoch)
{
	double size = (double)(epoch < 0 ? -epoch : epoch);

	return size < 1e11 ? 1 : size < 1e14 ? 1000 : size < 1e17 ? 1000000 : 1000000000;
}

/* "1795280205928599", "1792804640.570393": the part before the point moves. */
static bool shift_epoch(struct gc_span text, int64_t by_s, struct gc_arena *arena, struct gc_span *ret_text)
{
	const char *point = memchr(text.ptr, '.', text.len);
	struct gc_span whole = { text.ptr, point ? (size_t)(point - text.ptr) : text.len };
	int64_t epoch, by;

	if (!gc_span_int64(whole, &epoch) || __builtin_mul_overflow(by_s, units_a_second(epoch), &by) ||
	    __builtin_add_overflow(epoch, by, &epoch))
		return false;
	*ret_text = gc_arena_printf(arena, "%" PRId64 "%.*s", epoch, (int)(text.len - whole.len), text.ptr + whole.len);
	return true;
}

static size_t count_of(struct gc_span text, size_t from, const char *allowed)
{
	size_t i = from;

	while (i < text.len && strchr(allowed, text.ptr[i]))
		i++;
	return i - from;
}

/* "2026-11-21T16:29:13.28Z": date and clock move in their own zone, further digits than six and the zone stay. */
static bool shift_calendar(struct gc_span text, int64_t by_s, struct gc_arena *arena, struct gc_span *ret_text)
{
	size_t clock = text.len > 10 ? 1 + count_of(text, 11, "0123456789:.") : 0, shown = clock > 16 ? 16 : clock;
	char moved[GC_TIME_TEXT_BYTES];
	int64_t local_us;

	if (!gc_time_parse((struct gc_span){ text.ptr, 10 + clock }, GC_UNIT_AUTO, &local_us))
		return false;
	gc_time_format(local_us + by_s * GC_SECOND_US, moved, sizeof(moved));
	if (clock > 0)
		moved[10] = text.ptr[10];
	*ret_text = gc_arena_printf(arena, "%.*s%.*s", (int)(10 + shown), moved, (int)(text.len - 10 - shown),
				    text.ptr + 10 + shown);
	return true;
}

static bool is_calendar(struct gc_span text)
{
	return text.len >= 10 && text.ptr[4] == '-' && text.ptr[7] == '-';
}

static bool read_time(struct gc_span text, int64_t *ret_us)
{
	int64_t us;

	if (!gc_time_parse(text, GC_UNIT_AUTO, &us) || us < FILLER_END_US || us >= GC_TIME_END_US)
		return false;
	*ret_us = us;
	return true;
}

static bool shift_time(struct gc_span text, int64_t by_s, struct gc_arena *arena, struct gc_span *ret_text)
{
	if (is_calendar(text))
		return shift_calendar(text, by_s, arena, ret_text);
	return shift_epoch(text, by_s, arena, ret_text);
}

struct pass {
	const struct gc_shift *shift; /* NULL: only look */
	struct gc_arena *arena;
	int64_t oldest_us, newest_us; /* of the row */
};

static bool pass_value(void *arg, const struct gc_edit_at *at, struct gc_span *ret_new)
{
	struct gc_span text = { at->value->ptr, at->value->len };
	bool is_of_journey = is_journey(at->name);
	struct pass *pass = arg;
	int64_t us;

	if (at->is_signed || (!is_of_journey && !is_time_of_row(at->name)) || !read_time(text, &us))
		return false;
	if (!is_of_journey) {
		pass->oldest_us = us < pass->oldest_us ? us : pass->oldest_us;
		pass->newest_us = us > pass->newest_us ? us : pass->newest_us;
	}
	if (!pass->shift)
		return false;
	return shift_time(text, is_of_journey ? pass->shift->journey_s : pass->shift->row_s, pass->arena, ret_new);
}

struct gc_span gc_shift_json(struct gc_span json, const struct gc_shift *shift, struct gc_arena *arena)
{
	struct pass pass = { .shift = shift, .arena = arena };

	return gc_edit_json(json, pass_value, &pass, arena);
}

void gc_shift_message(struct gc_message *message, const struct gc_shift *shift, struct gc_arena *arena)
{
	message->value = gc_shift_json(message->value, shift, arena);
	if (message->timestamp_us >= 0)
		message->timestamp_us += shift->journey_s * GC_SECOND_US;
}

bool gc_shift_range(struct gc_span json, struct gc_arena *arena, int64_t *ret_oldest_us, int64_t *ret_newest_us)
{
	struct pass pass = { .arena = arena, .oldest_us = INT64_MAX, .newest_us = INT64_MIN };

	gc_edit_json(json, pass_value, &pass, arena);
	if (pass.newest_us == INT64_MIN)
		return false;
	*ret_oldest_us = pass.oldest_us;
	*ret_newest_us = pass.newest_us;
	return true;
}
