/* Membership: what the group gives a worker and takes from it; see consumer.h and claim.h.
 *
 * There are two ways. With range and roundrobin all partitions are taken away before some are given anew. With cooperative-sticky and with
 * KIP-848 (group.protocol=consumer) single partitions come and go while the others are read on. Either way the group is answered at once
 * and what it gives is claimed afterwards: claiming needs the database, which may be away, and a group that is not answered rebalances
 * again. That nobody writes what he no longer holds is the fence's work, not the group's.
 *
 * Threads: librdkafka calls back in the thread that polls, which is the worker's.
 */
#include "kafka/claim.h"
#include "kafka/client.h"

#include <stdlib.h>

/* Without an assignment there is no callback under KIP-848. Who has been a member for two heartbeats of the brokers (5 s each, unless
 * group.consumer.heartbeat.interval.ms says otherwise) and was given nothing has nothing. */
#define NOTHING_GIVEN_US (10 * GC_SECOND_US)

/* ---- the assignment of librdkafka ---- */

/* Unassigning a partition whose fetcher is still stopping aborts the process: "Assertion `rktp->rktp_started' failed" (librdkafka 2.0.2;
 * the code of 2.15 is the same). The requests to stop and their replies pass through the queue of librdkafka's main thread, and these two
 * calls queue behind them. */
static void await_stops(rd_kafka_t *rk)
{
	for (int i = 0; i < 2; i++) {
		rd_kafka_topic_partition_list_t *held = NULL;

		if (rd_kafka_assignment(rk, &held) == RD_KAFKA_RESP_ERR_NO_ERROR)
			rd_kafka_topic_partition_list_destroy(held);
	}
}

static rd_kafka_resp_err_t assign(rd_kafka_t *rk, const rd_kafka_topic_partition_list_t *list)
{
	rd_kafka_resp_err_t code = rd_kafka_assign(rk, list);

	await_stops(rk);
	return code;
}

static rd_kafka_resp_err_t code_of(rd_kafka_error_t *error)
{
	rd_kafka_resp_err_t code = error ? rd_kafka_error_code(error) : RD_KAFKA_RESP_ERR_NO_ERROR;

	rd_kafka_error_destroy(error);
	return code;
}

static rd_kafka_resp_err_t add(rd_kafka_t *rk, const rd_kafka_topic_partition_list_t *list)
{
	rd_kafka_resp_err_t code = code_of(rd_kafka_incremental_assign(rk, list));

	await_stops(rk);
	return code;
}

static bool is_listed(const rd_kafka_topic_partition_list_t *list, const char *topic, int32_t partition)
{
	return rd_kafka_topic_partition_list_find((rd_kafka_topic_partition_list_t *)list, topic, partition) != NULL;
}

/* Those that are read; what was given and is not claimed yet librdkafka does not know. */
static rd_kafka_resp_err_t subtract(rd_kafka_t *rk, const rd_kafka_topic_partition_list_t *list)
{
	rd_kafka_topic_partition_list_t *held = NULL, *both = rd_kafka_topic_partition_list_new(list->cnt);
	rd_kafka_resp_err_t code = rd_kafka_assignment(rk, &held);

	for (int i = 0; code == RD_KAFKA_RESP_ERR_NO_ERROR && i < held->cnt; i++) {
		if (is_listed(list, held->elems[i].topic, held->elems[i].partition))
			rd_kafka_topic_partition_list_add(both, held->elems[i].topic, held->elems[i].partition);
	}
	if (code == RD_KAFKA_RESP_ERR_NO_ERROR)
		code = code_of(rd_kafka_incremental_unassign(rk, both));
	if (held)
		rd_kafka_topic_partition_list_destroy(held);
	rd_kafka_topic_partition_list_destroy(both);
	await_stops(rk);
	return code;
}

static void assign_nothing(rd_kafka_t *rk)
{
	rd_kafka_topic_partition_list_t *none = rd_kafka_topic_partition_list_new(0);

	assign(rk, none);
	rd_kafka_topic_partition_list_destroy(none);
}

rd_kafka_resp_err_t gc_membership_read(struct gc_consumer *c, const rd_kafka_topic_partition_list_t *list)
{
	rd_kafka_resp_err_t code;

	if (!c->is_incremental) {
		assign_nothing(c->rk);
		return assign(c->rk, list);
	}
	code = subtract(c->rk, list);
	return code ? code : add(c->rk, list);
}

