/* Admin requests to the brokers. Threads: no shared state; the caller waits for the answer. */
#ifndef GRACECUBE_ADMIN_H
#define GRACECUBE_ADMIN_H

#include <librdkafka/rdkafka.h>
#include <stddef.h>
#include <stdint.h>

/* One request to create a topic, which stays the caller's; *ret_text is what the brokers say to it, "" for nothing. */
rd_kafka_resp_err_t gc_admin_create_topic(rd_kafka_t *rk, rd_kafka_NewTopic_t *wish, int64_t timeout_us, char *ret_text,
					  size_t bytes);

#endif
