# Valkey, or Redis, from which it was forked: the distribution's; any version from 7 on is fine. Both speak the same protocol.
# Besides its address without a login, it has one over TLS, `tls`, and the user `mesh` with the password `secret of mesh`. It
# also listens on 127.0.0.2, for which its certificate is not valid.

install_valkey() {
  if [ -z "$(valkey_server)" ]; then
    [ "$(id -u)" = 0 ] || die "Valkey is missing: install your system's package 'valkey' or 'redis-server', or run this as root"
    need apt-get "install Valkey or Redis by hand"
    apt-get update -qq >&2
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends redis-server >&2 </dev/null
  fi
  valkey_server
}

valkey_server() { command -v valkey-server || command -v redis-server || true; }

# A cache: entries that are lost with it are read again from the database.
start_valkey() {
  local server; server=$(valkey_server)
  [ -n "$server" ] || die "run 'parts.sh install valkey' first"
  # The title of the process must contain our folder (`proc-title-template`), by which parts.sh finds a running part.
  certificates
  cat >"$DIR/valkey.conf" <<SETTINGS
bind $HOST 127.0.0.2
port $1
tls-port $(port_for tls)
tls-cert-file "$DIR/tls/server.crt"
tls-key-file "$DIR/tls/server.key"
tls-ca-cert-file "$DIR/tls/ca.pem"
tls-auth-clients optional
user mesh on ">$SECRET" ~* +@all
dir "$DIR"
save ""
appendonly no
maxmemory 16mb
maxmemory-policy allkeys-lru
proc-title-template "{title} {config-file}"
SETTINGS
  launch "$server" "$DIR/valkey.conf"
}

ready_valkey() {
  timeout 2 bash -c 'exec 3<>"/dev/tcp/$0/$1" && printf "PING\r\n" >&3 && read -r pong <&3 && [[ $pong == +PONG* ]]' "$HOST" "$1"
}
