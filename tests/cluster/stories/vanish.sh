# shellcheck shell=bash
# vanish.sh - a host goes in the middle of its restart, and comes back much later, or
# never.
#
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2154,SC2034 # variables shared with run
hosts_needed=3
stories=(
    a_host_that_vanishes_with_a_permit_is_named_lost_and_pauses_the_rollout
    a_lost_host_that_returns_finishes_and_the_rollout_goes_on
)
long_stories=(
    hosts_that_are_lost_for_good_are_broken_and_excluded_and_the_rest_finishes
    a_host_that_was_given_up_and_returns_waits_for_the_next_rollout
)

lost_hosts_are() { # COUNT
    [ "$(status "d['hosts']['lost']")" = "$1" ]
}

a_host_that_vanishes_with_a_permit_is_named_lost_and_pauses_the_rollout() {
    local host ip other
    install_begin --set waves.canary=0 --set lost_after=10s
    wait_for 60 "a host holds the lease restart" holder_of restart
    ip=$(holder_of restart)
    host=$(host_named "$ip")
    testbed kill-host "$host"
    echo "$host" >"$work/vanished"

    # Those who wait look at the holder a minute after they began to wait.
    wait_for 240 "$host is lost" lost_hosts_are 1
    same "phase" pause "$(status "d['phase']")"
    has "the reason" "$(status "d['reason']")" "$ip"
    has "the screen" "$(screen status)" "$ip" lost
    # Its permit stays taken: it may have died in the middle of its restart.
    same "holder of the lease restart" "$ip" "$(holder_of restart)"
    for other in "${hosts[@]}"; do
        [ "$other" = "$host" ] || same "stages of $other" 1 "$(record "$other" "r['stages_done']")"
    done
}

a_lost_host_that_returns_finishes_and_the_rollout_goes_on() {
    local host
    host=$(cat "$work/vanished")
    testbed start-host "$host"
    # What it had begun it finishes, though the rollout is paused; what it had not, waits.
    wait_for 120 "$host has taken its mark back" lost_hosts_are 0
    wait_for 60 "its visit is through" nobody_holds
    clowder resume
    clowder watch --stop-when-paused >"$story_dir/watch"
    for host in "${hosts[@]}"; do look_installed "$host"; done
    "$checker" --root "$root" --complete --txnlog \
        "$TESTBED_STATE_DIR/zk-$(testbed zk-leader)/txn"
}

# One dies with the permit of its restart, one while it waits for it; neither comes back.
hosts_that_are_lost_for_good_are_broken_and_excluded_and_the_rest_finishes() {
    local holder ip options other dead last rest=()
    other_release v1.11.6
    # Long enough in its restart to be killed in it.
    for other in "${hosts[@]}"; do testbed knob "$other" mesos-slave ready_ms=12000; done
    install_begin --set waves.canary=0 --set lost_after=10s "${options[@]}"
    wait_for 60 "a host holds the lease restart" holder_of restart
    ip=$(holder_of restart)
    holder=$(host_named "$ip")
    for other in "${hosts[@]}"; do
        [ "$other" = "$holder" ] || rest+=("$other")
    done
    dead=${rest[0]} last=${rest[1]}
    testbed kill-host "$holder"
    testbed kill-host "$dead"
    echo "$holder $dead" >"$work/given-up"
    testbed knob "$last" mesos-slave

    wait_for 240 "$holder is lost" lost_hosts_are 1
    same "phase" pause "$(status "d['phase']")"
    has "the reason" "$(status "d['reason']")" "$ip"
    has "clowder status" "$(screen status)" "$ip" lost
    has "clowder why $ip" "$(screen why "$ip")" lost "clowder break $ip"

    # The permit is the operator's to free, by the host's name, and with a reason.
    fails_with 2 clowder break "$ip" --yes
    fails_with 1 clowder exclude "$ip" --reason "its board is dead"
    has "exclude of a holder" "$said" permit
    same "holder of the lease restart" "$ip" "$(holder_of restart)"
    clowder break "$ip" --yes --reason "its board is dead"
    same "state of $holder" excluded "$(record "$holder" "r['state']")"
    same "lost hosts" 0 "$(status "d['hosts']['lost']")"
    nobody_holds
    clowder resume

    # The other one holds nothing, and everybody up at the barrier.
    wait_for 90 "$last waits for $dead" waits_at_barrier "$last"
    has "clowder why $(ip_of "$last")" "$(screen why "$(ip_of "$last")")" "$(ip_of "$dead")"
    clowder exclude "$(ip_of "$dead")" --reason "it burnt, too"
    clowder watch --stop-when-paused >"$story_dir/watch"
    same "hosts done and excluded" "1 2" \
        "$(status "'%d %d' % (d['hosts']['done'], d['hosts']['excluded'])")"
    look_cni "$last" v1.11.6
    look_slave "$last"
    has "clowder events" "$(screen events)" "its board is dead" "it burnt, too"
    check_history "$(status "d['rollout']")" --complete
}

waits_at_barrier() { # HOST: stage restart is behind it, the next one not begun
    same "$1" "idle 2" "$(record "$1" "'%s %d' % (r['state'], r['stages_done'])")"
}

a_host_that_was_given_up_and_returns_waits_for_the_next_rollout() {
    local host options given_up=() before
    read -ra given_up <"$work/given-up"
    for host in "${given_up[@]}"; do
        before=$(record "$host" "(r['state'], r['stages_done'], r['by_ms'])")
        testbed start-host "$host"
        testbed knob "$host" mesos-slave
        hosts_register "$host"
        sleep 3
        same "record of $host" "$before" \
            "$(record "$host" "(r['state'], r['stages_done'], r['by_ms'])")"
    done
    nobody_holds
    # What the dead one was in the middle of, the next rollout finds and mends.
    other_release v1.11.6
    install --set waves.canary=0 "${options[@]}" >"$story_dir/watch"
    for host in "${hosts[@]}"; do
        look_cni "$host" v1.11.6
        look_slave "$host"
        same "temporary files on $host" "" "$(temporary_files_of "$host")"
    done
    check_history "$(status "d['rollout']")" --complete
}