/* ---- what is given, until it is claimed ---- */

void gc_pending_forget(struct gc_consumer *c)
{
	if (c->pending)
		rd_kafka_topic_partition_list_destroy(c->pending);
	c->pending = NULL;
}

static void pending_add(struct gc_consumer *c, const rd_kafka_topic_partition_list_t *given)
{
	if (!c->pending)
		c->pending = rd_kafka_topic_partition_list_new(given->cnt);
	for (int i = 0; i < given->cnt; i++) {
		if (!is_listed(c->pending, given->elems[i].topic, given->elems[i].partition))
			rd_kafka_topic_partition_list_add(c->pending, given->elems[i].topic, given->elems[i].partition);
	}
}

static void pending_subtract(struct gc_consumer *c, const rd_kafka_topic_partition_list_t *taken)
{
	for (int i = 0; c->pending && i < taken->cnt; i++)
		rd_kafka_topic_partition_list_del(c->pending, taken->elems[i].topic, taken->elems[i].partition);
}

/* ---- the two ways ---- */

/* One assignment may follow another without a revocation between them. */
static void change_all(struct gc_consumer *c, bool is_given, const rd_kafka_topic_partition_list_t *partitions)
{
	gc_pending_forget(c);
	gc_assignments_release(c);
	c->needs_restart = false;
	c->is_revoked = !is_given;
	if (is_given) {
		c->pending = rd_kafka_topic_partition_list_copy(partitions);
		assign_nothing(c->rk);
	} else {
		assign(c->rk, NULL);
	}
}

static void change_some(struct gc_consumer *c, bool is_given, const rd_kafka_topic_partition_list_t *partitions)
{
	if (is_given) {
		rd_kafka_topic_partition_list_t *none = rd_kafka_topic_partition_list_new(0);

		c->is_revoked = false;
		pending_add(c, partitions);
		add(c->rk, none);
		rd_kafka_topic_partition_list_destroy(none);
	} else {
		if (rd_kafka_assignment_lost(c->rk)) {
			c->is_revoked = true;
			c->member_since_us = 0;
		}
		pending_subtract(c, partitions);
		gc_assignments_drop(c, partitions);
		subtract(c->rk, partitions);
	}
}

void gc_membership_changed(rd_kafka_t *rk, rd_kafka_resp_err_t code, rd_kafka_topic_partition_list_t *partitions, void *opaque)
{
	struct gc_consumer *c = opaque;
	bool is_given = code == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS;

	if (is_given)
		gc_debug("partitions assigned", GC_I("partitions", partitions->cnt));
	else
		gc_debug("partitions revoked", GC_I("partitions", partitions->cnt), GC_I("lost", rd_kafka_assignment_lost(rk)));
	c->rebalances++;
	atomic_store(c->at_end, 0); /* before a halt is forgotten: gc_run_is_caught_up() */
	if (c->is_incremental)
		change_some(c, is_given, partitions);
	else
		change_all(c, is_given, partitions);
}

/* ---- KIP-848: a member that is given nothing ---- */

/* Of newer librdkafkas than that of Debian 12, and NULL before: KIP-848 is refused there, see gc_kafka_conf(). */
extern int32_t rd_kafka_consumer_group_metadata_generation_id(const rd_kafka_consumer_group_metadata_t *metadata)
	__attribute__((weak));

static bool is_member(rd_kafka_t *rk)
{
	rd_kafka_consumer_group_metadata_t *metadata = rd_kafka_consumer_group_metadata(rk);
	bool is_one = metadata && rd_kafka_consumer_group_metadata_generation_id &&
		      rd_kafka_consumer_group_metadata_generation_id(metadata) > 0;

	if (metadata)
		rd_kafka_consumer_group_metadata_destroy(metadata);
	return is_one;
}

void gc_membership_note(struct gc_consumer *c)
{
	int64_t now = gc_monotonic_us();

	if (!c->is_kip848 || c->pending || (c->joined && !c->is_revoked))
		return;
	if (!is_member(c->rk))
		c->member_since_us = 0;
	else if (c->member_since_us == 0)
		c->member_since_us = now;
	else if (now - c->member_since_us >= NOTHING_GIVEN_US) {
		c->joined = true;
		c->is_revoked = false;
	}
}
