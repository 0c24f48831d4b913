# shellcheck shell=bash
# story.sh - what every story can do: command, wait, assert, keep what was left.
#
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2154,SC2034,SC2119,SC2120 # shared with run and stories
# A story runs in a shell of its own with `set -e`: the first thing that fails is its
# failure. Its variables: hosts (names in the testbed), root, zk, story_dir.

STORY_SKIPPED=77

fail() { # WHY
    printf 'failed: %s\n' "$1"
    exit 1
}

skip() { # WHY
    printf 'skipped: %s\n' "$1"
    exit "$STORY_SKIPPED"
}

same() { # WHAT WANTED GOT
    [ "$2" = "$3" ] || fail "$1: wanted \"$2\", got \"$3\""
}

differs() { # WHAT BEFORE AFTER
    [ "$2" != "$3" ] || fail "$1 is still \"$2\""
}

has() { # WHAT TEXT WANTED...
    local what=$1 text=$2 wanted
    shift 2
    for wanted; do
        [[ $text == *"$wanted"* ]] || fail "$what does not say \"$wanted\": $text"
    done
}

fails_with() { # CODE COMMAND...: its output goes into $said
    local wanted=$1 code=0
    shift
    said=$("$@" 2>&1) || code=$?
    same "exit code of \"${*: -3}\" (it said: $said)" "$wanted" "$code"
}

wait_for() { # SECONDS WHAT COMMAND...
    local end=$(($(now_ms) + $1 * 1000)) what=$2 seconds=$1
    shift 2
    until ("$@") >/dev/null 2>&1; do
        [ "$(now_ms)" -lt "$end" ] || {
            ("$@") || true
            fail "not within $seconds s: $what"
        }
        sleep 0.2
    done
}

on() { # HOST COMMAND...
    testbed exec "$@"
}

