#!/usr/bin/env bash
# overlays/local on real pods, as a user gets it: deploy/local.sh starts it, orders are placed through the front door, a trace
# is fetched from Jaeger; pods are deleted, services are rolled out and scaled under load, and the ledgers are reconciled.
# Needs root.
#
#   pods.sh [MESH]    MESH is the binary (by default it is built)
#
#   KUBERNETES_OBJECTS   the folder that check.sh was given: the network policies in it have to allow every observed connection
#   KUBERNETES_KEEP      not empty: leave the cluster up
#
# The images of third parties are stand-ins (images.sh). Grafana has no stand-in, nor has Loki unless it is built: they stay
# pending.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/settings.sh"

TOP=$(cd "$HERE/../.." && pwd)
NAMESPACE=glassmesh
# Orders per second: what two cores can handle besides a whole cluster.
RATE=${KUBERNETES_RATE:-30}
# The port of the front door: above all ports that tests use, below those of outgoing connections.
DOOR=${KUBERNETES_DOOR:-18080}
WORK=$(mktemp -d "${TMPDIR:-/tmp}/kubernetes-pods.XXXXXX")
export KUBECONFIG PATH=$BIN:$PATH
KUBECONFIG=$("$HERE/cluster.sh" kubeconfig)
export GLASSMESH_CLUSTER=current GLASSMESH_IMAGE=present GLASSMESH_PORT=$DOOR GLASSMESH_PATIENCE=300
SAMPLER=

finish() {
  local code=$?
  trap - EXIT
  [ -z "$SAMPLER" ] || kill "$SAMPLER" 2>/dev/null || true
  if [ $code != 0 ]; then tell_state >&2 || true; fi
  if [ "${KUBERNETES_KEEP:-}" ]; then
    say "the cluster stays: export KUBECONFIG=$KUBECONFIG"
  else
    close_door
    "$HERE/cluster.sh" down
  fi
  rm -rf "$WORK"
  exit $code
}

# Runs the `down` of local.sh, which closes the front door if the test ended before its own `down`.
close_door() { GLASSMESH_PATIENCE=1 timeout 5 "$TOP/deploy/local.sh" down >/dev/null 2>&1 || true; }

tell_state() {
  echo "== pods"; kc get pods -o wide
  echo "== warnings"; kc get events --field-selector type=Warning --sort-by=.lastTimestamp | tail -n 15
}

kc() { kubectl -n "$NAMESPACE" "$@"; }

step() { printf '\n-- %s\n' "$*"; }

## In the cluster

bring_up() {
  local parts="kafka nats postgres valkey otelcol jaeger prometheus alertmanager" loki=1 from
  if [ -x "${GLASSMESH_TOOLS:-$HOME/.cache/glassmesh-tools}/loki-3.7.8/loki" ]; then parts+=" loki"; else loki=; fi
  export GLASSMESH_WITHOUT=grafana
  [ "$loki" ] || GLASSMESH_WITHOUT+=" loki"
  "$HERE/cluster.sh" install
  "$HERE/cluster.sh" up
  # shellcheck disable=SC2086 # a list
  "$HERE/images.sh" "$MESH" $parts >/dev/null
  from=$SECONDS
  "$TOP/deploy/local.sh" up
  echo "from apply to an open front door: $((SECONDS - from)) s"
}

# The namespace must refuse a pod without security settings.
refuses_root() {
  local said
  if said=$(kc run root --image=registry.invalid/glassmesh/mesh:0.1.0 --restart=Never 2>&1); then die "the namespace takes a pod that may run as root"; fi
  case $said in *violates\ PodSecurity*) echo "a pod without security settings is refused" ;; *) die "$said" ;; esac
}

# operator <name> <arguments of mesh>...: runs a command of the mesh in a pod, as an operator would.
operator() {
  local name=$1 list; shift
  list=$(printf '"%s",' "$@")
  kc apply -f - >/dev/null <<POD
apiVersion: v1
kind: Pod
metadata:
  name: $name
  labels: {app.kubernetes.io/name: operator, app.kubernetes.io/part-of: glassmesh, app.kubernetes.io/component: operator}
spec:
  restartPolicy: Never
  automountServiceAccountToken: false
  securityContext: {runAsNonRoot: true, runAsUser: 65532, seccompProfile: {type: RuntimeDefault}}
  containers:
    - name: mesh
      image: registry.invalid/glassmesh/mesh:0.1.0
      args: [${list%,}]
      securityContext: {allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: {drop: [ALL]}}
POD
}

