#!/usr/bin/env bash
# Checks the manifests without running them: builds them, lets a real API server admit them, scores them, and tests them against
# the rules of rules.rs. Needs no root.
#
# check.sh [FOLDER]    FOLDER keeps the built objects (<overlay>.yaml) and the admitted ones (<overlay>.json)
set -euo pipefail
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/settings.sh"

TOP=$(cd "$HERE/../.." && pwd)
# The overlays to build: those that users apply, and those with the components that these leave out.
OVERLAYS="deploy/overlays/local deploy/overlays/prod tests/kubernetes/overlays/policies tests/kubernetes/overlays/operators"

# overlays/local with a port of the node, which deploy/local.sh adds for its own cluster: it is only built.
NODE_PORT=deploy/overlays/local-node-port

build_all() {
  local overlay name
  for overlay in $OVERLAYS $NODE_PORT; do
    name=$(basename "$overlay")
    "$KUSTOMIZE" build "$TOP/$overlay" >"$OUT/$name.yaml" || die "kustomize cannot build $overlay"
    # Users build with the kustomize in their kubectl.
    "$BIN/kubectl" kustomize "$TOP/$overlay" | cmp -s - "$OUT/$name.yaml" ||
      die "$overlay: kubectl and kustomize build different objects"
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

# accepted.txt has a reason for every finding of kube-score, and no reason without a finding.
score() {
  local overlay name
  : >"$OUT/findings"
  for overlay in $OVERLAYS; do
    name=$(basename "$overlay")
    # A CPU limit would delay requests on an idle node; on a busy one the requests share the CPU.
    { "$KUBE_SCORE" score --kubernetes-version v1.33 --output-format ci --ignore-container-cpu-limit "$OUT/$name.yaml" || true; } |
      sed -nE "s/^\[(CRITICAL|WARNING)\] ([^:]*): /$name :: \2 :: /p" >>"$OUT/findings"
  done
  awk -F ' :: ' '
    /^(#|$)/ { next }
    FNR == NR { overlay[++n] = $1; object[n] = $2; finding[n] = $3; line[n] = $0; next }
    {
      known = 0
      for (i = 1; i <= n && !known; i++)
        if ($1 ~ "^(" overlay[i] ")$" && $2 ~ "^(" object[i] ")$" && $3 ~ "^(" finding[i] ")$") { used[i] = known = 1 }
      if (!known) { print "kube-score: " $0; bad = 1 }
    }
    END {
      for (i = 1; i <= n; i++) if (!used[i]) { print "accepted.txt has a reason for what is not found: " line[i]; bad = 1 }
      exit bad
    }' "$HERE/accepted.txt" "$OUT/findings" >&2 || die "correct what kube-score finds, or give a reason in accepted.txt"
  say "kube-score: $(wc -l <"$OUT/findings") findings, and a reason for each"
}

# The secrets of an overlay, each in a folder: its own, or those of the example, which users replace.
unpack_secrets() { # overlay
  local name key value
  {
    jq '.items[] | select(.kind == "Secret")' "$OUT/$1.json"
    "$BIN/kubectl" annotate --local -f "$TOP/deploy/overlays/prod/secrets.example.yaml" example=yes -o json
  } | jq -r '(.items[]?, select(.kind == "Secret")) | .metadata.name as $name |
      ((.data // {}) + ((.stringData // {}) | map_values(@base64))) | to_entries[] | [$name, .key, .value] | @tsv' |
    while IFS=$'\t' read -r name key value; do
      mkdir -p "$OUT/secrets/$1/$name"
      [ -e "$OUT/secrets/$1/$name/$key" ] || base64 -d <<<"$value" >"$OUT/secrets/$1/$name/$key"
    done
}

# Every service accepts the settings of its pods, and finds each file where its secret is mounted.
settings_are_taken() {
  local name service settings mount secret
  for name in local prod operators; do
    unpack_secrets "$name"
    mapfile -t settings < <(jq -r '.items[] | select(.kind == "ConfigMap" and (.metadata.name | startswith("mesh-settings-"))) |
      .data | to_entries[] | "\(.key)=\(.value)"' "$OUT/$name.json")
    [ ${#settings[@]} -gt 20 ] || die "$name: there are no settings"
    for service in gateway catalog inventory orders payments shipping notifications lens; do
      mkdir -p "$OUT/mounted/$name/$service"
      while read -r mount secret; do
        ln -sfn "$OUT/secrets/$name/$secret" "$OUT/mounted/$name/$service/$mount"
      done < <(jq -r --arg service "$service" '.items[] | select(.kind == "Deployment" and .metadata.name == $service) | .spec.template.spec |
        (.volumes // []) as $volumes | .containers[0].volumeMounts[]? | select(.mountPath | startswith("/etc/mesh/")) |
        .name as $volume | "\(.mountPath | ltrimstr("/etc/mesh/")) \($volumes[] | select(.name == $volume) | .secret.secretName)"' "$OUT/$name.json")
      (cd "$OUT" && env -i "${settings[@]//\/etc\/mesh\//$OUT/mounted/$name/$service/}" "$MESH" config "$service" >"$OUT/said" 2>&1) ||
        { cat "$OUT/said" >&2; die "$name: $service does not take its settings"; }
      ! grep -qF "$(cat "$OUT/secrets/$name/mesh-brokers/kafka-password")" "$OUT/said" || die "$name: $service shows the password of Kafka"
    done
  done
  say "every service takes its settings"
}

OUT=${1:-$(mktemp -d "${TMPDIR:-/tmp}/kubernetes-check.XXXXXX")}
[ $# -gt 0 ] || trap 'rm -rf "$OUT"' EXIT
mkdir -p "$OUT"
OUT=$(cd "$OUT" && pwd)
need jq "install it (Debian: jq)"
build
"$HERE/../real/parts.sh" install checkers >"$OUT/checkers"
KUSTOMIZE=$(grep '/kustomize$' "$OUT/checkers") KUBE_SCORE=$(grep '/kube-score$' "$OUT/checkers")
build_all
all_components_are_built
"$HERE/api.sh" check "$OUT" "$OUT"/{local,prod,policies,operators}.yaml
say "memory limits of overlays/local: $(jq '[.items[].spec.template.spec.containers[]?.resources.limits.memory | rtrimstr("Mi") | tonumber] | add' "$OUT/local.json") Mi"
score
# The binary as the image contains it: production uses Kafka over TLS.
if [ -z "${SHIPPED_MESH:-}" ]; then
  cargo build --locked --quiet --release --package mesh --features kafka-tls --manifest-path "$TOP/Cargo.toml"
  SHIPPED_MESH=${CARGO_TARGET_DIR:-$TOP/target}/release/mesh
fi
MESH=$SHIPPED_MESH
settings_are_taken
KUBERNETES_OBJECTS=$OUT cargo test --locked --quiet --manifest-path "$TOP/Cargo.toml" --package harness --test kubernetes -- --ignored --skip policies_allow_every_observed_connection
