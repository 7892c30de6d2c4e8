#!/bin/sh
# Creates a database and a role for each service with a ledger, with the password from its secret. Existing ones stay; a
# changed password is set. The server runs this when its volume is new, before clients can connect (PGHOST is empty: over the
# socket); a job runs it after every change.
set -eu

export PGHOST="${PGHOST-postgres}" PGUSER=postgres PGDATABASE=postgres PGCONNECT_TIMEOUT=5
PGPASSWORD=$(cat /secrets/postgres/password)
export PGPASSWORD

until pg_isready -q -t 5; do
  echo "waiting for the server"
  sleep 1
done

for folder in /secrets/ledgers/*/; do
  ledger=$(basename "$folder")
  psql -XqAt -v ON_ERROR_STOP=1 -v ledger="$ledger" -v password="$(cat "$folder/password")" <<'SQL'
SELECT format('CREATE ROLE %I LOGIN', :'ledger')
  WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = :'ledger') \gexec
SELECT format('ALTER ROLE %I PASSWORD %L', :'ledger', :'password') \gexec
SELECT format('CREATE DATABASE %I OWNER %I', :'ledger', :'ledger')
  WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = :'ledger') \gexec
-- One service must not be able to read another's ledger.
SELECT format('REVOKE CONNECT ON DATABASE %I FROM PUBLIC', :'ledger') \gexec
SQL
  echo "$ledger has its database"
done
