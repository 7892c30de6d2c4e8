# Settings and functions of cluster.sh, node.sh and api.sh, which source this file.
# shellcheck shell=bash disable=SC2034 # each uses its own

KUBERNETES=v1.33.13
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
FOLDER=${GLASSMESH_TOOLS:-$HOME/.cache/glassmesh-tools}/kubernetes-$KUBERNETES
BIN=$FOLDER/bin

say() { printf 'kubernetes: %s\n' "$*" >&2; }
die() { say "$*"; exit 1; }
need() { command -v "$1" >/dev/null || die "$1 is missing: $2"; }

# Builds the combined Kubernetes binary, once for each version: some ten minutes on two cores.
build() {
  local sources=$HERE/kube stamp
  stamp=$(cat "$sources"/* | sha256sum)
  if [ -x "$BIN/kube" ] && [ "$(cat "$BIN/kube.sha256" 2>/dev/null)" = "$stamp" ]; then return; fi
  need go "install Go, 1.26 or newer: Kubernetes is built from its modules"
  say "building Kubernetes $KUBERNETES from its Go modules: this takes minutes, once"
  mkdir -p "$BIN"
  local server=k8s.io/component-base/version client=k8s.io/client-go/pkg/version
  # Without cgo: with cgo and static linking, the kubelet crashed in glibc's getpwnam_r.
  (cd "$sources" && CGO_ENABLED=0 GOTOOLCHAIN=local GOFLAGS="-buildvcs=false -mod=readonly" go build -trimpath -o "$BIN/kube.new" \
    -ldflags "-s -w -X $server.gitVersion=$KUBERNETES -X $server.gitMajor=1 -X $server.gitMinor=33 -X $client.gitVersion=$KUBERNETES" .)
  mv "$BIN/kube.new" "$BIN/kube"
  echo "$stamp" >"$BIN/kube.sha256"
  local name
  for name in etcd coredns kubectl kubelet kube-apiserver kube-controller-manager kube-proxy kube-scheduler; do
    ln -sf kube "$BIN/$name"
  done
}

# wait_for <seconds> <what> <command>...: repeats the command until it succeeds.
wait_for() {
  local end=$((SECONDS + $1)) what=$2; shift 2
  until "$@" >/dev/null 2>&1; do
    [ $SECONDS -lt $end ] || die "$what is not there in time; see $RUN/log"
    sleep 0.2
  done
}

# user <name> <user> <group>: adds a token for the user to tokens.csv, and writes $RUN/<name>.kubeconfig.
user() {
  local token; token=$(openssl rand -hex 16)
  echo "$token,$2,$1,\"$3\"" >>"$RUN/tokens.csv"
  cat >"$RUN/$1.kubeconfig" <<CONFIG
apiVersion: v1
kind: Config
clusters: [{name: local, cluster: {server: "https://127.0.0.1:$PORT", certificate-authority: "$RUN/ca.crt"}}]
users: [{name: $1, user: {token: $token}}]
contexts: [{name: local, context: {cluster: local, user: $1}}]
current-context: local
CONFIG
}
