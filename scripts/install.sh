# What must be on the machine, and getting it. Sourced by ./dev.

# Says whether Debian's packages make a cluster when they are installed.
CREATECLUSTER=${CREATECLUSTER:-/etc/postgresql-common/createcluster.conf}

# install_missing VERB
install_missing() {
    local packages=() needs_postgres=
    command -v cargo >/dev/null ||
        die "Rust is missing. Type: curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs | sh -s -- -y"
    command -v cc >/dev/null || packages+=(build-essential)
    postgres_bin >/dev/null || needs_postgres=yes
    if [ "$1" = test ]; then
        command -v node >/dev/null || packages+=(nodejs)
        command -v npm >/dev/null || packages+=(npm)
        command -v chromium >/dev/null || command -v google-chrome >/dev/null || packages+=(chromium)
        command -v curl >/dev/null || packages+=(curl)
        python3 -c 'import venv, ensurepip' 2>/dev/null || packages+=(python3-venv)
    fi
    [ -z "$needs_postgres" ] || packages+=(postgresql)
    if [ ${#packages[@]} -gt 0 ]; then install_packages "${packages[@]}"; fi
    if [ "$1" = test ]; then install_cargo_deny; fi
}

install_packages() {
    if ! command -v apt-get >/dev/null; then
        say_elsewhere "$@"
        # The server downloads a PostgreSQL for itself where there is none; nothing else can be done without.
        [ "$*" = postgresql ] && [ "${verb:-}" = run ] && return 0
        exit 1
    fi
    local line="apt-get update && apt-get install -y $*" root=()
    if [ "$(id -u)" -ne 0 ]; then
        if ! command -v sudo >/dev/null || { ! sudo -n true 2>/dev/null && [ ! -t 0 ]; }; then
            die "missing: $*. Type as root: $line"
        fi
        root=(sudo)
    fi
    say "Installing $*"
    "${root[@]}" apt-get update -qq || say "apt-get update failed; trying with the lists that are there"
    local apt=("${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends)
    case " $* " in *" postgresql "*)
        # Debian would start a cluster of its own on port 5432; the server brings its own. The settings must be there before the
        # package's own script reads them, and the file must be the package's, so: in two steps.
        if [ ! -e "$CREATECLUSTER" ]; then
            "${apt[@]}" postgresql-common || die "apt failed; type as root: $line"
            "${root[@]}" sed -ri 's/^#?\s*create_main_cluster\s*=.*/create_main_cluster = false/' "$CREATECLUSTER"
        fi
        ;;
    esac
    "${apt[@]}" "$@" || die "apt failed; type as root: $line"
}

say_elsewhere() {
    local names="$*" line
    if command -v dnf >/dev/null; then
        line="sudo dnf install -y ${names//build-essential/gcc}"
        line=${line//python3-venv/python3}
        line=${line//postgresql/postgresql-server}
    elif command -v pacman >/dev/null; then
        line="sudo pacman -S --needed ${names//build-essential/base-devel}"
        line=${line//python3-venv/python}
    elif command -v brew >/dev/null; then
        line="brew install ${names//postgresql/postgresql@17}"
        line=${line//build-essential/gcc}
        line=${line//nodejs npm/node}
    else
        line="(your system's installer) $names"
    fi
    say "Missing: $names. Type: $line"
}

install_cargo_deny() {
    command -v cargo-deny >/dev/null && return 0
    say "Installing cargo-deny (once, some minutes)"
    cargo install --quiet --locked cargo-deny || say "cargo-deny could not be installed"
}
