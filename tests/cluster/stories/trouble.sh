# shellcheck shell=bash
# trouble.sh - a host in the middle of its visit: it reboots, agentd is replaced, the
# clock jumps, the journal goes.
#
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2154,SC2034 # variables shared with run
# The first story installs on fresh hosts, the others another release on these.
# The second pass of a transaction is that of stage restart; so none holds up the others
# at the barrier before it.
hosts_needed=3
stories=(
    a_host_that_reboots_in_mid_visit_ends_proved
    a_journal_that_is_cut_short_is_never_guessed_at
)
long_stories=(
    an_upgrade_of_agentd_in_mid_visit_changes_nothing_else
    a_clock_that_jumps_in_mid_visit_neither_hastens_nor_delays_it
    a_journal_that_is_wiped_in_mid_visit_is_observed_anew
    a_host_that_is_shut_down_in_its_restart_goes_on_afterwards
)

boot_id() { # HOST
    on "$1" cat /proc/sys/kernel/random/boot_id
}

a_host_that_reboots_in_mid_visit_ends_proved() {
    local host before
    orders=("restart:noted" "restart:acting" "release:send 2")
    stops_begin
    same "boot in the journal" "$(boot_id "${hosts[0]}")" \
        "$(on "${hosts[0]}" cat /var/lib/clowder/journal.json | json "d['boot_id']")"
    for host in "${hosts[@]}"; do
        before=$(boot_id "$host")
        testbed kill-host "$host"
        testbed start-host "$host"
        differs "the boot of $host" "$before" "$(boot_id "$host")"
    done
    stops_end
}

program_of() { # HOST: the digest of the agentd that runs
    # shellcheck disable=SC2016 # expands in the host
    on "$1" sh -c 'sha256sum <"/proc/$(systemctl show -p MainPID --value \
        clowder-agentd.service)/exe"'
}

an_upgrade_of_agentd_in_mid_visit_changes_nothing_else() {
    local host before options
    other_release v1.11.6
    orders=("restart:noted" "take:sent 2" "release:sent 2")
    stops_begin "${options[@]}"
    before=$(program_of "${hosts[0]}")
    agentd_put "$build" "${hosts[@]}"
    for host in "${hosts[@]}"; do differs "agentd of $host" "$before" "$(program_of "$host")"; done
    stops_end v1.11.6
    for host in "${hosts[@]}"; do
        same "restarts of the Mesos agent on $host" 1 "$(slave_restarts_of_rollout "$host")"
    done
}

# slave_restarts_of_rollout HOST: since the rollout began, by what the checker was told.
slave_restarts_of_rollout() {
    grep -c "\"begin\", \"host\": \"$(ip_of "$1")\".*\"step\": \"cni\"" "$story_dir/acts.jsonl"
}

a_clock_that_jumps_in_mid_visit_neither_hastens_nor_delays_it() {
    local host options
    other_release v1.10.0
    orders=("restart:noted" "take:replied 2" "release:send 2")
    for host in "${hosts[@]}"; do clock_give "$host"; done
    stops_begin "${options[@]}"
    clock_jumps "${hosts[0]}" -2d
    clock_jumps "${hosts[1]}" +400d
    clock_jumps "${hosts[2]}" +3h
    goes_on "${hosts[@]}"
    stops_end v1.10.0
    # It did jump: the record tells the host's own time.
    same "days by which the record of ${hosts[1]} is ahead" 400 "$(record "${hosts[1]}" \
        "round((r['since_ms'] / 1000 - __import__('time').time()) / 86400)")"
    for host in "${hosts[@]}"; do clock_take "$host"; done
    hosts_register "${hosts[@]}"
}

a_journal_that_is_wiped_in_mid_visit_is_observed_anew() {
    local host options
    other_release v1.8.3
    orders=("restart:noted" "restart:acted" "release:send 2")
    stops_begin "${options[@]}"
    for host in "${hosts[@]}"; do
        agentd_dies "$host"
        on "$host" sh -c 'rm -r /var/lib/clowder/* && systemctl start clowder-agentd.service'
    done
    stops_end v1.8.3
}

slave_is_starting() { # HOST
    on "$1" systemctl show -p ActiveState dcos-mesos-slave.service | grep -x ActiveState=activating
}

# systemd cancels the restart that agentd waits for, before or after it ends agentd: that
# is no failure of the step.
a_host_that_is_shut_down_in_its_restart_goes_on_afterwards() {
    local host holder options
    other_release v1.5.5
    for host in "${hosts[@]}"; do # until its next boot
        # shellcheck disable=SC2016 # expands in the host
        on "$host" sh -c 'dir=/run/systemd/system/dcos-mesos-slave.service.d
            mkdir -p $dir && printf "[Service]\nExecStartPre=/bin/sleep 10\n" >$dir/slow.conf &&
            systemctl daemon-reload'
    done
    install_begin --set waves.canary=0 "${options[@]}"
    wait_for 60 "a host holds the lease restart" holder_of restart
    holder=$(host_named "$(holder_of restart)")
    wait_for 60 "$holder restarts its Mesos agent" slave_is_starting "$holder"
    testbed shutdown-host "$holder"
    testbed start-host "$holder"
    stops_end v1.5.5
}

a_journal_that_is_cut_short_is_never_guessed_at() {
    local host=${hosts[0]} options before
    other_release v1.5.5
    orders=("restart:noted" "" "")
    stops_begin "${options[@]}"
    agentd_dies "$host"
    before=$(slave_state "$host" start_time)
    journal_cut "$host"
    on "$host" systemctl start clowder-agentd.service
    wait_for 60 "the rollout is paused" phase_is pause
    clowder status
    same "state of $host" "failed False" "$(record "$host" "'%s %s' % (r['state'], r['healthy'])")"
    has "its error" "$(record "$host" "r['error']")" /var/lib/clowder/journal.json "clowder-agentd --set-journal-aside"
    same "the Mesos agent's start" "$before" "$(slave_state "$host" start_time)"

    has "what agentd says" "$(on "$host" clowder-agentd --set-journal-aside)" "set aside"
    on "$host" sh -c 'cat /var/lib/clowder/journal.json.bad-*' >"$story_dir/journal.json"
    restart_agentd "$host"
    hosts_register "$host"
    clowder retry "$(ip_of "$host")" --reason "looked at; its journal is away"
    clowder resume
    stops_end v1.5.5
}
