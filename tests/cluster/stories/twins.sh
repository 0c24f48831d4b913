# shellcheck shell=bash
# twins.sh - two hosts that claim to be one.
#
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2154,SC2034 # variables shared with run
hosts_needed=2
stories=(
    the_second_agentd_of_one_host_id_refuses_and_says_so
)
long_stories=()

inventory_machine() { # HOST-ID
    clowder hosts "$1" --output json | json "d['inventory']['machine_id']"
}

agentd_says() { # HOST TEXT...
    local said
    said=$(on "$1" journalctl -q --no-pager -o cat -u clowder-agentd.service)
    shift
    has "agentd" "$said" "$@"
}

the_second_agentd_of_one_host_id_refuses_and_says_so() {
    local first=${hosts[0]} second=${hosts[1]} id=twin machine said host
    agentd_config '"host": "twin"'
    for host in "$first" "$second"; do
        testbed copy "$work/agentd-${root#/}.json" "$host:/etc/clowder/agentd.json"
        restart_agentd "$host"
        [ "$host" = "$second" ] ||
            wait_for 30 "$host is registered as $id" inventory_machine "$id"
    done
    machine=$(on "$first" cat /etc/machine-id)
    wait_for 30 "the second says so" agentd_says "$second" "$id" "$machine"
    wait_for 30 "its status says so" eval \
        "on $second systemctl show -p StatusText clowder-agentd.service | grep -F $id"
    same "machine id of \"$id\"" "$machine" "$(inventory_machine "$id")"
    # It tells how to mend it, and neither dies nor floods its journal.
    same "the second agentd" active "$(on "$second" systemctl is-active clowder-agentd.service)"
    same "restarts of the second agentd" 0 \
        "$(on "$second" systemctl show -p NRestarts --value clowder-agentd.service)"
    # Mended, it joins under its own name.
    agentd_config
    testbed copy "$work/agentd-${root#/}.json" "$second:/etc/clowder/agentd.json"
    restart_agentd "$second"
    hosts_register "$second"
}
