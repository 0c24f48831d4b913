# shellcheck shell=bash
# faults.sh - the kinds of faults: how one is drawn, begins, is mended, is counted.
#
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2154,SC2034 # variables shared with faults

# Kinds, and how often each is in the deck. A run is a hand of it: as many seeds in a
# row as the deck has hands go through every kind.
fault_kinds=(
    # agentd and its host
    kill-agentd:4 restart-agentd:2 crash-host:3 lose-host:1 pause-host:2
    kill-docker:2 clock-back:1 clock-ahead:1 full-disk:2
    # its way to ZooKeeper, and ZooKeeper
    cut:2 cut-reject:2 cut-lossy:2 zk-leader:2 zk-freeze:2 zk-all:1
    # the rest of the cluster, and who operates it
    etcd:1 artifacts:1 names:1 operator-pause:2
    # what the steps prove: the Mesos agent, Calico's binaries and containers
    mesos-slave-unready:1 mesos-slave-hang:1 mesos-slave-flap:1 mesos-slave-wrong:1
    mesos-slave-exit:1 mesos-slave-slow:1
    cni-wrong:1 cni-exit:1 cni-hang:1
    calico-node-unready:1 calico-node-flap:1 calico-node-exit:1 calico-node-hang:1
    calico-node-wrong:1
    calico-libnetwork-unready:1 calico-libnetwork-flap:1 calico-libnetwork-exit:1
    calico-libnetwork-hang:1 calico-libnetwork-wrong:1
)

# faults_draw SEED COUNT HOSTS: a line "options RESTARTS CANARY", then lines "AFTER_MS
# KIND LASTS_MS WHO" in the order of their beginnings.
faults_draw() {
    python3 - "$@" "${fault_kinds[@]}" <<'PYTHON'
import random, sys
seed, count, hosts = (int(word) for word in sys.argv[1:4])
deck = [kind for kind, n in (word.split(":") for word in sys.argv[4:]) for _ in range(int(n))]
hands = -(-len(deck) // count)
random.Random("deck %d of %d" % (seed // hands, count)).shuffle(deck)
hand = deck[seed % hands * count:][:count]
draw = random.Random(seed)
hand += draw.choices([kind for kind in deck if kind != "lose-host"], k=count - len(hand))
draw.shuffle(hand)
print("options", draw.randrange(1, 3), draw.randrange(0, 2))
at = 0
for kind in hand:
    at += draw.randrange(200, 5000)
    lasts = draw.randrange(300, 9000) * (3 if kind in ("zk-all", "pause-host") else 1)
    print(at, kind, lasts, "agent-%d" % draw.randrange(1, hosts + 1))
PYTHON
}

# fault_begin KIND WHO; fault_end KIND WHO: both may come while another one is under way
# on the same host, so neither failing is a failure of the run.
fault_begin() {
    local leader
    case $1 in
    kill-agentd) on "$2" systemctl kill -s KILL clowder-agentd.service ;;
    restart-agentd) on "$2" systemctl restart --no-block clowder-agentd.service ;;
    crash-host) testbed kill-host "$2" ;;
    lose-host)
        echo "$2" >>"$story_dir/lost"
        testbed kill-host "$2"
        ;;
    # An engine cannot freeze processes that are being made at that very moment.
    pause-host) testbed pause-host "$2" || testbed pause-host "$2" ;;
    kill-docker) on "$2" systemctl kill -s KILL docker.service ;;
    clock-back) clock_jumps "$2" -3h ;;
    clock-ahead) clock_jumps "$2" +40d ;;
    full-disk) on "$2" mountpoint -q "${small_disks[1]}" && disks_each disk_fill "$2" ;;
    cut) testbed cut "$2" ;;
    cut-*) testbed cut "$2" "--${1#cut-}" ;;
    zk-leader) leader=$(testbed zk-leader) && testbed zk-kill "$leader" ;;
    zk-freeze) testbed zk-pause $((${2#agent-} % 3 + 1)) ;;
    zk-all) testbed zk-kill ;;
    etcd | artifacts | names) testbed "$1-stop" ;;
    operator-pause) clowder pause --reason "a fault" ;;
    *) testbed knob "$2" "${1%-*}" "mode=${1##*-}" flap_ms=500 delay_ms=2000 ;;
    esac
}