ip_of() { # HOST
    local variable=TESTBED_IP_${1//-/_}
    printf '%s' "${!variable}"
}

clowder() {
    "$clowder" --zk "$zk" "$@"
}

# A screen without its line breaks, which come anywhere.
screen() { # COMMAND OF CLOWDER...
    clowder "$@" | tr -s ' \n' ' '
}

json() { # EXPRESSION over d, from standard input
    python3 -c 'import json,sys; d=json.load(sys.stdin); print(eval(sys.argv[1]))' "$1"
}

status() { # EXPRESSION over the status
    clowder status --output json | json "$1"
}

record() { # HOST EXPRESSION over its record r
    clowder hosts "$(ip_of "$1")" --output json | json "(lambda r: $2)(d['record'])"
}

# ---- a chain's hosts

# Once per chain: the root, and an agentd below it on each host.
chain_ready() {
    [ ! -e "$work/ready-${root#/}" ] || return 0
    clowder init
    agentd_install "$build" "${hosts[@]}"
    : >"$work/ready-${root#/}"
}

agentd_install() { # BUILD HOST...
    agentd_put "$@"
    shift
    hosts_register "$@"
}

# One install-agentd at a time: they share a file of the testbed.
agentd_put() { # BUILD HOST...
    agentd_config
    flock "$work" "$tree/tests/testbed/testbed" install-agentd \
        --config "$work/agentd-${root#/}.json" "$@"
}

# A chain's own settings are its agentd_keys.
agentd_config() { # [MORE KEYS]
    printf '{"zk": "%s"%s%s}\n' \
        "zk-1.zk:2181,zk-2.zk:2181,zk-3.zk:2181,zk-4.zk:2181,zk-5.zk:2181$root" \
        "${agentd_keys:+, $agentd_keys}" "${1:+, $1}" >"$work/agentd-${root#/}.json"
}

host_lives() { # HOST
    clowder --output json hosts --inventory |
        json "any(h['host'] == '$(ip_of "$1")' and h['live'] for h in d['hosts'])" |
        grep -x True
}

hosts_register() { # HOST...
    local host
    for host; do wait_for 60 "$host is registered" host_lives "$host"; done
}

# So that it looks at its host again, and the plan knows what was changed by hand.
restart_agentd() { # HOST...
    local host
    for host; do on "$host" systemctl restart clowder-agentd.service; done
}

not_begun() { # HOST: it may stand in a queue, and holds nothing
    same "$1 is not begun" "True 0" "$(record "$1" \
        "'%s %d' % (r['state'] in ('idle', 'waiting'), r['stages_done'])")"
}

# ---- a rollout

# spec_write FILE: what the stories install; quick proofs, one try.
spec_write() {
    local url=$TESTBED_ARTIFACTS/cni/$TESTBED_CNI_RELEASE step policy
    policy='"attempts": 1, "backoff": "100ms", "prove": {"passes": 2, "interval": "300ms", "timeout": "30s"}'
    cat >"$1" <<JSON
{
  "v": 1,
  "name": "story",
  "calico": {"version": "2.6.11"},
  "steps": {
    "etcd-proxy": {$policy},
    "docker-cluster-store": {$policy, "restart": "always"},
    "cni": {
      $policy, "restart": "always",
      "calico": {"url": "$url/calico", "sha256": "$(artifact_sha256 calico)"},
      "calico_ipam": {"url": "$url/calico-ipam", "sha256": "$(artifact_sha256 calico-ipam)"}
    },
    "libnetwork": {$policy, "mode": "container", "image": "calico/libnetwork-plugin:v1.1.3"},
    "node": {$policy}
  },
  "waves": {"canary": 1, "size": "100%"},
  "adopt": false
}
JSON
}

artifact_sha256() { # NAME [RELEASE]
    curl -fsS "$TESTBED_ARTIFACTS/cni/${2:-$TESTBED_CNI_RELEASE}/sha256sums" |
        sed -n "s/  $1\$//p"
}

# other_release RELEASE: options by which a rollout installs that one.
other_release() {
    local url=$TESTBED_ARTIFACTS/cni/$1
    options=(--set "steps.cni.calico.url=$url/calico"
        --set "steps.cni.calico.sha256=$(artifact_sha256 calico "$1")"
        --set "steps.cni.calico_ipam.url=$url/calico-ipam"
        --set "steps.cni.calico_ipam.sha256=$(artifact_sha256 calico-ipam "$1")")
}

install() { # OPTION...: begins and watches to the end
    spec_write "$story_dir/spec.json"
    clowder install --spec "$story_dir/spec.json" --max-restarts 1 --yes --watch \
        --stop-when-paused "$@"
}

install_begin() { # OPTION...: begins only
    spec_write "$story_dir/spec.json"
    clowder install --spec "$story_dir/spec.json" --max-restarts 1 --yes "$@"
}

holder_of() { # LEASE: fails when nobody holds it
    status "next(h['host'] for l in d['leases'] if l['name'] == '$1' for h in l['held'])"
}

host_named() { # IP
    local host
    for host in $TESTBED_HOSTS; do
        if [ "$(ip_of "$host")" = "$1" ]; then
            printf '%s' "$host"
            return
        fi
    done
    return 1
}

nobody_holds() {
    [ "$(status "sum(len(l['held']) for l in d['leases'])")" = 0 ]
}

phase_is() { # PHASE
    [ "$(status "d['phase']")" = "$1" ]
}

# abort and see it closed: so that the next story may begin its own.
abort_and_close() {
    clowder abort --yes --reason "the story is over"
    wait_for 30 "the aborted rollout is closed" status_says_aborted
}

status_says_aborted() {
    nobody_holds && [ "$(status "d['ended_ms'] is not None")" = True ]
}

# ---- the checker

history_write() { # FILE: ZooKeeper's own log, as JSON lines
    local leader
    leader=$(testbed zk-leader)
    "$checker" --txnlog "$TESTBED_STATE_DIR/zk-$leader/txn" --root "$root" --dump >"$1"
}

journals_write() { # DIR: systemd's own words on Docker and the Mesos agent, per host
    local host
    for host in "${hosts[@]}"; do
        on "$host" journalctl -q --no-pager -o json _PID=1 UNIT=docker.service + \
            _PID=1 UNIT=dcos-mesos-slave.service >"$1/units-$(ip_of "$host").json" || true
    done
}

# check_holds ROLLOUT [--complete]: the invariants over ZooKeeper's log and the restarts
# that systemd tells of.
check_holds() {
    local rollout=$1
    shift
    history_write "$story_dir/history.jsonl"
    journals_write "$story_dir"
    python3 "$here/restarts.py" acts "$rollout" "$story_dir/history.jsonl" \
        "$story_dir"/units-*.json >"$story_dir/acts.jsonl"
    "$checker" --root "$root" --rollout "$rollout" "$@" "$story_dir/history.jsonl" \
        "$story_dir/acts.jsonl"
}

# check_history ROLLOUT [--complete]: the same, over ZooKeeper's log only.
check_history() {
    local rollout=$1
    shift
    history_write "$story_dir/history.jsonl"
    "$checker" --root "$root" --rollout "$rollout" "$@" "$story_dir/history.jsonl"
}

# ---- what a story leaves

story_keep() {
    local host
    for host in "${hosts[@]}"; do
        on "$host" journalctl -q --no-pager -o short-precise \
            >"$story_dir/journal-$host" 2>&1 || true
    done
    history_write "$story_dir/history.jsonl" 2>"$story_dir/history.err" || true
    python3 "$here/restarts.py" tree "$story_dir/history.jsonl" >"$story_dir/zk-tree" || true
}
