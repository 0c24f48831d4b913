# shellcheck shell=bash
# drift.sh - a done host changes under Clowder: it is seen, told, and mended where the
# spec lets the host mend it.
#
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2154,SC2034 # variables shared with run
hosts_needed=2
# A host looks at itself every few minutes; two looks that agree are believed.
agentd_keys='"probe_interval": "3s"'
stories=()
long_stories=(
    a_host_that_loses_its_containers_repairs_itself_without_a_restart
    a_drift_that_takes_a_restart_is_told_everywhere_and_only_reported
    with_drift_repair_hosts_restart_for_it_one_at_a_time
    what_drifts_in_a_closed_rollout_is_reported_in_it
)

keeps() {
    phase_is keep
}

drifted_nodes() { # as ZooKeeper's own client sees them
    testbed zk-cli ls "$root/rollouts/$(status "d['rollout']")/drifted" | grep '^\['
}

# drifts_are "HOST STEP[,STEP]"...: in the order of their addresses; as the status, the
# records and ZooKeeper tell them.
drifts_are() {
    local wanted="" nodes="" line
    for line; do
        wanted+="$(ip_of "${line% *}") ${line#* };"
        nodes+=${nodes:+, }$(ip_of "${line% *}")
    done
    same "drifted hosts in the status" "$wanted" "$(status \
        "''.join('%s %s;' % (x['host'], ','.join(sorted(x['steps']))) for x in sorted(d['drifted'], key=lambda x: x['host']))")"
    same "their number" $# "$(status "d['hosts']['drifted']")"
    same "znodes below drifted/" "[$nodes]" "$(drifted_nodes | tr -d '\r')"
}

says_drifted() { # HOST STEP WANTED-TEXT...: every screen that an operator may look at
    local ip
    ip=$(ip_of "$1")
    has "clowder status" "$(clowder status)" drifted "$ip" "$2"
    has "clowder hosts" "$(clowder hosts)" "drifted: $2"
    has "clowder hosts $ip" "$(clowder hosts "$ip")" drifted "$2"
    has "clowder why $ip" "$(screen why "$ip")" \
        "step $2 is not as it was proved any more" "${@:3}"
    same "the inventory of $ip" True \
        "$(clowder hosts "$ip" --output json | json "'$2' in d['inventory']['drift']")"
}

repaired() { # HOST TIMES: it has mended itself so often, and nothing of it has drifted
    same "record of $1" "done none $2" \
        "$(record "$1" "'%s %s %d' % (r['state'], r['drift'], r['repairs'])")"
}

events_say() { # HOST TEXT
    clowder events | grep -F "$(ip_of "$1")" | grep -F -- "$2"
}

# lives_without_containers HOST: what a restart would have changed.
lives_without_containers() {
    lives_of "$1" | grep -v '^calico-'
}

a_host_that_loses_its_containers_repairs_itself_without_a_restart() {
    local host=${hosts[0]} other=${hosts[1]}
    install --set waves.canary=0 --set adopt=true >"$story_dir/watch"
    keeps
    lives_without_containers "$host" >"$story_dir/lives"
    lives_of "$other" >"$story_dir/lives-other"

    on "$host" docker rm -f calico-node calico-libnetwork
    wait_for 30 "$host has mended itself" repaired "$host" 1
    look_installed "$host"
    events_say "$host" "drifted, repairs itself"
    same "processes of $host" "$(cat "$story_dir/lives")" "$(lives_without_containers "$host")"
    same "processes and containers of $other" "$(cat "$story_dir/lives-other")" \
        "$(lives_of "$other")"
    wait_for 20 "nothing is told as drifted" drifts_are
    check_holds "$(status "d['rollout']")" --complete
}

