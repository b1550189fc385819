/* From a change to rows: its place in its partition, its stream and its key, and what becomes of deletes and of a TRUNCATE; all else is decoded by
 * the stream. See rows.h. Threads: one batch belongs to one worker.
 */
#include "decode.h"
#include "envelope.h"
#include "rows.h"

static void delete_row(struct gc_decode *decode, const struct gc_version *version)
{
	struct gc_span key = decode->key;

	if (decode->stream->key_prefix)
		key = gc_arena_printf(decode->arena, "%s%.*s", decode->stream->key_prefix, (int)key.len, key.ptr);
	gc_batch_delete(decode->batch, decode->partition, decode->stream, version, key);
}

/* A trigger event is decoded as one, whatever topic it comes from. */
static const struct gc_stream *stream_of(const struct gc_stream *stream, const struct gc_change *change)
{
	return change->payload ? gc_stream_find(GC_LIT("trigger_events")) : stream;
}

static bool find_key(struct gc_decode *decode)
{
	if (gc_envelope_key(decode->change, decode->stream, decode->key_bytes_max, decode->arena, &decode->key, &decode->err) !=
	    GC_OK)
		return false;
	if (decode->stream->key_is_vocabulary)
		decode->key = gc_decode_vocabulary(decode, decode->key);
	if (decode->key.len == 0)
		gc_fail(&decode->err, GC_REJECT, "no_key", decode->stream->key_field, "the key is blank");
	return decode->key.len > 0;
}

/* Implausible timestamps become quality issues. */
static void check_times(struct gc_decode *decode, const struct gc_change *change)
{
	const struct gc_message *message = change->message;

	if (message->instead_us)
		gc_decode_issue(decode, "kafka_timestamp",
				gc_arena_printf(decode->arena, "%lld", (long long)message->timestamp_us / 1000),
				"more than a day ahead: the offset decides");
	if (change->disbelieved_us != 0)
		gc_decode_issue(decode, "source_timestamp",
				gc_arena_printf(decode->arena, "%lld", (long long)change->disbelieved_us),
				"the source's time is more than a day ahead of Kafka's, or beyond 2200: it decides nothing");
}

static struct gc_partition_batch *part_of(const struct gc_decode *decode)
{
	struct gc_partition_batch *parts;

	gc_batch_partitions(decode->batch, &parts);
	return &parts[decode->partition];
}

static void note_snapshot(struct gc_decode *decode, const struct gc_change *change)
{
	struct gc_partition_batch *part = part_of(decode);

	if (change->is_snapshot && change->ends_snapshot && gc_version_own_us(&change->version) > part->snapshot_us)
		part->snapshot_us = gc_version_own_us(&change->version);
}

/* That a whole table is gone is for people to decide: unless they have, nothing is deleted, and nobody overlooks it. */
static bool refuse_truncate(struct gc_decode *decode, const struct gc_change *change)
{
	struct gc_span topic = change->message->topic;
	char text[GC_TIME_TEXT_BYTES];

	if (!part_of(decode)->applies_truncate)
		gc_fail(&decode->err, GC_REJECT, "truncate", "op",
			GC_TRUNCATE_REFUSED ", unless they are deleted: `gracecube reconcile %.*s --before %s`", (int)topic.len,
			topic.ptr, gc_time_format(gc_version_own_us(&change->version), text, sizeof(text)));
	else if (!decode->stream->key_field)
		gc_fail(&decode->err, GC_REJECT, "truncate", "op",
			GC_TRUNCATE_REFUSED ": rows of %s have no key, so that none of them is ever deleted", decode->stream->name);
	else if (change->version.lsn <= 0)
		gc_fail(&decode->err, GC_REJECT, "truncate", "source.lsn",
			GC_TRUNCATE_REFUSED ": without a log position it cannot be told which came before it");
	else
		return false;
	decode->rejected = true;
	return true;
}

/* Rows that a TRUNCATE has deleted may come later: of another partition, of a snapshot, or sent again. They are deleted at once. */
static bool is_truncated(const struct gc_decode *decode, const struct gc_change *change)
{
	const struct gc_version *truncated = &part_of(decode)->truncated;

	return truncated->at_us > 0 && change->version.lsn > 0 && gc_version_compare(change->version, *truncated) < 0;
}

void gc_decode_change(struct gc_decode *decode, struct gc_change *change)
{
	if (change->op == GC_TRUNCATE && refuse_truncate(decode, change))
		return;
	gc_order_place(&part_of(decode)->order, change);
	note_snapshot(decode, change);
	decode->stream = stream_of(decode->stream, change);
	if (change->op == GC_IGNORE || change->op == GC_TRUNCATE || (change->op == GC_DELETE && !decode->stream->key_field))
		return;
	if (decode->stream->key_field && !find_key(decode)) {
		decode->rejected = true;
		return;
	}
	check_times(decode, change);
	if (decode->stream->key_field && is_truncated(decode, change))
		delete_row(decode, &part_of(decode)->truncated); /* first: what becomes of it is what becomes of the record */
	if (change->op == GC_DELETE)
		delete_row(decode, &change->version);
	else
		decode->stream->decode(decode, change);
}
