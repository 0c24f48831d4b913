#!/bin/bash
# cli.sh - the program `clowder` against a real ZooKeeper and hosts whose steps only take
# time (herd).
#
# SPDX-License-Identifier: Apache-2.0
# usage: cli.sh BUILD_DIR [CASE...]     every case is a function below, named case_*
set -uo pipefail
cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/../.." || exit 1
export LC_ALL=C.UTF-8 TZ=UTC TERM=xterm
unset CLOWDER_ZK CLOWDER_DIGEST_FILE NO_COLOR COLUMNS

build=${1:?usage: cli.sh BUILD_DIR [CASE...]}
shift
clowder=$(readlink -f "$build/coordinator/clowder")
herd=$(readlink -f "$build/tests/cli/herd")
dir=$(mktemp -d)
pids=()
passed=0 failed=0 skipped=0

cleanup() {
    local pid
    for pid in "${pids[@]}"; do
        kill "$pid" 2>/dev/null
    done
    wait 2>/dev/null
    rm -rf "$dir"
}
trap cleanup EXIT

# ---- servers and hosts ----

start_server() {
    mkfifo "$dir/server.in"
    "$build/tests/support/zk-server" <"$dir/server.in" >"$dir/servers" 2>"$dir/server.err" &
    local pid=$!
    server_pid=$pid
    exec 8>"$dir/server.in"
    pids+=("$pid")
    for _ in $(seq 300); do
        [ -s "$dir/servers" ] && return 0
        kill -0 "$pid" 2>/dev/null || break
        sleep 0.1
    done
    wait "$pid"
    local code=$?
    cat "$dir/server.err" "$dir/servers" >&2
    [ "$code" -eq 77 ] && exit 77
    exit 1
}

# herd_start ROOT HOSTS [OPTIONS]: until herd_stop.
herd_start() {
    local root=$1 hosts=$2
    shift 2
    rm -f "$dir/herd.in" "$dir/herd.out"
    mkfifo "$dir/herd.in"
    "$herd" --zk "$servers/$root" --hosts "$hosts" "$@" <"$dir/herd.in" >"$dir/herd.out" \
        2>"$dir/herd.err" &
    herd_pid=$!
    exec 9>"$dir/herd.in"
    pids+=("$herd_pid")
    for _ in $(seq 200); do
        [ -s "$dir/herd.out" ] && return 0
        sleep 0.1
    done
    complain "herd: $(cat "$dir/herd.err")"
}

herd_stop() {
    exec 9>&-
    wait "$herd_pid" 2>/dev/null
}

# ---- saying ----

complaint=""
complain() {
    complaint+="    $*"$'\n'
    return 1
}

# run EXPECTED_CODE ARGUMENTS...: output in $out, errors in $err.
run() {
    local wanted=$1 code
    shift
    timeout 60 "$clowder" --zk "$servers/$root" "$@" >"$dir/out" 2>"$dir/err" </dev/null
    code=$?
    out=$(cat "$dir/out") err=$(cat "$dir/err")
    [ "$code" -eq "$wanted" ] ||
        complain "clowder $*: code $code, not $wanted; out: $out; err: $err"
}

has() { # has TEXT PART...
    local text=$1 part
    shift
    for part in "$@"; do
        [[ $text == *"$part"* ]] || complain "\"$part\" is not in: $text"
    done
}

has_not() {
    [[ $1 != *"$2"* ]] || complain "\"$2\" is in: $1"
}

json() { # json TEXT EXPRESSION of v
    python3 -c 'import json,sys; v=json.loads(sys.argv[1]); print(eval(sys.argv[2]))' "$1" "$2" ||
        complain "no JSON: $1"
}

is() { # is WANTED GOT WHAT
    [ "$1" = "$2" ] || complain "$3: \"$2\", not \"$1\""
}

status() {
    run 0 status --output json
    json "$out" "$1"
}

