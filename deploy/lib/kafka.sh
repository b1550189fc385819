# shellcheck shell=bash
# A real Apache Kafka on this machine: one node, broker and KRaft controller in one process, from the jars that the project
# publishes on Maven Central. Needs common.sh, java and, the first time, mvn. Every function takes a directory first:
#
#   DIR/data       topics                  DIR/port      its TCP port on 127.0.0.1
#   DIR/kafka.log  the broker's log        DIR/pid       its process
#
# KAFKA_PARTITIONS (1) is the number of partitions of topics made on first use, KAFKA_HEAP (384m) the Java heap, KAFKA_EXTRA
# more lines of server.properties, KAFKA_LISTENERS and KAFKA_ADVERTISED more listeners (NAME://HOST:PORT,…), KAFKA_VERSION the
# version, 3.9 or newer. The jars are kept, a directory a version, in ${XDG_CACHE_HOME:-$HOME/.cache}/gracecube/kafka.

KAFKA_VERSION=${KAFKA_VERSION:-4.3.1}

kafka_jars_dir() { echo "${XDG_CACHE_HOME:-$HOME/.cache}/gracecube/kafka/$KAFKA_VERSION"; }

# kafka_fetch → brings the jars (54 MB) once. Up to 3.9 Kafka writes its log by reload4j, from 4.0 on by log4j 2.
kafka_fetch() {
	local logger=org.apache.logging.log4j:log4j-slf4j-impl:2.25.1
	[[ $KAFKA_VERSION != 3.* ]] || logger=org.slf4j:slf4j-reload4j:1.7.36
	fetch_jars "$(kafka_jars_dir)" "Apache Kafka $KAFKA_VERSION" "org.apache.kafka:kafka_2.13:$KAFKA_VERSION" "org.apache.kafka:kafka-tools:$KAFKA_VERSION" "$logger"
}

# kafka_start DIR → made when there is none; returns when it answers
kafka_start() {
	local dir=$1
	kafka_is_running "$dir" && return
	kafka_fetch
	mkdir -p "$dir"
	for _ in 1 2 3; do
		[ -s "$dir/port" ] || free_port >"$dir/port"
		kafka_write_settings "$dir" "$(kafka_port "$dir")" "$(free_port)"
		[ -f "$dir/data/meta.properties" ] || kafka_format "$dir"
		kafka_launch "$dir"
		if wait_until 180 kafka_has_settled "$dir" && kafka_is_running "$dir"; then
			return
		fi
		kafka_stop "$dir"
		grep -q 'Address already in use' "$dir/kafka.log" || break
		rm -f "$dir/port"
	done
	tail -n 20 "$dir/kafka.log"
	die "Apache Kafka did not start; its log is $dir/kafka.log"
}

kafka_stop() {
	if kafka_is_running "$1"; then
		stop_process "$(cat "$1/pid")" 20
	fi
	rm -f "$1/pid"
}

kafka_port() { cat "$1/port"; }
kafka_brokers() { echo "127.0.0.1:$(kafka_port "$1")"; }
kafka_is_running() { [ -s "$1/pid" ] && is_process "$(cat "$1/pid")" "$1/server.properties"; }

# Up and answering, or dead. At first the process is still this shell's copy, which is neither.
kafka_has_settled() {
	! is_gone "$(cat "$1/pid")" || return 0
	kafka_is_running "$1" && grep -q 'Kafka Server started' "$1/kafka.log" && (exec 5<>"/dev/tcp/127.0.0.1/$(kafka_port "$1")") 2>/dev/null
}

kafka_java() {
	local dir=$1
	shift
	LOG4J_CONFIGURATION_FILE=$dir/log4j2.properties exec setsid java -XX:-UsePerfData -Djava.awt.headless=true -Dlog4j2.configurationFile="$dir/log4j2.properties" \
		-Dlog4j.configuration="file:$dir/log4j.properties" -cp "$(kafka_jars_dir)/*" "$@"
}

kafka_format() {
	(kafka_java "$1" -Xmx128m -XX:TieredStopAtLevel=1 kafka.tools.StorageTool format --cluster-id Z3JhY2VjdWJlLWdyYWNlYw \
		-c "$1/server.properties") >"$1/format.log" 2>&1 || {
		cat "$1/format.log"
		die 'Apache Kafka could not format its directory.'
	}
}

kafka_launch() {
	local heap=${KAFKA_HEAP:-384m}
	: >"$1/kafka.log"
	(
		exec </dev/null >>"$1/kafka.log" 2>&1 3>&- 4>&-
		kafka_java "$1" "-Xms$heap" "-Xmx$heap" -XX:+UseG1GC kafka.Kafka "$1/server.properties"
	) &
	echo $! >"$1/pid"
	disown
}

kafka_write_settings() {
	local dir=$1 port=$2 controller=$3
	cat >"$dir/log4j2.properties" <<-'LOG'
		rootLogger.level=warn
		rootLogger.appenderRef.console.ref=Console
		appender.console.type=Console
		appender.console.name=Console
		appender.console.layout.type=PatternLayout
		appender.console.layout.pattern=[%d] %p %m (%c)%n
		logger.started.name=kafka.server.KafkaRaftServer
		logger.started.level=info
	LOG
	cat >"$dir/log4j.properties" <<-'LOG'
		log4j.rootLogger=WARN, console
		log4j.appender.console=org.apache.log4j.ConsoleAppender
		log4j.appender.console.layout=org.apache.log4j.PatternLayout
		log4j.appender.console.layout.ConversionPattern=[%d] %p %m (%c)%n
		log4j.logger.kafka.server.KafkaRaftServer=INFO
	LOG
	cat >"$dir/server.properties" <<-SETTINGS
		process.roles=broker,controller
		node.id=1
		controller.quorum.voters=1@127.0.0.1:$controller
		listeners=PLAINTEXT://127.0.0.1:$port,CONTROLLER://127.0.0.1:$controller${KAFKA_LISTENERS:+,$KAFKA_LISTENERS}
		advertised.listeners=PLAINTEXT://127.0.0.1:$port${KAFKA_ADVERTISED:+,$KAFKA_ADVERTISED}
		controller.listener.names=CONTROLLER
		inter.broker.listener.name=PLAINTEXT
		log.dirs=$dir/data
		num.partitions=${KAFKA_PARTITIONS:-1}
		offsets.topic.num.partitions=1
		offsets.topic.replication.factor=1
		transaction.state.log.num.partitions=1
		transaction.state.log.replication.factor=1
		transaction.state.log.min.isr=1
		share.coordinator.state.topic.num.partitions=1
		share.coordinator.state.topic.replication.factor=1
		share.coordinator.state.topic.min.isr=1
		group.initial.rebalance.delay.ms=0
		log.retention.hours=-1
		auto.create.topics.enable=true
		num.network.threads=2
		num.io.threads=2
		${KAFKA_EXTRA:-}
	SETTINGS
}
