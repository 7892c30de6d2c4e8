# Prometheus, with promtool.

# renovate: datasource=docker depName=prom/prometheus
PROMETHEUS=3.15.1
# The version of its Go module is numbered differently: 3.15.1 is v0.315.1.
PROMETHEUS_MODULE=v0.${PROMETHEUS/./}
PROMETHEUS_HOME=$TOOLS/prometheus-$PROMETHEUS

install_prometheus() {
  local module=github.com/prometheus/prometheus common=github.com/prometheus/common/version
  # Only the service discoveries that the configurations use, of some thirty: the others are half of the build.
  [ -x "$PROMETHEUS_HOME/promtool" ] || go_module "$PROMETHEUS_HOME" $module "$PROMETHEUS_MODULE" \
    remove_all_sd,enable_kubernetes_sd,enable_dns_sd "-X $common.Version=$PROMETHEUS" $module/cmd/prometheus $module/cmd/promtool
  echo "$PROMETHEUS_HOME/prometheus"
  echo "$PROMETHEUS_HOME/promtool"
}

# Its source has tests of the evaluation of PromQL.
source_prometheus() {
  need go "install Go, 1.26 or newer: the source is a Go module"
  go_sources github.com/prometheus/prometheus "$PROMETHEUS_MODULE"
}

# Reads <dir>/prometheus.yaml with rules/ and scrape/ beside it; without it, the deployed one, which then scrapes nothing.
start_prometheus() {
  [ -x "$PROMETHEUS_HOME/promtool" ] || die "run 'parts.sh install prometheus' first"
  configured prometheus/prometheus.yaml
  launch "$PROMETHEUS_HOME/prometheus" --config.file="$DIR/prometheus.yaml" --storage.tsdb.path="$DIR/data" \
    --web.listen-address="$HOST:$1" --web.external-url="http://$HOST:$1/prometheus/" --web.enable-lifecycle \
    --enable-feature=exemplar-storage --log.level=warn
}

ready_prometheus() { answers "$1" /prometheus/-/ready; }
