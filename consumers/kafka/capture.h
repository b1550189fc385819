/* Capture files: records of topics as JSON lines, plain or gzip, "-" for stdin.
 *
 *     {"topic": "grace.public.x", "partition": 0, "offset": 17, "timestamp": 1795410143304,
 *      "headers": [["name", "value or null"]], "key": "text or null", "value": "text or null"}
 *
 * `value` must be there (null is a tombstone). partition (0), offset (-1), timestamp (ms; -1, none), headers and key (null)
 * may be missing; topic may be missing for who knows it better. Bytes that are no UTF-8 stand as {"base64": "…"}. Other members are left alone; a member twice is an error.
 * Nothing is skipped in silence but blank lines. A pipe is read in blocks of 256 KiB: the lines of a slow one come late.
 * Threads: a reader belongs to one thread.
 */
#ifndef GRACECUBE_CAPTURE_H
#define GRACECUBE_CAPTURE_H

#include <gracecube/err.h>
#include <gracecube/json.h>
#include <gracecube/message.h>

#include "kafka/shift.h"

#define GC_CAPTURE_LINE_BYTES ((size_t)16 << 20) /* limit of one line */

struct gc_capture;

/* GC_FATAL when the file cannot be opened. */
enum gc_verdict gc_capture_open(const char *path, struct gc_capture **ret_capture, struct gc_err *err) GC_MUST_CHECK;
void gc_capture_close(struct gc_capture *capture);
/* The next record; *ret_message is NULL at the end, and lives until the next call. GC_REJECT: this line is bad, the next
 * call goes on behind it. GC_FATAL: the file cannot be read on (a gzip cut short, an I/O error). err->where is file:line. */
enum gc_verdict gc_capture_next(struct gc_capture *capture, const struct gc_message **ret_message,
				struct gc_err *err) GC_MUST_CHECK;
/* "file:line" of the record last returned. */
const char *gc_capture_place(const struct gc_capture *capture);

/* Another member of the record last returned; NULL: it has none of this name. */
const struct gc_json *gc_capture_member(const struct gc_capture *capture, const char *name);

/* From the next record on their times are moved. */
void gc_capture_shift(struct gc_capture *capture, const struct gc_shift *shift);
/* Reads the files through: the one distance, in whole seconds, by which the newest Kafka timestamp comes to ending_us, and no later. */
enum gc_verdict gc_capture_ending(char *const *paths, size_t count, int64_t ending_us, struct gc_shift *ret_shift,
				  struct gc_err *err) GC_MUST_CHECK;

#endif
