/* Configuration: defaults, what the file may hold and what is said when it is wrong, variables in values, and the pages made from the table. */
#include "config_place.h"

/* -- defaults -- */

static void defaults_are_what_the_design_says(void **state)
{
	(void)state;
	struct gc_config config = load_good("");
	assert_string_equal(config.path, "cube.yaml");
	assert_string_equal(config.postgres_dsn, "");
	assert_string_equal(config.postgres_password_file, "");
	assert_int_equal(config.postgres_connect_timeout_us, 10 * GC_SECOND_US);
	assert_int_equal(config.postgres_statement_timeout_us, 30 * GC_SECOND_US);
	assert_string_equal(config.kafka_brokers, "127.0.0.1:9092");
	assert_string_equal(config.kafka_group_id, "gracecube");
	assert_int_equal(config.kafka_queue_bytes, 0); /* as the running librdkafka needs */
	assert_int_equal(config.kafka_property_count, 0);
	assert_int_equal(config.run_workers, 2);
	assert_int_equal(config.run_batch_records, 6000);
	assert_int_equal(config.run_batch_bytes, 16 * 1024 * 1024);
	assert_int_equal(config.run_cache_entries, 200000);
	assert_int_equal(config.run_shutdown_timeout_us, 20 * GC_SECOND_US);
	assert_int_equal(config.limits_value_bytes, 1024 * 1024);
	assert_int_equal(config.limits_key_bytes, 512);
	assert_string_equal(config.cube_schema, "cube");
	assert_string_equal(config.cube_business_days, "1-5");
	assert_string_equal(config.cube_business_hours, "09-17");
	assert_string_equal(config.cube_business_zone, "UTC");
	assert_string_equal(config.http_listen, "127.0.0.1:9187");
	assert_int_equal(config.log_level, GC_LOG_INFO);
	assert_int_equal(config.log_format, GC_LOG_LOGFMT);
	gc_config_free(&config);
}

static void streams_keep_the_registrys_order(void **state)
{
	(void)state;
	struct gc_config config = load_good("");
	assert_int_equal(config.stream_count, 2);
	assert_ptr_equal(config.streams[0].name, stream_names[0]);
	assert_int_equal(config.streams[1].topic_count, 2);
	assert_string_equal(config.streams[1].topics[0], "grace.public.action_contracts");
	assert_string_equal(config.streams[1].topics[1], "grace.action_contracts");
	assert_int_equal(config.streams[1].time_unit, GC_UNIT_AUTO);
	assert_int_equal(config.streams[1].truncate, GC_REFUSE);
	gc_config_free(&config);
}

static void file_is_read_from_its_usual_place(void **state)
{
	(void)state;
	struct gc_config config;
	struct gc_err err;
	assert_int_equal(gc_config_load(&config, NULL, stream_names, &err), GC_OK);
	assert_null(config.path);
	gc_config_free(&config);

	assert_int_equal(mkdir("config", 0700), 0);
	write_file("config/gracecube.yaml", "run: {workers: 7}\n", 18);
	assert_int_equal(gc_config_load(&config, NULL, stream_names, &err), GC_OK);
	assert_string_equal(config.path, "config/gracecube.yaml");
	assert_int_equal(config.run_workers, 7);
	gc_config_free(&config);
	unlink("config/gracecube.yaml");
}

static void file_that_was_named_must_be_there(void **state)
{
	(void)state;
	struct gc_config config;
	struct gc_err err;
	assert_int_equal(gc_config_load(&config, "absent.yaml", stream_names, &err), GC_FATAL);
	assert_string_equal(err.code, "config_unreadable");
	assert_string_equal(err.where, "absent.yaml");
	assert_non_null(strstr(err.text, "No such file"));
	assert_int_equal(gc_config_load(&config, "/tmp", stream_names, &err), GC_FATAL);
	assert_string_equal(err.code, "config_unreadable");
}

/* -- the file -- */

