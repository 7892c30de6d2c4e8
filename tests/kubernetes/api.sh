#!/usr/bin/env bash
# A Kubernetes API without nodes (etcd and the API server of cluster.sh's binary): it answers to a manifest as any cluster would.
# It runs for one check only, and needs no root.
#
#   api.sh check FOLDER MANIFEST...   apply each file, server-side and strict, to an API that knows the custom resources; the check
#                                     fails for an error or a warning. It writes the stored objects to FOLDER/<name>.json
#
# No pod runs there, so that applying is the strictest dry run: namespaces exist, and admission answers as in a cluster.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/settings.sh"

PORT=${KUBERNETES_API_PORT:-16443}
# The custom resources that the components use.
CUSTOM="sigs.k8s.io/gateway-api@v1.6.3:config/crd/standard/gateway.networking.k8s.io_httproutes.yaml
  github.com/kedacore/keda/v2@v2.21.0:config/crd/bases/keda.sh_scaledobjects.yaml
  github.com/prometheus-operator/prometheus-operator@v0.85.0:example/prometheus-operator-crd/monitoring.coreos.com_podmonitors.yaml
  github.com/prometheus-operator/prometheus-operator@v0.85.0:example/prometheus-operator-crd/monitoring.coreos.com_servicemonitors.yaml
  github.com/prometheus-operator/prometheus-operator@v0.85.0:example/prometheus-operator-crd/monitoring.coreos.com_prometheusrules.yaml"
RUN=$(mktemp -d "${TMPDIR:-/tmp}/kubernetes-api.XXXXXX")
export KUBECONFIG=$RUN/admin.kubeconfig
PIDS=()

stop() {
  [ ${#PIDS[@]} = 0 ] || kill -KILL "${PIDS[@]}" 2>/dev/null || true
  wait 2>/dev/null || true # a port is free when its process is gone
  PIDS=()
  rm -rf "${RUN:?}"/*
}
trap 'stop; rmdir "$RUN"' EXIT

launch() { # name, command...
  local name=$1; shift
  "$@" >"$RUN/log/$name.log" 2>&1 </dev/null &
  PIDS+=($!)
}

start() {
  local port
  for port in "$PORT" $((PORT + 1)) $((PORT + 2)); do
    ! (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || die "something else listens on 127.0.0.1:$port: choose another KUBERNETES_API_PORT"
  done
  mkdir -p "$RUN/log"
  openssl genrsa -out "$RUN/accounts.key" 2048 2>/dev/null
  openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -addext subjectAltName=DNS:localhost,IP:127.0.0.1 \
    -keyout "$RUN/ca.key" -out "$RUN/ca.crt" 2>/dev/null
  user admin admin system:masters
  local client=http://127.0.0.1:$((PORT + 1)) peer=http://127.0.0.1:$((PORT + 2))
  launch etcd "$BIN/etcd" --data-dir="$RUN/etcd" --unsafe-no-fsync --log-level=warn \
    --listen-client-urls="$client" --advertise-client-urls="$client" \
    --listen-peer-urls="$peer" --initial-advertise-peer-urls="$peer" --initial-cluster="default=$peer"
  launch api "$BIN/kube-apiserver" --etcd-servers="$client" --bind-address=127.0.0.1 --secure-port="$PORT" \
    --tls-cert-file="$RUN/ca.crt" --tls-private-key-file="$RUN/ca.key" --token-auth-file="$RUN/tokens.csv" \
    --authorization-mode=RBAC --endpoint-reconciler-type=none --service-cluster-ip-range=10.96.0.0/16 \
    --service-account-issuer=https://kubernetes.default.svc --service-account-key-file="$RUN/accounts.key" \
    --service-account-signing-key-file="$RUN/accounts.key" --disable-admission-plugins=ServiceAccount
  wait_for 90 "the API" "$BIN/kubectl" get --raw /readyz
  wait_for 30 "the default namespace" "$BIN/kubectl" get namespace default
}

custom_resources() {
  local entry folder
  need go "install Go, 1.26 or newer: it fetches the definitions of custom resources"
  for entry in $CUSTOM; do
    folder=$(cd "$RUN" && go mod download -json "${entry%%:*}" | sed -n 's/^\t"Dir": "\(.*\)",\{0,1\}$/\1/p')
    "$BIN/kubectl" apply --server-side -f "$folder/${entry#*:}" >/dev/null
  done
  "$BIN/kubectl" wait crd --all --for=condition=Established --timeout=30s >/dev/null
}

# Applies the objects of a file, and stores what the API made of them, including defaults.
apply() { # file, folder
  local name; name=$(basename "$1" .yaml)
  if ! "$BIN/kubectl" apply --server-side --validate=strict --warnings-as-errors -f "$1" >"$RUN/said" 2>&1; then
    grep -v 'serverside-applied$' "$RUN/said" >&2
    die "the API does not take $name as it is"
  fi
  "$BIN/kubectl" get -f "$1" -o json >"$2/$name.json"
  say "$name: $(wc -l <"$RUN/said") objects accepted by Kubernetes $KUBERNETES"
}

usage() { sed -n '2,/^set/{/^set/d;s/^# \{0,1\}//;p}' "$0" >&2; exit 2; }

if [ "${1:-}" != check ] || [ $# -lt 3 ]; then usage; fi
OUT=$2; shift 2
build
# Each file gets an empty API of its own: two files may contain the same names.
for FILE; do
  start
  if grep -qE "^apiVersion: (keda.sh|monitoring.coreos.com|gateway.networking.k8s.io)/" "$FILE"; then custom_resources; fi
  apply "$FILE" "$OUT"
  stop
done
