# shellcheck shell=bash
# kills.sh - agentd killed at named points (shared/base/failpoint.h) of a real visit.
#
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2154,SC2034 # variables shared with run and kill-points
# A batch is one rollout over fresh hosts, each with a point of its own. systemd starts
# agentd again; then the host must be as if nothing had happened.

failpoint_file=/run/clowder/failpoint

# kills_arm HOST ORDER: an agentd with failpoints, started under that order.
kills_arm() {
    testbed copy "$failpoint_build/agentd/clowder-agentd" "$1:/usr/sbin/clowder-agentd"
    # By standard input: a point's name may hold an apostrophe.
    echo "$2" | testbed exec -i "$1" sh -c "mkdir -p ${failpoint_file%/*} &&
        cat >$failpoint_file && systemctl restart --no-block clowder-agentd.service"
}

kills_option_hosts() { # HOST...
    local host list=""
    for host; do list+=${list:+,}$(ip_of "$host"); done
    printf '%s' "$list"
}

# rollout_over: the rollout has ended, or is paused with nobody in flight.
rollout_over() {
    [ "$(status "d['ended_ms'] is not None or (d['phase'] == 'pause' and not any(l['held'] for l in d['leases']))")" = True ]
}

# kills_batch: orders[i] is what hosts[i] is killed at. The options are the rollout's.
kills_batch() { # OPTION...
    local i pids=()
    for i in "${!hosts[@]}"; do
        kills_arm "${hosts[i]}" "${orders[i]}" &
        pids+=($!)
    done
    for i in "${pids[@]}"; do wait "$i"; done
    hosts_register "${hosts[@]}"
    spec_write "$story_dir/spec.json"
    clowder install --spec "$story_dir/spec.json" --set waves.canary=0 --max-restarts 100% \
        --hosts "$(kills_option_hosts "${hosts[@]}")" --yes "$@"
    wait_for 300 "the rollout is over" rollout_over
    clowder status
    clowder status --output json >"$story_dir/status.json"
}

# kills_was_killed HOST: it died at its point, once, and came again.
kills_was_killed() {
    local deaths
    deaths=$(on "$1" journalctl -q --no-pager -o cat -u clowder-agentd.service |
        grep -cF "failpoint killed=" || true)
    same "deaths of agentd on $1" 1 "$deaths"
    same "restarts of agentd on $1" 1 \
        "$(on "$1" systemctl show -p NRestarts --value clowder-agentd.service)"
}

# kills_unreached HOST: its order is still there; it went through without dying.
kills_unreached() {
    on "$1" test -e "$failpoint_file"
}

# kills_restarts DIR HOST: of Docker and of the Mesos agent.
kills_restarts() {
    python3 "$here/restarts.py" count "$1/units-$(ip_of "$2").json" | cut -d' ' -f1,2
}

kills_look_installed() { # HOST
    kills_was_killed "$1"
    same "state of $1" "done" "$(record "$1" "r['state']")"
    same "restarts of Docker and the Mesos agent on $1" "1 1" "$(kills_restarts "$story_dir" "$1")"
    look_installed "$1"
}

# kills_each FUNCTION: of every host and its order; all of them, then fails if one did.
kills_each() {
    local i pids=()
    for i in "${!hosts[@]}"; do
        kills_verdict "$1" "${hosts[i]}" "${orders[i]}" >"$story_dir/verdict-${hosts[i]}" &
        pids+=($!)
    done
    for i in "${pids[@]}"; do wait "$i"; done
    cat "$story_dir"/verdict-* | tee "$story_dir/points"
    rm "$story_dir"/verdict-*
    same "hosts that are not as they should be" 0 "$(grep -c '^NOT' "$story_dir/points" || true)"
}

kills_verdict() { # FUNCTION HOST ORDER
    local code=0
    if kills_unreached "$2"; then
        echo "unreached $3"
        return
    fi
    # In a process of its own: `set -e` counts there.
    ("$1" "$2") >"$story_dir/look-$2" 2>&1 &
    wait $! || code=$?
    if [ "$code" = 0 ]; then
        echo "ok $3"
    else
        echo "NOT $3 on $2: $(tail -n 2 "$story_dir/look-$2" | paste -sd' ')"
    fi
}

# An install under these orders: every host ends proved, restarted once.
kills_install() {
    kills_batch
    kills_check check_holds "$(status "d['rollout']")" --complete
    kills_each kills_look_installed
    kills_check_held
}

# An install that fails in step cni and is put back, under these orders.
kills_fail() {
    local host
    for host in "${hosts[@]}"; do files_of "$host" >"$story_dir/files-$host"; done
    kills_batch --set max_failed=100% \
        --set "steps.cni.calico.url=$TESTBED_ARTIFACTS/cni/none/calico"
    journals_write "$story_dir"
    history_write "$story_dir/history.jsonl"
    kills_check "$checker" --root "$root" --rollout "$(status "d['rollout']")" --complete \
        "$story_dir/history.jsonl"
    kills_each kills_look_failed
    kills_check_held
}

# The hosts are looked at even where the checker is not content.
kills_check() { # COMMAND...
    ("$@") >"$story_dir/check" 2>&1 || echo "not content" >>"$story_dir/check"
    cat "$story_dir/check"
}

kills_check_held() {
    if grep -x "not content" "$story_dir/check" >/dev/null; then
        fail "the checker is not content: $(head -n 1 "$story_dir/check")"
    fi
}

# Docker was restarted for the change, and once more to put it back.
kills_look_failed() { # HOST
    kills_was_killed "$1"
    same "state of $1" "failed cni True" \
        "$(record "$1" "'%s %s %s' % (r['state'], r['step'], r['healthy'])")"
    has "the error of $1" "$(record "$1" "r['error']")" 404
    same "restarts of Docker and the Mesos agent on $1" "2 0" "$(kills_restarts "$story_dir" "$1")"
    same "files of $1" "$(grep -v clowder-etcd-proxy "$story_dir/files-$1")" \
        "$(files_of "$1" | grep -v clowder-etcd-proxy)"
    same "temporary files on $1" "" "$(temporary_files_of "$1")"
    same "docker info on $1" "" "$(on "$1" docker info --format '{{.ClusterStore}}' 2>/dev/null)"
}
