/* Admin requests: see admin.h. Threads: no shared state. */
#include "kafka/admin.h"

#include <stdio.h>

/* The brokers' answer to an admin request for one topic. */
static rd_kafka_resp_err_t read_creation(rd_kafka_event_t *event, char *ret_text, size_t bytes)
{
	const rd_kafka_CreateTopics_result_t *result = rd_kafka_event_CreateTopics_result(event);
	const rd_kafka_topic_result_t **answers = NULL;
	rd_kafka_resp_err_t code = rd_kafka_event_error(event);
	const char *text = code ? rd_kafka_event_error_string(event) : NULL;
	size_t count = 0;

	if (!code && result)
		answers = rd_kafka_CreateTopics_result_topics(result, &count);
	if (count == 1) {
		code = rd_kafka_topic_result_error(answers[0]);
		text = rd_kafka_topic_result_error_string(answers[0]);
	}
	snprintf(ret_text, bytes, "%s", text ? text : "");
	return code;
}

rd_kafka_resp_err_t gc_admin_create_topic(rd_kafka_t *rk, rd_kafka_NewTopic_t *wish, int64_t timeout_us, char *ret_text,
					  size_t bytes)
{
	rd_kafka_AdminOptions_t *options = rd_kafka_AdminOptions_new(rk, RD_KAFKA_ADMIN_OP_CREATETOPICS);
	rd_kafka_queue_t *queue = rd_kafka_queue_new(rk);
	rd_kafka_resp_err_t code = RD_KAFKA_RESP_ERR__TIMED_OUT;
	rd_kafka_event_t *event;

	rd_kafka_AdminOptions_set_request_timeout(options, (int)(timeout_us / 1000), NULL, 0);
	rd_kafka_CreateTopics(rk, &wish, 1, options, queue);
	event = rd_kafka_queue_poll(queue, (int)(timeout_us / 1000) + 1000);
	if (event)
		code = read_creation(event, ret_text, bytes);
	rd_kafka_event_destroy(event);
	rd_kafka_queue_destroy(queue);
	rd_kafka_AdminOptions_destroy(options);
	return code;
}
