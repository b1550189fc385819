/* Configuration: the environment and flags beside the file, where each value came from, secrets, the password file. */
#include "config_place.h"

/* -- environment and flags -- */

static void every_option_has_its_variable(void **state)
{
	(void)state;
	setenv("GRACECUBE_KAFKA_GROUP_ID", "g", 1);
	setenv("GRACECUBE_POSTGRES_STATEMENT_TIMEOUT", "2m", 1);
	setenv("GRACECUBE_STREAMS_ACTION_CONTRACTS_TOPICS", "a,b", 1);
	setenv("GRACECUBE_STREAMS_ACTION_CONTRACTS_TIME_UNIT", "ms", 1);
	setenv("GRACECUBE_STREAMS_TRIGGER_EVENTS_TOPICS", "", 1);
	setenv("GRACECUBE_KAFKA_PROPERTIES_SASL_PASSWORD", "hunter2", 1);
	struct gc_config config = load_good("kafka: {group_id: file}\n");
	assert_string_equal(config.kafka_group_id, "g");
	assert_int_equal(config.postgres_statement_timeout_us, 2 * GC_MINUTE_US);
	assert_int_equal(config.streams[0].topic_count, 0);
	assert_string_equal(config.streams[1].topics[1], "b");
	assert_int_equal(config.streams[1].time_unit, GC_UNIT_MS);
	assert_string_equal(config.kafka_properties[0].name, "sasl.password");
	assert_string_equal(config.kafka_properties[0].value, "hunter2");
	gc_config_free(&config);
}

static void assert_variable_fails(const char *name, const char *value, const char *code, const char *sentence)
{
	struct gc_config config;
	struct gc_err err;
	setenv(name, value, 1);
	assert_int_equal(load_text(&config, "", &err), GC_FATAL);
	assert_string_equal(err.code, code);
	assert_string_equal(err.where, name);
	if (!strstr(err.text, sentence))
		fail_msg("%s", err.text);
	unsetenv(name);
}

static void wrong_variables_are_refused(void **state)
{
	(void)state;
	assert_variable_fails("GRACECUBE_RUN_WORKRES", "3", "config_unknown_key", "did you mean GRACECUBE_RUN_WORKERS?");
	assert_variable_fails("GRACECUBE_RUN_COLOUR", "red", "config_unknown_key", "`gracecube config reference` lists them");
	assert_variable_fails("GRACECUBE_POSTGRES_DNS", "x", "config_unknown_key", "did you mean GRACECUBE_POSTGRES_DSN?");
	assert_variable_fails("GRACECUBE_POSTGRESQL_DSN", "x", "config_unknown_key", "did you mean GRACECUBE_POSTGRES_DSN?");
	assert_variable_fails("GRACECUBE_GROUP_ID", "x", "config_unknown_key", "did you mean GRACECUBE_KAFKA_GROUP_ID?");
	assert_variable_fails("GRACECUBE_HTTP_PORT", "9187", "config_unknown_key", "belongs to no option");
	assert_variable_fails("GRACECUBE_SERVE_PORT", "8080", "config_unknown_key", "belongs to no option");
	assert_variable_fails("GRACECUBE_RUN_WORKERS", "x", "config_wrong_type", "must be a whole number");
	assert_variable_fails("GRACECUBE_RUN_WORKERS", "", "config_wrong_type", "must be a whole number");
	assert_variable_fails("GRACECUBE_KAFKA_PROPERTIES_GROUP_ID", "x", "config_protected", "set by kafka.group_id");
	assert_variable_fails("GRACECUBE_KAFKA_PROPERTIES_", "x", "config_unknown_key", "has a name like linger.ms");
}

