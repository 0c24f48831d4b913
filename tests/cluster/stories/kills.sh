# shellcheck shell=bash
# kills.sh - agentd killed in the middle of a visit: a handful of tests/cluster/kill-points.
#
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2154,SC2034 # variables shared with run
hosts_needed=8
stories=(
    agentd_killed_at_its_worst_moments_ends_as_if_it_had_not_been
)
long_stories=()

# The first six install; the last two fail and put back.
agentd_killed_at_its_worst_moments_ends_as_if_it_had_not_been() {
    local all=("${hosts[@]}") orders
    hosts=("${all[@]:0:6}")
    orders=(
        "take:sent"
        "restart:noted"
        "restart:acting"
        "restart:acting 2 300"
        "release:sent"
        "place:copied 2"
    )
    kills_install
    mv "$story_dir/points" "$story_dir/points-install"
    hosts=("${all[@]:6:2}")
    orders=(
        "revert:docker-cluster-store:restart-docker"
        "fail:sent"
    )
    kills_fail
    hosts=("${all[@]}")
    if grep unreached "$story_dir"/points*; then fail "a point was not passed"; fi
    echo "killed at 8 points"
}
