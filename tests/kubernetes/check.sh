#!/usr/bin/env bash
# Everything about the manifests that can be said without running them: they are built, admitted by a real API, scored, and
# held to the rules of rules.rs. Needs no root.
#
#   check.sh [FOLDER]    FOLDER keeps what was built (<overlay>.yaml) and what the API made of it (<overlay>.json)
set -euo pipefail
. "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/settings.sh"

TOP=$(cd "$HERE/../.." && pwd)
# What is built: what users apply, and what has the components that these leave out.
OVERLAYS="deploy/overlays/local deploy/overlays/prod tests/kubernetes/overlays/policies tests/kubernetes/overlays/operators"

# kube-score's findings that are as we want them, and why.
IGNORED=(
  # A limit of CPU holds up requests on an idle node; requests share a busy one.
  --ignore-container-cpu-limit
  # Tags are versions that never move, and a local image cannot be pulled.
  --ignore-test container-image-pull-policy
  # The images' own users, whom their files belong to; 10000 and above is for images that leave it open.
  --ignore-test container-security-context-user-group-id
)

build_all() {
  local overlay name
  for overlay in $OVERLAYS; do
    name=$(basename "$overlay")
    "$KUSTOMIZE" build "$TOP/$overlay" >"$OUT/$name.yaml" || die "kustomize cannot build $overlay"
    # Users have the one in their kubectl.
    "$BIN/kubectl" kustomize "$TOP/$overlay" | cmp -s - "$OUT/$name.yaml" ||
      die "$overlay: kubectl and kustomize make different things of it"
    say "$overlay: $(grep -c ^kind: "$OUT/$name.yaml") objects"
  done
}

all_components_are_built() {
  local component folder overlay
  for component in "$TOP"/deploy/components/*/ "$TOP"/deploy/components/network-policies/*/; do
    [ -e "$component/kustomization.yaml" ] || continue
    folder=${component#"$TOP"/deploy/components/}
    folder=${folder%/}
    grep -rqE "components/$folder\$|\.\./$folder\$" "$TOP"/{deploy/overlays,deploy/components,tests/kubernetes/overlays} --include=kustomization.yaml ||
      die "no overlay has components/$folder"
  done
}

score() {
  local overlay name
  for overlay in $OVERLAYS; do
    name=$(basename "$overlay")
    # The local one has one pod of everything, and no policies: its own file says why.
    local more=()
    case $name in
    local | policies) more=(--ignore-test deployment-has-poddisruptionbudget --ignore-test statefulset-has-poddisruptionbudget
      --ignore-test deployment-has-host-podantiaffinity --ignore-test statefulset-has-host-podantiaffinity --ignore-test deployment-replicas) ;;
    esac
    [ "$name" != local ] || more+=(--ignore-test pod-networkpolicy)
    "$KUBE_SCORE" score --kubernetes-version v1.33 --output-format ci "${IGNORED[@]}" "${more[@]}" "$OUT/$name.yaml" >"$OUT/$name.score" || true
    if grep -E '^\[(CRITICAL|WARNING)\]' "$OUT/$name.score" >&2; then die "kube-score has something against $overlay"; fi
    say "$overlay: kube-score finds nothing"
  done
}

OUT=${1:-$(mktemp -d "${TMPDIR:-/tmp}/kubernetes-check.XXXXXX")}
[ $# -gt 0 ] || trap 'rm -rf "$OUT"' EXIT
mkdir -p "$OUT"
build
{ read -r KUSTOMIZE; read -r _; read -r KUBE_SCORE; } < <("$HERE/../real/parts.sh" install checkers)
build_all
all_components_are_built
for NAME in $OVERLAYS; do set -- "${@}" "$OUT/$(basename "$NAME").yaml"; done
"$HERE/api.sh" check "$OUT" "$OUT"/{local,prod,policies,operators}.yaml
score
KUBERNETES_OBJECTS=$OUT cargo test --locked --quiet --package harness --test kubernetes -- --ignored --skip was_seen