# Waits until the operator's pod has ended, prints its log, and fails if the pod failed.
outcome() { # name, seconds
  local end=$((SECONDS + $2)) phase
  while phase=$(kc get pod "$1" -o jsonpath='{.status.phase}'); [ "$phase" != Succeeded ] && [ "$phase" != Failed ]; do
    [ $SECONDS -lt $end ] || { say "$1 has not ended within $2 s"; return 1; }
    sleep 1
  done
  kc logs "$1"
  kc delete pod "$1" --wait=false >/dev/null
  [ "$phase" = Succeeded ]
}

audit() {
  operator audit audit --wait 60s --orders http://orders:9090 --payments http://payments:9090 \
    --inventory http://inventory:9090 --shipping http://shipping:9090
  outcome audit 120 || die "the ledgers differ"
}

summary() { jq -r '"\(.sent) sent, \(.accepted) accepted, \(.unfinished) unfinished, \(.lost) lost, \(.duplicates) duplicates, refused \(.refused), placed p50 \(.accepted_ms.p50) ms p99 \(.accepted_ms.p99) ms"' <<<"$1"; }

# load_while <seconds> <what> <command>...: a pod places orders while the command runs; every request has to be accepted, and
# every order has to end.
load_while() {
  local seconds=$1 what=$2 report; shift 2
  operator load load --json --rate "$RATE" --duration "${seconds}s" --grace 60s --gateway http://gateway:8080 --nats nats://nats:4222
  sleep 3 # until the load has begun
  "$@"
  report=$(outcome load $((seconds + 120))) || { echo "$report"; die "$what: orders were lost, or ended twice"; }
  echo "$what: $(summary "$report")"
  if ! jq -e '.sent == .accepted' <<<"$report" >/dev/null; then FAILED+=("$what: requests failed"); fi
}

## Scenes

door() { curl -fsS --max-time 10 "http://127.0.0.1:$DOOR$1" "${@:2}"; }

one_order() {
  local answer id trace status='' end=$((SECONDS + 30))
  answer=$(door /api/orders -H 'content-type: application/json' -d '{"items":[{"sku":"teapot","quantity":2}],"payment_token":"tok_ok"}')
  id=$(jq -r .id <<<"$answer") trace=$(jq -r .trace_id <<<"$answer")
  until [ "$status" = completed ]; do
    [ $SECONDS -lt $end ] || die "order $id has come to $status, and no further, in 30 s"
    sleep 0.5
    status=$(door "/api/orders/$id" | jq -r .status)
  done
  echo "order $id is completed"
  whole_trace "$trace"
}

# The trace in Jaeger contains every service that takes part in an order.
whole_trace() {
  local services='' end=$((SECONDS + 30)) wanted="catalog gateway inventory notifications orders payments shipping"
  local jaeger; jaeger=/api/v1/namespaces/$NAMESPACE/services/jaeger:query/proxy/jaeger/api/traces/$1
  until [ "$services" = "$wanted" ]; do
    [ $SECONDS -lt $end ] || die "Jaeger's trace $1 has only: $services"
    sleep 1
    services=$(kubectl get --raw "$jaeger" 2>/dev/null | jq -r '[.data[0].processes[].serviceName] | unique | join(" ")' || true)
  done
  echo "its trace $1 has $services"
}

# The front door also serves the pages of other parts.
pages() {
  local page
  for page in /prometheus/-/ready /alertmanager/-/ready /jaeger/api/services; do
    door "$page" >/dev/null || die "the front door does not lead to $page"
  done
  echo "the front door leads to Prometheus, Alertmanager and Jaeger"
}

# A second `up` changes nothing that runs, and creates the jobs again, which find their work done.
again() {
  local now='{range .items[*]}{.metadata.name}{.metadata.generation}{" "}{end}' before
  before=$(kc get deployments,statefulsets -o jsonpath="$now")
  "$TOP/deploy/local.sh" up >/dev/null
  [ "$before" = "$(kc get deployments,statefulsets -o jsonpath="$now")" ] || die "the second time, it has changed what runs"
  echo "a second time changes nothing"
}

