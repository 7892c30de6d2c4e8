# Loki as a single process. It takes twenty minutes to build: no lane of .ci/run uses it.

# renovate: datasource=go depName=github.com/grafana/loki/v3
LOKI=3.7.8
LOKI_HOME=$TOOLS/loki-$LOKI

install_loki() {
  local module=github.com/grafana/loki/v3
  [ -x "$LOKI_HOME/loki" ] || go_module "$LOKI_HOME" $module "v$LOKI" '' \
    "-X $module/pkg/util/build.Version=$LOKI" $module/cmd/loki
  echo "$LOKI_HOME/loki"
}

# The go.mod replaces a module by a folder beside it, which the published module lacks.
patch_loki() { go mod edit -dropreplace=github.com/grafana/loki/pkg/push; }

# Reads <dir>/loki.yaml; without it, the deployed one.
start_loki() {
  [ -x "$LOKI_HOME/loki" ] || die "run 'parts.sh install loki' first"
  configured loki/loki.yaml
  LOKI_HOST=$HOST LOKI_PORT=$1 LOKI_GRPC_PORT=$(port_for grpc) LOKI_DATA=$DIR/data
  export LOKI_HOST LOKI_PORT LOKI_GRPC_PORT LOKI_DATA
  launch "$LOKI_HOME/loki" -config.file="$DIR/loki.yaml" -config.expand-env=true
}

ready_loki() { answers "$1" /ready; }
