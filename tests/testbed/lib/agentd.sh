# shellcheck shell=bash
# agentd.sh - what a build installs, onto every host.
#
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2154,SC2034 # variables shared with testbed

# agentd_stage BUILD-DIR CONFIG-OR-EMPTY: a tar of what the build installs.
agentd_stage() {
    local build=$1 config=$2 dir
    [ -e "$build/cmake_install.cmake" ] ||
        die "\"$build\" is not a CMake build directory" \
            "build first: cmake --preset release && cmake --build --preset release"
    dir=$(mktemp -d -p "$state")
    DESTDIR=$dir cmake --install "$build" >"$state/install.log" 2>&1 || {
        tail -n 5 "$state/install.log" >&2
        die "cmake --install $build failed" "the log is $state/install.log"
    }
    [ -x "$dir/usr/sbin/clowder-agentd" ] ||
        die "the build does not install /usr/sbin/clowder-agentd" \
            "configure it with -DCMAKE_INSTALL_PREFIX=/usr"
    if [ -n "$config" ]; then
        install -D -m 644 "$config" "$dir/etc/clowder/agentd.json"
    fi
    # Root's, whoever built it; and no directory's mode changes on the host.
    tar -C "$dir" --owner=0 --group=0 --no-recursion -c -T \
        <(cd "$dir" && find . \( -type f -o -type l \)) -f "$state/agentd.tar"
    rm -rf "$dir"
}

agentd_put() { # NAME
    local container=$testbed-$1
    docker exec -i "$container" tar -C / -x <"$state/agentd.tar" || return 1
    # shellcheck disable=SC2016 # expands in the host
    host_run sh -c '
        set -e
        /usr/sbin/clowder-agentd --version >/dev/null || {
            echo "clowder-agentd does not run here; the hosts are Debian 12" >&2
            exit 1
        }
        ! command -v systemd-sysusers >/dev/null || systemd-sysusers
        systemd-tmpfiles --create 2>/dev/null || true
        systemctl daemon-reload
        systemctl reset-failed clowder-agentd.service 2>/dev/null || true
        systemctl --quiet enable clowder-agentd.service
        timeout 60 systemctl restart clowder-agentd.service || {
            systemctl --no-pager status clowder-agentd.service >&2
            journalctl --no-pager -n 15 -u clowder-agentd.service >&2
            exit 1
        }'
}
