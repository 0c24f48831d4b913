# shellcheck shell=bash
# tools.sh - what the stories need beside the build under test.
#
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2154,SC2034 # variables shared with run

testbed() {
    "$tree/tests/testbed/testbed" "$@"
}

# The build under test has no tests in it: the checker, and an agentd with failpoints,
# come from a build of their own (preset failpoints).
tools_ensure() {
    local log=$tree/build/test-logs/cluster-tools.log stage
    [ -e "$build/cmake_install.cmake" ] ||
        die "\"$build\" is not a CMake build directory" \
            "build first: cmake --preset release && cmake --build --preset release"
    mkdir -p "$tree/build/test-logs"
    failpoint_build=$tree/build/failpoints
    (
        cd "$tree"
        cmake --preset failpoints && cmake --build --preset failpoints -j "$(nproc)" \
            --target clowder-check --target clowder-agentd
    ) >"$log" 2>&1 || {
        tail -n 30 "$log" >&2
        die "the build of preset failpoints failed" "the log is $log"
    }
    checker=$failpoint_build/tests/support/clowder-check
    stage=$tree/build/test-logs/cluster-stage
    rm -rf "$stage"
    DESTDIR=$stage cmake --install "$build" >>"$log" 2>&1 ||
        die "cmake --install $build failed" "the log is $log"
    clowder=$stage/usr/bin/clowder
    [ -x "$clowder" ] || die "the build has no clowder program" "the log is $log"
}
