# shellcheck shell=bash
# operator.sh - a rollout under its operator's hands: the CLI dies, pause, resume, abort.
#
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2154,SC2034 # variables shared with run
hosts_needed=3
stories=(
    a_killed_cli_changes_nothing_and_watch_picks_up_again
    a_pause_lets_the_host_in_flight_finish_and_starts_no_other
    an_abort_ends_with_every_permit_free
)
long_stories=()

a_killed_cli_changes_nothing_and_watch_picks_up_again() {
    local pid host
    spec_write "$story_dir/spec.json"
    "$clowder" --zk "$zk" install --spec "$story_dir/spec.json" --set waves.canary=0 \
        --max-restarts 1 --yes --watch >"$story_dir/watch-1" 2>&1 &
    pid=$!
    wait_for 60 "a host holds the lease restart" holder_of restart
    kill -KILL "$pid"
    wait "$pid" || true

    # One rollout at a time: the one in force is named.
    fails_with 1 install_begin
    has "a second install" "$said" "$(status "d['rollout']")"

    clowder watch --stop-when-paused >"$story_dir/watch-2"
    has "the last line of watch" "$(tail -n 1 "$story_dir/watch-2")" "3 of 3 done, 0 failed"
    for host in "${hosts[@]}"; do look_installed "$host"; done
    check_holds "$(status "d['rollout']")" --complete
}

# How far each host is: stages done and state.
places() {
    local host
    for host in "${hosts[@]}"; do
        record "$host" "'$host %s %d' % (r['state'], r['stages_done'])"
    done
}

# Who was in flight is through, with that release; who was not is as before, and is
# one host at least.
through_or_untouched() { # RELEASE RELEASE-BEFORE
    local host untouched=0 stages
    for host in "${hosts[@]}"; do
        stages=$(record "$host" "r['stages_done']")
        if [ "$stages" = 2 ]; then
            look_cni "$host" "$1"
        else
            same "stages of $host" 1 "$stages"
            look_cni "$host" "$2"
            untouched=$((untouched + 1))
        fi
        look_slave "$host"
    done
    [ "$untouched" -gt 0 ] || fail "the order stopped nobody"
    [ "$untouched" -lt 3 ] || fail "nobody was in flight, or who was did not finish"
}

# leave_given: a host holds the lease restart and has leave for its restart.
leave_given() {
    local holder token
    holder=$(host_named "$(holder_of restart)")
    token=$(status "next(h['token'] for l in d['leases'] if l['name'] == 'restart' for h in l['held'])")
    on "$holder" journalctl -q --no-pager -o cat -u clowder-agentd.service |
        grep -F "leave=granted token=$token"
}

a_pause_lets_the_host_in_flight_finish_and_starts_no_other() {
    local host before options
    other_release v1.11.6
    install_begin --set waves.canary=0 "${options[@]}"
    wait_for 60 "a host restarts" leave_given
    clowder pause --reason "a look at them"
    wait_for 60 "the host in flight is through" nobody_holds

    same "phase" "pause a look at them" "$(status "d['phase'] + ' ' + d['reason']")"
    through_or_untouched v1.11.6 "$TESTBED_CNI_RELEASE"
    before=$(places)
    sleep 4
    same "places of the hosts, 4 s later" "$before" "$(places)"
    through_or_untouched v1.11.6 "$TESTBED_CNI_RELEASE"

    clowder resume
    clowder watch --stop-when-paused >"$story_dir/watch"
    for host in "${hosts[@]}"; do look_cni "$host" v1.11.6; done
    check_holds "$(status "d['rollout']")" --complete
    has "the events" "$(clowder events)" "a look at them"
}

an_abort_ends_with_every_permit_free() {
    local host options
    other_release v1.10.0
    install_begin --set waves.canary=0 "${options[@]}"
    wait_for 60 "a host restarts" leave_given
    clowder abort --yes --reason "enough"
    wait_for 60 "the rollout is closed" status_says_aborted

    fails_with 1 clowder watch
    through_or_untouched v1.10.0 v1.11.6
    check_holds "$(status "d['rollout']")"
    # The way is free for the next one.
    install --set waves.canary=0 >"$story_dir/watch"
    for host in "${hosts[@]}"; do look_installed "$host"; done
}