static void every_type_is_read(void **state)
{
	(void)state;
	struct gc_config config = load_good("postgres:\n"
					    "  dsn: 'host=/run/pg dbname=cube'\n"
					    "  statement_timeout: 250ms\n"
					    "kafka:\n"
					    "  brokers: [a:9092, 'b:9092']\n"
					    "  queue_bytes: 1GB\n"
					    "  properties:\n"
					    "    linger.ms: 5\n"
					    "    partition.assignment.strategy: range\n"
					    "run: {workers: \"4\", batch_bytes: 1048576}\n"
					    "limits:\n"
					    "log: {level: debug, format: json}\n"
					    "streams:\n"
					    "  trigger_events: {topics: [mesh, mesh.old], time_unit: ns, truncate: apply}\n"
					    "  action_contracts: {topics: []}\n");
	assert_string_equal(config.postgres_dsn, "host=/run/pg dbname=cube");
	assert_int_equal(config.postgres_statement_timeout_us, 250000);
	assert_string_equal(config.kafka_brokers, "a:9092,b:9092");
	assert_int_equal(config.kafka_queue_bytes, 1000000000);
	assert_int_equal(config.kafka_property_count, 2);
	assert_string_equal(config.kafka_properties[0].name, "linger.ms");
	assert_string_equal(config.kafka_properties[0].value, "5");
	assert_string_equal(config.kafka_properties[1].value, "range");
	assert_int_equal(config.run_workers, 4);
	assert_int_equal(config.run_batch_bytes, 1048576);
	assert_int_equal(config.log_level, GC_LOG_DEBUG);
	assert_int_equal(config.log_format, GC_LOG_JSON);
	assert_int_equal(config.streams[0].topic_count, 2);
	assert_string_equal(config.streams[0].topics[1], "mesh.old");
	assert_int_equal(config.streams[0].time_unit, GC_UNIT_NS);
	assert_int_equal(config.streams[0].truncate, GC_APPLY);
	assert_int_equal(config.streams[1].topic_count, 0);
	gc_config_free(&config);
}

/* One mistake: what is said, where, and a part of the excerpt. */
struct mistake {
	const char *file, *code, *where, *sentence, *excerpt;
};

