/* Logging: a constant sentence plus fields, to stderr. logfmt or JSON (log.format), one line an event of note.
 *
 *     gc_info("batch applied", GC_S("topic", topic), GC_I("rows", n));
 *
 * Keys are lower_case words. A secret is never a field. Threads: safe from any thread; a line is one write().
 */
#ifndef GRACECUBE_LOG_H
#define GRACECUBE_LOG_H

#include <gracecube/err.h>
#include <gracecube/span.h>

enum gc_log_level { GC_LOG_ERROR, GC_LOG_WARN, GC_LOG_INFO, GC_LOG_DEBUG };
enum gc_log_format { GC_LOG_LOGFMT, GC_LOG_JSON };

struct gc_log_field {
	const char *key;
	enum { GC_LOG_TEXT, GC_LOG_INT, GC_LOG_REAL, GC_LOG_SPAN } kind;
	const char *text;
	int64_t number;
	double real;
	struct gc_span span;
};

#define GC_S(k, v) ((struct gc_log_field){ .key = (k), .kind = GC_LOG_TEXT, .text = (v) })
#define GC_I(k, v) ((struct gc_log_field){ .key = (k), .kind = GC_LOG_INT, .number = (int64_t)(v) })
#define GC_R(k, v) ((struct gc_log_field){ .key = (k), .kind = GC_LOG_REAL, .real = (v) })
#define GC_SPAN(k, v) ((struct gc_log_field){ .key = (k), .kind = GC_LOG_SPAN, .span = (v) })

/* Called once before threads start, and again by tests. */
void gc_log_setup(enum gc_log_level level, enum gc_log_format format);
enum gc_log_level gc_log_level(void);
/* A tag on all lines of this thread, "worker=1"; the string must stay alive. NULL takes it away. */
void gc_log_context(const char *key, const char *value);

void gc_log_write(enum gc_log_level level, const char *sentence, const struct gc_log_field *fields, size_t count);

#define GC_LOG(level, sentence, ...)                                                                                               \
	do {                                                                                                                       \
		if ((level) <= gc_log_level()) {                                                                                   \
			const struct gc_log_field gc_fields_[] = { { .key = NULL }, ##__VA_ARGS__ };                               \
			gc_log_write((level), (sentence), gc_fields_ + 1, sizeof(gc_fields_) / sizeof(gc_fields_[0]) - 1);         \
		}                                                                                                                  \
	} while (0)
#define gc_error(sentence, ...) GC_LOG(GC_LOG_ERROR, sentence, ##__VA_ARGS__)
#define gc_warn(sentence, ...) GC_LOG(GC_LOG_WARN, sentence, ##__VA_ARGS__)
#define gc_info(sentence, ...) GC_LOG(GC_LOG_INFO, sentence, ##__VA_ARGS__)
#define gc_debug(sentence, ...) GC_LOG(GC_LOG_DEBUG, sentence, ##__VA_ARGS__)

/* err's code, where and text as the fields code=, where=, err=. */
#define GC_ERR_FIELDS(e) GC_S("code", (e)->code), GC_S("where", (e)->where), GC_S("err", (e)->text)

/* A fault that may repeat: reported at once, then at growing intervals (1, 2, 4 … 300 s) with the count in between.
 * Embed one per fault site, zeroed. Returns true when the caller should log now; *ret_repeated is the count kept back. */
struct gc_complaint {
	int64_t next_us;
	int64_t interval_us;
	int64_t held_back;
};
bool gc_complain(struct gc_complaint *complaint, int64_t now_us, int64_t *ret_repeated);
/* The fault is over: true once if there had been one. */
bool gc_complaint_over(struct gc_complaint *complaint);

#endif