/* What a cluster adds for Services called gracecube-serve, gracecube and gracecube-kafka, of both address families, and what CI sets. */
static const struct {
	const char *variable, *value;
} foreign_variables[] = {
	{ "GRACECUBE_SERVE_PORT", "tcp://10.96.0.7:80" },
	{ "GRACECUBE_SERVE_PORT", "" },
	{ "GRACECUBE_SERVE_SERVICE_HOST", "10.96.0.7" },
	{ "GRACECUBE_SERVE_SERVICE_PORT", "80" },
	{ "GRACECUBE_SERVE_SERVICE_PORT_HTTP", "80" },
	{ "GRACECUBE_SERVE_PORT_80_TCP", "tcp://10.96.0.7:80" },
	{ "GRACECUBE_SERVE_PORT_80_TCP_PROTO", "tcp" },
	{ "GRACECUBE_SERVE_PORT_80_TCP_PORT", "80" },
	{ "GRACECUBE_SERVE_PORT_80_TCP_ADDR", "10.96.0.7" },
	{ "GRACECUBE_PORT", "tcp://[fd00::7]:80" },
	{ "GRACECUBE_SERVICE_HOST", "fd00::7" },
	{ "GRACECUBE_SERVICE_PORT", "80" },
	{ "GRACECUBE_PORT_53_UDP", "udp://10.96.0.7:53" },
	{ "GRACECUBE_KAFKA_SERVICE_PORT_TLS_EXTERNAL", "9093" },
	{ "GRACECUBE_KAFKA_PORT_9093_SCTP_ADDR", "fd00::7" },
	{ "GRACECUBE_VERSION", "1.0" },
	{ "GRACECUBE_IMAGE", "registry.example.com/gracecube:1.0" },
	{ "GRACECUBE_DB_PASSWORD", "hunter2" },
};

static void variables_of_others_are_passed_over(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(foreign_variables) / sizeof(*foreign_variables); i++) {
		setenv(foreign_variables[i].variable, foreign_variables[i].value, 1);
		struct gc_config config = load_good("");
		assert_string_equal(config.serve_listen, "127.0.0.1:8080");
		gc_config_free(&config);
		unsetenv(foreign_variables[i].variable);
	}
}

/* Else an option could not be set by its variable. */
static void no_option_looks_like_a_service(void **state)
{
	(void)state;
	struct gc_config config = load_good("");
	struct gc_option_at at;
	char variable[GC_NAME_MAX + 10];
	for (size_t i = 0; gc_option_at(&config, i, &at); i++)
		assert_false(gc_variable_is_service_link(gc_option_variable(at.name, variable, sizeof(variable)), "tcp://h:1"));
	gc_config_free(&config);
}

static void file_may_use_any_variable(void **state)
{
	(void)state;
	setenv("GRACECUBE_POSTGRES_PASSWORD", "hunter2", 1);
	setenv("GRACECUBE_KAFKA_BROKER", "", 1);
	struct gc_config config = load_good("postgres: {dsn: \"password=${GRACECUBE_POSTGRES_PASSWORD}\"}\n"
					    "kafka: {brokers: \"${GRACECUBE_KAFKA_BROKER:-k:9092}\"}\n");
	assert_string_equal(config.postgres_dsn, "password=hunter2");
	assert_string_equal(config.kafka_brokers, "k:9092");
	gc_config_free(&config);
	unsetenv("GRACECUBE_KAFKA_BROKER");
	assert_variable_fails("GRACECUBE_POSTGRES_PASSWORD", "x", "config_unknown_key",
			      "did you mean GRACECUBE_POSTGRES_PASSWORD_FILE?");
}

/* As `echo`, editors and `kubectl create secret --from-file` leave it behind. */
static void newline_behind_a_variable_is_dropped(void **state)
{
	(void)state;
	static char pem[] = "-----BEGIN PRIVATE KEY-----\nhunter2\n-----END PRIVATE KEY-----\n";
	setenv("GC_A", "hunter2\n", 1);
	setenv("PGPASSWORD", "hunter2\r\n", 1);
	setenv("GRACECUBE_KAFKA_PROPERTIES_SASL_PASSWORD", "hunter2\n", 1);
	setenv("GRACECUBE_KAFKA_PROPERTIES_SSL_KEY_PEM", pem, 1);
	setenv("GRACECUBE_RUN_WORKERS", "3\r\n", 1);
	struct gc_config config = load_good("postgres: {dsn: \"postgresql://u:${GC_A}@h/d\"}\n");
	assert_string_equal(config.postgres_dsn, "postgresql://u:hunter2@h/d");
	assert_string_equal(getenv("PGPASSWORD"), "hunter2");
	assert_int_equal(config.run_workers, 3);
	for (size_t i = 0; i < config.kafka_property_count; i++)
		assert_string_equal(config.kafka_properties[i].value,
				    strcmp(config.kafka_properties[i].name, "ssl.key.pem") == 0 ? pem : "hunter2");
	gc_config_free(&config);
	unsetenv("GC_A");
	unsetenv("PGPASSWORD");
}