static const struct mistake mistakes[] = {
	{ "run:\n  workres: 3\n", "config_unknown_key", "cube.yaml:2:3",
	  "there is no option run.workres; did you mean run.workers?", "\n     2 |   workres: 3\n       |   ^" },
	{ "run:\n  wrokers: 3\n", "config_unknown_key", "cube.yaml:2:3", "did you mean run.workers?", "wrokers" },
	{ "kafak: {brokers: a}\n", "config_unknown_key", "cube.yaml:1:1", "did you mean kafka?", "\n       | ^" },
	{ "workers: 3\n", "config_unknown_key", "cube.yaml:1:1", "did you mean run.workers?", "workers: 3" },
	{ "kafka:\n  workers: 3\n", "config_unknown_key", "cube.yaml:2:3", "did you mean run.workers?", "workers: 3" },
	{ "run: {colour: red}\n", "config_unknown_key", "cube.yaml:1:7",
	  "there is no option run.colour; `gracecube config show` lists them", "\n       |       ^" },
	{ "streams:\n  action_contract: {topics: a}\n", "config_unknown_key", "cube.yaml:2:3",
	  "did you mean streams.action_contracts?", "action_contract" },
	{ "streams:\n  trigger_events: {topic: a}\n", "config_unknown_key", "cube.yaml:2:20",
	  "did you mean streams.trigger_events.topics?", "topic: a" },
	{ "run: {<<: {workers: 3}}\n", "config_unknown_key", "cube.yaml:1:7", "there is no option run.<<", "<<" },

	{ "run:\n  workers: 3\n  workers: 4\n", "config_duplicate_key", "cube.yaml:3:3",
	  "run.workers is given twice, first in line 2", "3 |   workers: 4" },
	{ "run: {}\nrun: {}\n", "config_duplicate_key", "cube.yaml:2:1", "run is given twice, first in line 1", "run" },
	{ "kafka: {properties: {a: 1, a: 2}}\n", "config_duplicate_key", "cube.yaml:1:28", "kafka.properties.a is given twice",
	  "^" },

	{ "run:\n  workers: many\n", "config_wrong_type", "cube.yaml:2:12",
	  "run.workers must be a whole number from 1 to 64, not \"many\"", "\n       |            ^" },
	{ "run:\n  workers: 2.5\n", "config_wrong_type", "cube.yaml:2:12", "not \"2.5\"", "^" },
	{ "run:\n  workers: -1\n", "config_wrong_type", "cube.yaml:2:12", "not \"-1\"", "^" },
	{ "run:\n  workers:\n", "config_wrong_type", "cube.yaml:2:11", "run.workers has no value", "workers:" },
	{ "run:\n  workers: [1]\n", "config_wrong_type", "cube.yaml:2:12", "run.workers must be one value", "[1]" },
	{ "run:\n  workers: {a: 1}\n", "config_wrong_type", "cube.yaml:2:12", "run.workers must be one value", "{a" },
	{ "run: 3\n", "config_wrong_type", "cube.yaml:1:6", "run must be a section", "run: 3" },
	{ "- run\n", "config_wrong_type", "cube.yaml:1:1", "the file must consist of sections", "- run" },
	{ "? [a]\n: b\n", "config_wrong_type", "cube.yaml:1:3", "a key must be a plain word", "[a]" },
	{ "run:\n  batch_bytes: 64M\n", "config_wrong_type", "cube.yaml:2:16",
	  "run.batch_bytes must be a size from 64KiB to 1GiB, not \"64M\"", "64M" },
	{ "run:\n  shutdown_timeout: 20\n", "config_wrong_type", "cube.yaml:2:21",
	  "run.shutdown_timeout must be a duration from 1s to 1h, not \"20\"", "20" },
	{ "log: {level: inof}\n", "config_wrong_type", "cube.yaml:1:14",
	  "log.level must be one of error, warn, info, debug, not \"inof\"; did you mean info?", "inof" },
	{ "log: {format: xml}\n", "config_wrong_type", "cube.yaml:1:15", "log.format must be one of logfmt, json, not \"xml\"",
	  "xml" },
	{ "cube: {schema: Sales}\n", "config_wrong_type", "cube.yaml:1:16",
	  "must be a schema's name of at most 32 lower-case letters, digits and underscores, not one of PostgreSQL's own",
	  "Sales" },
	{ "cube: {schema: 1st}\n", "config_wrong_type", "cube.yaml:1:16", "must be a schema's name", "1st" },
	{ "cube: {schema: a-b}\n", "config_wrong_type", "cube.yaml:1:16", "must be a schema's name", "a-b" },
	{ "cube: {schema: pg_cube}\n", "config_wrong_type", "cube.yaml:1:16", "not one of PostgreSQL's own", "pg_cube" },
	{ "cube: {schema: public}\n", "config_wrong_type", "cube.yaml:1:16", "not one of PostgreSQL's own", "public" },
	{ "cube: {schema: information_schema}\n", "config_wrong_type", "cube.yaml:1:16", "not one of PostgreSQL's own", "inform" },
	{ "cube: {schema: \"\"}\n", "config_wrong_type", "cube.yaml:1:16", "must be a schema's name", "^" },
	{ "cube: {schema: a23456789012345678901234567890123}\n", "config_wrong_type", "cube.yaml:1:16", "of at most 32", "a234" },
	{ "cube: {schema: sales}\nkafka: {group_id: gracecube}\n", "config_group", "cube.yaml:2",
	  "kafka.group_id is gracecube, the group of the cube in the schema cube, and cube.schema is sales: leave it empty, and it is"
	  " gracecube-sales, or name another",
	  "" },
	{ "cube: {business_days: 5-1}\n", "config_wrong_type", "cube.yaml:1:23", "1 is Monday and 7 Sunday", "5-1" },
	{ "cube: {business_hours: 9-17}\n", "config_wrong_type", "cube.yaml:1:24", "like 09-17, not \"9-17\"", "9-17" },
	{ "cube: {business_zone: \"a b\"}\n", "config_wrong_type", "cube.yaml:1:23", "name of a time zone", "a b" },
	{ "http: {listen: 9187}\n", "config_wrong_type", "cube.yaml:1:16", "an address and a port", "9187" },
	{ "http: {listen: \"a:70000\"}\n", "config_wrong_type", "cube.yaml:1:16", "an address and a port", "70000" },
	{ "kafka: {brokers: \"\"}\n", "config_wrong_type", "cube.yaml:1:18", "kafka.brokers must not be empty", "^" },
	{ "kafka: {brokers: [[a]]}\n", "config_wrong_type", "cube.yaml:1:19", "must be one value", "^" },
	{ "kafka: {group_id: \"a\\0b\"}\n", "config_wrong_type", "cube.yaml:1:19", "kafka.group_id has no value", "^" },
	{ "streams: {trigger_events: {topics: [^mesh.*]}}\n", "config_wrong_type", "cube.yaml:1:36", "must be names of topics",
	  "^mesh" },
	{ "streams: {trigger_events: {time_unit: us2}}\n", "config_wrong_type", "cube.yaml:1:39", "did you mean us?", "us2" },

	{ "run:\n  workers: 65\n", "config_out_of_range", "cube.yaml:2:12", "from 1 to 64, not \"65\"", "65" },
	{ "run:\n  workers: 0\n", "config_out_of_range", "cube.yaml:2:12", "from 1 to 64, not \"0\"", "0" },
	{ "run:\n  workers: 99999999999999999999\n", "config_wrong_type", "cube.yaml:2:12", "from 1 to 64", "9999" },
	{ "limits: {value_bytes: 1GiB}\n", "config_out_of_range", "cube.yaml:1:23", "from 1KiB to 64MiB", "1GiB" },
	{ "postgres: {connect_timeout: 1h}\n", "config_out_of_range", "cube.yaml:1:29", "from 1s to 10m", "1h" },

	{ "kafka:\n  properties:\n    enable.auto.commit: true\n", "config_protected", "cube.yaml:3:5",
	  "enable.auto.commit cannot be set: that nothing is lost or doubled depends on it", "    ^" },
	{ "kafka: {properties: {group.id: x}}\n", "config_protected", "cube.yaml:1:22", "group.id is set by kafka.group_id",
	  "group.id" },
	{ "kafka: {properties: {partition.assignment.strategy: sticky}}\n", "config_protected", "cube.yaml:1:22",
	  "partition.assignment.strategy must be roundrobin or range or roundrobin,range or range,roundrobin or cooperative-sticky, not \"sticky\"",
	  "sticky" },
	{ "kafka: {properties: {group.protocol: share}}\n", "config_protected", "cube.yaml:1:22",
	  "group.protocol must be classic or consumer, not \"share\"", "share" },
	{ "kafka: {properties: {\"\": x}}\n", "config_unknown_key", "cube.yaml:1:22", "has a name like linger.ms", "^" },
	{ "kafka: {properties: 3}\n", "config_wrong_type", "cube.yaml:1:21", "kafka.properties must be a section", "^" },

	{ "streams:\n  trigger_events: {topics: x}\n  action_contracts: {topics: [y, x]}\n", "config_duplicate_topic",
	  "cube.yaml:3", "topic x stands in streams.trigger_events.topics and in streams.action_contracts.topics", "" },
	{ "streams:\n  trigger_events: {topics: [x, x]}\n", "config_duplicate_topic", "cube.yaml:2", "topic x stands in", "" },

	{ "postgres: {dsn: \"${ABSENT}\"}\n", "config_variable", "cube.yaml:1:17",
	  "postgres.dsn: the environment variable ABSENT is not set; ${ABSENT:-default} gives it a default", "^" },
	{ "postgres: {dsn: \"${ABSENT:?say where}\"}\n", "config_variable", "cube.yaml:1:17",
	  "the environment variable ABSENT is not set: say where", "^" },
	{ "postgres: {dsn: \"${ABSENT\"}\n", "config_variable", "cube.yaml:1:17", "${ must go on as ${VAR}", "^" },
	{ "postgres: {dsn: \"${ABSENT-x}\"}\n", "config_variable", "cube.yaml:1:17", "${ must go on as ${VAR}", "^" },
	{ "postgres: {dsn: \"${}\"}\n", "config_variable", "cube.yaml:1:17", "${ must go on as ${VAR}", "^" },

	{ "run: {workers: 3\n", "config_not_yaml", "cube.yaml:2:1", "is not YAML: did not find expected", "^" },
	{ "run:\n\tworkers: 3\n", "config_not_yaml", "cube.yaml:2:1", "is not YAML: found character", "^" },
	{ "run: {}\n---\nlog: {}\n", "config_not_yaml", "cube.yaml:3:1", "must be one document", "log: {}" },
	{ "run: {}\n---\n{\n", "config_not_yaml", "cube.yaml:4:1", "is not YAML", "^" },
	{ "run: *nobody\n", "config_not_yaml", "cube.yaml:1:6", "is not YAML: found undefined alias", "^" },
	{ "run: \xC3\x28\n", "config_not_yaml", "cube.yaml", "is not YAML: invalid trailing UTF-8 octet at byte 6", "" },
};