until_status() { # until_status EXPRESSION: at most 30 s
    for _ in $(seq 150); do
        [ "$(status "$1")" = True ] && return 0
        sleep 0.2
    done
    complain "never: $1; $out; herd: $(cat "$dir/herd.err" 2>/dev/null)"
}

# ---- cases ----

case_an_unreachable_zookeeper_is_code_3_in_time_and_named() {
    local begin=$SECONDS
    "$clowder" --zk 127.0.0.1:1/x --timeout 1s status >"$dir/out" 2>"$dir/err"
    is 3 $? "code"
    [ $((SECONDS - begin)) -le 4 ] || complain "took $((SECONDS - begin)) s"
    has "$(cat "$dir/err")" "127.0.0.1:1" "cannot be reached" "1s"
    "$clowder" --zk no-such-host.invalid/x --timeout 1s --output json status >"$dir/out" 2>"$dir/err"
    is 3 $? "code for a name that does not resolve"
    is 3 "$(json "$(cat "$dir/err")" 'v["exit"]')" "exit in JSON"
}

case_a_bad_address_is_a_usage_error() {
    "$clowder" --zk 'http://x/y' status 2>"$dir/err"
    is 2 $? "code"
    has "$(cat "$dir/err")" "zk://"
}

case_without_a_root_it_says_init() {
    root=nowhere
    run 1 status
    has "$err" "/nowhere" "clowder init"
}

case_help_guesses_what_was_meant() {
    run 2 help instal
    has "$err" "did you mean install"
}

case_init_makes_the_root_once() {
    root=deep/er/clowder
    run 0 init
    has "$out" "made /deep/er/clowder"
    run 0 init
    has "$out" "there already"
    run 0 init --output json
    is False "$(json "$out" 'v["created"]')" "created"
}

case_a_digest_keeps_others_out() {
    root=secret
    printf 'ops:right\n' >"$dir/right"
    printf 'ops:wrong\n' >"$dir/wrong"
    run 0 init --digest-file "$dir/right"
    run 1 status
    has "$err" "/secret" "no --digest-file"
    run 1 status --digest-file "$dir/wrong"
    has "$err" "/secret" "not its owner"
    run 0 status --digest-file "$dir/right"
    run 2 status --digest-file "$dir/missing"
    has "$err" "$dir/missing"
}

case_every_mistake_of_a_spec_at_once_and_before_any_connection() {
    printf '{"foo":1,"steps":{"cni":{"restart":"maybe","attempts":0}},"waves":{"size":"250%%"}}' \
        >"$dir/spec.json"
    "$clowder" --zk 127.0.0.1:1/x --timeout 20s plan --spec "$dir/spec.json" >"$dir/out" 2>"$dir/err"
    is 2 $? "code"
    has "$(cat "$dir/err")" "4 mistakes" "foo: " "steps.cni.restart: " "steps.cni.attempts: " \
        "waves.size: "
    printf '{\n  "name": oops\n}' >"$dir/spec.json"
    "$clowder" --zk 127.0.0.1:1/x plan --spec "$dir/spec.json" 2>"$dir/err"
    is 2 $? "code of bad JSON"
    has "$(cat "$dir/err")" "$dir/spec.json" "line 2"
    "$clowder" --zk 127.0.0.1:1/x plan --set waves.size=lots 2>"$dir/err"
    is 2 $? "code of a bad --set"
    is 1 "$(grep -c "waves.size" "$dir/err")" "times that a single mistake is said"
    "$clowder" --zk 127.0.0.1:1/x plan \
        --set 'windows=[{"start":"03:00","length":"1h","zone":"Mars/X"}]' 2>"$dir/err"
    is 2 $? "code of a time zone that no host knows"
    has "$(cat "$dir/err")" "windows[0].zone" "Mars/X" "Europe/Berlin"
    "$clowder" --zk 127.0.0.1:1/x plan --spec "$dir/none.json" 2>"$dir/err"
    is 2 $? "code of a missing file"
    has "$(cat "$dir/err")" "$dir/none.json"
}

