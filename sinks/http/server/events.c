/* Events: one connection listens for commits (NOTIFY cube_changed, whose payload is the streams), and every open page hears of them.
 *
 * Commits that come close together are one event, at most five a second. What is told is only that something changed, and when: pages
 * then ask. A stream ends within some two seconds after its token was revoked. A notification that was lost (the listener was away) is made
 * up for: after a reconnect, and every other second, the newest commit is looked up.
 * Threads: the listener's own; pages are served by the HTTP thread. Shared under the lock: the last messages, the streams, as_of.
 */
#include "http/server/server.h"

#include <poll.h>
#include <stdio.h>

#define KEPT 64 /* messages; a page that is further behind gets the oldest of them, which is enough to ask again */
#define STREAMS_MAX 500
#define STREAMS_OF_TOKEN_MAX 100
#define EVENT_INTERVAL_US (200 * 1000)
#define LOOK_UP_INTERVAL_US (2 * GC_SECOND_US)
#define PING_INTERVAL_US (15 * GC_SECOND_US)
#define TICK_MS 100
/* Everybody who may log in may NOTIFY, and say anything. Above this no names are told: then pages ask for all that they show. */
#define CHANGED_BYTES_MAX 4096
/* Then the page comes again, and shows its token again. */
#define STREAM_LIFE_US (15 * GC_MINUTE_US)

struct stream { /* one open page */
	struct gc_events *events;
	struct gc_request *request; /* it lives as long as anything is read */
	char token_id[GC_TOKEN_ID_DIGITS + 1];
	struct stream *next, **here;
	uint64_t wanted; /* number of the next message */
	size_t sent;     /* bytes of it */
	int64_t until_us;
	bool is_suspended;
};

struct gc_events {
	struct gc_serve *serve;
	pthread_t thread;
	pthread_mutex_t lock;
	struct gc_text messages[KEPT]; /* message n is at n % KEPT */
	uint64_t count;
	struct stream *streams;
	int stream_count;
	char as_of[GC_AS_OF_BYTES];
	bool is_ready, stopping;

	/* the listener's own */
	struct gc_database db;
	struct gc_text changed;    /* names of streams, as members of a JSON array */
	char seen[GC_AS_OF_BYTES]; /* the newest commit that it looked at */
	bool has_changed, was_away;
	int64_t notified_us, looked_up_us, pinged_us;
};

/* ---- what pages get ---- */

static void wake(struct stream *stream)
{
	if (!stream->is_suspended)
		return;
	stream->is_suspended = false;
	MHD_resume_connection(stream->request->connection);
	atomic_fetch_sub(&stream->events->serve->suspended, 1);
}

static void tell(struct gc_events *events, const char *text)
{
	struct gc_text *message;

	pthread_mutex_lock(&events->lock);
	message = &events->messages[events->count++ % KEPT];
	message->len = 0;
	gc_text_puts(message, text);
	for (struct stream *stream = events->streams; stream; stream = stream->next)
		wake(stream);
	pthread_mutex_unlock(&events->lock);
}

/* A page that is so slow that its message was overwritten under it has to come again. */
static ssize_t copy_message(struct stream *stream, char *to, size_t room)
{
	struct gc_events *events = stream->events;
	const struct gc_text *message;
	size_t len;

	if (events->count - stream->wanted > KEPT && stream->sent > 0)
		return MHD_CONTENT_READER_END_OF_STREAM;
	if (events->count - stream->wanted > KEPT)
		stream->wanted = events->count - KEPT;
	message = &events->messages[stream->wanted % KEPT];
	len = message->len - stream->sent < room ? message->len - stream->sent : room;
	memcpy(to, message->ptr + stream->sent, len);
	stream->sent += len;
	if (stream->sent == message->len) {
		stream->wanted++;
		stream->sent = 0;
	}
	return (ssize_t)len;
}