static void mistakes_are_told_with_place_and_remedy(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(mistakes) / sizeof(*mistakes); i++) {
		const struct mistake *mistake = &mistakes[i];
		struct gc_config config;
		struct gc_err err = { .verdict = GC_OK };
		enum gc_verdict verdict = load_text(&config, mistake->file, &err);
		if (verdict != GC_FATAL || strcmp(err.code, mistake->code) != 0 || strcmp(err.where, mistake->where) != 0 ||
		    !strstr(err.text, mistake->sentence) || !strstr(err.text, mistake->excerpt))
			fail_msg("%s---\n%s: %s (%s)", mistake->file, err.where, err.text, err.code);
	}
}

static void failed_load_leaves_the_output_alone(void **state)
{
	(void)state;
	struct gc_config config = { .run_workers = 42 };
	struct gc_err err;
	assert_int_equal(load_text(&config, "run: 3\n", &err), GC_FATAL);
	assert_int_equal(config.run_workers, 42);
}

static void caret_stands_under_the_place(void **state)
{
	(void)state;
	struct gc_err err = { .text = "here" };
	gc_excerpt_add(&err, GC_LIT("a: 1\r\n\t\xC3\xA9\xC3\xA9: x\r\n"), 1, 5);
	assert_string_equal(err.text, "here\n     2 | \t\xC3\xA9\xC3\xA9: x\n       | \t    ^");
}

