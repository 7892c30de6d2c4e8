#!/usr/bin/env bash
# A Kubernetes cluster with one node and real pods on this machine. It runs outside of containers and needs no registry.
#
#   cluster.sh install      install what is missing: Debian's containerd, runc and network plugins; Kubernetes from its modules
#   cluster.sh up           start the cluster and wait until pods can run; does nothing if it runs
#   cluster.sh down         end all its processes, and delete its data
#   cluster.sh kubeconfig   print the path of its kubeconfig, for KUBECONFIG
#   cluster.sh kubectl ...  run the kubectl of its version for it
#   cluster.sh load TAR     put an image (an OCI or Docker archive) into the node; image.py makes one from files
#
# The cluster has network, mount and PID namespaces of its own: it does not change the machine's network, mounts or sysctls, its
# pods reach no other machine, and the end of its first process ends all others. The API is on
# 127.0.0.1:${KUBERNETES_PORT:-6443}. Needs root.
#
# It has no network plugin that enforces NetworkPolicies, no ingress controller and no load balancer. It has two volumes that pods
# can claim.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/settings.sh"

PORT=${KUBERNETES_PORT:-6443}
RUN=$FOLDER/run
export KUBECONFIG=$RUN/outside.kubeconfig

NODE=node1
NODE_IP=10.123.0.1
POD_CIDR=10.244.0.0/16
SERVICE_CIDR=10.96.0.0/16
API_IP=10.96.0.1
DNS_IP=10.96.0.10
# Empty folders on the node as volumes, of the kind (`local`) that gets the pod's group: there is no provisioner.
VOLUMES="one two"