/* Called by the HTTP thread whenever the page can take bytes. With nothing to send it sleeps until tell() wakes it. */
static ssize_t read_stream(void *argument, uint64_t position, char *to, size_t room)
{
	struct stream *stream = argument;
	struct gc_events *events = stream->events;
	ssize_t len = 0;

	(void)position;
	pthread_mutex_lock(&events->lock);
	if (events->stopping || gc_monotonic_us() > stream->until_us) {
		len = MHD_CONTENT_READER_END_OF_STREAM;
	} else if (stream->wanted == events->count) {
		stream->is_suspended = true;
		atomic_fetch_add(&events->serve->suspended, 1);
		MHD_suspend_connection(stream->request->connection);
	} else {
		len = copy_message(stream, to, room);
		stream->request->bytes += len > 0 ? len : 0;
	}
	pthread_mutex_unlock(&events->lock);
	return len;
}

static void free_stream(void *argument)
{
	struct stream *stream = argument;
	struct gc_events *events = stream->events;

	pthread_mutex_lock(&events->lock);
	*stream->here = stream->next;
	if (stream->next)
		stream->next->here = stream->here;
	events->stream_count--;
	pthread_mutex_unlock(&events->lock);
	free(stream);
}

static void link_stream(struct gc_events *events, struct stream *stream)
{
	stream->wanted = events->count ? events->count - 1 : 0; /* something to begin with: the headers leave at once */
	stream->next = events->streams;
	stream->here = &events->streams;
	if (stream->next)
		stream->next->here = &stream->next;
	events->streams = stream;
	events->stream_count++;
}

/* Under the lock. */
static bool has_room(const struct gc_events *events, const char *token_id, enum gc_limit *ret_limit)
{
	int of_token = 0;

	for (const struct stream *stream = events->streams; stream; stream = stream->next)
		of_token += strcmp(stream->token_id, token_id) == 0;
	*ret_limit = of_token >= STREAMS_OF_TOKEN_MAX ? GC_LIMIT_TOKEN_STREAMS : GC_LIMIT_STREAMS;
	return of_token < STREAMS_OF_TOKEN_MAX && events->stream_count < STREAMS_MAX && !events->stopping;
}

struct MHD_Response *gc_events_stream(struct gc_events *events, struct gc_request *request, enum gc_limit *ret_limit)
{
	struct stream *stream = gc_calloc(1, sizeof(*stream));
	struct MHD_Response *response;

	*stream = (struct stream){ .events = events, .request = request, .until_us = gc_monotonic_us() + STREAM_LIFE_US };
	pthread_mutex_lock(&events->lock);
	memcpy(stream->token_id, request->token_id, sizeof(stream->token_id));
	if (!has_room(events, stream->token_id, ret_limit)) {
		pthread_mutex_unlock(&events->lock);
		free(stream);
		return NULL;
	}
	link_stream(events, stream);
	pthread_mutex_unlock(&events->lock);
	response = MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, 4096, read_stream, stream, free_stream);
	if (!response)
		free_stream(stream);
	return response;
}

int gc_events_count(struct gc_events *events)
{
	int count;

	pthread_mutex_lock(&events->lock);
	count = events->stream_count;
	pthread_mutex_unlock(&events->lock);
	return count;
}

/* ---- freshness ---- */

void gc_events_as_of(struct gc_events *events, char *ret_as_of)
{
	pthread_mutex_lock(&events->lock);
	memcpy(ret_as_of, events->as_of, GC_AS_OF_BYTES);
	pthread_mutex_unlock(&events->lock);
}

/* RFC 3339 in UTC sorts as text, but for the digits of the fraction, which PostgreSQL cuts: "…:02.5Z" and "…:02.51Z". */
static bool is_later(const char *a, const char *b)
{
	size_t same = 0;

	while (a[same] && a[same] == b[same])
		same++;
	if (a[same] == 'Z' || b[same] == 'Z')
		return b[same] == 'Z';
	return a[same] > b[same];
}

void gc_events_tell_as_of(struct gc_events *events, const char *as_of)
{
	pthread_mutex_lock(&events->lock);
	if (is_later(as_of, events->as_of))
		memcpy(events->as_of, as_of, GC_AS_OF_BYTES);
	pthread_mutex_unlock(&events->lock);
}

