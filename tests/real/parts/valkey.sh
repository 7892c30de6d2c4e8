# Valkey, or the Redis that it comes from: the distribution's, any version from 7 on will do. Both speak the same protocol.
# Beside its address, which anybody may use, there is one over TLS, `tls`, and the user `mesh` with the password `secret of mesh`.
# It is at 127.0.0.2, too, which its certificate is not for.

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

# A cache: what it forgets when it dies is asked for again.
start_valkey() {
  local server; server=$(valkey_server)
  [ -n "$server" ] || die "run 'parts.sh install valkey' first"
  # Its title would not name our folder, by which a part is found again.
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