case_install_asks_where_it_cannot_be_answered() {
    root=first
    run 0 init
    run 2 install
    has "$err" "--yes"
    run 1 install --yes
    has "$out" "is clowder-agentd running on them"
    has "$err" "no host has registered" "nothing was written"
    "$clowder" --zk "$servers/first" install --yes >"$dir/out" 2>&1
    has "$(tail -1 "$dir/out")" "nothing was written" # below the plan that shows it
}

case_a_whole_install_in_a_pipe() {
    root=pipe
    run 0 init
    herd_start pipe 5 --step-ms 60
    run 0 plan --output json
    is 5 "$(json "$out" 'v["members"]')" "members"
    run 2 install --yes --hosts host-001,host-999
    has "$err" "host-999" "nothing was written"
    run 1 plan --set min_available=6
    has "$out" "host-005"
    has "$err" "only 5 of 5 hosts are fit"
    run 1 install --yes --set min_available=6
    has "$err" "min_available asks for 6"
    is none "$(status 'v["phase"]')" "phase of what was refused"
    run 0 install --yes --watch --canary 1 --wave-size 100% --max-restarts 2 --reason "the first"
    has "$out" "canary  proxy 1/1" "run 4/4" "finished after"
    has_not "$out" $'\033'
    is True "$(status 'v["phase"] == "keep" and v["hosts"]["done"] == 5')" "status"
    is "[]" "$(status 'v["failures"]')" "failures"
    run 0 events
    has "$out" "install: 5 hosts in" "the first"
    run 0 hosts
    is 6 "$(wc -l <"$dir/out")" "lines of hosts"
    run 0 hosts host-002
    has "$out" "done for" "docker-cluster-store" "proved"
    run 1 hosts host-999
    has "$err" "host-999" "never registered"
    run 0 hosts host-002 --output json
    is 'done' "$(json "$out" 'v["record"]["state"]')" "record"
    run 0 leases
    has "$out" "restart: 0 of 2 permits held"
    run 0 watch # it has ended: says so and ends too
    has "$out" "finished"
    run 0 install --yes --watch --output json # again: nothing to do is done as well
    is keep "$(json "$(tail -1 "$dir/out")" 'v["phase"]')" "last line of JSON"
    run 2 rollback
    has "$err" "--yes"
    has_not "$err" "clowder plan" # which shows an install
    run 2 rollback --yes --hosts host-002,host-999
    has "$err" "host-999" "nothing was written"
    run 0 rollback --yes --watch --hosts host-002
    run 1 rollback --yes
    has "$err" "is no install but a rollback" "name the install" "clowder gc --dry-run"
    herd_stop
}

case_a_second_install_is_refused_and_named() {
    root=second
    run 0 init
    herd_start second 4 --step-ms 1500
    run 0 install --yes --output json
    local id
    id=$(json "$out" 'v["rollout"]')
    run 1 install --yes
    has "$err" "$id" "is in force" "clowder abort"
    is "$id" "$(status 'v["rollout"]')" "rollout in force"
    run 0 pause --reason "lunch break"
    has "$out" "is paused"
    run 0 pause
    has "$out" "already"
    is "lunch break" "$(status 'v["reason"]')" "reason"
    run 2 set-limit restart 3
    has "$err" "--reason"
    run 0 set-limit restart 3 --reason "the night is short"
    is 3 "$(status '[l["limit"] for l in v["leases"] if l["name"] == "restart"][0]')" "limit"
    run 1 set-limit nothing 3 --reason x
    has "$err" "nothing" "clowder leases"
    run 2 set-limit restart zero
    run 1 set-limit restart 2 --each-zone --reason x
    has "$err" "does not limit lease 'restart' per zone"
    run 2 set-limit restart.A 2 --reason x
    has "$err" "restart.A" "is no lease"
    run 2 set-limit restart.rack-1 2 --each-zone --reason x
    run 0 resume
    is run "$(status 'v["phase"]')" "phase"
    run 2 abort
    has "$err" "--reason"
    run 2 abort --reason "  "
    run 2 abort --reason "$(printf '%0300d' 0)"
    has "$err" "--reason is longer than 256 bytes"
    run 0 abort --reason "enough" --output json
    is True "$(json "$out" 'v["changed"]')" "changed"
    until_status 'v["phase"] == "done" and not any(l["held"] for l in v["leases"])'
    run 1 watch
    has "$out" "aborted"
    run 1 resume
    has "$err" "done"
    run 0 events
    has "$out" "pause: lunch break" "set-limit restart 3: the night is short" "resume" "abort: enough"
    herd_stop
}

