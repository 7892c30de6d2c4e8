# The OpenTelemetry Collector, with only those components that deploy/components/observability/otel/collector.yaml names, of
# the two hundred of the contrib distribution, which the image contains. `validate` fails here on any other component.

# The newest version for which every module of these components is published (0.160 to 0.165 lack pkg/expohisto).
# renovate: datasource=go depName=go.opentelemetry.io/collector/otelcol
OTELCOL=0.155.0
# The libraries of the core have version numbers of their own.
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
    # The builder would tidy the module that it writes, which needs test modules that were never published: so it only writes.
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

# Reads <dir>/collector.yaml with every other YAML file there on top of it; without it, the deployed one. Its address is that
# of OTLP over gRPC; others: http (OTLP, too), metrics, health.
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
