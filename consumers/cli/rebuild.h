/* What the files of `gracecube rebuild` share: how it begins, and what it reads, from capture files and from Kafka into the new cube, beside
 * the live one and never ahead of it.
 *
 * Threads: the thread that opened it; its workers are threads of their own.
 */
#ifndef GRACECUBE_CLI_REBUILD_H
#define GRACECUBE_CLI_REBUILD_H

#include <gracecube/rebuild.h>

#include "cli/command.h"
#include "cli/output.h"
#include "cli/progress.h"
#include "worker/replay.h"
#include "worker/run.h"

struct gc_rebuild_options {
	struct gc_flag_list streams;
	bool swap, abandon, drop_old;
	int progress;
};

/* What is told while it happens, and kept for JSON. */
struct gc_rebuild_telling {
	bool as_json;
	struct gc_table differences, metrics;
	json_t *answer, *difference_list, *metric_list;
	int64_t compared, rows, cells;
};

/* Begins a rebuild, or goes on with the one that there is; *status is of it afterwards. `replay`: the capture files, NULL without any. */
enum gc_verdict gc_rebuild_begin_or_go_on(struct gc_rebuild_telling *telling, const struct gc_config *config,
					  struct gc_rebuild *rebuild, const struct gc_rebuild_options *options,
					  const struct gc_replay *replay, struct gc_rebuild_status *status,
					  struct gc_err *err) GC_MUST_CHECK;
/* One of --stream that is no stream's name; NULL: there is none. */
const char *gc_rebuild_wrong_stream(const struct gc_flag_list *names);

struct gc_rebuild_reader {
	struct gc_rebuild *rebuild;
	enum gc_progress_mode mode;
	struct gc_config config; /* of the workers */
	struct gc_run *run;      /* NULL: it does not read now */
	struct gc_rebuild_places places;
	int64_t started_us, read; /* since it was opened */
	bool has_files;
};

/* Which of the places Kafka still has, and from where on. GC_FATAL when a topic is another one than the live cube has read. */
enum gc_verdict gc_rebuild_ask_kafka(const struct gc_config *config, struct gc_rebuild_places *places,
				     struct gc_err *err) GC_MUST_CHECK;

void gc_rebuild_reader_init(struct gc_rebuild_reader *reader, struct gc_rebuild *rebuild, enum gc_progress_mode mode);
void gc_rebuild_reader_done(struct gc_rebuild_reader *reader);
/* Applies what the capture files have behind the new cube's positions; NULL: there are none. GC_FATAL when Kafka does not have the records
 * behind that. */
enum gc_verdict gc_rebuild_read_files(struct gc_rebuild_reader *reader, struct gc_replay *replay, struct gc_err *err) GC_MUST_CHECK;
/* Reads until the new cube stands where the live one stood at some moment. */
enum gc_verdict gc_rebuild_read(struct gc_rebuild_reader *reader, struct gc_err *err) GC_MUST_CHECK;
/* The same, and then the live cube is held, with both at the same positions. GC_RETRY with the code "busy" when that cannot be had. */
enum gc_verdict gc_rebuild_meet(struct gc_rebuild_reader *reader, struct gc_err *err) GC_MUST_CHECK;
/* Ends the workers; whatever reads next starts them again. */
enum gc_verdict gc_rebuild_pause(struct gc_rebuild_reader *reader, struct gc_err *err) GC_MUST_CHECK;

#endif