case_an_abort_that_nobody_works_in_ends_at_once() {
    root=idle
    run 0 init
    herd_start idle 3 --step-ms 100
    run 0 install --yes --set leases.restart=1
    run 0 pause
    until_status 'not any(l["held"] for l in v["leases"])'
    run 0 abort --reason "the end of a test"
    has "$out" "is aborted"
    is 'done' "$(status 'v["phase"]')" "phase"
    herd_stop
}

case_a_failure_pauses_and_the_code_tells() {
    root=failing
    run 0 init
    herd_start failing 4 --step-ms 60 --fail host-002
    run 1 install --yes --watch --stop-when-paused --canary 0 --wave-size 100%
    has "$out" "host-002  failed in docker-cluster-store" "paused by host-002"
    is host-002 "$(status 'v["failures"][0]["host"]')" "failure"
    is 1 "$(status 'v["hosts"]["failed"]')" "failed"
    run 0 status
    has "$out" "paused by the failure of host-002" "clowder resume"
    run 0 events
    has "$out" "host-002 " "failed in docker-cluster-store, the rollout is paused: docker.service"
    run 0 resume
    run 1 watch
    has "$out" "finished with failures"
    is 3 "$(status 'v["hosts"]["done"]')" "done"
    herd_stop
}

case_orders_to_single_hosts() {
    root=orders
    run 0 init
    herd_start orders 4 --step-ms 60 --fail host-002
    run 1 retry host-002
    has "$err" "no rollout is in force"
    run 1 install --yes --watch --stop-when-paused --canary 0 --wave-size 100%
    run 2 retry
    has "$err" "--failed"
    run 2 exclude host-002
    has "$err" "--reason"
    run 2 break host-002 --reason "gone"
    has "$err" "--yes"
    run 2 force-complete host-002 nonsense --reason x
    has "$err" "docker-cluster-store"
    run 1 break host-002 --yes --reason "gone"
    has "$err" "gave its permit back" "clowder retry host-002"
    run 1 retry host-999
    has "$err" "host-999" "no member"
    run 1 promote rest
    has "$err" "rest"
    run 0 retry --failed --output json
    is host-002 "$(json "$out" 'v["host"]')" "who is retried"
    run 0 resume
    run 0 watch
    is 4 "$(status 'v["hosts"]["done"]')" "done"
    run 0 events
    has "$out" "retry host-002"
    herd_stop
}

case_a_failed_host_is_excluded_and_the_rest_is_a_success() {
    root=without
    run 0 init
    herd_start without 4 --step-ms 60 --fail host-002
    run 1 install --yes --watch --stop-when-paused --canary 0 --wave-size 100%
    run 0 exclude host-002 --reason "its disk is broken"
    has "$out" "host-002 is excluded"
    run 0 exclude host-002 --reason "its disk is broken"
    has "$out" "already"
    run 0 retry --failed
    has "$out" "no host has failed"
    is True "$(status 'v["hosts"]["excluded"] == 1 and v["hosts"]["failed"] == 0')" "counts"
    run 0 resume
    run 0 watch
    has "$out" "3 of 4 done, 0 failed, 1 excluded"
    run 0 events
    has "$out" "exclude host-002: its disk is broken"
    herd_stop
}