# number <query>: prints the value of a query to Prometheus; 0 without a result.
number() { door "/prometheus/api/v1/query" --get --data-urlencode "query=$1" | jq -r '.data.result[0].value[1] // "0"'; }

# Prometheus scrapes every service.
scraped() {
  local up='' end=$((SECONDS + 60))
  until [ "$up" = 8 ]; do
    [ $SECONDS -lt $end ] || die "Prometheus scrapes ${up:-none} of 8 services"
    sleep 1
    up=$(number 'sum(up{service!=""})')
  done
  echo "Prometheus scrapes all 8 services"
}

# The catalog uses Valkey. A failing cache costs no request, so that only this check would notice it.
cached() {
  local hits=0 end=$((SECONDS + 60))
  until [ "$hits" != 0 ]; do
    [ $SECONDS -lt $end ] || die "the catalog has found nothing in its cache, and had $(number 'sum(mesh_cache_operations_total{outcome="error"})') errors"
    door /api/products >/dev/null
    sleep 1
    hits=$(number 'sum(mesh_cache_operations_total{outcome="hit"})')
  done
  echo "the cache answers"
}

# The console behind the front door, in a browser, with few orders a second: the browser needs most of two cores.
console() {
  RATE=4 load_while 75 "the console" in_a_browser
  # What its tests have scaled is as before.
  kc scale deployment/payments --replicas=1 >/dev/null
}

in_a_browser() {
  BROWSER_LIMIT=150s "$TOP/console/tests/browser.sh" --at "http://127.0.0.1:$DOOR" pods || FAILED+=("the console's tests failed")
}

rollouts() {
  local service
  for service in gateway orders payments; do
    kc rollout restart "deployment/$service" >/dev/null
    kc rollout status "deployment/$service" --timeout=120s >/dev/null
    echo "  $service is rolled out"
    sleep 14 # the old pod goes on for 10 s, and drains
  done
}

deletions() {
  local what
  for what in orders payments inventory shipping notifications; do
    kc delete pod -l "app.kubernetes.io/name=$what" --wait=false >/dev/null
    sleep 4
  done
  kc delete pod kafka-0 postgres-0 --wait=false >/dev/null
  kc delete pod -l app.kubernetes.io/name=nats --wait=false >/dev/null
  kc rollout status statefulset/kafka --timeout=120s >/dev/null
  kc rollout status statefulset/postgres --timeout=120s >/dev/null
}

# Pods are deleted under load, those of the broker and the databases, too: requests are refused then, but accepted orders are
# not lost.
pods_go() {
  operator load load --json --rate "$RATE" --duration 60s --grace 90s --gateway http://gateway:8080
  sleep 3
  deletions
  local report
  report=$(outcome load 240) || { echo "$report"; die "orders were lost, or ended twice"; }
  echo "pods of everything deleted: $(summary "$report")"
}

# More orders than two cores can handle: some are refused, accepted ones wait, and no process runs out of memory.
overload() {
  local report
  operator load load --json --rate "$((RATE * 5))" --duration 30s --grace 240s --gateway http://gateway:8080
  report=$(outcome load 360) || { echo "$report"; die "orders were lost, or ended twice"; }
  echo "five times as much: $(summary "$report")"
}

# steady [REASON]: prints the last log lines of every container that was restarted; a failure, unless REASON is given and the
# restart had another reason.
steady() {
  local pod times why
  kc get pods -l app.kubernetes.io/component!=operator -o json | jq -r '.items[] | .metadata.name as $pod | .status.containerStatuses[]? |
    select(.restartCount > 0) | "\($pod) \(.restartCount) \(.lastState.terminated.reason // "unknown")"' >"$WORK/fallen"
  while read -r pod times why; do
    echo "$pod was started again, $times times, the last time after: $why"
    kc logs "$pod" --previous --tail 5 || true
    [ "$why" != "${1:-$why}" ] || FAILED+=("$pod was started again ($why)")
  done <"$WORK/fallen"
}

scale() {
  kubectl apply -k "$HERE/overlays/scaled" >/dev/null
  # On two cores the gateway stays almost idle: a lower threshold, below the use under load and above that at rest.
  kc patch hpa gateway --type=json -p '[{"op":"replace","path":"/spec/metrics/0/resource/target/averageValue","value":"5m"}]' >/dev/null
  load_while 60 "more pods of everything" three_gateways
  kc get deployments -l app.kubernetes.io/component=service --no-headers | awk '{print "  " $1 " " $2}'
}