bool gc_events_is_ready(struct gc_events *events)
{
	bool is_ready;

	pthread_mutex_lock(&events->lock);
	is_ready = events->is_ready;
	pthread_mutex_unlock(&events->lock);
	return is_ready;
}

static void set_ready(struct gc_events *events, bool is_ready)
{
	pthread_mutex_lock(&events->lock);
	events->is_ready = is_ready;
	pthread_mutex_unlock(&events->lock);
}

/* ---- the listener ---- */

static void note_stream(struct gc_events *events, struct gc_span name)
{
	struct gc_text quoted = { NULL, 0, 0 };

	events->has_changed = true;
	if (events->changed.len > CHANGED_BYTES_MAX)
		return;
	gc_json_put_text(&quoted, name);
	if (!events->changed.ptr || !strstr(events->changed.ptr, quoted.ptr)) {
		gc_text_puts(&events->changed, events->changed.len ? "," : "");
		gc_text_puts(&events->changed, quoted.ptr);
	}
	gc_text_done(&quoted);
}

static void note_payload(struct gc_events *events, const char *payload)
{
	struct gc_span rest = gc_span_of(payload), name;

	while (gc_span_next_item(&rest, ',', &name))
		note_stream(events, name);
}

static void take_notifications(struct gc_events *events)
{
	PGconn *conn = events->db.pg->conn;
	PGnotify *notify;

	if (!PQconsumeInput(conn))
		events->db.pg->lost = true;
	while ((notify = PQnotifies(conn))) {
		note_payload(events, notify->extra);
		PQfreemem(notify);
	}
}

/* The streams that moved since `as_of`, and the newest commit. */
static const char commits_sql[] =
	"SELECT cube.as_of(), NULL UNION ALL (SELECT NULL, stream FROM (SELECT stream, updated_at FROM cube.etl_offset"
	" UNION ALL SELECT stream, changed_at FROM cube.etl_dead_letter_ledger) m WHERE updated_at > nullif($1, '')::timestamptz GROUP BY stream ORDER BY stream)";

static void look_up_commits(struct gc_events *events)
{
	const char *seen = events->seen;
	struct gc_text as_of = { NULL, 0, 0 };
	struct gc_err err;
	PGresult *result = NULL;

	events->looked_up_us = gc_monotonic_us();
	if (gc_database_ask(&events->db, commits_sql, &seen, 1, &result, &err) != GC_OK)
		return;
	for (int row = 1; row < PQntuples(result); row++)
		note_stream(events, gc_span_of(PQgetvalue(result, row, 1)));
	if (!PQgetisnull(result, 0, 0)) {
		gc_time_put(&as_of, PQgetvalue(result, 0, 0));
		snprintf(events->seen, sizeof(events->seen), "%s", as_of.ptr);
		gc_events_tell_as_of(events, events->seen);
		gc_text_done(&as_of);
	}
	PQclear(result);
}

/* ---- tokens of open streams ---- */

/* Those of them that are not taken any more. */
static const char revoked_sql[] =
	"SELECT t FROM unnest(string_to_array($1, ' ')) t WHERE NOT EXISTS (SELECT FROM cube.find_api_token(t) f WHERE f.is_valid)";

static void list_tokens(struct gc_events *events, struct gc_text *ids)
{
	pthread_mutex_lock(&events->lock);
	for (const struct stream *stream = events->streams; stream; stream = stream->next) {
		if (!ids->ptr || !strstr(ids->ptr, stream->token_id))
			gc_text_printf(ids, "%s%s", ids->len ? " " : "", stream->token_id);
	}
	pthread_mutex_unlock(&events->lock);
}

static void end_streams_of(struct gc_events *events, const char *token_id)
{
	pthread_mutex_lock(&events->lock);
	for (struct stream *stream = events->streams; stream; stream = stream->next) {
		if (strcmp(stream->token_id, token_id) != 0)
			continue;
		stream->until_us = 0;
		wake(stream);
	}
	pthread_mutex_unlock(&events->lock);
}

