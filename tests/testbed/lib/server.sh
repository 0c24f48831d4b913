# shellcheck shell=bash
# server.sh - a process in the background, known by its pid and its start time.
#
# SPDX-License-Identifier: Apache-2.0
# DIR/pid holds "<pid> <start time>": a pid that another process got since is not ours
# to kill. DIR/log holds what the process says.

server_start_time() { # PID: fails for a zombie, too: it runs no more
    local stat
    stat=$(cat "/proc/$1/stat" 2>/dev/null) || return 1
    stat=${stat##*) }
    # shellcheck disable=SC2086 # split on purpose: field 22, counted from the state
    set -- $stat
    [ "$1" != Z ] || return 1
    printf '%s' "${20}"
}

server_pid() { # DIR: the pid when it runs
    local pid start
    [ -s "$1/pid" ] || return 1
    read -r pid start <"$1/pid" || return 1
    [ "$(server_start_time "$pid")" = "$start" ] || return 1
    printf '%s' "$pid"
}

server_note() { # DIR PID: a process that runs already
    echo "$2 $(server_start_time "$2")" >"$1/pid.new" && mv "$1/pid.new" "$1/pid"
}

# server_run DIR COMMAND...: detached from us: own session, no inherited file: it might
# be our lock, or our caller's.
server_run() {
    local dir=$1
    shift
    mkdir -p "$dir"
    rm -f "$dir/pid"
    # shellcheck disable=SC2016 # expands in the new shell
    setsid bash -c '
        stat=$(cat /proc/$$/stat); stat=${stat##*) }; set -- "$@" -- $stat
        while [ "${1-}" != -- ]; do command+=("$1"); shift; done; shift
        echo "$$ ${20}" >"$0/pid.new" && mv "$0/pid.new" "$0/pid"
        for fd in /proc/$$/fd/*; do
            [ "${fd##*/}" -le 2 ] || eval "exec ${fd##*/}>&-"
        done
        exec "${command[@]}"' "$dir" "$@" >>"$dir/log" 2>&1 </dev/null &
    disown
    until_true 5 test -s "$dir/pid" ||
        die "$1 was not started" "see $dir/log"
}

# server_stop DIR [SIGNAL]: waits until it is gone; after 10 s it is killed.
server_stop() {
    local pid
    pid=$(server_pid "$1") || {
        rm -f "$1/pid"
        return 0
    }
    kill "-${2:-TERM}" "$pid" 2>/dev/null || true
    until_true 10 server_gone "$1" || kill -KILL "$pid" 2>/dev/null || true
    until_true 5 server_gone "$1" || die "process $pid ($1) does not end"
    rm -f "$1/pid"
}

server_gone() {
    ! server_pid "$1" >/dev/null
}
