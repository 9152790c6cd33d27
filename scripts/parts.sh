# The parts of ./dev test. Each prints what it does, and fails if what it checks does not hold. Sourced by ./dev.
#
# All build the whole workspace with the same features: another choice would build every dependency once more.
readonly EVERYTHING=(--locked --workspace --features rialto/faults)

# Seconds of looking for new input that breaks the frame parser.
readonly FUZZ_FOR=60

# Seconds for tests of another language: one that waits for ever must not.
readonly OUTSIDERS_WITHIN=1200

part_format() { cargo fmt --all --check; }

part_clippy() { offline_unless_env cargo clippy "${EVERYTHING[@]}" --all-targets -- -D warnings; }

part_licences() { cargo deny --all-features check bans licenses sources; }

# 77: skipped, as in automake.
part_advisories() {
    if ! timeout 120 cargo deny fetch db; then
        echo "the database of advisories cannot be reached"
        return 77
    fi
    cargo deny --all-features check --disable-fetch advisories
}

part_queries() {
    with_postgres
    queries_anew "$TEST_POSTGRES_HOME" "$WORK/sqlx"
    diff -rq .sqlx "$WORK/sqlx" || { echo ".sqlx is out of date: run ./dev prepare and commit it" && return 1; }
}

part_unit() { offline_unless_env cargo test "${EVERYTHING[@]}" --lib --bins; }

part_rust() {
    with_postgres
    offline_unless_env cargo test "${EVERYTHING[@]}" --no-fail-fast
}

# Every `rust` replays the corpus; this looks for what is not in it. What it finds interesting is gone with the run, what breaks something
# is left in fuzz/artifacts.
part_fuzz() {
    if ! cargo +nightly fuzz --version >/dev/null 2>&1; then
        echo "there is no nightly Rust with cargo-fuzz: the corpus was replayed only"
        return 77
    fi
    mkdir -p "$WORK/corpus"
    CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$ROOT/target}/fuzz cargo +nightly fuzz run frame "$WORK/corpus" fuzz/corpus/frame -- \
        -max_total_time="$FUZZ_FOR" -timeout=10 -print_final_stats=1
}

# The server that tests in other languages talk to: RIALTO_URL, RIALTO_RESTART_CMD (kills it and starts it again), RIALTO_BIN for those
# that start their own. Gone when the part ends.
start_server() {
    offline_unless_env cargo build "${EVERYTHING[@]}" --bin rialto
    RIALTO_BIN=$(realpath "${CARGO_TARGET_DIR:-target}/debug/rialto")
    local dir=$WORK/server-$1
    mkdir -p "$dir"
    # A service user must be able to pass through.
    chmod 711 "$dir"
    export RIALTO_BIN RIALTO_RESTART_CMD="'$ROOT/scripts/server' restart '$dir'"
    # shellcheck disable=SC2064
    trap "'$ROOT/scripts/server' stop '$dir'" EXIT
    RIALTO_URL=$(scripts/server start "$dir")
    export RIALTO_URL
}

part_browser() {
    [ -f tests/browser/package.json ] || return 77
    start_server browser
    CHROMIUM=${CHROMIUM:-$(command -v chromium || command -v google-chrome)}
    export CHROMIUM
    (cd tests/browser && npm ci --no-audit --no-fund --silent && timeout "$OUTSIDERS_WITHIN" npm test --silent)
}

# It starts servers with other limits by itself.
part_clients() {
    start_server clients
    timeout "$OUTSIDERS_WITHIN" tests/clients/run
}

part_contract() {
    start_server contract
    timeout "$OUTSIDERS_WITHIN" tests/contract/run
}

part_docs() {
    RUSTDOCFLAGS="-D warnings -A rustdoc::private_intra_doc_links" offline_unless_env cargo doc --quiet "${EVERYTHING[@]}" --no-deps
    check_scripts
    check_installer
    [ ! -x scripts/proof ] || scripts/proof
}