static void flags_set_options(void **state)
{
	(void)state;
	struct gc_err err;
	struct gc_config config = load_good("");
	assert_int_equal(gc_config_set(&config, "run.workers", "8", &err), GC_OK);
	assert_int_equal(gc_config_set(&config, "streams.trigger_events.topics", "a,b,c", &err), GC_OK);
	assert_int_equal(gc_config_set(&config, "kafka.properties.linger.ms", "5", &err), GC_OK);
	assert_int_equal(gc_config_set(&config, "kafka.properties.linger.ms", "6", &err), GC_OK);
	assert_int_equal(config.run_workers, 8);
	assert_int_equal(config.streams[0].topic_count, 3);
	assert_int_equal(config.kafka_property_count, 1);
	assert_string_equal(config.kafka_properties[0].value, "6");
	gc_config_free(&config);
}

static void assert_flag_fails(const char *name, const char *value, const char *code, const char *sentence)
{
	struct gc_err err;
	struct gc_config config = load_good("");
	assert_int_equal(gc_config_set(&config, name, value, &err), GC_FATAL);
	assert_string_equal(err.code, code);
	assert_string_equal(err.where, name);
	if (!strstr(err.text, sentence) || strstr(err.text, "hunter2"))
		fail_msg("%s", err.text);
	gc_config_free(&config);
}

static void wrong_flags_are_refused(void **state)
{
	(void)state;
	assert_flag_fails("run.wrokers", "3", "config_unknown_key", "did you mean run.workers?");
	assert_flag_fails("run", "3", "config_unknown_key", "there is no option run");
	assert_flag_fails("run.workers", "0", "config_out_of_range", "from 1 to 64");
	assert_flag_fails("kafka.properties.group.id", "x", "config_protected", "set by kafka.group_id");
	assert_flag_fails("kafka.properties.sasl.password", "hunter2", "config_secret", "never an argument");
	assert_flag_fails("postgres.dsn", "postgresql://u:hunter2@h/d", "config_secret", "never an argument");
	assert_flag_fails("postgres.dsn", "host=h password=hunter2", "config_secret", "never an argument");
}

static void topic_may_move_between_streams_by_flags(void **state)
{
	(void)state;
	struct gc_err err;
	struct gc_config config = load_good("");
	assert_int_equal(gc_config_set(&config, "streams.action_contracts.topics", "grace.trigger_events", &err), GC_OK);
	assert_int_equal(gc_config_check(&config, &err), GC_FATAL);
	assert_string_equal(err.code, "config_duplicate_topic");
	assert_int_equal(gc_config_set(&config, "streams.trigger_events.topics", "mesh", &err), GC_OK);
	assert_int_equal(gc_config_check(&config, &err), GC_OK);
	gc_config_free(&config);
}

/* -- what `config show` shows -- */

struct wanted_row {
	const char *name, *value, *origin;
	int seen;
};

static void look_at_row(void *context, const char *name, const char *value, const char *origin)
{
	for (struct wanted_row *row = context; row->name; row++) {
		if (strcmp(row->name, name) != 0)
			continue;
		assert_string_equal(value, row->value);
		assert_string_equal(origin, row->origin);
		row->seen++;
	}
}

static void each_value_has_its_origin(void **state)
{
	(void)state;
	struct gc_err err;
	setenv("GRACECUBE_RUN_BATCH_RECORDS", "100", 1);
	setenv("GRACECUBE_RUN_WORKERS", "5", 1);
	struct gc_config config = load_good("run:\n  workers: 3\n  batch_bytes: 2097152\nkafka:\n  brokers:\n  - a:1\n"
					    "  - b:2\n  properties: {linger.ms: 5}\n");
	assert_int_equal(gc_config_set(&config, "run.cache_entries", "500", &err), GC_OK);
	struct wanted_row rows[] = {
		{ "run.workers", "5", "GRACECUBE_RUN_WORKERS", 0 },
		{ "run.batch_records", "100", "GRACECUBE_RUN_BATCH_RECORDS", 0 },
		{ "run.batch_bytes", "2MiB", "cube.yaml:3", 0 },
		{ "run.cache_entries", "500", "flag", 0 },
		{ "run.shutdown_timeout", "20s", "default", 0 },
		{ "kafka.brokers", "a:1,b:2", "cube.yaml:6", 0 },
		{ "kafka.properties.linger.ms", "5", "cube.yaml:8", 0 },
		{ "streams.trigger_events.topics", "grace.public.trigger_events,grace.trigger_events", "default", 0 },
		{ "log.level", "info", "default", 0 },
		{ NULL, NULL, NULL, 0 },
	};
	gc_config_each(&config, look_at_row, rows);
	for (const struct wanted_row *row = rows; row->name; row++)
		assert_int_equal(row->seen, 1);
	gc_config_free(&config);
}

