#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# An include may only go down; agentd and coordinator never include each other;
# production code never includes tests/; quoted includes are written from the root.
cd "${1:-$(dirname "$0")/../..}" || exit 2
# shellcheck disable=SC2016 # that is awk's dollar
find shared agentd coordinator tests \( -name '*.c' -o -name '*.h' \) -print |
    sort | xargs awk '
function may(dir, inc) {
    if (dir ~ /^tests/) return 1
    if (dir == "shared/base") return inc ~ /^shared\/base\//
    if (dir == "shared/model")
        return inc ~ /^shared\/(base|model)\// && inc !~ /^shared\/base\/(log|fs)\.h$/
    if (FILENAME ~ /^shared\/io\/(flow|loop|zk)\.[ch]$/)
        return inc ~ /^shared\/(base\/|io\/(flow|loop|zk)\.h$)/
    if (dir == "shared/io") return inc ~ /^shared\/(base|model|io)\//
    if (dir == "shared/swarm")
        return inc ~ /^shared\/(base\/|model\/|swarm\/|io\/(flow|loop|zk)\.h$)/
    sub(/\/.*/, "", dir)
    return inc ~ "^(shared|" dir ")/"
}
/^#[ \t]*include[ \t]*"/ {
    split($0, part, "\"")
    dir = FILENAME; sub(/\/[^\/]*$/, "", dir)
    if (!may(dir, part[2])) {
        printf "%s:%d: must not include \"%s\"\n", FILENAME, FNR, part[2]; bad = 1
    }
}
END { exit bad }' && echo "includes: 1 passed, 0 failed"