# What the installer does, with stand-ins for the systems' own installers: nothing is installed.
check_installer() {
    local dir=$WORK/installer name
    mkdir -p "$dir/apt" "$dir/dnf" "$dir/pacman" "$dir/brew"
    for name in dnf pacman brew; do install -m 755 /dev/null "$dir/$name/$name"; done
    said() { (PATH=$dir/$1 && install_packages build-essential postgresql nodejs npm 2>&1) || true; }
    said dnf | grep -q 'Type: sudo dnf install -y gcc postgresql-server nodejs npm'
    said pacman | grep -q 'Type: sudo pacman -S --needed base-devel postgresql nodejs npm'
    said brew | grep -q 'Type: brew install gcc postgresql@17 node'
    # The package asks for the setting as it is installed: by then it must say no.
    cat >"$dir/apt/apt-get" <<'SH'
#!/bin/sh
case " $* " in
*" postgresql-common "*) echo "#create_main_cluster = true" >"$CREATECLUSTER" ;;
*" postgresql "*) cp "$CREATECLUSTER" "$CREATECLUSTER.seen" ;;
esac
SH
    printf '#!/bin/sh\n[ "$1" != -n ] || exit 0\nexec "$@"\n' >"$dir/apt/sudo"
    chmod +x "$dir/apt/apt-get" "$dir/apt/sudo"
    (export PATH=$dir/apt:$PATH CREATECLUSTER=$dir/createcluster.conf && install_packages postgresql)
    grep -qx 'create_main_cluster = false' "$dir/createcluster.conf.seen"
}

check_scripts() {
    local file
    for file in dev scripts/server scripts/*.sh; do bash -n "$file"; done
    for verb in run check test bench db prepare; do ./dev "$verb" --help >/dev/null; done
}

# Tests that a log counts: "passed failed". A part whose tool counts nothing is one test.
count_tests() {
    local log=$1 code=$2 counts
    counts=$(sed -E 's/\x1b\[[0-9;]*m//g' "$log" | awk '
        /^test result: /      { passed += $4; failed += $6 }                                 # cargo
        /^(#|ℹ) pass [0-9]+/  { passed += $3 }                                               # node
        /^(#|ℹ) fail [0-9]+/  { failed += $3 }
        /^[=0-9].* in [0-9.]+s/ && /(passed|failed|error)/ {                                 # pytest
            for (i = 2; i <= NF; i++) {
                if ($i ~ /^passed/) passed += $(i - 1)
                if ($i ~ /^(failed|error)/) failed += $(i - 1)
            }
        }
        /^[0-9]+ passed, [0-9]+ failed$/ { closing = 1; all_passed = $1; all_failed = $3 }   # ours, which counts what ran below it
        END { if (closing) { passed = all_passed; failed = all_failed } print passed + 0, failed + 0 }')
    case "$counts/$code" in
    "0 0/0") echo 1 0 ;;
    *" 0/0") echo "$counts" ;;
    # The tool failed without naming a test: it did not build, or it was killed.
    *" 0/"*) echo "${counts% 0} 1" ;;
    *) echo "$counts" ;;
    esac
}

# In a subshell of its own with `set -e` in force, which `if` and `||` would switch off. It leaves its exit code in $WORK/code.
run_part() {
    set +e
    (
        set -e
        trap - EXIT INT TERM HUP
        "part_$1"
    ) </dev/null
    echo $? >"$WORK/code"
}

run_parts() {
    local part code started log passed=0 failed=0 broken=0 lines=() count logs=target/dev-test
    mkdir -p "$logs"
    make_work
    # Before the first part, since a part runs in a subshell and what it starts must be known here.
    case " $* " in *" rust "* | *" queries "*) with_postgres ;; esac
    # Each part is a job, and so a process group: a signal is heard at once, and `clean_up` ends all that the part has started.
    set -m
    for part in "$@"; do
        say "── $part"
        rm -f "$WORK/code"
        started=$SECONDS log=$logs/$part.log code=0
        run_part "$part" 2>&1 | tee "$log" &
        wait $! || true
        code=$(cat "$WORK/code" 2>/dev/null || echo 1)
        if [ "$code" -eq 77 ]; then
            lines+=("$(printf '%-12s skipped  %s' "$part" "$(tail -n 1 "$log")")")
            continue
        fi
        read -r -a count <<<"$(count_tests "$log" "$code")"
        passed=$((passed + count[0])) failed=$((failed + count[1]))
        if [ "$code" -eq 0 ]; then
            lines+=("$(printf '%-12s ok       %5d passed                %4d s' "$part" "${count[0]}" $((SECONDS - started)))")
        else
            broken=$((broken + 1))
            lines+=("$(printf '%-12s FAILED   %5d passed, %4d failed  %4d s  %s' "$part" "${count[@]}" $((SECONDS - started)) "$log")")
        fi
    done
    printf '\n'
    printf '%s\n' "${lines[@]}"
    printf '\n%d passed, %d failed\n' "$passed" "$failed"
    [ "$broken" -eq 0 ]
}