fault_end() {
    case $1 in
    kill-agentd | restart-agentd | lose-host | kill-docker) ;;
    crash-host) is_lost "$2" || testbed start-host "$2" ;;
    pause-host) testbed unpause-host "$2" ;;
    clock-*) clock_jumps "$2" +0 ;;
    full-disk) disks_each disk_free "$2" ;;
    cut*) testbed heal "$2" ;;
    zk-*) testbed zk-start ;;
    etcd | artifacts | names) testbed "$1-start" ;;
    operator-pause) clowder resume ;;
    *) testbed knob "$2" "${1%-*}" ;;
    esac
}

is_lost() { # HOST
    grep -qsx "$1" "$story_dir/lost"
}

# The disks that may fill up; what is on the first is gone when its host crashes, so a
# host that will has the second only.
small_disks=(/var/lib/clowder /var/cache/clowder)

disks_each() { # FUNCTION HOST: of its disks that are small
    local dir
    for dir in "${small_disks[@]}"; do
        ! on "$2" mountpoint -q "$dir" || "$1" "$2" "$dir"
    done
}

# What must be there before: a clock of its own for each host whose clock will jump, and
# small disks where they will be full.
faults_prepare() { # PLAN
    local host
    for host in $(sed -n 's/^[0-9]* clock-[a-z]* [0-9]* //p' "$1" | sort -u); do
        clock_give "$host"
    done
    for host in $(sed -n 's/^[0-9]* full-disk [0-9]* //p' "$1" | sort -u); do
        grep -q "^[0-9]* crash-host [0-9]* $host\$" "$1" ||
            small_disk "$host" "${small_disks[0]}"
        small_disk "$host" "${small_disks[1]}"
    done
}

sleep_ms() {
    sleep "$(($1 / 1000)).$(printf '%03d' $(($1 % 1000)))"
}

fault_say() { # WORD KIND WHO
    printf '%s  %-6s %s %s\n' "$(date +%T.%3N)" "$1" "$2" "$3"
}

# fault_play AFTER_MS KIND LASTS_MS WHO: a fault that could not begin (its host is down,
# nobody leads) is said, and does not count.
fault_play() {
    local word=begins
    sleep_ms "$1"
    fault_begin "$2" "$4" >"$story_dir/fault-$1" 2>&1 || word=misses
    fault_say "$word" "$2" "$4"
    sleep_ms "$3"
    fault_end "$2" "$4" >>"$story_dir/fault-$1" 2>&1 || true
    fault_say ends "$2" "$4"
}

faults_play() { # PLAN
    local after kind lasts who pids=() pid
    while read -r after kind lasts who; do
        [ "$after" != options ] || continue
        fault_play "$after" "$kind" "$lasts" "$who" &
        pids+=($!)
    done <"$1"
    for pid in "${pids[@]}"; do wait "$pid"; done
}

faults_mend() {
    local host standin
    testbed zk-start
    for host in etcd artifacts names; do testbed "$host-start"; done
    for host in "${hosts[@]}"; do
        ! is_lost "$host" || continue
        testbed unpause-host "$host" 2>/dev/null || true
        on "$host" true 2>/dev/null || testbed start-host "$host"
        testbed heal "$host"
        disks_each disk_free "$host"
        on "$host" sh -c '[ ! -e /etc/clowder-clock ] || echo +0 >/etc/clowder-clock'
        for standin in mesos-slave cni calico-node calico-libnetwork; do
            testbed knob "$host" "$standin"
        done
    done
}

# faults_count LOG...: "KIND N, KIND N", of those that began.
faults_count() {
    cat "$@" | awk '$2 == "begins" { n[$3]++ } END { for (k in n) print k, n[k] }' | sort |
        paste -sd, | sed 's/,/, /g'
}
