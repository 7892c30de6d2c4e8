#!/usr/bin/env bash
# The node of cluster.sh: the first process of its namespaces, and the parent of all other processes in them.
#
#   node.sh FOLDER    the folder that cluster.sh has prepared
set -euo pipefail
RUN=$1
# shellcheck source-path=SCRIPTDIR source=cluster/node.env
. "$RUN/node.env"
trap 'exit 0' TERM

# The kubelet requires these values, which apply to the whole machine: it gets files with these values instead.
KERNEL_VALUES="vm/overcommit_memory=1 vm/panic_on_oom=0 kernel/panic=10 kernel/panic_on_oops=1
  kernel/keys/root_maxkeys=1000000 kernel/keys/root_maxbytes=25000000"

pretend_kernel_values() {
  local pair file shown
  mkdir -p "$RUN/sysctl"
  for pair in $KERNEL_VALUES; do
    file=/proc/sys/${pair%%=*} shown=$RUN/sysctl/$(basename "${pair%%=*}")
    [ -e "$file" ] || continue
    echo "${pair##*=}" >"$shown"
    mount --bind "$shown" "$file"
  done
}

network() {
  ip link set lo up
  # A veth pair of which only one end is used: not every kernel has a dummy device.
  ip link add node0 type veth peer name node0-peer
  ip addr add "$NODE_IP/24" dev node0
  ip link set node0 up
  ip link set node0-peer up
  # Without a route, connecting to a Service fails before it is translated into a pod's address.
  ip route add "$SERVICE_CIDR" dev node0
  sysctl -qw net.ipv4.ip_forward=1
  sysctl -qw net.bridge.bridge-nf-call-iptables=1 || true # where bridges are not a module of their own
}

start() { # name, command...
  local name=$1; shift
  "$@" >"$RUN/log/$name.log" 2>&1 </dev/null &
  echo "$name started as $!"
}

control_plane() {
  start etcd etcd --data-dir="$RUN/etcd" --unsafe-no-fsync --log-level=warn
  start kube-apiserver kube-apiserver --etcd-servers=http://127.0.0.1:2379 \
    --bind-address=0.0.0.0 --advertise-address="$NODE_IP" --secure-port=6443 \
    --tls-cert-file="$RUN/api.crt" --tls-private-key-file="$RUN/api.key" \
    --service-cluster-ip-range="$SERVICE_CIDR" --service-account-issuer=https://kubernetes.default.svc \
    --service-account-key-file="$RUN/accounts.key" --service-account-signing-key-file="$RUN/accounts.key" \
    --token-auth-file="$RUN/tokens.csv" --authorization-mode=Node,RBAC --enable-admission-plugins=NodeRestriction \
    --kubelet-preferred-address-types=InternalIP --allow-privileged=true
  until curl -fsk https://127.0.0.1:6443/readyz >/dev/null; do sleep 0.2; done
  # The autoscaler checks every 5 s, and uses the metrics of a pod that is 5 s old, so that a test need not wait for minutes.
  start kube-controller-manager kube-controller-manager --kubeconfig="$RUN/kube-controller-manager.kubeconfig" \
    --leader-elect=false --use-service-account-credentials --service-account-private-key-file="$RUN/accounts.key" \
    --root-ca-file="$RUN/ca.crt" --cluster-cidr="$POD_CIDR" --allocate-node-cidrs --bind-address=127.0.0.1 \
    --horizontal-pod-autoscaler-sync-period=5s --horizontal-pod-autoscaler-cpu-initialization-period=20s \
    --horizontal-pod-autoscaler-initial-readiness-delay=5s
  start kube-scheduler kube-scheduler --kubeconfig="$RUN/kube-scheduler.kubeconfig" --leader-elect=false --bind-address=127.0.0.1
}

worker() {
  start kube-proxy kube-proxy --kubeconfig="$RUN/kube-proxy.kubeconfig" --hostname-override="$NODE" \
    --proxy-mode=iptables --cluster-cidr="$POD_CIDR" --conntrack-max-per-core=0 --conntrack-tcp-timeout-established=0 \
    --conntrack-tcp-timeout-close-wait=0 --nodeport-addresses=primary
  start containerd containerd --config "$RUN/containerd.toml"
  until ctr -a "$RUN/containerd.sock" version >/dev/null 2>&1; do sleep 0.1; done
  ctr -a "$RUN/containerd.sock" -n k8s.io images import "$RUN/pause.tar"
  start kubelet kubelet --kubeconfig="$RUN/kubelet.kubeconfig" --config="$RUN/kubelet.yaml" --root-dir="$RUN/kubelet" \
    --hostname-override="$NODE" --node-ip="$NODE_IP" --pod-infra-container-image=glassmesh.test/pause:1
  start metrics kube metrics --kubeconfig="$RUN/inside.kubeconfig" --listen="$NODE_IP:4443"
}

export PATH=$BIN:$PATH
mount --make-rshared /
pretend_kernel_values
mount -t tmpfs tmpfs /run # the machine's own /run has sockets and locks of other programs
network
control_plane
worker
while :; do sleep 3600 & wait $!; done
