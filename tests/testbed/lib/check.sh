# shellcheck shell=bash
# check.sh - what the selftests say: one line per function, whose name is the sentence.
#
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2034 # variables shared with the selftests
passed=0 failed=0 skipped=0
said=$(mktemp)

check() { # FUNCTION: its name is the sentence
    local start status
    start=$(now_ms)
    set +e # inside a condition the function would not stop at what fails
    (
        set -euo pipefail
        "$1"
    ) >"$said" 2>&1
    status=$?
    set -e
    if [ "$status" -eq 0 ]; then
        passed=$((passed + 1))
        printf 'ok      %-66s %5s s\n' "${1//_/ }" "$(seconds_since "$start")"
    else
        failed=$((failed + 1))
        printf 'FAILED  %s\n' "${1//_/ }"
        sed 's/^/        /' "$said"
    fi
}

eventually() { # SECONDS COMMAND...
    until_true "$@" || {
        shift
        echo "never true: $*"
        "$@" || true
        return 1
    }
}

says() { # WANTED COMMAND...: the output has the wanted text
    local wanted=$1 output
    shift
    output=$("$@" 2>&1) || true
    [[ $output == *"$wanted"* ]] || {
        printf '"%s" is not in what "%s" says: %s\n' "$wanted" "$*" "$output"
        return 1
    }
}

fails() { # COMMAND...
    if "$@" >/dev/null 2>&1; then
        echo "\"$*\" succeeds"
        return 1
    fi
}

finish() {
    rm -f "$said"
    printf '%d passed, %d failed, %d skipped\n' "$passed" "$failed" "$skipped"
    [ "$failed" -eq 0 ]
}