static void long_line_is_cut_around_the_place(void **state)
{
	(void)state;
	char line[1000];
	memset(line, 'a', sizeof(line));
	line[500] = 'b';
	struct gc_err err = { .text = "" };
	gc_excerpt_add(&err, (struct gc_span){ line, sizeof(line) }, 0, 500);
	const char *shown = strstr(err.text, "| ") + 2, *caret = strstr(shown, "| ") + 2;
	assert_int_equal(strcspn(shown, "\n"), 100);
	assert_int_equal(strcspn(shown, "b"), strcspn(caret, "^"));
}

static void long_path_keeps_its_line_number(void **state)
{
	(void)state;
	char path[300] = "";
	for (size_t used = 0; used < 250; used += 5)
		snprintf(path + used, sizeof(path) - used, "././/");
	snprintf(path + 250, sizeof(path) - 250, "cube.yaml");
	struct gc_config config;
	struct gc_err err;
	write_file("cube.yaml", "run: {a: 1}\n", 12);
	assert_int_equal(gc_config_load(&config, path, stream_names, &err), GC_FATAL);
	assert_non_null(strstr(err.where, "cube.yaml:1:7"));
	assert_memory_equal(err.where, "...", 3);
}

static void file_has_a_largest_size(void **state)
{
	(void)state;
	size_t len = (size_t)1 << 20;
	char *bytes = malloc(len + 1);
	memset(bytes, '\n', len + 1);
	struct gc_config config;
	struct gc_err err;
	write_file("cube.yaml", bytes, len + 1);
	assert_int_equal(gc_config_load(&config, "cube.yaml", stream_names, &err), GC_FATAL);
	assert_non_null(strstr(err.text, "larger than 1 MiB"));
	write_file("cube.yaml", bytes, len);
	assert_int_equal(gc_config_load(&config, "cube.yaml", stream_names, &err), GC_OK);
	gc_config_free(&config);
	free(bytes);
}