/* A stream was let in once, and lives for long: its token may have been revoked, or be over. */
static void end_revoked(struct gc_events *events)
{
	struct gc_text ids = { NULL, 0, 0 };
	struct gc_err err;
	PGresult *result = NULL;
	const char *value;

	list_tokens(events, &ids);
	value = ids.ptr;
	if (ids.len && gc_database_ask(&events->db, revoked_sql, &value, 1, &result, &err) == GC_OK) {
		for (int row = 0; row < PQntuples(result); row++)
			end_streams_of(events, PQgetvalue(result, row, 0));
		PQclear(result);
	}
	gc_text_done(&ids);
}

/* ---- telling ---- */

static void notify_changes(struct gc_events *events)
{
	struct gc_text text = { NULL, 0, 0 };

	look_up_commits(events);
	gc_text_printf(&text, "event: changed\ndata: {\"as_of\":\"%s\",\"streams\":[%s]}\n\n", events->seen,
		       events->changed.ptr && events->changed.len <= CHANGED_BYTES_MAX ? events->changed.ptr : "");
	tell(events, text.ptr);
	gc_text_done(&text);
	gc_text_done(&events->changed);
	events->has_changed = false;
	events->notified_us = gc_monotonic_us();
}

static void ping(struct gc_events *events)
{
	tell(events, ": ping\n\n");
	events->pinged_us = gc_monotonic_us();
}

static bool is_due(int64_t last_us, int64_t interval_us)
{
	return gc_monotonic_us() - last_us >= interval_us;
}

/* Waits for a notification, or a tick. */
static void wait_for_news(struct gc_events *events)
{
	struct pollfd fd = { .fd = PQsocket(events->db.pg->conn), .events = POLLIN };

	if (poll(&fd, 1, TICK_MS) > 0)
		take_notifications(events);
}

static void listen_once(struct gc_events *events)
{
	struct gc_err err;
	bool is_ready = gc_database_ensure(&events->db, &err) == GC_OK;

	set_ready(events, is_ready);
	if (!is_ready) {
		events->was_away = true;
		poll(NULL, 0, TICK_MS);
		return;
	}
	if (events->was_away)
		look_up_commits(events);
	events->was_away = false;
	wait_for_news(events);
	if (is_due(events->looked_up_us, LOOK_UP_INTERVAL_US)) {
		look_up_commits(events);
		end_revoked(events);
	}
	if (events->has_changed && is_due(events->notified_us, EVENT_INTERVAL_US))
		notify_changes(events);
}

static bool should_stop(struct gc_events *events)
{
	bool stopping;

	pthread_mutex_lock(&events->lock);
	stopping = events->stopping;
	pthread_mutex_unlock(&events->lock);
	return stopping;
}

static void *run_listener(void *argument)
{
	struct gc_events *events = argument;

	while (!should_stop(events)) {
		listen_once(events);
		if (is_due(events->pinged_us, PING_INTERVAL_US))
			ping(events);
	}
	gc_database_close(&events->db);
	return NULL;
}

struct gc_events *gc_events_start(struct gc_serve *serve)
{
	struct gc_events *events = gc_calloc(1, sizeof(*events));

	events->serve = serve;
	events->was_away = true;
	gc_database_init(&events->db, serve, "gracecube serve events", "LISTEN cube_changed");
	pthread_mutex_init(&events->lock, NULL);
	tell(events, "retry: 2000\n\n");
	events->pinged_us = gc_monotonic_us();
	gc_thread_create(&events->thread, run_listener, events);
	return events;
}

void gc_events_end_streams(struct gc_events *events)
{
	pthread_mutex_lock(&events->lock);
	events->stopping = true;
	for (struct stream *stream = events->streams; stream; stream = stream->next)
		wake(stream);
	pthread_mutex_unlock(&events->lock);
}

void gc_events_stop(struct gc_events *events)
{
	if (!events)
		return;
	gc_events_end_streams(events);
	pthread_join(events->thread, NULL);
	for (size_t i = 0; i < KEPT; i++)
		gc_text_done(&events->messages[i]);
	gc_text_done(&events->changed);
	pthread_mutex_destroy(&events->lock);
	free(events);
}
