#!/usr/bin/env bash
# The mesh with its brokers, databases and observability, in Kubernetes on this machine.
#
#   local.sh up       create a cluster, build the image and load it there, apply overlays/local, wait, print the URLs
#   local.sh status   print the pods and the URLs
#   local.sh down     delete the cluster, or only the mesh if the script did not create the cluster
#
# It uses the first of these that it finds: a cluster `glassmesh` that it created, kind, k3d, the cluster of your kubectl if
# its name is that of a local one.
#
#   GLASSMESH_CLUSTER   kind, k3d, or current: use this one
#   GLASSMESH_IMAGE     build (the default), or present: the cluster has the image already, or can pull it
#   GLASSMESH_PORT      the port of the front door on this machine (8080)
#   GLASSMESH_PATIENCE  seconds to wait until everything is ready (600: images are pulled the first time)
#   GLASSMESH_WITHOUT   parts not to wait for, separated by spaces
set -euo pipefail

HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
NAME=glassmesh
NAMESPACE=glassmesh
NODE_PORT=30080
PORT=${GLASSMESH_PORT:-8080}
PATIENCE=${GLASSMESH_PATIENCE:-600}
WITHOUT=" ${GLASSMESH_WITHOUT:-} "
# State of the port-forward, which is used where the node's port is not published on this machine.
FORWARD=${TMPDIR:-/tmp}/glassmesh-forward-$PORT

say() { printf '%s\n' "$*" >&2; }
die() {
  printf 'local.sh: %s\n' "$1" >&2
  shift
  [ $# = 0 ] || printf '  %s\n' "$@" >&2
  exit 1
}
has() { command -v "$1" >/dev/null; }

## The cluster

choose() {
  has kubectl || die "kubectl is missing" "install it: https://kubernetes.io/docs/tasks/tools/"
  CLUSTER=${GLASSMESH_CLUSTER:-}
  if [ -z "$CLUSTER" ]; then
    if made_by kind; then CLUSTER=kind
    elif made_by k3d; then CLUSTER=k3d
    elif has kind && has docker; then CLUSTER=kind
    elif has k3d && has docker; then CLUSTER=k3d
    elif is_local "$(kubectl config current-context 2>/dev/null)"; then CLUSTER=current
    elif kubectl config current-context >/dev/null 2>&1; then
      die "$(kubectl config current-context), the cluster of your kubectl, may not be for trying out" \
        "if it is: GLASSMESH_CLUSTER=current $0 $COMMAND; if not: install Docker and kind, or k3d"
    else
      die "there is no cluster, and nothing to make one with" \
        "install Docker and kind (https://kind.sigs.k8s.io/docs/user/quick-start/#installation), or k3d," \
        "or point kubectl at a cluster of yours: kubectl config use-context ..."
    fi
  fi
  case $CLUSTER in
  kind) CONTEXT=kind-$NAME ;;
  k3d) CONTEXT=k3d-$NAME ;;
  current) CONTEXT=$(kubectl config current-context) || die "kubectl has no current context" "choose one: kubectl config get-contexts" ;;
  *) die "GLASSMESH_CLUSTER is $CLUSTER; expected kind, k3d or current" ;;
  esac
  # A node port only if the node is our own container: elsewhere the port would be open on every node of a foreign cluster.
  case $CLUSTER in
  current) OVERLAY=$HERE/overlays/local ;;
  *) OVERLAY=$HERE/overlays/local-node-port ;;
  esac
}

is_local() { case $1 in docker-desktop | rancher-desktop | orbstack | colima* | minikube | kind-* | k3d-*) ;; *) return 1 ;; esac }

made_by() {
  case $1 in
  kind) has kind && kind get clusters 2>/dev/null | grep -qx "$NAME" ;;
  k3d) has k3d && k3d cluster list --no-headers 2>/dev/null | grep -q "^$NAME " ;;
  *) return 1 ;;
  esac
}

make_cluster() {
  if [ "$CLUSTER" = current ]; then
    kc cluster-info >/dev/null 2>&1 || die "the cluster $CONTEXT does not answer" "start it, or choose another: kubectl config get-contexts"
    say "using the cluster $CONTEXT"
    return
  fi
  if made_by "$CLUSTER"; then say "the cluster $CONTEXT is there"; return; fi
  has "$CLUSTER" || die "$CLUSTER is missing" "install it, or take another way: GLASSMESH_CLUSTER=current"
  docker info >/dev/null 2>&1 || die "Docker does not answer" "start it, and see that this works: docker info"
  free_port
  say "making the cluster $CONTEXT: a minute, some more the first time"
  local before; before=$(kubectl config current-context 2>/dev/null) || before=
  case $CLUSTER in
  kind)
    kind create cluster --name "$NAME" --wait 120s --config - <<CONFIG || die "kind could not make a cluster" "what it says is above; half of one goes with: kind delete cluster --name $NAME"
