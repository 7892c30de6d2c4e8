# Jaeger v2: its `cmd/jaeger` is in the module of the last v1 release.

JAEGER=1.76.0
JAEGER_HOME=$TOOLS/jaeger-$JAEGER

install_jaeger() {
  local module=github.com/jaegertracing/jaeger
  [ -x "$JAEGER_HOME/jaeger" ] || go_module "$JAEGER_HOME" $module "v$JAEGER" '' '' $module/cmd/jaeger
  echo "$JAEGER_HOME/jaeger"
}

# Reads <dir>/jaeger.yaml; without it, the deployed one. Its address is that of its pages and API; others: otlp, metrics,
# health.
start_jaeger() {
  [ -x "$JAEGER_HOME/jaeger" ] || die "run 'parts.sh install jaeger' first"
  configured jaeger/jaeger.yaml
  JAEGER_QUERY=$HOST:$1 JAEGER_QUERY_GRPC=$HOST:$(port_for grpc) JAEGER_OTLP_GRPC=$HOST:$(port_for otlp)
  JAEGER_HEALTH=$HOST:$(port_for health) JAEGER_METRICS_HOST=$HOST JAEGER_METRICS_PORT=$(port_for metrics)
  # Otherwise it sends its own traces to a collector that it expects on this machine.
  OTEL_TRACES_SAMPLER=always_off
  export JAEGER_QUERY JAEGER_QUERY_GRPC JAEGER_OTLP_GRPC JAEGER_HEALTH JAEGER_METRICS_HOST JAEGER_METRICS_PORT OTEL_TRACES_SAMPLER
  launch "$JAEGER_HOME/jaeger" --config "$DIR/jaeger.yaml"
}

ready_jaeger() { answers "$(port_for health)" /status && answers "$1" /jaeger/api/services; }