case_why_follows_the_causes() {
    root=why
    run 0 init
    herd_start why 4 --step-ms 600000
    run 2 why
    run 2 why 'Bad!'
    has "$err" "Bad!"
    run 1 why host-0001
    has "$err" "host-0001" "never registered" "did you mean host-001"
    run 0 why host-001
    has "$out" "no rollout is in force" "clowder plan"
    local step disabled=()
    for step in etcd-proxy cni libnetwork node; do
        disabled+=(--set "steps.$step.enabled=false")
    done
    run 0 install --yes --canary 1 --wave-size 100% --max-restarts 1 --hosts host-001,host-002 \
        --set 'stages=[{"name":"restart","steps":["docker-cluster-store"],"lease":"restart"}]' \
        "${disabled[@]}"
    until_status 'any(h["step"] for l in v["leases"] for h in l["held"])' # for ten minutes
    run 0 why host-002 --output json
    is waits-for-wave "$(json "$out" 'v["kind"]')" "kind"
    is host-001 "$(json "$out" '[c["host"] for c in v["causes"] if c["depth"] == 2][0]')" "missing"
    run 0 why host-001
    has "$out" "host-001 holds permit 0 of lease restart" "stage restart" "clowder watch"
    run 0 why host-004
    has "$out" "was not in the plan" "joins by itself"
    run 0 pause --reason "lunch break"
    run 0 why host-002
    has "$out" "wave canary, where 0 of 1" "paused for" "lunch break" "clowder resume"
    kill -9 "$herd_pid" # their sessions go, the permit stays
    wait "$herd_pid" 2>/dev/null
    for _ in $(seq 100); do
        run 0 why host-001 --output json
        [ "$(json "$out" 'v["causes"][1]["kind"]')" = away ] && break
        sleep 0.2
    done
    run 0 why host-001
    has "$out" "its agentd has no session" "clowder break host-001 --reason TEXT"
    run 0 status
    has "$out" "away: docker-cluster-store"
    herd_stop
}

case_events_of_an_earlier_rollout_are_still_there() {
    local first
    root=earlier
    run 0 init
    herd_start earlier 2 --step-ms 40
    run 0 install --yes --watch --canary 0 --wave-size 100% --reason "the first time"
    first=$(status 'v["rollout"]')
    run 0 install --yes --watch --canary 0 --wave-size 100% --reason "the second time"
    run 0 events
    has "$out" "the second time"
    has_not "$out" "the first time"
    run 0 events "$first"
    has "$out" "the first time"
    has_not "$out" "the second time"
    run 1 events 20200101-000000-0000
    has "$err" "there is no rollout 20200101-000000-0000"
    run 2 events 'A/B'
    has "$err" "A/B"
    herd_stop
}

case_killing_the_cli_changes_nothing() {
    root=killed
    run 0 init
    herd_start killed 3 --step-ms 300
    "$clowder" --zk "$servers/$root" install --yes --watch --canary 0 --wave-size 100% >"$dir/first" 2>&1 &
    local pid=$!
    until_status 'v["phase"] == "run" and v["hosts"]["holding"] > 0'
    kill -9 "$pid"
    wait "$pid" 2>/dev/null
    run 0 watch
    has "$out" "finished"
    herd_stop
}

