# Parts that are built from their Go modules.

# go_module <folder> <module> <version> <tags> <flags for the linker> <package>...
# Builds a module that `go install` refuses because its go.mod replaces others: as a main module with a copy of that go.mod. A
# function patch_<name of the module> may edit the copy; its argument is the folder of the module's sources.
go_module() {
  local folder=$1 module=$2 version=$3 tags=$4 flags=$5 sources fresh name; shift 5
  need go "install Go, 1.26 or newer: $module is built from its module"
  name=$(basename "${module%/v[0-9]*}")
  fresh=$(mktemp -d "$TOOLS/$name.XXXXXX")
  say "building $name $version from its Go module: this takes minutes, once"
  go_environment
  sources=$(go_sources "$module" "$version")
  install -m 644 "$sources/go.mod" "$sources/go.sum" "$fresh"
  (
    cd "$fresh"
    go mod edit -module="glassmesh/$name" -require="$module@$version"
    if declare -F "patch_$name" >/dev/null; then "patch_$name" "$sources"; fi
    mkdir out
    go build -mod=mod ${tags:+-tags "$tags"} -ldflags="-s -w $flags" -o out/ "$@"
  ) >&2
  keep "$fresh/out" "$folder"
  rm -rf "$fresh"
}

# go_sources <module> <version>: prints the folder with the sources, which it downloads if they are missing.
go_sources() {
  local sources
  sources=$(cd "$TOOLS" && go mod download -json "$1@$2" | sed -n 's/^\t"Dir": "\(.*\)",\{0,1\}$/\1/p')
  [ -n "$sources" ] || die "the module $1@$2 could not be downloaded"
  echo "$sources"
}

# go_tool <folder> <package> <version>: installs a program whose module `go install` accepts.
go_tool() {
  local fresh; fresh=$(mktemp -d "$TOOLS/tool.XXXXXX")
  need go "install Go, 1.26 or newer: $2 is built from its module"
  say "building $(basename "$2") $3 from its Go module"
  (go_environment; GOBIN=$fresh/out go install -ldflags='-s -w' "$2@$3") >&2
  keep "$fresh/out" "$1"
  rm -rf "$fresh"
}

# The installed toolchain and no cgo, so that the same sources give the same program.
go_environment() {
  export CGO_ENABLED=0 GOTOOLCHAIN=local GOFLAGS="-buildvcs=false -trimpath"
}

# keep <built> <folder>: moves the folder in one step, so that an interrupted build is not mistaken for a program.
keep() {
  chmod 755 "$1"
  rm -rf "$2"
  mv "$1" "$2"
}
