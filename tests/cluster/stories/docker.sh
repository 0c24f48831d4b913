# shellcheck shell=bash
# docker.sh - a host whose Docker is not as it should be before anything begins.
#
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2154,SC2034 # variables shared with run
hosts_needed=2
stories=(
    a_daemon_json_that_is_not_json_is_named_and_left_as_it_is
    docker_that_does_not_run_is_named_before_a_rollout_and_in_it
)
long_stories=()

# The rollout under way fails on the first host, in docker-cluster-store.
fails_on_first() { # WANTED-TEXTS...
    fails_with 1 clowder watch --stop-when-paused
    same "phase" pause "$(status "d['phase']")"
    same "host and step that failed" "$(ip_of "${hosts[0]}") docker-cluster-store" \
        "$(status "d['failures'][0]['host'] + ' ' + d['failures'][0]['step']")"
    has "its error" "$(status "d['failures'][0]['error']")" "$@"
    has "the screen" "$(clowder status)" "$1"
    not_begun_to_restart "${hosts[1]}"
    same "temporary files" "" "$(temporary_files_of "${hosts[0]}")"
}

not_begun_to_restart() { # HOST
    same "$1 has begun no restart" True \
        "$(record "$1" "r['state'] in ('idle', 'waiting') and r['stages_done'] <= 1")"
}

a_daemon_json_that_is_not_json_is_named_and_left_as_it_is() {
    local host=${hosts[0]} before
    before=$(on "$host" sh -c 'cp -p /etc/docker/daemon.json /root/daemon.json &&
        printf "{ \"labels\": [\"rack=r7\", }\n" >/etc/docker/daemon.json &&
        chmod 600 /etc/docker/daemon.json && stat -c "%a %U:%G" /etc/docker/daemon.json &&
        sha256sum /etc/docker/daemon.json')
    install_begin
    fails_on_first /etc/docker/daemon.json line
    check_holds "$(status "d['rollout']")"
    abort_and_close
    same "daemon.json" "$before" "$(on "$host" sh -c \
        'stat -c "%a %U:%G" /etc/docker/daemon.json && sha256sum /etc/docker/daemon.json')"
    same "restarts" "0 0 0" "$(python3 "$here/restarts.py" count "$story_dir"/units-*.json)"
    # The next plan leaves the host out, and says why.
    wait_for 30 "the plan leaves $host out" plan_says unfit
    has "the plan" "$(clowder plan)" "$(ip_of "$host")" unfit "repair it by hand"
    on "$host" cp -p /root/daemon.json /etc/docker/daemon.json
    restart_agentd "$host"
    wait_for 30 "the plan has $host again" plan_has 2
}

plan_says() { # TEXT
    clowder plan | grep -F -- "$1"
}

plan_has() { # COUNT
    [ "$(clowder plan --output json | json "d['members']")" = "$1" ]
}

docker_that_does_not_run_is_named_before_a_rollout_and_in_it() {
    local host=${hosts[0]}
    # It stops before its turn to restart comes.
    install_begin
    clowder pause --reason "Docker is stopped now"
    wait_for 60 "the host in flight is through" nobody_holds
    on "$host" systemctl stop docker.socket docker.service
    files_of "$host" | grep daemon.json >"$story_dir/files"
    clowder resume
    fails_on_first docker
    check_history "$(status "d['rollout']")" # it was stopped by hand: no act of Clowder's
    abort_and_close
    same "daemon.json" "$(cat "$story_dir/files")" "$(files_of "$host" | grep daemon.json)"

    # The next plan leaves the host out, and says why.
    restart_agentd "$host"
    wait_for 30 "the plan leaves $host out" plan_says unfit
    has "the plan" "$(clowder plan)" "$(ip_of "$host")" "Docker is not running"

    # Mended, it goes through.
    on "$host" systemctl start docker.socket docker.service
    on "$host" systemctl restart dcos-mesos-slave.service
    restart_agentd "$host"
    wait_for 30 "the plan has $host again" plan_has 2
    install >"$story_dir/watch-2" 2>&1
    for host in "${hosts[@]}"; do look_installed "$host"; done
}
