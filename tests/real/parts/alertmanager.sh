# Alertmanager, with amtool.

# renovate: datasource=go depName=github.com/prometheus/alertmanager
ALERTMANAGER=0.34.2
ALERTMANAGER_HOME=$TOOLS/alertmanager-$ALERTMANAGER

install_alertmanager() {
  local module=github.com/prometheus/alertmanager
  [ -x "$ALERTMANAGER_HOME/amtool" ] || go_module "$ALERTMANAGER_HOME" $module "v$ALERTMANAGER" '' \
    "-X github.com/prometheus/common/version.Version=$ALERTMANAGER" $module/cmd/alertmanager $module/cmd/amtool
  echo "$ALERTMANAGER_HOME/alertmanager"
  echo "$ALERTMANAGER_HOME/amtool"
}

# The published module embeds a web page that it does not contain: this builds a copy with an empty page.
patch_alertmanager() {
  cp -r "$1" module
  chmod -R u+w module
  mkdir -p module/ui/app/dist
  echo '<!doctype html><title>Alertmanager</title>' >module/ui/app/dist/index.html
  go mod edit -replace=github.com/prometheus/alertmanager=./module
}

# Reads <dir>/alertmanager.yaml; without it, the deployed one. It is a single instance: its gossip port stays closed.
start_alertmanager() {
  [ -x "$ALERTMANAGER_HOME/amtool" ] || die "run 'parts.sh install alertmanager' first"
  configured alertmanager/alertmanager.yaml
  launch "$ALERTMANAGER_HOME/alertmanager" --config.file="$DIR/alertmanager.yaml" --storage.path="$DIR/data" \
    --web.listen-address="$HOST:$1" --web.external-url="http://$HOST:$1/alertmanager/" --cluster.listen-address= \
    --log.level=warn
}

ready_alertmanager() { answers "$1" /alertmanager/-/ready; }