install_all() {
  local pair missing=()
  for pair in containerd:containerd runc:runc iptables:iptables conntrack:conntrack socat:socat ip:iproute2 openssl:openssl \
    curl:curl jq:jq nsenter:util-linux python3:python3 cc:build-essential; do
    command -v "${pair%%:*}" >/dev/null || missing+=("${pair##*:}")
  done
  [ -x /usr/lib/cni/bridge ] || missing+=(containernetworking-plugins)
  if [ ${#missing[@]} -gt 0 ]; then
    need apt-get "install by hand: ${missing[*]}"
    [ "$(id -u)" = 0 ] || die "run this as root, or install by hand: ${missing[*]}"
    say "installing ${missing[*]}"
    apt-get update -qq >&2
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >&2 </dev/null
  fi
  build
}

## Up

running() { # name
  local pid; pid=$(cat "$RUN/$1.pid" 2>/dev/null) && grep -qsaF "$FOLDER" "/proc/$pid/cmdline"
}

up() {
  [ "$(id -u)" = 0 ] || die "run this as root: it makes namespaces and network devices"
  if running holder; then say "the cluster runs already"; return; fi
  [ -x "$BIN/kube" ] || die "run 'cluster.sh install' first"
  ! (exec 3<>"/dev/tcp/127.0.0.1/$PORT") 2>/dev/null || die "something else listens on 127.0.0.1:$PORT: choose another KUBERNETES_PORT"
  down
  mkdir -p "$RUN"/{log,cni,kubelet,pods,volumes}
  credentials
  configure
  setsid unshare --net --mount --pid --fork --kill-child --mount-proc --propagation private \
    bash "$HERE/node.sh" "$RUN" >"$RUN/log/node.log" 2>&1 </dev/null &
  echo $! >"$RUN/holder.pid"
  # The first process in the namespaces is the only child of the process outside.
  wait_for 10 "the node's first process" grep -q . "/proc/$!/task/$!/children"
  local first; first=$(tr -d ' ' <"/proc/$!/task/$!/children")
  echo "$first" >"$RUN/node.pid"
  setsid socat "TCP-LISTEN:$PORT,bind=127.0.0.1,reuseaddr,fork" \
    "EXEC:nsenter --net=/proc/$first/ns/net socat STDIO TCP\:127.0.0.1\:6443" >"$RUN/log/forward.log" 2>&1 </dev/null &
  echo $! >"$RUN/forward.pid"
  wait_for 90 "the API" curl -fsk "https://127.0.0.1:$PORT/readyz"
  wait_for 30 "the API" "$BIN/kubectl" apply -f "$RUN/addons.yaml"
  wait_for 90 "the node" "$BIN/kubectl" wait node "$NODE" --for=condition=Ready --timeout=1s
  "$BIN/kubectl" -n kube-system rollout status deployment/coredns --timeout=90s >&2
  wait_for 90 "the metrics API" "$BIN/kubectl" get --raw /apis/metrics.k8s.io/v1beta1/nodes
  say "the cluster runs: export KUBECONFIG=$KUBECONFIG"
}

credentials() {
  local names=DNS:localhost,DNS:kubernetes,DNS:kubernetes.default,DNS:kubernetes.default.svc,DNS:kubernetes.default.svc.cluster.local
  openssl genrsa -out "$RUN/accounts.key" 2048 2>/dev/null
  openssl req -x509 -newkey rsa:2048 -nodes -days 30 -subj /CN=glassmesh-tests -keyout "$RUN/ca.key" -out "$RUN/ca.crt" 2>/dev/null
  openssl req -newkey rsa:2048 -nodes -subj /CN=kube-apiserver -keyout "$RUN/api.key" -out "$RUN/api.csr" 2>/dev/null
  openssl x509 -req -in "$RUN/api.csr" -CA "$RUN/ca.crt" -CAkey "$RUN/ca.key" -CAcreateserial -days 30 -out "$RUN/api.crt" \
    -extfile <(echo "subjectAltName=$names,IP:127.0.0.1,IP:$NODE_IP,IP:$API_IP") 2>/dev/null
  : >"$RUN/tokens.csv"
  user outside admin system:masters
  local PORT=6443 # as it is seen from inside
  user inside admin system:masters
  user kube-controller-manager system:kube-controller-manager ''
  user kube-scheduler system:kube-scheduler ''
  user kube-proxy system:kube-proxy ''
  user kubelet "system:node:$NODE" system:nodes
}

# Copies the files of cluster/, with values of this machine in the place of @WORDS@.
configure() {
  local file name volume
  for file in addons.yaml containerd.toml kubelet.yaml cni.conflist node.env; do
    fill "$HERE/cluster/$file" >"$RUN/$file"
  done
  mv "$RUN/cni.conflist" "$RUN/cni/10-pods.conflist"
  for volume in $VOLUMES; do
    mkdir -p "$RUN/volumes/$volume"
    { echo ---; fill "$HERE/cluster/volume.yaml" | sed "s|@VOLUME@|$volume|g"; } >>"$RUN/addons.yaml"
  done
  # The pause container of every pod: one static program that waits.
  mkdir -p "$RUN/pause"
  cc -Os -static -o "$RUN/pause/pause" "$HERE/cluster/pause.c"
  python3 "$HERE/image.py" "$RUN/pause.tar" glassmesh.test/pause:1 --add "$RUN/pause/pause:/pause" --entrypoint /pause
}

fill() {
  sed -e "s|@RUN@|$RUN|g" -e "s|@BIN@|$BIN|g" -e "s|@NODE@|$NODE|g" -e "s|@NODE_IP@|$NODE_IP|g" -e "s|@POD_CIDR@|$POD_CIDR|g" \
    -e "s|@SERVICE_CIDR@|$SERVICE_CIDR|g" -e "s|@DNS_IP@|$DNS_IP|g" "$1"
}

## Down

down() {
  local name pid
  for name in forward holder; do
    # Only processes that were started here: a process id may belong to another process by now.
    if running "$name" || { [ "$name" = forward ] && is_forward; }; then
      pid=$(cat "$RUN/$name.pid")
      kill -KILL "$pid" 2>/dev/null || true
      while kill -0 "$pid" 2>/dev/null; do sleep 0.05; done
    fi
  done
  remove_cgroups
  rm -rf "$RUN"
}

is_forward() {
  local pid; pid=$(cat "$RUN/forward.pid" 2>/dev/null) && grep -qsa "^socat.TCP-LISTEN:$PORT," "/proc/$pid/cmdline"
}

# Mounts disappear with the last process of their namespace; cgroups stay until they are removed.
remove_cgroups() {
  local tree left end=$((SECONDS + 10))
  while [ $SECONDS -lt $end ]; do
    left=
    for tree in /sys/fs/cgroup/kubepods /sys/fs/cgroup/*/kubepods; do
      [ -d "$tree" ] || continue
      find "$tree" -depth -type d -exec rmdir {} + 2>/dev/null || left=1
    done
    [ "$left" ] || return 0
    sleep 0.3
  done
}

load() {
  running holder || die "run 'cluster.sh up' first"
  # The import unpacks by mounting, so it has to see the node's mounts.
  nsenter --target "$(cat "$RUN/node.pid")" --mount --pid \
    ctr -a "$RUN/containerd.sock" -n k8s.io images import - <"${1:?the path of an image}" >&2
}

usage() { sed -n '2,/^set/{/^set/d;s/^# \{0,1\}//;p}' "$0" >&2; exit 2; }

case ${1:-} in
install) install_all ;;
up | down) "$1" ;;
kubeconfig) echo "$KUBECONFIG" ;;
kubectl) shift; exec "$BIN/kubectl" "$@" ;;
load) load "${2:-}" ;;
*) usage ;;
esac