/* -- variables in values -- */

static void variables_are_replaced(void **state)
{
	(void)state;
	static const struct {
		const char *text, *result;
	} cases[] = {
		{ "", "" },
		{ "plain", "plain" },
		{ "${GC_A}", "one" },
		{ "x${GC_A}y${GC_A}", "xoneyone" },
		{ "${GC_A:-two}", "one" },
		{ "${GC_EMPTY}", "" },
		{ "${GC_EMPTY:-two}", "two" },
		{ "${GC_NONE:-two words: {a", "" },
		{ "${GC_NONE:-a:b # c}", "a:b # c" },
		{ "${GC_NONE:-}", "" },
		{ "${GC_A:?must be}", "one" },
		{ "$$", "$" },
		{ "$${GC_A}", "${GC_A}" },
		{ "$$$$", "$$" },
		{ "cost $5", "cost $5" },
		{ "a$", "a$" },
		{ "${GC_TRICK}", "${GC_A}: [x]" },
	};
	setenv("GC_A", "one", 1);
	setenv("GC_EMPTY", "", 1);
	setenv("GC_TRICK", "${GC_A}: [x]", 1); /* what a variable holds is not looked at again */
	struct gc_config config = load_good("");
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		char *text = NULL, problem[300];
		bool good = gc_substitute(&config, cases[i].text, &text, problem, sizeof(problem));
		assert_int_equal(good, strcmp(cases[i].text, "${GC_NONE:-two words: {a") != 0);
		if (good)
			assert_string_equal(text, cases[i].result);
		free(text);
	}
	gc_config_free(&config);
	unsetenv("GC_A");
}

static void variable_never_adds_structure(void **state)
{
	(void)state;
	setenv("GC_A", "cube\nkafka:\n  group_id: other", 1);
	struct gc_config config = load_good("postgres:\n  dsn: ${GC_A}\n");
	assert_string_equal(config.postgres_dsn, "cube\nkafka:\n  group_id: other");
	assert_string_equal(config.kafka_group_id, "gracecube");
	gc_config_free(&config);
	unsetenv("GC_A");
}

static void variable_may_hold_a_list(void **state)
{
	(void)state;
	setenv("GC_A", "a, b,,c", 1);
	struct gc_config config = load_good("streams: {trigger_events: {topics: [\"${GC_A}\", d]}}\n");
	assert_int_equal(config.streams[0].topic_count, 4);
	assert_string_equal(config.streams[0].topics[1], "b");
	assert_string_equal(config.streams[0].topics[3], "d");
	gc_config_free(&config);
	unsetenv("GC_A");
}

