# shellcheck shell=bash
# look.sh - what a host is, seen from outside, without Clowder.
#
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2154 # variables shared with run

cni_config=/opt/mesosphere/etc/dcos/network/cni/calico.cni
cni_plugins=/opt/mesosphere/active/cni

main_pid() { # HOST UNIT
    on "$1" systemctl show -p MainPID --value "$2"
}

started_at() { # HOST CONTAINER
    on "$1" docker inspect -f '{{.Id}} {{.State.StartedAt}}' "$2"
}

slave_state() { # HOST KEY
    on "$1" curl -fsS -m 5 localhost:5051/state | json "d['$2']"
}

# Everything that a restart would change, in one text.
lives_of() { # HOST
    local unit container
    for unit in docker dcos-mesos-slave clowder-etcd-proxy clowder-agentd; do
        printf '%s %s\n' "$unit" "$(main_pid "$1" "$unit.service")"
    done
    for container in calico-libnetwork calico-node; do
        printf '%s %s\n' "$container" "$(started_at "$1" "$container")"
    done
    printf 'slave %s %s\n' "$(slave_state "$1" id)" "$(slave_state "$1" start_time)"
}

# Every file that Clowder may touch, with mode, owner, size and digest; links and
# directories, too. Its own state (journal, backups, cache) is not the host's.
files_of() { # HOST
    # shellcheck disable=SC2016 # expands in the host
    on "$1" sh -c 'cd / && find etc/docker opt/mesosphere/active/cni/ \
        opt/mesosphere/etc/dcos/network/cni etc/systemd/system etc/modules-load.d \
        etc/sysctl.d run/docker/plugins -type f -exec stat -c "%n %a %U:%G %s" {} + \
        -exec sha256sum {} + -o ! -type f -printf "%p %y %m %l\n" 2>/dev/null | sort'
}

temporary_files_of() { # HOST: what a write that was cut short would leave
    on "$1" sh -c 'find /etc/docker /etc/systemd/system /opt/mesosphere/ /etc/modules-load.d \
        /etc/sysctl.d -name "*.tmp*" -o -name ".*clowder*" -o -name "*.clowder*" -o \
        -name "*.new" -o -name "*.part"; ls -A /var/lib/clowder/unpack 2>/dev/null || true'
}

same_bytes() { # HOST FILE TEXT: the text and a newline, to the byte
    on "$1" cat "$2" | cmp - <(printf '%s\n' "$3") ||
        fail "$2 on $1 is not what it should be: $(on "$1" cat "$2")"
}

look_proxy() { # HOST
    local key=story/$1-$RANDOM
    same "the proxy of $1" active "$(on "$1" systemctl is-active clowder-etcd-proxy)"
    has "the proxy of $1" "$(on "$1" curl -fsS -m 5 127.0.0.1:2379/v2/config/local/proxy)" \
        "$TESTBED_ETCD"
    on "$1" curl -fsS -m 5 -o /dev/null -X PUT "127.0.0.1:2379/v2/keys/$key" -d "value=$1"
    has "a write through the proxy of $1" \
        "$(curl -fsS -m 5 "$TESTBED_ETCD/v2/keys/$key")" "\"value\":\"$1\""
}

look_docker() { # HOST
    local wanted
    same "docker info on $1" etcd://127.0.0.1:2379 \
        "$(on "$1" docker info --format '{{.ClusterStore}}' 2>/dev/null)"
    # As somebody else wrote it, and one key more.
    wanted=$(sed 's/^\(\t"max-concurrent-downloads": 4\)$/\1,\n\t"cluster-store": "etcd:\/\/127.0.0.1:2379"/' \
        "$tree/tests/testbed/host/etc/docker/daemon.json")
    same_bytes "$1" /etc/docker/daemon.json "$wanted"
    same "mode of daemon.json on $1" "644 root:root" \
        "$(on "$1" stat -c '%a %U:%G' /etc/docker/daemon.json)"
}

look_cni() { # HOST [RELEASE]
    local name wanted
    for name in calico calico-ipam; do
        same "$name on $1" "$(artifact_sha256 "$name" "${2:-}") 755 root:root" \
            "$(on "$1" sh -c "sha256sum <$cni_plugins/$name | cut -d' ' -f1 | tr '\n' ' '
                stat -c '%a %U:%G' $cni_plugins/$name")"
    done
    wanted="{
    \"name\": \"calico\",
    \"type\": \"calico\",
    \"etcd_endpoints\": \"http://127.0.0.1:2379\",
    \"nodename\": \"$(ip_of "$1")\",
    \"ipam\": {
        \"type\": \"calico-ipam\"
    }
}"
    same_bytes "$1" "$cni_config" "$wanted"
    same "mode of calico.cni on $1" "644 root:root" "$(on "$1" stat -c '%a %U:%G' "$cni_config")"
    has "calico VERSION on $1" \
        "$(on "$1" sh -c "CNI_COMMAND=VERSION $cni_plugins/calico </dev/null")" cniVersion
}

look_slave() { # HOST
    has "the Mesos agent of $1" "$(on "$1" curl -fsS -m 5 localhost:5051/metrics/snapshot)" \
        '"slave/registered":1'
}

look_container() { # HOST NAME IMAGE
    same "container $2 on $1" "true false $3" "$(on "$1" docker inspect -f \
        '{{.State.Running}} {{.State.Restarting}} {{.Config.Image}}' "$2" 2>&1)"
}

look_plugin() { # HOST SOCKET CALL WANTED
    has "$2.sock on $1" "$(on "$1" curl -sS -m 5 --unix-socket \
        "/run/docker/plugins/$2.sock" -X POST "http://plugin/$3")" "$4"
}

look_libnetwork() { # HOST
    look_container "$1" calico-libnetwork calico/libnetwork-plugin:v1.1.3
    look_plugin "$1" calico Plugin.Activate NetworkDriver
    look_plugin "$1" calico NetworkDriver.GetCapabilities '"Scope":"global"'
    look_plugin "$1" calico-ipam Plugin.Activate IpamDriver
}

look_node() { # HOST
    look_container "$1" calico-node quay.io/calico/node:v2.6.11
    has "calico-node's log on $1" "$(on "$1" docker logs calico-node 2>&1)" \
        "Calico node started successfully"
    on "$1" curl -fsS -m 5 -o /dev/null localhost:9099/readiness
    has "Felix's status of $1 in etcd" \
        "$(curl -fsS -m 5 "$TESTBED_ETCD/v2/keys/calico/felix/v1/host/$(ip_of "$1")/status")" up
}

# What this host is once the rollout of spec_write is done.
look_installed() { # HOST
    look_proxy "$1"
    look_docker "$1"
    look_cni "$1"
    look_slave "$1"
    look_libnetwork "$1"
    look_node "$1"
    same "temporary files on $1" "" "$(temporary_files_of "$1")"
}
