# Chromium of the distribution, in which the console is tested. There is nothing to start: each test starts its own.

install_chromium() {
  if [ -z "$(chromium_bin)" ]; then
    [ "$(id -u)" = 0 ] || die "Chromium is missing: install your system's package 'chromium', or run this as root"
    need apt-get "install Chromium by hand: the console is tested in it"
    apt-get update -qq >&2
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium >&2 </dev/null ||
      die "apt-get cannot install the package 'chromium': install Chromium by hand"
    [ -n "$(chromium_bin)" ] || die "the package 'chromium' has no program 'chromium': install Chromium by hand"
  fi
  chromium_bin
}

chromium_bin() { command -v chromium || command -v chromium-browser || true; }