static void group_follows_the_schema(void **state)
{
	static const struct {
		const char *file, *flag, *group;
	} cases[] = {
		{ "cube: {schema: sales}\n", NULL, "gracecube-sales" },
		{ "cube: {schema: sales}\n", "eu", "gracecube-eu" },
		{ "cube: {schema: sales}\n", "cube", "gracecube" },
		{ "cube: {schema: sales}\nkafka: {group_id: mine}\n", NULL, "mine" },
		{ "kafka: {group_id: mine}\ncube: {schema: sales}\n", "eu", "mine" },
		{ "kafka: {group_id: gracecube}\n", NULL, "gracecube" },
		{ "kafka: {group_id: \"\"}\ncube: {schema: sales}\n", NULL, "gracecube-sales" },
		{ "cube: {schema: sales}\nkafka: {group_id: \"\"}\n", NULL, "gracecube-sales" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct gc_config config = load_good(cases[i].file);
		struct gc_err err;
		if (cases[i].flag)
			assert_int_equal(gc_config_set(&config, "cube.schema", cases[i].flag, &err), GC_OK);
		assert_string_equal(config.kafka_group_id, cases[i].group);
		assert_int_equal(gc_config_check(&config, &err), GC_OK);
		gc_config_free(&config);
	}
}

/* -- pages -- */

static void compare_with_default(void *context, const char *name, const char *value, const char *origin)
{
	struct gc_config *defaults = context;
	struct gc_option_at at;
	assert_true(gc_option_find(defaults, name, &at));
	char *expected = gc_option_print(defaults, &at);
	assert_string_equal(value, expected);
	assert_memory_equal(origin, "cube.yaml:", 10); /* the sample gives every option */
	free(expected);
}

static void sample_gives_every_option_its_default(void **state)
{
	(void)state;
	char *sample = NULL;
	size_t bytes;
	FILE *out = gc_text_open(&sample, &bytes);
	gc_config_sample(stream_names, out);
	fclose(out);
	struct gc_config defaults = load_good(""), config = load_good(sample);
	gc_config_each(&config, compare_with_default, &defaults);
	gc_config_free(&config);
	gc_config_free(&defaults);
	free(sample);
}

static void reference_in_the_repository_has_every_option(void **state)
{
	(void)state;
	char *page = read_whole(GRACECUBE_SOURCE_DIR "/config/reference.md");
	char row[GC_NAME_MAX + 32], variable[GC_NAME_MAX];
	for (const struct gc_option *option = gc_options; option->name; option++) {
		snprintf(row, sizeof(row), "\n| `%s` |", option->name);
		assert_non_null(strstr(page, row));
		assert_non_null(strstr(page, gc_option_variable(option->name, variable, sizeof(variable))));
		assert_non_null(strstr(page, option->description));
	}
	for (const struct gc_option *option = gc_stream_options; option->name; option++) {
		snprintf(row, sizeof(row), "\n| `streams.<stream>.%s` |", option->name);
		assert_non_null(strstr(page, row));
	}
	for (const char *const *name = gc_config_protected_properties; *name; name++)
		assert_non_null(strstr(page, *name));
	free(page);
}

static void tables_are_in_order(void **state)
{
	(void)state;
	const struct gc_section *section = gc_sections;
	for (const struct gc_option *option = gc_options; option->name; option++) {
		size_t len = strcspn(option->name, ".");
		while (section->name && strncmp(section->name, option->name, len) != 0)
			section++;
		assert_non_null(section->name); /* the rows of a section stand together, in the sections' order */
		assert_true(option->description[strlen(option->description) - 1] == '.');
	}
	for (const char *const *name = gc_config_protected_properties; name[0] && name[1]; name++)
		assert_true(strcmp(name[0], name[1]) < 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(defaults_are_what_the_design_says, clear_variables),
		cmocka_unit_test_teardown(streams_keep_the_registrys_order, clear_variables),
		cmocka_unit_test_teardown(file_is_read_from_its_usual_place, clear_variables),
		cmocka_unit_test_teardown(file_that_was_named_must_be_there, clear_variables),
		cmocka_unit_test_teardown(every_type_is_read, clear_variables),
		cmocka_unit_test_teardown(mistakes_are_told_with_place_and_remedy, clear_variables),
		cmocka_unit_test_teardown(failed_load_leaves_the_output_alone, clear_variables),
		cmocka_unit_test_teardown(caret_stands_under_the_place, clear_variables),
		cmocka_unit_test_teardown(long_line_is_cut_around_the_place, clear_variables),
		cmocka_unit_test_teardown(long_path_keeps_its_line_number, clear_variables),
		cmocka_unit_test_teardown(file_has_a_largest_size, clear_variables),
		cmocka_unit_test_teardown(variables_are_replaced, clear_variables),
		cmocka_unit_test_teardown(variable_never_adds_structure, clear_variables),
		cmocka_unit_test_teardown(variable_may_hold_a_list, clear_variables),
		cmocka_unit_test_teardown(group_follows_the_schema, clear_variables),
		cmocka_unit_test_teardown(sample_gives_every_option_its_default, clear_variables),
		cmocka_unit_test_teardown(reference_in_the_repository_has_every_option, clear_variables),
		cmocka_unit_test_teardown(tables_are_in_order, clear_variables),
	};

	return cmocka_run_group_tests_name("config", tests, enter_directory, leave_directory);
}
