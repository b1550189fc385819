/* What a rebuild reads: from Kafka into the new cube, beside the live one and never ahead of it.
 *
 * Threads: the thread that opened it; its workers are threads of their own.
 */
#ifndef GRACECUBE_CLI_REBUILD_H
#define GRACECUBE_CLI_REBUILD_H

#include <gracecube/rebuild.h>

#include "cli/progress.h"
#include "worker/run.h"

struct gc_rebuild_reader {
	struct gc_rebuild *rebuild;
	enum gc_progress_mode mode;
	struct gc_config config; /* of the workers */
	struct gc_run *run;      /* NULL: it does not read now */
	struct gc_rebuild_places places;
	int64_t started_us, read; /* since it was opened */
};

/* Which of the places Kafka still has, and from where on. GC_FATAL when a topic is another one than the live cube has read. */
enum gc_verdict gc_rebuild_ask_kafka(const struct gc_config *config, struct gc_rebuild_places *places,
				     struct gc_err *err) GC_MUST_CHECK;

void gc_rebuild_reader_init(struct gc_rebuild_reader *reader, struct gc_rebuild *rebuild, enum gc_progress_mode mode);
void gc_rebuild_reader_done(struct gc_rebuild_reader *reader);
/* Reads until the new cube stands where the live one stood at some moment. */
enum gc_verdict gc_rebuild_read(struct gc_rebuild_reader *reader, struct gc_err *err) GC_MUST_CHECK;
/* The same, and then the live cube is held, with both at the same positions. GC_RETRY with the code "busy" when that cannot be had. */
enum gc_verdict gc_rebuild_meet(struct gc_rebuild_reader *reader, struct gc_err *err) GC_MUST_CHECK;

#endif
