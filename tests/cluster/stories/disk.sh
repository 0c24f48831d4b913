# shellcheck shell=bash
# disk.sh - a disk that is full under agentd's journal, before the visit and in it.
#
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2154,SC2034 # variables shared with run
# The first story installs on fresh hosts, the others another release on these. What a
# host cannot write down it does not begin; what it has begun and cannot write down the
# end of, it says, and keeps its permit.
hosts_needed=3
stories=()
long_stories=(
    a_disk_that_is_full_before_the_visit_fails_the_host_and_harms_nothing
    a_disk_that_fills_up_while_a_step_is_applied_leaves_nothing_unknown
    a_disk_that_fills_up_around_a_step_leaves_nothing_unknown
    a_disk_that_fills_up_while_a_step_is_put_back_leaves_nothing_unknown
)

state_dir=/var/lib/clowder
cache_dir=/var/cache/clowder
no_space="No space left on device"

# Two disks may be full: that of the journal, and that of downloads.
a_disk_that_is_full_before_the_visit_fails_the_host_and_harms_nothing() {
    local host=${hosts[0]} other
    for other in "${hosts[@]}"; do
        small_disk "$other" "$state_dir"
        small_disk "$other" "$cache_dir"
        on "$other" systemctl start clowder-agentd.service
    done
    hosts_register "${hosts[@]}"
    files_of "$host" >"$story_dir/files"
    disk_fill "$host" "$state_dir"
    restart_agentd "$host" # it starts, and tells of itself, on a full disk
    hosts_register "$host"

    install_begin --set waves.canary=0
    wait_for 60 "the rollout is paused" phase_is pause
    wait_for 60 "nobody is in flight" nobody_holds
    same "state of $host" "failed True" "$(record "$host" "'%s %s' % (r['state'], r['healthy'])")"
    has "its error" "$(record "$host" "r['error']")" "$state_dir" "$no_space"
    has "clowder status" "$(screen status)" "$(ip_of "$host")" "$no_space"
    has "clowder why" "$(screen why "$(ip_of "$host")")" "$no_space"
    same "files of $host" "$(cat "$story_dir/files")" "$(files_of "$host")"
    same "temporary files on $host" "" "$(temporary_files_of "$host")"
    for other in "${hosts[@]:1}"; do
        [ "$(record "$other" "r['stages_done']")" -le 1 ] || fail "$other has restarted"
    done

    # Freed, but where the second host is to keep its downloads.
    disk_free "$host" "$state_dir"
    disk_fill "${hosts[1]}" "$cache_dir"
    clowder retry "$(ip_of "$host")" --reason "there is space again"
    clowder resume
    wait_for 120 "the rollout is paused" phase_is pause
    wait_for 60 "nobody is in flight" nobody_holds
    host=${hosts[1]}
    same "state of $host" "failed True" "$(record "$host" "'%s %s' % (r['state'], r['healthy'])")"
    has "its error" "$(record "$host" "r['error']")" "$cache_dir" "$no_space"
    same "temporary files on $host" "" "$(temporary_files_of "$host")"
    look_slave "$host"
    disk_free "$host" "$cache_dir"
    clowder retry "$(ip_of "$host")" --reason "there is space again"
    clowder resume
    stops_end_restarted
}

# stops_end, for hosts that were put back: the second restart of an attempt is not held
# against them, so the checker has ZooKeeper's log only.
stops_end_restarted() { # [RELEASE]
    local host
    hosts_end "$@"
    for host in "${hosts[@]}"; do
        same "visit under way on $host" "" "$(on "$host" sh -c "ls $state_dir/journal.json 2>/dev/null || true")"
    done
    check_history "$(status "d['rollout']")" --complete
}

# fills_up OPTION...: every host stands at its point (orders), its disk fills up there,
# and it goes on. The last of their failures pauses the rollout.
fills_up() {
    local host
    stops_begin --set max_failed=2 "$@"
    for host in "${hosts[@]}"; do files_of "$host" >"$story_dir/files-$host"; done
    for host in "${hosts[@]}"; do disk_fill "$host" "$state_dir"; done
    goes_on "${hosts[@]}"
    wait_for 90 "the rollout is paused" phase_is pause
    clowder status
    for host in "${hosts[@]}"; do nothing_unknown "$host"; done
    # A new process finds the same, and begins nothing by itself.
    restart_agentd "${hosts[@]}"
    hosts_register "${hosts[@]}"
    sleep 3
    for host in "${hosts[@]}"; do nothing_unknown "$host"; done
}

# Either all is as it was before, and is said to be; or the permit is kept, and the
# journal has what was begun.
nothing_unknown() { # HOST
    local ip healthy held phase
    ip=$(ip_of "$1")
    same "state of $1" failed "$(record "$1" "r['state']")"
    has "the error of $1" "$(record "$1" "r['error']")" "$no_space"
    healthy=$(record "$1" "r['healthy']")
    held=$(status "any(h['host'] == '$ip' for l in d['leases'] for h in l['held'])")
    phase=$(on "$1" sh -c "cat $state_dir/journal.json 2>/dev/null || echo '{\"steps\":{}}'" |
        json "d['steps'].get('cni', {}).get('phase', 'none')")
    echo "$1: healthy $healthy, holds $held, journal of cni: $phase, $(record "$1" "r['error']")"
    look_slave "$1"
    same "temporary files on $1" "" "$(temporary_files_of "$1")"
    case $healthy in
    True)
        same "$1 holds" False "$held"
        ;;
    *)
        same "$1 holds" True "$held"
        differs "the phase of cni in the journal of $1" none "$phase"
        ;;
    esac
}

# There is space again: what an operator does then.
space_again() {
    local host
    for host in "${hosts[@]}"; do disk_free "$host" "$state_dir"; done
    clowder retry --failed --reason "there is space again"
    clowder resume
}

untouched() { # HOST: said to be as before its visit, and is
    same "health of $1" True "$(record "$1" "r['healthy']")"
    same "files of $1" "$(cat "$story_dir/files-$1")" "$(files_of "$1")"
}

a_disk_that_fills_up_while_a_step_is_applied_leaves_nothing_unknown() {
    local options
    other_release v1.11.6
    orders=("apply:cni:decide" "restart:note" "restart:noted")
    fills_up "${options[@]}"
    untouched "${hosts[0]}"
    space_again
    stops_end_restarted v1.11.6
}

a_disk_that_fills_up_around_a_step_leaves_nothing_unknown() {
    local options
    other_release v1.10.0
    orders=("visit:begin 2" "prove:cni:the-agent-is-registered" "journal:end 2")
    fills_up "${options[@]}"
    untouched "${hosts[0]}"
    space_again
    stops_end_restarted v1.10.0
}

a_disk_that_fills_up_while_a_step_is_put_back_leaves_nothing_unknown() {
    local host options
    other_release v1.8.3
    orders=("revert:cni:decide" "revert:cni:put-the-binaries-back"
        "revert:cni:the-agent-is-registered")
    for host in "${hosts[@]}"; do testbed knob "$host" cni mode=wrong; done
    fills_up "${options[@]}" --set steps.cni.prove.timeout=3s
    for host in "${hosts[@]}"; do testbed knob "$host" cni; done
    space_again
    stops_end_restarted v1.8.3
}
