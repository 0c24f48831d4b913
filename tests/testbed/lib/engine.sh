# shellcheck shell=bash
# engine.sh - the outer Docker: the machine's own where one runs, else one of ours.
#
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2154,SC2034 # variables shared with testbed
# Ours has its own socket, data and state, touches neither iptables nor ip_forward nor
# docker0, and ends with the last testbed. CLOWDER_TESTBED_ENGINE=own|machine decides
# by hand.

engine_dir() {
    printf '%s/.engine' "$TESTBED_STATE"
}

# Where the engine that had the cache last ran; one cache serves one engine.
engine_last() {
    cat "$TESTBED_CACHE/engine" 2>/dev/null || engine_dir
}

cache_is_free() {
    [ "$(engine_last)" = "$(engine_dir)" ] || server_gone "$(engine_last)"
}

engine_answers() { # DOCKER_HOST or "" for the default
    DOCKER_HOST=${1:-${DOCKER_HOST:-unix:///var/run/docker.sock}} \
        timeout 10 docker version --format '{{.Server.Version}}' >/dev/null 2>&1
}

# engine_ensure: exports DOCKER_HOST where it is not the default.
engine_ensure() {
    local own
    own=unix://$(engine_dir)/docker.sock
    command -v docker >/dev/null || die "docker is not installed" "run: testbed packages"
    if server_pid "$(engine_dir)" >/dev/null && engine_answers "$own"; then
        export DOCKER_HOST=$own
    elif [ "${CLOWDER_TESTBED_ENGINE:-machine}" != own ] && engine_answers ""; then
        say "  using the Docker engine that runs on this machine"
    else
        engine_start "$own"
        export DOCKER_HOST=$own
    fi
}

# engines_each COMMAND...: by every engine that answers, ours and the machine's.
engines_each() {
    local engine
    command -v docker >/dev/null || return 0
    for engine in "unix://$(engine_dir)/docker.sock" "$machine_docker"; do
        if engine_answers "$engine"; then DOCKER_HOST=$engine "$@"; fi
    done
}

engine_start() {
    [ "${CLOWDER_TESTBED_ENGINE:-own}" = own ] ||
        die "the machine's Docker engine does not answer" \
            "start it, or unset CLOWDER_TESTBED_ENGINE"
    cache_is_free || die "$TESTBED_CACHE serves the engine in $(engine_last)" \
        "set CLOWDER_TESTBED_CACHE as well as CLOWDER_TESTBED_STATE"
    engine_stop
    if ! engine_run "$1"; then
        say "  the engine's data are damaged: making them anew"
        engine_stop
        tree_remove "$TESTBED_CACHE/docker"
        engine_run "$1" || {
            tail -n 5 "$(engine_dir)/log" >&2
            die "dockerd did not come up" "the log is $(engine_dir)/log"
        }
    fi
    # No testbed's hosts outlive their engine: what it remembers of any is a remainder.
    DOCKER_HOST=$1 engine_sweep
}

engine_run() { # DOCKER_HOST
    local dir
    dir=$(engine_dir)
    mkdir -p "$dir" "$TESTBED_CACHE/docker"
    echo "$dir" >"$TESTBED_CACHE/engine"
    server_run "$dir" dockerd --host "$1" --data-root "$TESTBED_CACHE/docker" \
        --exec-root "$dir/exec" --pidfile "$dir/docker.pid" \
        --storage-driver overlay2 --iptables=false --ip6tables=false \
        --ip-forward=false --ip-masq=false --bridge=none
    until_true 30 engine_up_or_dead "$1" && engine_answers "$1"
}

engine_up_or_dead() { # DOCKER_HOST
    engine_answers "$1" || server_gone "$(engine_dir)"
}

engine_sweep() {
    local ids
    ids=$(docker ps -aq)
    # shellcheck disable=SC2086 # one word per id
    [ -z "$ids" ] || docker rm -f -v $ids >/dev/null
    docker system prune --force --volumes >/dev/null
}

# engine_stop: ours, and what one of ours left that was killed.
engine_stop() {
    server_stop "$(engine_dir)"
    if cache_is_free; then
        orphans_end
        mounts_remove "$(engine_last)"
        mounts_remove "$TESTBED_CACHE/docker"
    fi
    tree_remove "$(engine_dir)"
}

# engine_release: ours ends, and remembers no container: one that was killed does, and
# only an engine forgets them.
engine_release() {
    if cache_is_free && [ -n "$(containers_known)" ] && server_gone "$(engine_dir)"; then
        engine_start "unix://$(engine_dir)/docker.sock"
    fi
    engine_stop
}