kind: Cluster
apiVersion: kind.x-k8s.io/v1alpha4
nodes:
  - role: control-plane
    extraPortMappings:
      - {containerPort: $NODE_PORT, hostPort: $PORT, listenAddress: 127.0.0.1}
CONFIG
    ;;
  k3d)
    k3d cluster create "$NAME" --wait --timeout 180s --kubeconfig-switch-context=false --k3s-arg '--disable=traefik@server:0' -p "127.0.0.1:$PORT:$NODE_PORT@server:0" ||
      die "k3d could not make a cluster" "what it says is above; half of one goes with: k3d cluster delete $NAME"
    ;;
  esac
  # kind makes its cluster the current one; this restores the user's, so that the next `kubectl delete` goes where it went
  # before.
  if [ -n "$before" ]; then kubectl config use-context "$before" >/dev/null; fi
}

free_port() {
  ! (exec 3<>"/dev/tcp/127.0.0.1/$PORT") 2>/dev/null ||
    die "something else listens on port $PORT of this machine" "end it, or choose another: GLASSMESH_PORT=9080 $0 up"
}

kc() { kubectl --context "$CONTEXT" "$@"; }

## The image

bring_image() {
  local image revision
  case ${GLASSMESH_IMAGE:-build} in
  present) return ;;
  build) ;;
  *) die "GLASSMESH_IMAGE is $GLASSMESH_IMAGE; expected build or present" ;;
  esac
  image=$(kubectl kustomize "$OVERLAY" | awk '$1 == "image:" && $2 ~ /\/glassmesh\/mesh:/ && !seen++ { print $2 }')
  [ -n "$image" ] || die "no manifest names the image of the mesh" "was $OVERLAY changed?"
  has docker || die "docker is missing: it builds the image" \
    "install it; or build deploy/Dockerfile elsewhere, bring $image to the cluster, and say GLASSMESH_IMAGE=present"
  say "building $image: some minutes the first time, seconds when nothing has changed"
  revision=$(git -C "$HERE" rev-parse HEAD 2>/dev/null) || revision=unknown
  # Without the attestations that buildx adds: with them an image is an index of several, and `kind load` expects all of them.
  BUILDX_NO_DEFAULT_ATTESTATIONS=1 docker build --tag "$image" --build-arg REVISION="$revision" --file "$HERE/Dockerfile" "$HERE/.." >&2 ||
    die "the image could not be built" "what Docker says is above; memory or disk may be short: docker system df"
  case $CLUSTER-$CONTEXT in
  kind-*) kind load docker-image "$image" --name "$NAME" ;;
  k3d-*) k3d image import "$image" --cluster "$NAME" ;;
  current-docker-desktop | current-rancher-desktop | current-orbstack | current-colima*) ;; # its nodes have the images of this Docker
  current-minikube) minikube image load "$image" ;;
  current-kind-*) kind load docker-image "$image" --name "${CONTEXT#kind-}" ;;
  current-k3d-*) k3d image import "$image" --cluster "${CONTEXT#k3d-}" ;;
  *) die "I do not know how to bring an image into $CONTEXT" \
    "push $image where that cluster pulls from, or load it into its nodes, and then: GLASSMESH_IMAGE=present $0 up" ;;
  esac || die "the image did not get into the cluster" "what was said is above; is there enough disk?"
}

## The workloads

apply() {
  # A finished Job cannot be changed, so it is created again; it then finds its work done.
  kc -n "$NAMESPACE" delete jobs -l app.kubernetes.io/part-of=glassmesh --ignore-not-found >/dev/null 2>&1 || true
  kc apply -k "$OVERLAY" >/dev/null || die "the cluster refuses the manifests" "what it says is above; Kubernetes 1.30 or newer is needed"
}

await() {
  local end=$((SECONDS + PATIENCE)) what left
  say "waiting until everything is ready; the first time, images are pulled"
  for what in $(kc -n "$NAMESPACE" get deployments,statefulsets,jobs -l app.kubernetes.io/part-of=glassmesh -o name); do
    [[ $WITHOUT != *" ${what##*/} "* ]] || continue
    left=$((end - SECONDS))
    [ $left -gt 0 ] || left=1
    case $what in
    job*)
      # A job that ended five minutes ago has been deleted.
      kc -n "$NAMESPACE" wait "$what" --for=condition=Complete --timeout="${left}s" >/dev/null 2>&1 ||
        ! kc -n "$NAMESPACE" get "$what" >/dev/null 2>&1 || not_ready "$what"
      ;;
    *) kc -n "$NAMESPACE" rollout status "$what" --timeout="${left}s" >/dev/null 2>&1 || not_ready "$what" ;;
    esac
  done
}