case_a_watch_outlives_an_outage() {
    root=outage
    run 0 init
    herd_start outage 2 --step-ms 600
    local java
    java=$(pgrep -P "$server_pid" java) || { complain "no server process"; return; }
    timeout 90 "$clowder" --zk "$servers/$root" install --yes --watch --canary 0 --wave-size 100% \
        >"$dir/first" 2>"$dir/first.err" &
    local pid=$!
    until_status 'v["hosts"]["holding"] > 0'
    kill -STOP "$java"
    for _ in $(seq 300); do
        grep -q "no contact with ZooKeeper" "$dir/first.err" && break
        sleep 0.1
    done
    kill -CONT "$java"
    wait "$pid"
    is 0 $? "code"
    is 1 "$(grep -c "no contact with ZooKeeper: .*127.0.0.1" "$dir/first.err")" "times it was said"
    has "$(cat "$dir/first")" "finished"
    herd_stop
}

case_gc_removes_what_is_closed_and_what_is_gone() {
    root=collected
    run 0 init
    run 0 gc --yes
    has "$out" "nothing to remove"
    herd_start collected 3 --step-ms 40
    local first second
    for _ in 1 2 3; do
        run 0 install --yes --canary 0 --wave-size 100% --output json
        first=${second:-} second=$(json "$out" 'v["rollout"]')
        run 0 watch
    done
    run 2 gc
    has "$err" "--yes" "--dry-run"
    run 2 gc --yes --older-than 1s
    has "$err" "--absent"
    run 0 gc --dry-run --keep 1
    has "$out" "keep    $second" "keep    $first" "remove" "dry run"
    is 1 "$(grep -c '^remove' "$dir/out")" "rollouts to go"
    run 0 gc --dry-run --output json --keep 0
    is 2 "$(json "$out" 'sum(r["goes"] for r in v["rollouts"])')" "rollouts to go"
    is 3 "$(json "$out" 'v["rollouts"][0]["hosts"]')" "hosts"
    run 0 gc --yes --absent --older-than 1s # the hosts are connected
    has "$out" "nothing to remove"
    run 0 gc --yes --keep 0
    has "$out" "removed 2 rollouts" "0 inventories"
    run 0 gc --dry-run --output json --keep 0
    is "['current']" "$(json "$out" '[r["is"] for r in v["rollouts"]]')" "what is left"
    is "$second" "$(status 'v["rollout"]')" "rollout in force"
    is 3 "$(status 'v["hosts"]["done"]')" "done"
    # 002 and 003 become members of none
    run 0 install --yes --hosts host-001 --set adopt=false --canary 0 --wave-size 100%
    run 0 watch
    herd_stop
    sleep 1.1 # older than one second
    run 0 gc --yes --keep 0 --absent --older-than 1s --output json
    is "['host-002', 'host-003']" "$(json "$out" 'v["absent_hosts"]')" "absent hosts"
    is 2 "$(json "$out" 'v["removed"]["hosts"]')" "inventories removed"
    run 0 hosts --inventory
    has "$out" "host-001"
    has_not "$out" "host-002"
}

case_a_plan_waits_for_hosts_that_have_just_begun() {
    root=begun
    run 0 init
    herd_start begun 2 --step-ms 40 --probe-ms 2500
    run 0 plan --output json
    is 2 "$(json "$out" 'v["members"]')" "hosts in the plan"
    has "$err" "waiting at most 30 s for 2 hosts" "looking at its host"
    run 0 plan
    is "" "$err" "a plan of hosts that were looked at"
    herd_stop
}

case_gc_asks_on_a_terminal_and_takes_no() {
    command -v tmux >/dev/null || return 77
    root=kept
    run 0 init
    herd_start kept 2 --step-ms 40
    run 0 install --yes --watch --canary 0 --wave-size 100%
    run 0 install --yes --watch --canary 0 --wave-size 100%
    terminal 80 24 "'$clowder' --zk '$servers/kept' gc --keep 0"
    until_screen "Remove 1 rollout and 0 inventories for good? [y/N]"
    tm send-keys -t t n Enter
    until_screen "code=1"
    has "$(screen)" "nothing was removed"
    terminal_end
    terminal 80 24 "'$clowder' --zk '$servers/kept' gc --keep 0"
    until_screen "for good? [y/N]"
    tm send-keys -t t y Enter
    until_screen "code=0"
    has "$(screen)" "removed 1 rollout "
    terminal_end
    herd_stop
}

