# Certificates for parts that serve TLS: they are made when needed, for this machine, and of no use elsewhere.

# certificates: creates them in $DIR/tls, once. `server.pem` is for 127.0.0.1 and localhost, `elsewhere.pem` for another host,
# `client.pem` for a client; `ca.pem` has signed all of them, and `other-ca.pem` none. Each file except those of the
# authorities contains a key and its chain.
certificates() {
  local tls=$DIR/tls
  [ -e "$tls/done" ] || {
    need openssl "it makes certificates (Debian: openssl)"
    mkdir -p "$tls"
    authority ca "$tls"
    authority other-ca "$tls"
    certificate server "$tls" "DNS:localhost,IP:127.0.0.1"
    certificate elsewhere "$tls" "DNS:elsewhere.example"
    certificate client "$tls" "DNS:mesh"
    # A server that runs as another user must be able to read them.
    chmod 755 "$tls"
    chmod 644 "$tls"/*
    touch "$tls/done"
  } >>"$DIR/log" 2>&1 || fail "its certificates could not be made"
}

authority() {
  openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj "/CN=glassmesh test $1" -keyout "$2/$1.key" -out "$2/$1.pem"
}

# certificate <name> <folder> <subject alternative names>
certificate() {
  openssl req -newkey rsa:2048 -nodes -subj "/CN=$1" -keyout "$2/$1.key" -out "$2/$1.csr" -addext "subjectAltName=$3"
  openssl x509 -req -days 2 -in "$2/$1.csr" -CA "$2/ca.pem" -CAkey "$2/ca.key" -copy_extensions copy -out "$2/$1.crt"
  cat "$2/$1.key" "$2/$1.crt" "$2/ca.pem" >"$2/$1.pem"
}
