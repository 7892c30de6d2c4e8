# Apache Kafka in KRaft mode, with the topics of the mesh. Besides its address without a login, it has addresses over TLS:
#
#   tls        with a login, as `mesh` with the password `secret of mesh`: PLAIN, SCRAM-SHA-256, SCRAM-SHA-512
#   mutual     for clients with a certificate
#   elsewhere  like tls, with the certificate of another host
#
# certificates.sh lists the certificates.

# renovate: datasource=maven depName=org.apache.kafka:kafka_2.13
KAFKA=4.4.0
LOG4J=2.25.5 # the logging library of that Kafka
KAFKA_HOME=$TOOLS/kafka-$KAFKA

install_kafka() {
  if [ ! -e "$KAFKA_HOME/Topics.class" ] || [ "$HERE/Topics.java" -nt "$KAFKA_HOME/Topics.class" ]; then
    need mvn "install Maven, Kafka's jars come from there"
    need javac "install a JDK, 17 or newer"
    local fresh; fresh=$(mktemp -d "$TOOLS/kafka.XXXXXX")
    cat >"$fresh/pom.xml" <<POM
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>glassmesh</groupId> <artifactId>kafka</artifactId> <version>1</version> <packaging>pom</packaging>
  <dependencies>
    <dependency>
      <groupId>org.apache.kafka</groupId> <artifactId>kafka_2.13</artifactId> <version>$KAFKA</version>
      <exclusions>
        <!-- Named by the broker's own pom, never published; the broker does not load it. -->
        <exclusion> <groupId>org.apache.kafka</groupId> <artifactId>kafka-tools-api</artifactId> </exclusion>
      </exclusions>
    </dependency>
    <dependency>
      <groupId>org.apache.logging.log4j</groupId> <artifactId>log4j-slf4j-impl</artifactId> <version>$LOG4J</version>
    </dependency>
  </dependencies>
</project>
POM
    cat >"$fresh/log4j2.properties" <<LOG
rootLogger.level = WARN
rootLogger.appenderRef.console.ref = console
appender.console.type = Console
appender.console.name = console
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = %d %p %c{1} %m%n
LOG
    mvn -q -B -Dstyle.color=never -f "$fresh/pom.xml" dependency:copy-dependencies -DincludeScope=runtime -DoutputDirectory="$fresh/libs" >&2
    javac -cp "$fresh/libs/*" -d "$fresh" "$HERE/Topics.java"
    rm -rf "$KAFKA_HOME"
    mv "$fresh" "$KAFKA_HOME"
  fi
  echo "$KAFKA_HOME"
}

start_kafka() {
  local port=$1
  [ -e "$KAFKA_HOME/Topics.class" ] || die "run 'parts.sh install kafka' first"
  if [ ! -e "$DIR/server.properties" ]; then
    certificates
    { kafka_settings "$port" "$(free_port)"; kafka_tls; } >"$DIR/server.properties.new"
    java -Xmx64m -cp "$KAFKA_HOME/libs/*" kafka.tools.StorageTool format \
      --add-scram "SCRAM-SHA-512=[name=mesh,password=\"$SECRET\"]" --add-scram "SCRAM-SHA-256=[name=mesh,password=\"$SECRET\"]" \
      -t RW0Yr7O2QdGDcfrua1qDTg -c "$DIR/server.properties.new" >"$DIR/log" 2>&1 || fail "its storage could not be formatted"
    mv "$DIR/server.properties.new" "$DIR/server.properties"
  fi
  launch java -Xms64m -Xmx256m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 \
    -Dlog4j2.configurationFile="$KAFKA_HOME/log4j2.properties" -cp "$KAFKA_HOME/libs/*" kafka.Kafka "$DIR/server.properties"
}

# Topics are created, not made at their first use: a dead letter queue has another number of partitions than its topic, and a
# misspelt topic should fail.
kafka_settings() {
  cat <<SETTINGS
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@$HOST:$2
listeners=PLAINTEXT://$HOST:$1,CONTROLLER://$HOST:$2,TLS://$HOST:$(port_for tls),MUTUAL://$HOST:$(port_for mutual),ELSEWHERE://$HOST:$(port_for elsewhere)
advertised.listeners=PLAINTEXT://$HOST:$1,TLS://$HOST:$(port_for tls),MUTUAL://$HOST:$(port_for mutual),ELSEWHERE://$HOST:$(port_for elsewhere)
controller.listener.names=CONTROLLER
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,TLS:SASL_SSL,MUTUAL:SSL,ELSEWHERE:SASL_SSL
log.dirs=$DIR/data
auto.create.topics.enable=false
default.replication.factor=1
offsets.topic.replication.factor=1
offsets.topic.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
# A group with one member does not wait for others.
group.initial.rebalance.delay.ms=0
# After a crash the broker waits until its dead self's session ends: 9 s by default. At 2 s a busy machine loses it.
broker.session.timeout.ms=4000
broker.heartbeat.interval.ms=500
# A small broker.
log.cleaner.dedupe.buffer.size=4194304
num.network.threads=2
num.io.threads=2
SETTINGS
}

# The listeners over TLS.
kafka_tls() {
  local listener
  cat <<SETTINGS
ssl.keystore.type=PEM
ssl.keystore.location=$DIR/tls/server.pem
ssl.truststore.type=PEM
ssl.truststore.location=$DIR/tls/ca.pem
listener.name.mutual.ssl.client.auth=required
listener.name.elsewhere.ssl.keystore.location=$DIR/tls/elsewhere.pem
sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512
SETTINGS
  for listener in tls elsewhere; do
    cat <<SETTINGS
listener.name.$listener.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required user_mesh="$SECRET";
listener.name.$listener.scram-sha-256.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
listener.name.$listener.scram-sha-512.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
SETTINGS
  done
}

# Retries for three seconds inside one process, because each start costs a Java virtual machine.
ready_kafka() {
  local topic topics=()
  for topic in $TOPICS; do topics+=("$topic:$PARTITIONS" "$topic.dlq:1"); done
  java -Xmx64m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -Dlog4j2.configurationFile="$KAFKA_HOME/log4j2.properties" \
    -cp "$KAFKA_HOME:$KAFKA_HOME/libs/*" Topics "$HOST:$1" 3 "${topics[@]}"
}
