# PostgreSQL of the distribution: any version from 14 on is fine. Every ledger has a database and a role.

install_postgres() {
  if [ -z "$(postgres_bin)" ]; then
    [ "$(id -u)" = 0 ] || die "PostgreSQL is missing: install your system's package 'postgresql', or run this as root"
    need apt-get "install PostgreSQL 14 or newer by hand"
    apt-get update -qq >&2
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends postgresql >&2 </dev/null
  fi
  echo "$(postgres_bin)/postgres"
}

# Debian keeps each version in a folder of its own, outside PATH.
postgres_bin() {
  local bin
  for bin in $(printf '%s\n' /usr/lib/postgresql/*/bin | sort -rV) $(command -v postgres | xargs -r dirname); do
    if [ -x "$bin/postgres" ] && [ -x "$bin/initdb" ]; then echo "$bin"; return; fi
  done
}

start_postgres() {
  local bin as=(); bin=$(postgres_bin)
  [ -n "$bin" ] || die "run 'parts.sh install postgres' first"
  if [ "$(id -u)" = 0 ]; then # PostgreSQL refuses to run as root
    as=(setpriv --reuid=postgres --regid=postgres --init-groups)
    chown postgres "$DIR"
    "${as[@]}" test -w "$DIR" || die "the user postgres cannot reach $DIR: choose a folder below /tmp"
  fi
  if [ ! -e "$DIR/initialised" ]; then
    rm -rf "$DIR/data"
    echo postgres >"$DIR/password"
    "${as[@]}" "$bin/initdb" -D "$DIR/data" -U postgres -A scram-sha-256 --pwfile="$DIR/password" -E UTF8 --no-locale \
      --no-sync >"$DIR/log" 2>&1 || fail "initdb failed"
    touch "$DIR/initialised"
  fi
  # fsync protects against a power failure only. Other settings stay as they are: a killed server must keep what it has
  # committed, so commits are synchronous and pages are written whole.
  launch "${as[@]}" "$bin/postgres" -D "$DIR/data" -p "$1" -k '' -c listen_addresses=$HOST -c fsync=off \
    -c shared_buffers=64MB -c max_connections=200
}

ready_postgres() {
  local bin name; bin=$(postgres_bin)
  sql() { PGPASSWORD=postgres "$bin/psql" -h "$HOST" -p "$PORT" -U postgres -d postgres -XqAt -v ON_ERROR_STOP=1 -c "$1"; }
  sql 'select 1' || return 1
  for name in $LEDGERS; do
    [ "$(sql "select 1 from pg_roles where rolname = '$name'")" ] || sql "create role $name login password '$name'" || return 1
    if [ -z "$(sql "select 1 from pg_database where datname = '$name'")" ]; then
      sql "create database $name owner $name" || return 1
      # A service must not be able to read the ledger of another service.
      sql "revoke connect on database $name from public" || return 1
    fi
  done
}
