# shellcheck shell=bash
# remains.sh - what killed testbeds left, and how all of it goes.
#
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2154,SC2034 # variables shared with testbed
# A testbed lives while its `up` or one of its servers runs. Of one that lives no more,
# whoever killed it and when, anything may be left: containers, networks, hosts that run
# on without their engine, mounts that keep a directory from being removed. The next
# `up` or `down`, of whatever name, removes it before it does anything else.

# mounts_of DIR: mount points, it and below it, a child before its parent.
mounts_of() {
    local dir path
    dir=$(readlink -m "$1")
    cut -d' ' -f5 /proc/self/mountinfo | while read -r path; do
        printf -v path '%b' "$path" # a space is written as \040
        if [[ $path/ == "$dir"/* ]]; then printf '%s\n' "$path"; fi
    done | sort -r
}

mounts_remove() { # DIR
    local path
    while read -r path; do
        umount --lazy "$path" 2>/dev/null || true # a parent may have taken it along
    done < <(mounts_of "$1")
}

# tree_remove DIR: with what is mounted in it; nothing outside is touched.
tree_remove() {
    mounts_remove "$1"
    rm -rf --one-file-system "$1"
}

# orphans: pids of what a dead engine of ours has left: containerd and its shims, known
# by their directory, and whatever runs in a cgroup of its containers.
orphans() {
    local file pid
    {
        grep -lsF -e "$(engine_dir)/" -e "$(engine_last)/" /proc/[0-9]*/cmdline | while read -r file; do
            case $(cat "${file%cmdline}comm" 2>/dev/null) in
            dockerd | containerd* | docker-proxy | runc*) printf '%s\n' "$file" ;;
            esac
        done
        containers_known | grep -lsF --file=- -- /proc/[0-9]*/cgroup || true
    } | cut -d/ -f3 | sort -u | while read -r pid; do
        if server_start_time "$pid" >/dev/null; then printf '%s\n' "$pid"; fi
    done
}

containers_known() { # their full ids, by the engine's data
    local dir
    for dir in "$TESTBED_CACHE"/docker/containers/*/; do
        [ ! -d "$dir" ] || basename "$dir"
    done
}

orphans_killed() { # 0 when none was left to kill
    local pids
    pids=$(orphans)
    [ -n "$pids" ] || return 0
    # shellcheck disable=SC2086 # one word per pid
    kill -KILL $pids 2>/dev/null || true
    return 1
}

orphans_end() {
    until_true 20 orphans_killed || die "processes of a dead engine do not end:" \
        "$(orphans | paste -sd' ')"
}

testbed_lives() { # ITS-STATE
    local dir
    for dir in "$1" "$1"/*/; do
        ! server_pid "$dir" >/dev/null || return 0
    done
    return 1
}

# testbeds_dead: names of those that live no more.
testbeds_dead() {
    local dir
    for dir in "$TESTBED_STATE"/*/; do
        if [ -d "$dir" ] && ! testbed_lives "${dir%/}"; then basename "$dir"; fi
    done
}

# remains_remove: with the lock.
remains_remove() {
    local name
    for name in $(testbeds_dead); do
        say "  removing what is left of testbed $name, which was killed"
        # In a process of its own: its settings are not ours.
        (name_take "$name" && testbed_remove)
    done
}

# testbed_remove: all of $testbed, as far as it is there.
testbed_remove() {
    local left
    engines_each hosts_remove
    masters_stop
    engines_each network_remove
    # Where its engine died, nobody else removes its bridge.
    left=$(sed -n 's/^bridge="\(br-[0-9a-f]*\)"$/\1/p' "$state/config" 2>/dev/null) || true
    [ -z "$left" ] || ip link delete "$left" 2>/dev/null || true
    tree_remove "$state"
}
