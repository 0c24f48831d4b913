# shellcheck shell=bash
# hosts.sh - the hosts: containers that boot systemd and run their own Docker.
#
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2154,SC2034 # variables shared with testbed
# $state/hosts holds one line per host: NAME IP ROLE.

# What systemd, Docker and Calico's --privileged containers need inside a host, and not
# SYS_RESOURCE, SYS_TIME, SYS_BOOT, SYS_MODULE: the first is missing on some machines,
# the others reach out of the host.
host_capabilities=(SYS_ADMIN NET_ADMIN NET_RAW SYS_PTRACE MKNOD SYS_CHROOT AUDIT_WRITE
    SETFCAP DAC_READ_SEARCH SYSLOG SYS_NICE IPC_LOCK NET_BROADCAST)

host_names() {
    cut -d' ' -f1 "$state/hosts"
}

# host_find WHICH: name, number or address; sets host, host_ip, host_role, container.
host_find() {
    local which=$1 name ip role
    while read -r name ip role; do
        case $which in
        "$name" | "${name#agent-}" | "$ip")
            host=$name host_ip=$ip host_role=$role container=$testbed-$name
            return 0
            ;;
        esac
    done <"$state/hosts"
    die "host \"$which\" is not in testbed \"$testbed\"" \
        "its hosts: $(host_names | tr '\n' ' ')"
}

host_run() { # COMMAND...: in $container
    docker exec "$container" "$@"
}

host_create() { # NAME IP ROLE
    local container=$testbed-$1 arguments=() capability
    for capability in "${host_capabilities[@]}"; do
        arguments+=(--cap-add "$capability")
    done
    docker run --detach --name "$container" --hostname "$1" \
        --label "clowder.testbed=$testbed" --network "$network" --ip "$2" \
        "${arguments[@]}" --device-cgroup-rule 'a *:* rwm' \
        --security-opt seccomp=unconfined --security-opt apparmor=unconfined \
        --security-opt systempaths=unconfined --cgroupns=private \
        --tmpfs /run:rw,nosuid,nodev,mode=755 --tmpfs /tmp:rw,nosuid,nodev,mode=1777 \
        --env container=docker --env "TESTBED_GATEWAY=$(master_ip 1)" \
        --env "TESTBED_ROLE=$3" --volume /var/lib/docker \
        --stop-signal SIGRTMIN+3 "$host_image" /usr/lib/clowder-testbed/init \
        2>&1 >/dev/null | sed '/^WARNING: IPv4 forwarding/d'
    return "${PIPESTATUS[0]}"
}

