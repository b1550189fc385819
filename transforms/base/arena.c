/* Arena: a list of blocks, handed out front to back, and malloc that never returns NULL.
 *
 * Blocks begin at 64 KiB and double up to 1 MiB; a request larger than that gets a block of its own size. Blocks behind
 * `current` are empty ones kept by the last reset. Under AddressSanitizer all bytes not handed out are poisoned, so
 * that a span kept over a reset is found by the first test that reads it.
 * Threads: one arena belongs to one thread; gc_malloc and friends are safe from any.
 */
#include <stdalign.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <gracecube/arena.h>

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(memory, bytes) ((void)(memory), (void)(bytes))
#define ASAN_UNPOISON_MEMORY_REGION(memory, bytes) ((void)(memory), (void)(bytes))
#endif

#define ALIGNMENT ((size_t)16)
#define BLOCK_MIN_BYTES ((size_t)64 << 10)
#define BLOCK_GROWN_BYTES ((size_t)1 << 20)

struct gc_arena_block {
	struct gc_arena_block *next;
	size_t capacity, used;
	alignas(16) char data[];
};

_Noreturn static void stop_without_memory(size_t bytes)
{
	fprintf(stderr, "gracecube: out of memory (%zu bytes wanted)\n", bytes);
	abort();
}

void *gc_malloc(size_t bytes)
{
	void *memory = malloc(bytes ? bytes : 1);

	if (!memory)
		stop_without_memory(bytes);
	return memory;
}

void *gc_calloc(size_t count, size_t bytes)
{
	size_t total;

	if (__builtin_mul_overflow(count, bytes, &total))
		stop_without_memory(SIZE_MAX);
	void *memory = calloc(total ? total : 1, 1);
	if (!memory)
		stop_without_memory(total);
	return memory;
}

void *gc_realloc(void *memory, size_t bytes)
{
	void *moved = realloc(memory, bytes ? bytes : 1);

	if (!moved)
		stop_without_memory(bytes);
	return moved;
}

char *gc_strdup(const char *text)
{
	size_t bytes = strlen(text) + 1;

	return memcpy(gc_malloc(bytes), text, bytes);
}

char *gc_span_strdup(struct gc_span text)
{
	char *copy = gc_malloc(text.len + 1);

	if (text.len > 0)
		memcpy(copy, text.ptr, text.len);
	copy[text.len] = '\0';
	return copy;
}

void gc_arena_init(struct gc_arena *arena)
{
	*arena = (struct gc_arena){ 0 };
}

static void free_blocks(struct gc_arena_block *block)
{
	while (block) {
		struct gc_arena_block *next = block->next;

		ASAN_UNPOISON_MEMORY_REGION(block->data, block->capacity);
		free(block);
		block = next;
	}
}

void gc_arena_done(struct gc_arena *arena)
{
	free_blocks(arena->first);
	gc_arena_init(arena);
}

/* The blocks that fit into keep_bytes together stay, empty; a large one between small ones does not cost them. */
void gc_arena_reset(struct gc_arena *arena, size_t keep_bytes)
{
	struct gc_arena_block **link = &arena->first;
	size_t kept = 0;

	while (*link) {
		struct gc_arena_block *block = *link;

		if (block->capacity <= keep_bytes - kept) {
			kept += block->capacity;
			block->used = 0;
			ASAN_POISON_MEMORY_REGION(block->data, block->capacity);
			link = &block->next;
		} else {
			*link = block->next;
			block->next = NULL;
			free_blocks(block);
		}
	}
	arena->current = arena->first;
	arena->used_bytes = 0;
}

static size_t choose_capacity(const struct gc_arena_block *current, size_t bytes)
{
	size_t capacity = current ? current->capacity * 2 : BLOCK_MIN_BYTES;

	if (capacity > BLOCK_GROWN_BYTES)
		capacity = BLOCK_GROWN_BYTES;
	return capacity > bytes ? capacity : bytes;
}

/* A new block right behind the current one: empty blocks further on are still found later. */
static void insert_block(struct gc_arena *arena, size_t bytes)
{
	struct gc_arena_block **link = arena->current ? &arena->current->next : &arena->first;
	size_t capacity = choose_capacity(arena->current, bytes);
	struct gc_arena_block *block = gc_malloc(sizeof(*block) + capacity);

	*block = (struct gc_arena_block){ .next = *link, .capacity = capacity };
	ASAN_POISON_MEMORY_REGION(block->data, capacity);
	*link = block;
	arena->current = block;
}

static void make_room(struct gc_arena *arena, size_t bytes)
{
	struct gc_arena_block *next = arena->current ? arena->current->next : NULL;

	if (next && next->capacity >= bytes)
		arena->current = next;
	else
		insert_block(arena, bytes);
}

void *gc_arena_alloc(struct gc_arena *arena, size_t bytes)
{
	struct gc_arena_block *block = arena->current;

	/* leaves room for the rounding and for the block's header */
	if (bytes > SIZE_MAX / 2)
		stop_without_memory(bytes);
	size_t rounded = (bytes + ALIGNMENT - 1) & ~(ALIGNMENT - 1);
	if (!block || block->capacity - block->used < rounded) {
		make_room(arena, rounded);
		block = arena->current;
	}
	char *memory = block->data + block->used;
	ASAN_UNPOISON_MEMORY_REGION(memory, bytes);
	block->used += rounded;
	arena->used_bytes += rounded;
	return memory;
}

void *gc_arena_zalloc(struct gc_arena *arena, size_t bytes)
{
	return memset(gc_arena_alloc(arena, bytes), 0, bytes);
}

struct gc_span gc_arena_dup(struct gc_arena *arena, struct gc_span text)
{
	if (!text.ptr)
		return GC_SPAN_NULL;
	char *copy = gc_arena_alloc(arena, text.len + 1);
	memcpy(copy, text.ptr, text.len);
	copy[text.len] = '\0';
	return (struct gc_span){ copy, text.len };
}

struct gc_span gc_arena_printf(struct gc_arena *arena, const char *format, ...)
{
	va_list args, again;

	va_start(args, format);
	va_copy(again, args);
	int length = vsnprintf(NULL, 0, format, args);
	size_t len = length > 0 ? (size_t)length : 0;
	char *text = gc_arena_alloc(arena, len + 1);
	text[0] = '\0';
	if (len)
		vsnprintf(text, len + 1, format, again);
	va_end(again);
	va_end(args);
	return (struct gc_span){ text, len };
}