three_gateways() {
  local pods=0 end=$((SECONDS + 90))
  until [ "$pods" = 3 ]; do
    [ $SECONDS -lt $end ] || die "the gateway has ${pods:-0} pods, and not 3: $(kc get hpa gateway --no-headers)"
    sleep 2
    pods=$(kc get deployment gateway -o jsonpath='{.status.readyReplicas}')
  done
  echo "the gateway was scaled to 3 pods: $(kc get hpa gateway --no-headers | tr -s ' ')"
}

## Samples, taken during all steps

sample() {
  local metrics=/apis/metrics.k8s.io/v1beta1/namespaces/$NAMESPACE/pods
  set +e # a pod may end during the sample
  while :; do
    kc get pods -o json >"$WORK/pods.json" && "$HERE/connections.py" "$WORK/pods.json" >>"$WORK/connections"
    kubectl get --raw "$metrics" | jq -r '.items[] | "\(.metadata.labels["app.kubernetes.io/name"]) \(.containers[0].usage.memory)"' >>"$WORK/memory"
    sleep 4
  done 2>>"$WORK/sampling"
}

# The peak memory of each part, beside its limit.
memory_table() {
  kc get deployments,statefulsets -o json | jq -r '.items[] |
    "\(.metadata.labels["app.kubernetes.io/name"]) \(.spec.template.spec.containers[0].resources.limits.memory)"' >"$WORK/limits"
  awk '
    function mebibytes(text) { return text ~ /Gi$/ ? text * 1024 : text ~ /Mi$/ ? text + 0 : text ~ /Ki$/ ? text / 1024 : text / 1048576 }
    FNR == NR { limit[$1] = mebibytes($2); next }
    mebibytes($2) > most[$1] { most[$1] = mebibytes($2) }
    END {
      for (part in limit) { printf "%-16s %11.0f Mi %7d Mi\n", part, most[part], limit[part]; used += most[part]; all += limit[part] }
      printf "%-16s %11.0f Mi %7d Mi\n", "(all)", used, all
    }' "$WORK/limits" "$WORK/memory" | sort | { printf '%-16s %14s %10s\n' part 'used at most' limit; cat; }
}

[ "$(id -u)" = 0 ] || die "run this as root"
mkdir -p "$FOLDER"
exec 8>"$FOLDER/pods.lock"
flock --nonblock 8 || die "it runs already; there is one cluster"
MESH=${1:-}
if [ -z "$MESH" ]; then
  (cd "$TOP" && cargo build --locked --release --package mesh)
  MESH=${CARGO_TARGET_DIR:-$TOP/target}/release/mesh
fi
FAILED=()
trap finish EXIT
step "bring it up"; bring_up
refuses_root
sample & SAMPLER=$!
step "one order, one trace"; one_order
pages
scraped
cached
again
step "the console in a browser"; console
step "rollouts under load"; load_while 75 "rollouts of gateway, orders and payments" rollouts
audit
step "more than it can take"; overload
audit
steady
step "an autoscaler"; scale
audit
step "pods go"; pods_go
audit
# A service that starts just when its database is deleted may exit, and is restarted: but not for its memory.
steady OOMKilled
kill "$SAMPLER"
SAMPLER=
step "memory"; memory_table
step "connections"
sort -u "$WORK/connections" >"$WORK/seen"
echo "$(wc -l <"$WORK/seen") pairs of parts were seen to be connected"
if [ "${KUBERNETES_OBJECTS:-}" ]; then
  KUBERNETES_CONNECTIONS=$WORK/seen cargo test --locked --quiet --manifest-path "$TOP/Cargo.toml" --package harness \
    --test kubernetes -- --ignored policies_allow_every_observed_connection
fi
if [ -z "${KUBERNETES_KEEP:-}" ]; then
  step "take it away"
  "$TOP/deploy/local.sh" down
  ! kubectl get namespace "$NAMESPACE" >/dev/null 2>&1 || die "the namespace is still there"
fi
[ ${#FAILED[@]} = 0 ] || die "${FAILED[*]}"
