# shellcheck shell=bash
# install.sh - a whole install on three hosts, and what is true after it.
#
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2154,SC2034 # variables shared with run
hosts_needed=3
stories=(
    a_plan_changes_nothing
    a_whole_install_proves_every_host
    no_two_hosts_restarted_at_the_same_time
    the_checker_is_content_with_zookeepers_own_log
    zookeepers_client_reads_like_the_status_screen
    a_rerun_restarts_nothing_and_finds_everything_already_right
    an_idle_agentd_is_small_and_quiet
)
long_stories=()

a_plan_changes_nothing() {
    local said host
    history_write "$story_dir/before.jsonl"
    spec_write "$story_dir/spec.json"
    said=$(clowder plan --spec "$story_dir/spec.json" --max-restarts 1 --output json)
    same "hosts in the plan" 3 "$(json "d['members']" <<<"$said")"
    same "restarts in the plan" "3 3 1" "$(json \
        "'%d %d %d' % tuple(d['restarts'][k] for k in ('docker', 'agent', 'at_a_time'))" <<<"$said")"
    for host in "${hosts[@]}"; do has "the plan" "$said" "\"$(ip_of "$host")\""; done
    history_write "$story_dir/after.jsonl"
    if grep -F /rollouts/ "$story_dir/after.jsonl"; then fail "the plan wrote a rollout"; fi
    for host in "${hosts[@]}"; do
        if on "$host" test -e "$cni_config"; then fail "the plan wrote $cni_config"; fi
    done
}

a_whole_install_proves_every_host() {
    local host said pid id start
    declare -A docker slave start_time
    for host in "${hosts[@]}"; do
        docker[$host]=$(main_pid "$host" docker.service)
        slave[$host]=$(slave_state "$host" id)
        start_time[$host]=$(slave_state "$host" start_time)
    done

    install >"$story_dir/watch"

    has "the last line of watch" "$(tail -n 1 "$story_dir/watch")" "3 of 3 done, 0 failed"
    same "hosts done" 3 "$(status "d['hosts']['done']")"
    for host in "${hosts[@]}"; do
        look_installed "$host"
        pid=$(main_pid "$host" docker.service)
        differs "Docker's process on $host" "${docker[$host]}" "$pid"
        id=$(slave_state "$host" id)
        same "the Mesos agent's id on $host" "${slave[$host]}" "$id"
        start=$(slave_state "$host" start_time)
        differs "the Mesos agent's start on $host" "${start_time[$host]}" "$start"
        same "state of $host" "done proved" "$(record "$host" \
            "r['state'] + ' ' + ' '.join(sorted({s['state'] for s in r['steps'].values()}))")"
    done
    status "d['rollout']" >"$work/first-rollout"
}

# By systemd's journals alone.
no_two_hosts_restarted_at_the_same_time() {
    journals_write "$story_dir"
    same "restarts of Docker, of Mesos agents, and hosts down at once" "3 3 1" \
        "$(python3 "$here/restarts.py" count "$story_dir"/units-*.json)"
}

the_checker_is_content_with_zookeepers_own_log() {
    local rollout said
    rollout=$(cat "$work/first-rollout")
    said=$(check_holds "$rollout" --complete)
    has "the checker" "$said" "acts=6 hosts=3 ended=3"
    # It would have seen a restart that no permit covered.
    sed '1s/"host": "[^"]*"/"host": "172.30.255.9"/' "$story_dir/acts.jsonl" \
        >"$story_dir/planted.jsonl"
    fails_with 1 "$checker" --root "$root" --rollout "$rollout" \
        "$story_dir/history.jsonl" "$story_dir/planted.jsonl"
    has "the checker on a planted restart" "$said" I9
}

zk_get() { # PATH: the document, read by ZooKeeper's own client
    testbed zk-cli get "$1" | grep '^{' | tail -n 1
}

zookeepers_client_reads_like_the_status_screen() {
    local rollout host gate record
    rollout=$(status "d['rollout']")
    gate=$(zk_get "$root/rollouts/$rollout/gate")
    same "phase" "$(status "d['phase']")" "$(json "d['phase']" <<<"$gate")"
    same "limits" "$(status "{l['name']: l['limit'] for l in d['leases']}")" \
        "$(json "dict(sorted(d['limits'].items()))" <<<"$gate")"
    same "failures" "$(status "d['hosts']['failed']")" "$(json "d['failed']" <<<"$gate")"
    host=${hosts[0]}
    record=$(zk_get "$root/rollouts/$rollout/hosts/$(ip_of "$host")")
    same "record of $host" "$(record "$host" "r")" "$(json "d" <<<"$record")"
    has "the screen on $host" "$(clowder hosts "$(ip_of "$host")")" \
        "$(json "d['state']" <<<"$record")" \
        "$(json "d['steps']['etcd-proxy']['says']" <<<"$record")"
}

a_rerun_restarts_nothing_and_finds_everything_already_right() {
    local host
    for host in "${hosts[@]}"; do lives_of "$host" >"$story_dir/lives-$host"; done
    for host in "${hosts[@]}"; do files_of "$host" >"$story_dir/files-$host"; done
    install >"$story_dir/watch"
    for host in "${hosts[@]}"; do
        same "processes and containers of $host" "$(cat "$story_dir/lives-$host")" \
            "$(lives_of "$host")"
        same "files of $host" "$(cat "$story_dir/files-$host")" "$(files_of "$host")"
        same "steps of $host" already "$(record "$host" \
            "' '.join(sorted({s['state'] for s in r['steps'].values()}))")"
    done
    has "the checker" "$(check_holds "$(status "d['rollout']")" --complete)" "acts=0"
}

agentd_measure() { # HOST: kilobytes, threads, times it gave the processor up
    # shellcheck disable=SC2016 # expands in the host
    on "$1" sh -c 'sed -n "s/^\(VmRSS\|Threads\|voluntary_ctxt_switches\):[^0-9]*\([0-9]*\).*/\2/p" \
        "/proc/$(systemctl show -p MainPID --value clowder-agentd.service)/status"' |
        paste -sd' '
}

an_idle_agentd_is_small_and_quiet() {
    local host rss threads before after
    # Past what the rollout's end leaves to do.
    sleep 3
    for host in "${hosts[@]}"; do agentd_measure "$host" >"$story_dir/$host"; done
    sleep 20
    for host in "${hosts[@]}"; do
        read -r _ _ before <"$story_dir/$host"
        read -r rss threads after <<<"$(agentd_measure "$host")"
        echo "$host: RSS $rss kB, $threads thread, $((after - before)) wake-ups in 20 s"
        [ "$rss" -lt 8192 ] || fail "agentd on $host uses $rss kB"
        same "threads of agentd on $host" 1 "$threads"
        [ $((after - before)) -lt 40 ] ||
            fail "agentd on $host wakes $((after - before)) times in 20 s"
    done
}