static void look_for_secret(void *context, const char *name, const char *value, const char *origin)
{
	(void)name;
	assert_null(strstr(value, "hunter2"));
	assert_null(strstr(origin, "hunter2"));
	*(int *)context += strstr(value, "***") != NULL;
}

static void secrets_are_not_shown(void **state)
{
	(void)state;
	int masked = 0;
	setenv("GC_A", "hunter2", 1);
	struct gc_config config = load_good("postgres: {dsn: \"postgresql://u:${GC_A}@h/d\"}\n"
					    "kafka:\n"
					    "  properties:\n"
					    "    sasl.password: hunter2\n"
					    "    ssl.key.pem: hunter2\n"
					    "    sasl.oauthbearer.client.secret: hunter2\n"
					    "    ssl.key.location: /run/key\n");
	gc_config_each(&config, look_for_secret, &masked);
	assert_int_equal(masked, 4);
	assert_string_equal(config.postgres_dsn, "postgresql://u:hunter2@h/d");
	gc_config_free(&config);
	unsetenv("GC_A");
}

static void secrets_are_not_in_messages(void **state)
{
	(void)state;
	static const char *const files[] = {
		"kafka:\n  properties:\n    sasl.password: hunter2\n    sasl.password: hunter2\n",
		"kafka:\n  properties:\n    sasl.password:\n      hunter2${\n",
		"kafka:\n  properties:\n    \"sasl.password\": \"hunter2\" x\n",
		"postgres: {dsn: \"host=h password = 'hunter2 hunter2' a=${\"}\n",
		"postgres: {dsn: \"postgresql://u:hunter2@hunter2@h/${\"}\n",
		"http: {listen: \"postgresql://u:hunter2@h\"}\n",
	};
	for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++) {
		struct gc_config config;
		struct gc_err err;
		assert_int_equal(load_text(&config, files[i], &err), GC_FATAL);
		if (strstr(err.text, "hunter2"))
			fail_msg("%s", err.text);
	}
}

static const struct masked {
	const char *text, *masked;
} masked_texts[] = {
	{ "", "" },
	{ "host=h dbname=d", "host=h dbname=d" },
	{ "host=h password=x dbname=d", "host=h password=*** dbname=d" },
	{ "password='x y\\'z' host=h", "password=*** host=h" },
	{ "password = x\\ y host=h", "password = *** host=h" },
	{ "sslpassword=x", "sslpassword=***" },
	{ "passfile=/a/b", "passfile=/a/b" },
	{ "password_file: /a/b", "password_file: /a/b" },
	{ "postgresql://h/d", "postgresql://h/d" },
	{ "postgresql://u@h/d", "postgresql://u@h/d" },
	{ "postgresql://u:x@h:5432/d", "postgresql://u:***@h:5432/d" },
	{ "postgresql://u:x@y/z@h:5432/d", "postgresql://u:***@h:5432/d" },
	{ "postgres://h/d?password=x&a=b", "postgres://h/d?password=***&a=b" },
	{ "postgres://h/d?pass%77ord=x&a=b", "postgres://h/d?pass%77ord=***&a=b" },
	{ "a://u:x@h, b://u:y@h", "a://u:***@h, b://u:***@h" },
	{ "  sasl.password: x y # z", "  sasl.password: ***" },
	{ "user=\"u\" password=\"x y\";", "user=\"u\" password=***;" },
};

static void password_is_masked(void **state)
{
	const struct masked *row = *state;
	char *masked = gc_secret_mask(row->text);

	assert_string_equal(masked, row->masked);
	free(masked);
}

/* -- the password file -- */

static enum gc_verdict load_password(mode_t mode, const char *text, char **ret_password, struct gc_err *err)
{
	struct gc_config config;
	unlink("password");
	write_file("password", text, strlen(text));
	assert_int_equal(chmod("password", mode), 0);
	if (load_text(&config, "postgres: {password_file: password}\n", err))
		return GC_FATAL;
	enum gc_verdict verdict = gc_config_password(&config, ret_password, err);
	gc_config_free(&config);
	return verdict;
}

