# PostgreSQL for development and tests: as an unprivileged user, on a Unix socket in a private folder, nothing on the network.
# Sourced by ./dev.

say() { printf '\033[1m%s\033[0m\n' "$*" >&2; }
die() {
    printf 'dev: %s\n' "$*" >&2
    exit 1
}

# The programs of the highest PostgreSQL from 15 on.
postgres_bin() {
    local bin
    for bin in $(printf '%s\n' /usr/lib/postgresql/*/bin | sort -t/ -k5 -rn) "$(pg_config --bindir 2>/dev/null || true)" \
        "$(dirname "$(command -v initdb 2>/dev/null || echo /none/x)")"; do
        [ -x "$bin/initdb" ] && [ -x "$bin/psql" ] || continue
        [ "$("$bin/postgres" --version | sed -E 's/.*\) ([0-9]+).*/\1/')" -ge 15 ] && echo "$bin" && return 0
    done
    return 1
}

# PostgreSQL refuses to run as root.
postgres_user() {
    local user
    [ "$(id -u)" -eq 0 ] || { id -un && return 0; }
    for user in postgres nobody; do id -u "$user" >/dev/null 2>&1 && echo "$user" && return 0; done
    die "PostgreSQL does not run as root, and there is no user postgres or nobody"
}

as_postgres() {
    if [ "$(id -u)" -eq 0 ]; then (cd / && runuser -u "$(postgres_user)" -- "$@"); else "$@"; fi
}

# As root the clone may be a folder that no other user can enter.
dev_postgres_home() {
    if [ "$(id -u)" -eq 0 ]; then
        echo "/var/lib/rialto-dev/$(printf %s "$ROOT" | sha256sum | cut -c1-12)"
    else
        echo "$ROOT/.dev/postgres"
    fi
}

# A socket's path holds 107 bytes, whatever the clone's does.
postgres_socket_dir() { echo "/tmp/rialto-dev-$(id -u)-$(printf %s "$1" | sha256sum | cut -c1-12)"; }

# postgres_url HOME ROLE DATABASE
postgres_url() { echo "postgres://$2@localhost/$3?host=$(postgres_socket_dir "$1")"; }

postgres_sql() { # HOME DATABASE, statements on stdin
    as_postgres "$(postgres_bin)/psql" -X -q -v ON_ERROR_STOP=1 -h "$(postgres_socket_dir "$1")" -U postgres -d "$2"
}

# postgres_start HOME: makes it the first time; does nothing when it runs.
postgres_start() {
    local home=$1 bin socket_dir user
    bin=$(postgres_bin) || die "no PostgreSQL 15 or later found"
    user=$(postgres_user)
    socket_dir=$(postgres_socket_dir "$home")
    mkdir -p "$home" "$socket_dir"
    chmod 700 "$home" "$socket_dir"
    [ "$(id -u)" -ne 0 ] || chown "$user" "$home" "$socket_dir"
    if [ ! -f "$home/data/PG_VERSION" ]; then
        as_postgres "$bin/initdb" -D "$home/data" -U postgres -E UTF8 --locale=C.UTF-8 --auth=trust --no-sync >/dev/null
    fi
    if ! as_postgres "$bin/pg_ctl" -D "$home/data" status >/dev/null 2>&1; then
        as_postgres "$bin/pg_ctl" -D "$home/data" -l "$home/log" -w -t 60 -s \
            -o "-c listen_addresses='' -k $socket_dir -c max_connections=300 -c shared_buffers=256MB" start ||
            die "PostgreSQL did not start; see $home/log"
    fi
}

postgres_stop() {
    local home=$1 bin
    if bin=$(postgres_bin) && [ -f "$home/data/postmaster.pid" ]; then
        as_postgres "$bin/pg_ctl" -D "$home/data" -m fast -w -t 20 -s stop ||
            as_postgres "$bin/pg_ctl" -D "$home/data" -m immediate -s stop || true
    fi
    rm -rf "$(postgres_socket_dir "$home")"
}

# schema_anew HOME DATABASE: the roles, and the database as migrations/ make it.
schema_anew() {
    local home=$1 database=$2 file
    {
        echo "SET client_min_messages = warning;"
        for role in owner app platform; do
            echo "DO \$\$ BEGIN CREATE ROLE rialto_$role LOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END \$\$;"
        done
        echo "DO \$\$ BEGIN CREATE ROLE rialto_backup LOGIN BYPASSRLS; EXCEPTION WHEN duplicate_object THEN NULL; END \$\$;"
        echo "DROP DATABASE IF EXISTS $database WITH (FORCE);"
        echo "CREATE DATABASE $database OWNER rialto_owner;"
    } | postgres_sql "$home" postgres || die "the database could not be made"
    # The program's own record of migrations, which policies know of.
    postgres_sql "$home" "$database" <<'SQL'
SET ROLE rialto_owner;
CREATE TABLE _sqlx_migrations (version bigint PRIMARY KEY, description text NOT NULL, installed_on timestamptz NOT NULL DEFAULT now(),
    success boolean NOT NULL, checksum bytea NOT NULL, execution_time bigint NOT NULL);
SQL
    for file in migrations/*.sql migrations/replaceable/functions.sql migrations/replaceable/policies.sql; do
        { echo "SET client_min_messages = warning; SET ROLE rialto_owner;" && cat "$file"; } |
            postgres_sql "$home" "$database" || die "$file failed"
    done
}

# with_postgres: one for this run, gone when the script ends. Sets WORK and TEST_POSTGRES_HOME.
with_postgres() {
    make_work
    [ -z "${TEST_POSTGRES_HOME:-}" ] || return 0
    TEST_POSTGRES_HOME=$WORK/postgres
    postgres_start "$TEST_POSTGRES_HOME"
    TEST_DATABASE_URL=$(postgres_url "$TEST_POSTGRES_HOME" postgres postgres)
    export TEST_DATABASE_URL
}

make_work() {
    [ -z "${WORK:-}" ] || return 0
    WORK=$(mktemp -d /tmp/rialto-work-XXXXXX)
    # Passable, not readable: the unprivileged user has a folder in it.
    chmod 711 "$WORK"
    trap clean_up EXIT
    trap 'exit 130' INT TERM HUP
}

clean_up() {
    local code=$?
    trap '' INT TERM HUP
    local job
    for job in $(jobs -p); do kill -TERM -- "-$job" 2>/dev/null || true; done
    for server in "${WORK:-/none}"/server-*; do [ ! -d "$server" ] || scripts/server stop "$server"; done
    [ -z "${TEST_POSTGRES_HOME:-}" ] || postgres_stop "$TEST_POSTGRES_HOME"
    [ -z "${WORK:-}" ] || rm -rf "$WORK"
    exit "$code"
}

# queries_anew HOME DIR: what each statement takes and returns, written by the macros themselves as they compile.
queries_anew() {
    local home=$1 dir=$2
    mkdir -p "$dir"
    schema_anew "$home" rialto_queries
    # Only what is compiled is written, so everything must be compiled once more; the macros look at no file's content.
    find src tests -name '*.rs' -exec touch -c {} + 2>/dev/null || true
    SQLX_OFFLINE=false SQLX_OFFLINE_DIR=$dir DATABASE_URL=$(postgres_url "$home" rialto_owner rialto_queries) \
        cargo check --quiet "${EVERYTHING[@]}" --all-targets
}

# Builds from .sqlx unless somebody has set up a database for it.
offline_unless_env() {
    if [ -n "${DATABASE_URL:-}" ] || [ -f .env ] || ! ls .sqlx/query-*.json >/dev/null 2>&1; then
        "$@"
    else
        SQLX_OFFLINE=true "$@"
    fi
}