a_drift_that_takes_a_restart_is_told_everywhere_and_only_reported() {
    local first=${hosts[0]} second=${hosts[1]} host
    for host in "${hosts[@]}"; do lives_of "$host" >"$story_dir/lives-$host"; done
    # As an upgrade of DC/OS does, and as a hand that puts its own file back.
    on "$first" rm "$cni_config"
    testbed copy "$tree/tests/testbed/host/etc/docker/daemon.json" \
        "$second:/etc/docker/daemon.json"
    wait_for 30 "both are told" drifts_are "$first cni" "$second docker-cluster-store"
    says_drifted "$first" cni "only reported" "another install mends it"
    says_drifted "$second" docker-cluster-store "only reported"

    # Several looks later it is so still.
    sleep 10
    drifts_are "$first cni" "$second docker-cluster-store"
    for host in "${hosts[@]}"; do
        same "processes and containers of $host" "$(cat "$story_dir/lives-$host")" \
            "$(lives_of "$host")"
    done
    if on "$first" test -e "$cni_config"; then fail "$cni_config came back by itself"; fi

    # Put right by hand, it is right again: the step's own proof is what counts.
    on "$second" sed -i 's|^\(\t"max-concurrent-downloads": 4\)$|\1,\n\t"cluster-store": "etcd://127.0.0.1:2379"|' \
        /etc/docker/daemon.json
    look_docker "$second"
    wait_for 30 "$second is right again" drifts_are "$first cni"
    check_holds "$(status "d['rollout']")" --complete

    # Another install mends the other one; who is right is left alone.
    install --set waves.canary=0 --set adopt=true --set drift=repair \
        --set steps.libnetwork.drift=report >"$story_dir/watch"
    for host in "${hosts[@]}"; do look_installed "$host"; done
    same "processes and containers of $second" "$(cat "$story_dir/lives-$second")" \
        "$(lives_of "$second")"
    drifts_are
}

# The rollout of the story before: drift is repaired, but for libnetwork.
with_drift_repair_hosts_restart_for_it_one_at_a_time() {
    local first=${hosts[0]} second=${hosts[1]} host
    keeps
    on "$first" rm "$cni_config"
    on "$first" docker rm -f calico-libnetwork
    testbed copy "$tree/tests/testbed/host/etc/docker/daemon.json" \
        "$second:/etc/docker/daemon.json"
    for host in "${hosts[@]}"; do
        wait_for 90 "$host has mended itself" repairs_once "$host"
    done
    # What is to be reported stays as it is, though the visit went past it.
    wait_for 30 "libnetwork is told" drifts_are "$first libnetwork"
    says_drifted "$first" libnetwork "only reported"
    if on "$first" docker inspect calico-libnetwork; then fail "libnetwork was mended"; fi
    look_cni "$first"
    look_slave "$first"
    look_docker "$first"
    look_node "$first"
    look_installed "$second"

    check_holds "$(status "d['rollout']")" --complete
    restarts_since_begin >"$story_dir/restarts"
    same "hosts that restarted something, and the most at a time" "2 1" \
        "$(cat "$story_dir/restarts")"
}

repairs_once() { # HOST
    same "record of $1" "done 1" "$(record "$1" "'%s %d' % (r['state'], r['repairs'])")"
}

# Of the acts that check_holds has just written: hosts, and the most at the same time.
restarts_since_begin() {
    python3 - "$story_dir/acts.jsonl" <<'PYTHON'
import json, sys
hosts, now, most = set(), set(), 0
for act in sorted(map(json.loads, open(sys.argv[1])), key=lambda a: a["at_zxid"]):
    if act["act"] == "begin":
        hosts.add(act["host"])
        now.add(act["host"])
    else:
        now.discard(act["host"])
    most = max(most, len(now))
print(len(hosts), most)
PYTHON
}

what_drifts_in_a_closed_rollout_is_reported_in_it() {
    local host=${hosts[1]}
    install --set waves.canary=0 --set adopt=false --set drift=repair >"$story_dir/watch"
    same "phase" "done" "$(status "d['phase']")"
    on "$host" docker rm -f calico-node
    wait_for 30 "$host is told" drifts_are "$host node"
    says_drifted "$host" node "this rollout mends nothing by itself any more"
    sleep 5
    if on "$host" docker inspect calico-node; then fail "it was mended in a closed rollout"; fi
    same "repairs of $host" 0 "$(record "$host" "r['repairs']")"
    install --set waves.canary=0 >"$story_dir/watch-2"
    for host in "${hosts[@]}"; do look_installed "$host"; done
}