# Prints what the cluster knows about a workload, and the usual remedy.
not_ready() {
  local name=${1##*/} pods reason
  pods=$(kc -n "$NAMESPACE" get pods -l "app.kubernetes.io/name=$name" 2>&1) || true
  reason=$(kc -n "$NAMESPACE" get pods -l "app.kubernetes.io/name=$name" \
    -o jsonpath='{.items[*].status.containerStatuses[*].state.waiting.reason} {.items[*].status.containerStatuses[*].lastState.terminated.reason} {.items[*].status.conditions[?(@.type=="PodScheduled")].reason}' 2>/dev/null) || true
  say "$pods"
  kc -n "$NAMESPACE" get events --field-selector type=Warning --sort-by=.lastTimestamp 2>/dev/null | grep -F "/$name" | tail -n 5 >&2 || true
  kc -n "$NAMESPACE" logs "$1" --tail=10 >&2 2>/dev/null || true
  local todo="look: kubectl --context $CONTEXT -n $NAMESPACE describe pods -l app.kubernetes.io/name=$name"
  case $reason in
  *ErrImageNeverPull* | *ImagePullBackOff* | *ErrImagePull*)
    todo="its image cannot be pulled: can the cluster reach the registry? GLASSMESH_PATIENCE=1200 waits longer" ;;
  *OOMKilled*) todo="it needed more memory than its limit: report this, or raise the limit in an overlay of your own" ;;
  *Unschedulable*) todo="no node has enough memory: the overlay needs 1.6 GiB; give Docker or the cluster more memory" ;;
  esac
  die "$1 is not ready after $PATIENCE s" "$todo" "then run this command again: it continues where it stopped"
}

## The front door

open_door() {
  if [ "$CLUSTER" != current ]; then return; fi
  if forwards; then return; fi
  free_port
  mkdir -p "$FORWARD"
  # Restarts the port-forward when the gateway's pod is replaced, as in a rollout.
  set -m # in a process group of its own, which `down` ends
  # shellcheck disable=SC2016 # for the inner shell
  CONTEXT=$CONTEXT NAMESPACE=$NAMESPACE PORT=$PORT bash -c '
    while :; do
      kubectl --context "$CONTEXT" -n "$NAMESPACE" port-forward service/gateway "$PORT:8080"
      sleep 1
    done' glassmesh-forward >"$FORWARD/log" 2>&1 </dev/null &
  echo $! >"$FORWARD/pid"
  set +m
}

# Whether the port-forward runs: its process id may belong to another process by now.
forwards() {
  local pid
  pid=$(cat "$FORWARD/pid" 2>/dev/null) || return 1
  ps -o command= -p "$pid" 2>/dev/null | grep -q glassmesh-forward
}

close_door() {
  if forwards; then kill -- "-$(cat "$FORWARD/pid")" 2>/dev/null || true; fi
  rm -rf "$FORWARD"
}

answers() { (exec 3<>"/dev/tcp/127.0.0.1/$PORT" && printf 'GET /api/products HTTP/1.0\r\n\r\n' >&3 && grep -q '^HTTP/1.. 200' <&3) 2>/dev/null; }

await_door() {
  local end=$((SECONDS + 60))
  until answers; do
    [ $SECONDS -lt $end ] || die "everything is ready, but http://localhost:$PORT does not answer" \
      "try: kubectl --context $CONTEXT -n $NAMESPACE port-forward service/gateway 9080:8080, and open http://localhost:9080"
    sleep 0.5
  done
}

print_urls() {
  local url=http://localhost:$PORT
  cat <<TEXT

  console           $url/
  products          $url/api/products
  dashboards        $url/grafana/
  traces            $url/jaeger/
  metrics, alerts   $url/prometheus/  $url/alertmanager/
  topology          $url/lens/v1/topology

  place an order    curl -i $url/api/orders -H 'content-type: application/json' \\
                         -d '{"items":[{"sku":"teapot","quantity":2}],"payment_token":"tok_ok"}'
  look inside       kubectl --context $CONTEXT -n $NAMESPACE get pods
  what runs         $0 status
  stop the mesh     $0 down

TEXT
}

## Commands

up() {
  choose
  make_cluster
  bring_image
  apply
  await
  open_door
  await_door
  say "ready after $SECONDS s"
  print_urls
}

status() {
  choose
  kc -n "$NAMESPACE" get pods -o wide || die "the cluster $CONTEXT does not answer" "start all of it: $0 up"
  if answers; then print_urls; else say "http://localhost:$PORT does not answer; to repair this: $0 up"; fi
}

down() {
  choose
  close_door
  case $CLUSTER in
  kind) ! made_by kind || kind delete cluster --name "$NAME" ;;
  k3d) ! made_by k3d || k3d cluster delete "$NAME" ;;
  current)
    kc delete -k "$OVERLAY" --ignore-not-found --timeout=180s >/dev/null ||
      die "not all of it is gone" "see what is left: kubectl --context $CONTEXT get all -n $NAMESPACE" ;;
  esac
  say "it is gone"
}

COMMAND=${1:-}
case $COMMAND in
up | status | down) "$COMMAND" ;;
*) awk 'NR > 1 { if (!/^#/) exit; sub(/^# ?/, ""); print }' "$0" >&2; exit 2 ;;
esac
