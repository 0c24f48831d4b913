# shellcheck shell=bash
# artifacts.sh - what cannot be had, or is not what it should be, fails before it harms.
#
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2154,SC2034 # variables shared with run
hosts_needed=2
stories=(
    a_url_that_answers_404_pauses_the_rollout_and_leaves_nothing
    a_wrong_sha256_pauses_the_rollout_and_leaves_nothing
)
long_stories=()

# The canary fails in step cni: all is put back, the rollout is paused, nobody follows.
fails_in_cni() { # WANTED-TEXTS... -- OPTIONS...
    local host texts=() code=0 failed
    while [ "$1" != -- ]; do
        texts+=("$1")
        shift
    done
    shift
    for host in "${hosts[@]}"; do files_of "$host" >"$story_dir/files-$host"; done
    install "$@" >"$story_dir/watch" 2>&1 || code=$?
    same "exit code of install --watch --stop-when-paused" 1 "$code"
    same "phase" pause "$(status "d['phase']")"
    has "the reason of the pause" "$(status "d['reason']")" "${texts[@]}"
    has "the screen" "$(clowder status)" "${texts[@]}"
    failed=$(host_named "$(status "d['failures'][0]['host']")")
    same "step that failed" cni "$(status "d['failures'][0]['step']")"
    has "its error" "$(status "d['failures'][0]['error']")" "${texts[@]}"
    same "permits held" True "$(status "all(not l['held'] for l in d['leases'])")"
    for host in "${hosts[@]}"; do
        [ "$host" = "$failed" ] || not_begun "$host"
        # The proxy of the first stage is proved and stays; the rest is as it was.
        same "files of $host" "$(grep -v clowder-etcd-proxy "$story_dir/files-$host")" \
            "$(files_of "$host" | grep -v clowder-etcd-proxy)"
        same "temporary files on $host" "" "$(temporary_files_of "$host")"
        look_slave "$host"
        same "docker info on $host" "" \
            "$(on "$host" docker info --format '{{.ClusterStore}}' 2>/dev/null)"
    done
    # Putting Docker back is a second restart in one attempt: not held against the host.
    check_history "$(status "d['rollout']")"
    abort_and_close
}

a_url_that_answers_404_pauses_the_rollout_and_leaves_nothing() {
    local url=$TESTBED_ARTIFACTS/cni/none/calico
    fails_in_cni "$url" 404 -- --set "steps.cni.calico.url=$url"
}

a_wrong_sha256_pauses_the_rollout_and_leaves_nothing() {
    local wrong=0000000000000000000000000000000000000000000000000000000000000000
    fails_in_cni "$(artifact_sha256 calico | cut -c1-16)" "${wrong:0:16}" -- \
        --set "steps.cni.calico.sha256=$wrong"
}
