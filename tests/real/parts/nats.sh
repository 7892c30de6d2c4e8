# nats-server: core NATS, without JetStream.

# renovate: datasource=go depName=github.com/nats-io/nats-server/v2
NATS=2.15.3
NATS_HOME=$TOOLS/nats-server-$NATS

install_nats() {
  if [ ! -x "$NATS_HOME/nats-server" ]; then
    need go "install Go, nats-server is built from its module"
    CGO_ENABLED=0 GOTOOLCHAIN=local GOFLAGS=-trimpath GOBIN=$NATS_HOME \
      go install -ldflags='-s -w' "github.com/nats-io/nats-server/v2@v$NATS" >&2
  fi
  echo "$NATS_HOME/nats-server"
}

# Core NATS only. Live messages are ephemeral by design; only the address must survive a crash.
start_nats() {
  [ -x "$NATS_HOME/nats-server" ] || die "run 'parts.sh install nats' first"
  printf 'listen: %s\nserver_name: real\n' "$HOST:$1" >"$DIR/nats.conf"
  launch "$NATS_HOME/nats-server" -c "$DIR/nats.conf"
}

# The server greets a client with an INFO line.
ready_nats() { timeout 2 bash -c "read -r hello <>/dev/tcp/$HOST/$1 && [[ \$hello == INFO* ]]"; }
