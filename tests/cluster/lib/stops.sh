# shellcheck shell=bash
# stops.sh - agentd stopped at named points of a visit (shared/base/failpoint.h), while
# the world around it changes.
#
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2154,SC2034 # variables shared with run

# stops_begin: a rollout over hosts, in which agentd of hosts[i] comes to orders[i] ("" for
# none) and stands there; returns when all of them do. The options are the rollout's.
stops_begin() { # OPTION...
    local i
    for i in "${!hosts[@]}"; do kills_arm "${hosts[i]}" "${orders[i]:+${orders[i]} stop}"; done
    hosts_register "${hosts[@]}"
    spec_write "$story_dir/spec.json"
    clowder install --spec "$story_dir/spec.json" --set waves.canary=0 --max-restarts 100% \
        --yes "$@"
    for i in "${!hosts[@]}"; do
        [ -z "${orders[i]}" ] ||
            wait_for 90 "${hosts[i]} stands at ${orders[i]}" stands_still "${hosts[i]}"
    done
}

stands_still() { # HOST
    # shellcheck disable=SC2016 # expands in the host
    on "$1" sh -c 'grep "^State:.T" \
        "/proc/$(systemctl show -p MainPID --value clowder-agentd.service)/status"'
}

goes_on() { # HOST...
    local host
    for host; do on "$host" systemctl kill -s CONT clowder-agentd.service; done
}

# agentd_dies HOST: where it stands; it does not come again by itself.
agentd_dies() {
    on "$1" sh -c 'systemctl kill -s KILL clowder-agentd.service &&
        systemctl stop clowder-agentd.service'
}

# hosts_end [RELEASE]: the rollout ends, every host is proved.
hosts_end() {
    local host
    wait_for 180 "the rollout is over" rollout_over
    clowder status
    for host in "${hosts[@]}"; do
        same "state of $host" "done" "$(record "$host" "r['state']")"
        if [ -n "${1:-}" ]; then look_cni "$host" "$1"; else look_installed "$host"; fi
        look_slave "$host"
        same "temporary files on $host" "" "$(temporary_files_of "$host")"
    done
}

# stops_end [RELEASE]: the same, and the checker is content.
stops_end() {
    hosts_end "$@"
    check_holds "$(status "d['rollout']")" --complete
}