# host_await: until systemd says "running"; "degraded" names the units.
host_await() { # NAME
    local container=$testbed-$1 said
    # shellcheck disable=SC2016 # expands in the host
    said=$(timeout 90 docker exec "$container" /bin/sh -c '
        until [ -S /run/systemd/private ]; do sleep 0.05; done
        systemctl is-system-running --wait' 2>&1) || true
    [ "$said" != running ] || return 0
    printf 'testbed: %s says "%s" instead of "running"\n' "$1" "$said" >&2
    docker exec "$container" systemctl --no-pager --failed >&2 || true
    docker logs --tail 5 "$container" >&2 || true
    return 1
}

host_load_images() { # NAME ARCHIVE
    docker exec -i "$testbed-$1" docker load -q <"$2" >/dev/null
}

# hosts_in_parallel FUNCTION NAME...: the function once per host, with its name; fails
# when one of them does, naming which. So many at a time that none of them starves.
hosts_in_parallel() {
    local function=$1 name most
    most=$(($(nproc) * 4))
    shift
    : >"$state/failed"
    for name; do
        while [ "$(jobs -pr | wc -l)" -ge "$most" ]; do wait -n || true; done
        { ("$function" "$name") || echo "$name" >>"$state/failed"; } &
    done
    wait
    [ ! -s "$state/failed" ] ||
        die "failed on: $(paste -sd' ' "$state/failed")" "what they said is above"
}

# hosts_plan COUNT PUBLIC MASTERS: appends to $state/hosts; the last ones get the
# other roles.
hosts_plan() {
    local count=$1 public=$2 masters=$3 have i role
    have=$(wc -l <"$state/hosts")
    [ $((have + count)) -le 200 ] || die "$((have + count)) hosts are more than 200"
    for ((i = 1; i <= count; i++)); do
        role=slave
        [ "$i" -le $((count - public - masters)) ] || role=slave_public
        [ "$i" -le $((count - masters)) ] || role=master
        printf 'agent-%d %s.%d %s\n' $((have + i)) "$subnet" $((have + i + 10)) "$role"
    done >>"$state/hosts"
}

host_bring_up() { # NAME
    host_find "$1"
    host_create "$host" "$host_ip" "$host_role" && host_await "$host" &&
        host_load_images "$host" "$(images_build)"
}

hosts_remove() {
    until_true 60 hosts_removed || die "hosts of testbed \"$testbed\" cannot be removed" \
        "see: docker ps -a --filter label=clowder.testbed=$testbed"
}

hosts_removed() { # again, where one was still on its way up
    local ids
    ids=$(docker ps -aq --filter "label=clowder.testbed=$testbed") || return 1
    [ -n "$ids" ] || return 0
    # shellcheck disable=SC2086 # one word per id
    docker rm -f -v $ids
    return 1
}

network_subnet_free() { # "172.30.N"
    ! ip -4 route show | grep "^${1//./\\.}\." >/dev/null &&
        ! grep -qsF "subnet=\"$1\"" "$TESTBED_STATE"/*/config
}

# The machine's engine remembers a testbed whose state went with /run.
network_forget() {
    [ -z "$(docker ps -q --filter "label=clowder.testbed=$testbed")" ] ||
        die "hosts of a testbed \"$testbed\" run, whose state is not in $TESTBED_STATE" \
            "take it down: testbed down"
    hosts_remove
    network_remove
}

network_create() {
    local n id
    network=clowder-$testbed
    network_forget
    for n in $(seq 0 255); do
        subnet=172.30.$n
        network_subnet_free "$subnet" || continue
        id=$(docker network create --driver bridge --subnet "$subnet.0/24" \
            --gateway "$subnet.1" --label "clowder.testbed=$testbed" "$network" \
            2>/dev/null) || continue
        bridge=br-${id:0:12}
        return 0
    done
    die "docker cannot make network \"$network\" in 172.30.0.0/16" \
        "see: docker network ls; an older one of that name may be left"
}

network_remove() {
    local ids
    ids=$(docker network ls -q --filter "label=clowder.testbed=$testbed")
    # shellcheck disable=SC2086 # one word per id
    [ -z "$ids" ] || docker network rm $ids >/dev/null
}

# Cut from ZooKeeper, and from nothing else, inside the host's own network namespace.
# What is under way is dropped silently, as a partition does; --reject answers RST;
# --lossy drops every third packet, either way, by chance.
host_cut() { # [--reject|--lossy]
    local n jump=(-j DROP) drop=(-j DROP)
    case ${1:-} in
    "") ;;
    --reject) jump=(-j REJECT --reject-with tcp-reset) ;;
    --lossy)
        drop=(-m statistic --mode random --probability 0.33 -j DROP)
        jump=("${drop[@]}")
        ;;
    *) usage_die "cut: \"$1\" is not an option" ;;
    esac
    host_heal
    host_run iptables -N CLOWDER-CUT
    for ((n = 1; n <= zk_servers; n++)); do
        host_run iptables -A CLOWDER-CUT -p tcp -d "$(master_ip "$n")" \
            --dport "$zk_port" "${jump[@]}"
        host_run iptables -A CLOWDER-CUT -p tcp -s "$(master_ip "$n")" \
            --sport "$zk_port" "${drop[@]}"
    done
    host_run iptables -I OUTPUT -j CLOWDER-CUT
    host_run iptables -I INPUT -j CLOWDER-CUT
}

host_heal() {
    host_run sh -c 'iptables -n -L CLOWDER-CUT >/dev/null 2>&1 || exit 0
        iptables -D OUTPUT -j CLOWDER-CUT; iptables -D INPUT -j CLOWDER-CUT
        iptables -F CLOWDER-CUT; iptables -X CLOWDER-CUT'
}

# host_knob NAME [key=value...]: where that stand-in looks (tests/standins/knobs.h);
# without a setting the knob file goes.
host_knob() {
    local name=$1 dir
    shift
    case $name in
    mesos-slave | cni) dir=/etc/clowder-standin ;;
    calico-node) dir=/var/run/calico/standin ;;
    calico-libnetwork) dir=/run/docker/plugins/standin ;;
    *) die "stand-in \"$name\" is not one of mesos-slave, cni, calico-node, calico-libnetwork" ;;
    esac
    if [ $# -eq 0 ]; then
        host_run rm -f "$dir/$name.conf"
    else
        printf '%s\n' "$@" | docker exec -i "$container" sh -c \
            "mkdir -p $dir && cat >$dir/.new && mv $dir/.new $dir/$name.conf"
    fi
}