case_a_full_disk_is_no_success() {
    root=full
    run 0 init
    "$clowder" --zk "$servers/full" status >/dev/full 2>"$dir/err"
    is 1 $? "code"
}

complete_words() { # what bash would offer for these words
    bash -c '. "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _clowder; echo "${COMPREPLY[*]}"' \
        x "$build/coordinator/clowder.bash" "$@"
}

case_the_man_pages_and_the_completion_know_the_tables() {
    local warnings page key
    for page in "$build/coordinator/clowder.8" "$build/agentd/clowder-agentd.8"; do
        command -v man >/dev/null && command -v groff >/dev/null || continue
        warnings=$(LC_ALL=C groff -man -ww -Tutf8 "$page" 2>&1 >/dev/null)
        is "" "$warnings" "groff on $page"
    done
    for key in $("$build/agentd/clowder-agentd" --help | sed -n '/^Settings:/,$s/^  \([a-z_]*\)$/\1/p'); do
        has "$(cat "$build/agentd/clowder-agentd.8")" ".B $key"$'\n'
    done
    is root "$key" "the last setting"
    has "$(cat "$build/coordinator/clowder.8")" ".SS set\\-limit" "\\-\\-max\\-restarts" ".SH EXIT STATUS"
    has "$(complete_words clowder st)" "status"
    has "$(complete_words clowder install --ca)" "--canary"
    has_not "$(complete_words clowder status --)" "--canary"
    has "$(complete_words clowder --output "")" "json"
}

# ---- on a terminal ----

terminals=0
tm() {
    tmux -L "clowder-$$-$terminals" "$@"
}

terminal() { # terminal COLUMNS LINES COMMAND: a new tmux server
    terminals=$((terminals + 1))
    tm -f /dev/null new-session -d -s t -x "$1" -y "$2" "$3; echo code=\$?; cat" ||
        complain "tmux does not start"
}
screen() { # lines that the terminal broke are whole again
    tm capture-pane -p -J -t t
}
until_screen() { # until_screen TEXT: at most 20 s
    for _ in $(seq 100); do
        [[ $(screen) == *"$1"* ]] && return 0
        sleep 0.2
    done
    complain "\"$1\" never came on the screen: $(screen)"
}
terminal_end() {
    tm kill-server 2>/dev/null
}

case_a_break_asks_for_a_reason_and_the_hosts_name() {
    command -v tmux >/dev/null || return 77
    root=broken
    run 0 init
    herd_start broken 2 --step-ms 600000
    run 0 install --yes --canary 0 --wave-size 100%
    until_status 'any(h["host"] == "host-002" for l in v["leases"] for h in l["held"])'
    terminal 80 24 "'$clowder' --zk '$servers/broken' break host-002"
    until_screen "break: for what reason?"
    tm send-keys -t t Enter
    until_screen "code=2"
    has "$(screen)" "--reason"
    terminal_end
    terminal 80 24 "'$clowder' --zk '$servers/broken' break host-002"
    until_screen "break: for what reason?"
    tm send-keys -t t "it burns" Enter
    until_screen "Type the host's name"
    has "$(screen)" "Host host-002 is holding" "Its agentd is alive" "the next host may begin"
    tm send-keys -t t host-001 Enter
    until_screen "code=1"
    has "$(screen)" "nothing was done"
    terminal_end
    is 0 "$(status 'v["hosts"]["excluded"]')" "excluded"
    terminal 80 24 "'$clowder' --zk '$servers/broken' break host-002 --reason 'it burns'"
    until_screen "Type the host's name"
    tm send-keys -t t host-002 Enter
    until_screen "code=0"
    terminal_end
    is 1 "$(status 'v["hosts"]["excluded"]')" "excluded"
    run 0 events
    has "$out" "break host-002 (permit " "of install): it burns"
    run 0 why host-002
    has "$out" "its permit was broken by" "it burns"
    herd_stop
}

