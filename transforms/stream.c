/* Finds streams in the registry that the build makes. Threads: constant data. */
#include <gracecube/stream.h>

const struct gc_stream *gc_stream_find(struct gc_span name)
{
	for (const struct gc_stream *const *s = gc_streams; *s; s++) {
		if (gc_span_equal(gc_span_of((*s)->name), name))
			return *s;
	}
	return NULL;
}

size_t gc_stream_count(void)
{
	size_t count = 0;

	while (gc_streams[count])
		count++;
	return count;
}