static void password_comes_from_its_file(void **state)
{
	(void)state;
	struct gc_err err;
	char *password = NULL;
	assert_int_equal(load_password(0600, "hunter2\nmore\n", &password, &err), GC_OK);
	assert_string_equal(password, "hunter2");
	free(password);
	struct gc_config config = load_good("");
	assert_int_equal(gc_config_password(&config, &password, &err), GC_OK);
	assert_null(password);
	gc_config_free(&config);
}

static void password_for_kafka_comes_from_its_file(void **state)
{
	(void)state;
	struct gc_err err;
	char *password = NULL;
	struct gc_config config = load_good("kafka: {password_file: password}\n");
	write_file("password", "hunter3\n", strlen("hunter3\n"));
	assert_int_equal(chmod("password", 0600), 0);
	assert_int_equal(gc_config_kafka_password(&config, &password, &err), GC_OK);
	assert_string_equal(password, "hunter3");
	free(password);
	assert_int_equal(chmod("password", 0644), 0);
	assert_int_equal(gc_config_kafka_password(&config, &password, &err), GC_FATAL);
	assert_non_null(strstr(err.text, "kafka.password_file can be read by others"));
	gc_config_free(&config);
}

static void password_file_must_be_private(void **state)
{
	(void)state;
	struct gc_err err;
	char *password = NULL;
	assert_int_equal(load_password(0640, "hunter2\n", &password, &err), GC_FATAL);
	assert_string_equal(err.code, "config_secret");
	assert_string_equal(err.where, "password");
	assert_non_null(strstr(err.text, "0600"));
	assert_int_equal(load_password(0604, "hunter2\n", &password, &err), GC_FATAL);
	assert_int_equal(load_password(0400, "hunter2\n", &password, &err), GC_OK);
	free(password);
}

static void password_file_must_hold_one(void **state)
{
	(void)state;
	struct gc_err err;
	struct gc_config config;
	char *password = NULL, long_text[5000];
	memset(long_text, 'x', sizeof(long_text) - 1);
	long_text[sizeof(long_text) - 1] = '\0';
	assert_int_equal(load_password(0600, "", &password, &err), GC_FATAL);
	assert_int_equal(load_password(0600, "\nhunter2\n", &password, &err), GC_FATAL);
	assert_int_equal(load_password(0600, long_text, &password, &err), GC_FATAL);
	assert_string_equal(err.code, "config_unreadable");
	unlink("password");
	assert_int_equal(load_text(&config, "postgres: {password_file: password}\n", &err), GC_FATAL);
	assert_string_equal(err.code, "config_unreadable");
	assert_int_equal(load_text(&config, "postgres: {password_file: /tmp}\n", &err), GC_FATAL);
	assert_non_null(strstr(err.text, "no plain file"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(every_option_has_its_variable, clear_variables),
		cmocka_unit_test_teardown(wrong_variables_are_refused, clear_variables),
		cmocka_unit_test_teardown(variables_of_others_are_passed_over, clear_variables),
		cmocka_unit_test_teardown(no_option_looks_like_a_service, clear_variables),
		cmocka_unit_test_teardown(file_may_use_any_variable, clear_variables),
		cmocka_unit_test_teardown(newline_behind_a_variable_is_dropped, clear_variables),
		cmocka_unit_test_teardown(flags_set_options, clear_variables),
		cmocka_unit_test_teardown(wrong_flags_are_refused, clear_variables),
		cmocka_unit_test_teardown(topic_may_move_between_streams_by_flags, clear_variables),
		cmocka_unit_test_teardown(each_value_has_its_origin, clear_variables),
		cmocka_unit_test_teardown(secrets_are_not_shown, clear_variables),
		cmocka_unit_test_teardown(secrets_are_not_in_messages, clear_variables),
		cmocka_unit_test_teardown(password_comes_from_its_file, clear_variables),
		cmocka_unit_test_teardown(password_for_kafka_comes_from_its_file, clear_variables),
		cmocka_unit_test_teardown(password_file_must_be_private, clear_variables),
		cmocka_unit_test_teardown(password_file_must_hold_one, clear_variables),
	};
	struct suite suite = { 0 };
	int failed;

	for (size_t i = 0; i < COUNT(masked_texts); i++)
		suite_add(&suite, password_is_masked, &masked_texts[i], "masked: %s", masked_texts[i].text);
	failed = suite_run(&suite, NULL, NULL);
	return failed + cmocka_run_group_tests_name("config", tests, enter_directory, leave_directory);
}
