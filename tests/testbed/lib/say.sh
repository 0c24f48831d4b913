# shellcheck shell=bash
# say.sh - what the testbed tells its user, and how it fails.
#
# SPDX-License-Identifier: Apache-2.0

say() {
    printf '%s\n' "$*"
}

speaker=testbed # the program's name, in front of its errors

# die WHAT [HOW TO MEND IT]: one sentence that names the thing, one that helps.
die() {
    printf '%s: %s\n' "$speaker" "$1" >&2
    [ $# -lt 2 ] || printf '%*s  %s\n' ${#speaker} '' "$2" >&2
    exit 1
}

usage_die() {
    printf 'testbed: %s\n         see "testbed --help"\n' "$1" >&2
    exit 2
}

now_ms() {
    local now=${EPOCHREALTIME/[.,]/}
    printf '%s' "${now%???}"
}

seconds_since() { # START_MS
    local ms=$(($(now_ms) - $1))
    printf '%d.%d' $((ms / 1000)) $((ms % 1000 / 100))
}

# phase NAME COMMAND...: runs it and says how long it took. In the shell itself, so
# that what it sets stays set.
phase() {
    local name=$1 start
    shift
    start=$(now_ms)
    "$@"
    say "$(printf '  %-12s %6s s' "$name" "$(seconds_since "$start")")"
}

# until_true SECONDS COMMAND...: 0 as soon as the command succeeds.
until_true() {
    local end=$(($(now_ms) + $1 * 1000))
    shift
    until "$@" >/dev/null 2>&1; do
        [ "$(now_ms)" -lt "$end" ] || return 1
        sleep 0.1
    done
}
