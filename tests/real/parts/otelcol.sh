# The OpenTelemetry Collector, with the components that deploy/components/observability/otel/collector.yaml names. Of the
# two hundred of the contrib distribution, which the image has, these alone: another one fails `validate` here.

# The newest of which every module that these components need is published (0.160 to 0.165 lack pkg/expohisto).
# renovate: datasource=go depName=go.opentelemetry.io/collector/otelcol
OTELCOL=0.155.0
# The core's libraries are numbered on their own.
# renovate: datasource=go depName=go.opentelemetry.io/collector/confmap
OTELCOL_CORE=1.61.0
OTELCOL_HOME=$TOOLS/otelcol-$OTELCOL

install_otelcol() {
  [ -x "$OTELCOL_HOME/otelcol" ] || build_otelcol
  echo "$OTELCOL_HOME/otelcol"
}

build_otelcol() {
  local fresh core=go.opentelemetry.io/collector module
  need go "install Go, 1.26 or newer: the Collector is built from its modules"
  say "building the OpenTelemetry Collector $OTELCOL: this takes minutes, once"
  fresh=$(mktemp -d "$TOOLS/otelcol.XXXXXX")
  mkdir "$fresh/sources"
  otelcol_components "$fresh/sources" >"$fresh/builder.yaml"
  (
    go_environment
    GOBIN=$fresh go install "$core/cmd/builder@v$OTELCOL"
    # The builder tidies the module it writes, which asks for test modules that were never published: it only writes.
    "$fresh/builder" --config "$fresh/builder.yaml" --skip-get-modules --skip-compilation
    cd "$fresh/sources"
    [ -e go.mod ] || go mod init glassmesh/otelcol
    for module in $(awk '/gomod:/ { print $3 "@" $4 }' "$fresh/builder.yaml") "$core/otelcol@v$OTELCOL" \
      "$core"/confmap/provider/{env,file,http,https,yaml}provider"@v$OTELCOL_CORE"; do
      go mod edit -require="$module"
    done
    go build -mod=mod -ldflags='-s -w' -o "$fresh/out/otelcol" .
  ) >&2
  keep "$fresh/out" "$OTELCOL_HOME"
  rm -rf "$fresh"
}

otelcol_components() {
  local core=go.opentelemetry.io/collector contrib=github.com/open-telemetry/opentelemetry-collector-contrib
  printf 'dist: {name: otelcol, output_path: %s, version: %s}\n' "$1" "$OTELCOL"
  components receivers $core/receiver/otlpreceiver
  components processors $core/processor/{batch,memorylimiter}processor \
    $contrib/processor/{tailsampling,transform,resource,filter}processor
  components connectors $contrib/connector/spanmetricsconnector
  components exporters $core/exporter/{otlp,otlphttp,debug}exporter $contrib/exporter/{file,prometheus}exporter
  components extensions $contrib/extension/healthcheckextension
}

components() {
  echo "$1:"; shift
  printf "  - gomod: %s v$OTELCOL\n" "$@"
}

# <dir>/collector.yaml and every other YAML file there on top of it; without one, ours. Its address is that of OTLP over
# gRPC; further ones: http (OTLP, too), metrics, health.
start_otelcol() {
  local file files
  [ -x "$OTELCOL_HOME/otelcol" ] || die "run 'parts.sh install otelcol' first"
  configured otel/collector.yaml
  files=(--config "$DIR/collector.yaml")
  for file in "$DIR"/*.yaml; do [ "$file" = "$DIR/collector.yaml" ] || files+=(--config "$file"); done
  OTEL_GRPC=$HOST:$1 OTEL_HTTP=$HOST:$(port_for http) OTEL_HEALTH=$HOST:$(port_for health)
  OTEL_METRICS_HOST=$HOST OTEL_METRICS_PORT=$(port_for metrics)
  export OTEL_GRPC OTEL_HTTP OTEL_HEALTH OTEL_METRICS_HOST OTEL_METRICS_PORT
  launch "$OTELCOL_HOME/otelcol" "${files[@]}"
}

ready_otelcol() { answers "$(port_for health)" /; }