case_a_live_screen_on_a_terminal() {
    command -v tmux >/dev/null || return 77
    root=live
    run 0 init
    herd_start live 4 --step-ms 1200
    run 0 install --yes --canary 0 --wave-size 100%
    terminal 80 24 "'$clowder' --zk '$servers/live' watch"
    until_screen "restart"
    until_screen "Ctrl-C leaves"
    until_screen "host-00"
    is 1 "$(screen | grep -c 'Calico ')" "pictures on the screen"
    tm resize-window -t t -x 50 -y 20
    sleep 1
    until_screen "Calico "
    is 1 "$(screen | grep -c 'Calico ')" "pictures after resizing"
    tm send-keys -t t C-c
    until_screen "code=1"
    has "$(screen)" "the rollout goes on"
    is 1 "$(tm display -p -t t '#{cursor_flag}')" "cursor shown"
    terminal_end
    run 0 abort --reason "the end of a test"
    herd_stop
}

case_install_asks_on_a_terminal_and_takes_no() {
    command -v tmux >/dev/null || return 77
    root=asks
    run 0 init
    herd_start asks 3 --step-ms 50
    terminal 80 24 "'$clowder' --zk '$servers/asks' install --watch"
    until_screen "Begin on 3 hosts? [y/N]"
    tm send-keys -t t n Enter
    until_screen "code=1"
    has "$(screen)" "nothing was written"
    is none "$(status 'v["phase"]')" "phase"
    terminal_end
    terminal 80 24 "'$clowder' --zk '$servers/asks' install --watch"
    until_screen "Begin on 3 hosts? [y/N]"
    tm send-keys -t t y Enter
    until_screen "code=0"
    has "$(screen)" "finished after"
    terminal_end
    herd_stop
}

case_colors_on_a_terminal_only_and_never_with_NO_COLOR() {
    command -v script >/dev/null || return 77
    root=pipe # left by a case above, or made here
    run 0 init
    script -qec "'$clowder' --zk '$servers/pipe' status --digest-file /dev/null" /dev/null \
        >"$dir/out" 2>&1 </dev/null
    has "$(cat "$dir/out")" $'\033[31m'
    NO_COLOR=1 script -qec "'$clowder' --zk '$servers/pipe' frobnicate" /dev/null >"$dir/out" 2>&1 </dev/null
    has_not "$(cat "$dir/out")" $'\033['
    script -qec "'$clowder' --zk '$servers/pipe' --no-color frobnicate" /dev/null >"$dir/out" 2>&1 </dev/null
    has_not "$(cat "$dir/out")" $'\033['
    TERM=dumb script -qec "'$clowder' --zk '$servers/pipe' frobnicate" /dev/null >"$dir/out" 2>&1 </dev/null
    has_not "$(cat "$dir/out")" $'\033['
}

# ---- all of them ----

start_server
servers=$(head -1 "$dir/servers")
[ $# -gt 0 ] || mapfile -t cases < <(declare -F | sed -n 's/^declare -f \(case_.*\)$/\1/p')
[ $# -eq 0 ] || cases=("$@")
for name in "${cases[@]}"; do
    complaint="" root=none
    if declare -F "$name" >/dev/null; then
        "$name"
    else
        complain "there is no such case"
    fi
    code=$?
    if [ "$code" -eq 77 ]; then
        skipped=$((skipped + 1))
        echo "skipped  ${name#case_} (needs tmux and script)"
    elif [ -z "$complaint" ]; then
        passed=$((passed + 1))
        echo "ok       ${name#case_}"
    else
        failed=$((failed + 1))
        printf 'FAILED   %s\n%s' "${name#case_}" "$complaint"
    fi
done
tm kill-server 2>/dev/null
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ]
