# shellcheck shell=bash
# masters.sh - what a DC/OS cluster's masters offer: ZooKeeper, etcd, names, artifacts.
#
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2154,SC2034 # variables shared with testbed
# They run on the machine itself, bound to addresses of the testbed's bridge: master 1
# is the gateway (.1), masters 2 and 3 of an ensemble are .2 and .3, so that the
# default of zk-1.zk:2181,...,zk-5.zk:2181 finds all of them on one port.

zk_port=2181
etcd_client_port=12379
etcd_peer_port=12380
etcd_peer_tls_port=12381
artifacts_port=8080
# Releases of the CNI stand-ins that the artifact server has; the first also with each
# knob as a suffix.
cni_releases=(v1.11.7 v1.11.6 v1.10.0 v1.8.3 v1.5.5)

master_ip() { # N
    printf '%s.%d' "$subnet" "$1"
}

# zk_connect: "ip:2181,ip:2181,ip:2181"
zk_connect() {
    local n text=""
    for ((n = 1; n <= zk_servers; n++)); do
        text+=${text:+,}$(master_ip "$n"):$zk_port
    done
    printf '%s' "$text"
}

zk_dir() {
    printf '%s/zk-%d' "$state" "$1"
}

zk_check_number() {
    [[ $1 =~ ^[1-9]$ ]] || set -- 99
    [ "$1" -le "$zk_servers" ] ||
        die "ZooKeeper server \"$1\" is not in this testbed" \
            "it has $zk_servers: 1 to $zk_servers"
}

zk_configure() { # N
    local n=$1 dir i
    dir=$(zk_dir "$n")
    mkdir -p "$dir/data" "$dir/txn"
    {
        echo "tickTime=2000"
        echo "initLimit=10"
        echo "syncLimit=5"
        echo "dataDir=$dir/data"
        echo "dataLogDir=$dir/txn"
        echo "clientPort=$zk_port"
        echo "clientPortAddress=$(master_ip "$n")"
        echo "maxClientCnxns=0"
        echo "preAllocSize=4096"
        echo "autopurge.purgeInterval=0"
        echo "4lw.commands.whitelist=*"
        echo "admin.enableServer=false"
        if [ "$zk_servers" -gt 1 ]; then
            for ((i = 1; i <= zk_servers; i++)); do
                echo "server.$i=$(master_ip "$i"):2888:3888"
            done
        fi
    } >"$dir/zoo.cfg"
    echo "$n" >"$dir/data/myid"
}

zk_start() { # N
    local dir
    dir=$(zk_dir "$1")
    ! server_pid "$dir" >/dev/null || return 0
    server_run "$dir" java "-Xmx${CLOWDER_TESTBED_ZK_HEAP:-256}m" -Xms64m \
        -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -XX:-UsePerfData -Xshare:auto \
        -Dorg.slf4j.simpleLogger.showDateTime=true \
        -Dzookeeper.fsync.warningthresholdms=2000 \
        -cp "/usr/share/java/zookeeper.jar:/usr/share/java/slf4j-simple.jar" \
        org.apache.zookeeper.server.quorum.QuorumPeerMain "$dir/zoo.cfg"
}

zk_stop() { # N [SIGNAL]
    server_stop "$(zk_dir "$1")" "${2:-TERM}"
}

zk_signal() { # N SIGNAL
    local pid
    pid=$(server_pid "$(zk_dir "$1")") || die "ZooKeeper server $1 does not run"
    kill "-$2" "$pid"
}

zk_ask() { # N WORD: a four-letter word's answer
    # shellcheck disable=SC2016 # expands in the new shell
    timeout 2 bash -c 'exec 3<>"/dev/tcp/$0/$1" && printf %s "$2" >&3 && cat <&3' \
        "$(master_ip "$1")" "$zk_port" "$2" 2>/dev/null
}

zk_mode() { # N: leader, follower, standalone, or "down"
    local mode
    mode=$(zk_ask "$1" srvr | sed -n 's/^Mode: //p') || true
    printf '%s' "${mode:-down}"
}

zk_serves() { # N
    [ "$(zk_mode "$1")" != down ]
}

zk_leader() {
    local n
    for ((n = 1; n <= zk_servers; n++)); do
        case $(zk_mode "$n") in
        leader | standalone)
            printf '%d\n' "$n"
            return 0
            ;;
        esac
    done
    die "no ZooKeeper server leads" "see: testbed status"
}

zk_cli() { # WORD...
    java -XX:TieredStopAtLevel=1 -XX:+UseSerialGC -Dorg.slf4j.simpleLogger.defaultLogLevel=off \
        -cp "/usr/share/java/zookeeper.jar:/usr/share/java/slf4j-simple.jar" \
        org.apache.zookeeper.ZooKeeperMain -server "$(zk_connect)" "$@" 2>&1 |
        sed '/^$/d; /^Connecting to /d; /^WATCHER::/d; /^WatchedEvent /d'
    return "${PIPESTATUS[0]}"
}

zk_await() {
    local n
    for ((n = 1; n <= zk_servers; n++)); do
        until_true 30 zk_serves "$n" || {
            tail -n 5 "$(zk_dir "$n")/log" >&2
            die "ZooKeeper server $n does not serve" "the log is $(zk_dir "$n")/log"
        }
    done
}

etcd_url() {
    printf 'http://%s:%d' "$(master_ip 1)" "$etcd_client_port"
}

# The peer port speaks plain HTTP and, on another number, TLS (rootfs.sh, ca_ensure).
etcd_certify() {
    local dir=$state/etcd ca=$TESTBED_CACHE/ca
    mkdir -p "$dir"
    {
        openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes \
            -subj "/CN=etcd-1" -keyout "$dir/key.pem" -out "$dir/request.pem" &&
            openssl x509 -req -in "$dir/request.pem" -days 365 \
                -CA "$ca/cert.pem" -CAkey "$ca/key.pem" -set_serial "$(now_ms)" \
                -extfile <(printf 'subjectAltName=DNS:etcd.mesos,DNS:*.etcd.mesos,IP:%s\n' \
                    "$(master_ip 1)") -out "$dir/cert.pem"
    } >"$dir/certificate.log" 2>&1 ||
        die "openssl made no certificate for etcd" "the log is $dir/certificate.log"
}

etcd_start() {
    local dir=$state/etcd ip peers
    ip=$(master_ip 1)
    peers=http://$ip:$etcd_peer_port,https://$ip:$etcd_peer_tls_port
    ! server_pid "$dir" >/dev/null || return 0
    [ -s "$dir/cert.pem" ] || etcd_certify
    server_run "$dir" "$etcd_program" --name etcd-1 --data-dir "$dir/data" --enable-v2 \
        --listen-client-urls "http://$ip:$etcd_client_port" \
        --advertise-client-urls "http://$ip:$etcd_client_port" \
        --listen-peer-urls "$peers" --initial-advertise-peer-urls "$peers" \
        --initial-cluster "etcd-1=${peers%,*},etcd-1=${peers#*,}" \
        --peer-cert-file "$dir/cert.pem" --peer-key-file "$dir/key.pem"
}

etcd_stop() {
    server_stop "$state/etcd"
}

etcd_serves() {
    curl -fsS -m 2 "$(etcd_url)/health" | grep '"true"' >/dev/null
}

names_configure() {
    local n ip
    ip=$(master_ip 1)
    mkdir -p "$state/names"
    {
        echo "no-resolv"
        echo "no-hosts"
        echo "bind-interfaces"
        echo "listen-address=$ip"
        echo "user=root"
        echo "keep-in-foreground"
        echo "log-facility=-"
        echo "pid-file="
        echo "local=/zk/"
        echo "local=/mesos/"
        echo "local=/spartan/"
        # As dcos-dns does: always five names, which repeat when there are fewer masters.
        for ((n = 1; n <= 5; n++)); do
            echo "host-record=zk-$n.zk,$(master_ip $(((n - 1) % zk_servers + 1)))"
        done
        for ((n = 1; n <= zk_servers; n++)); do
            echo "host-record=master.mesos,$(master_ip "$n")"
        done
        echo "host-record=leader.mesos,$ip"
        echo "host-record=ready.spartan,$ip"
        echo "host-record=etcd-1.etcd.mesos,$ip"
        echo "srv-host=_etcd-server._tcp.etcd.mesos,etcd-1.etcd.mesos,$etcd_peer_port"
        echo "srv-host=_etcd-server-ssl._tcp.etcd.mesos,etcd-1.etcd.mesos,$etcd_peer_tls_port"
    } >"$state/names/dnsmasq.conf"
}

names_stop() {
    server_stop "$state/names"
}

names_start() {
    ! server_pid "$state/names" >/dev/null || return 0
    server_run "$state/names" dnsmasq "--conf-file=$state/names/dnsmasq.conf"
    until_true 15 names_serve ||
        die "dnsmasq does not listen on $(master_ip 1):53" \
            "see $state/names/log; another name server may hold the port"
}

names_serve() {
    # shellcheck disable=SC2016 # expands in the new shell
    timeout 2 bash -c 'exec 3<>"/dev/tcp/$0/53"' "$(master_ip 1)"
}

artifacts_url() {
    printf 'http://%s:%d' "$(master_ip 1)" "$artifacts_port"
}

# cni/<release>/calico and calico-ipam, as the release pages have them, each with a
# last line of its own so that no two have one digest.
artifact_cni_put() { # RELEASE MODE PROGRAM
    local dir=$state/artifacts/root/cni/$1${2:+-$2} name
    mkdir -p "$dir"
    for name in calico calico-ipam; do
        {
            cat "$3"
            printf '\n%s\nstandin release=%s%s\n' "$name" "$1" "${2:+ mode=$2}"
        } >"$dir/$name"
    done
    (cd "$dir" && sha256sum calico calico-ipam >sha256sums)
}

artifacts_fill() {
    local program release mode
    program=$(standins_build)/cni-standin
    for release in "${cni_releases[@]}"; do
        artifact_cni_put "$release" "" "$program"
    done
    for mode in "${knob_modes[@]}"; do
        artifact_cni_put "${cni_releases[0]}" "$mode" "$program"
    done
    mkdir -p "$state/artifacts/root/etcd"
    ln -f "$etcd_program" "$state/artifacts/root/etcd/etcd" 2>/dev/null ||
        cp "$etcd_program" "$state/artifacts/root/etcd/etcd"
    (cd "$state/artifacts/root/etcd" && sha256sum etcd >sha256sums)
}

artifacts_stop() {
    server_stop "$state/artifacts"
}

artifacts_start() {
    ! server_pid "$state/artifacts" >/dev/null || return 0
    server_run "$state/artifacts" python3 -m http.server "$artifacts_port" \
        --bind "$(master_ip 1)" --directory "$state/artifacts/root"
    until_true 30 curl -fsS -m 2 -o /dev/null "$(artifacts_url)/" ||
        die "the artifact server does not answer on $(artifacts_url)" \
            "see $state/artifacts/log"
}

masters_addresses() {
    local n
    for ((n = 2; n <= zk_servers; n++)); do
        ip addr add "$(master_ip "$n")/24" dev "$bridge" ||
            die "address $(master_ip "$n") cannot be put on $bridge"
    done
}

masters_start() {
    local n
    masters_addresses
    for ((n = 1; n <= zk_servers; n++)); do
        zk_configure "$n"
        zk_start "$n"
    done
    etcd_start
    names_configure
    names_start
    artifacts_fill
    artifacts_start
    until_true 60 etcd_serves || {
        tail -n 5 "$state/etcd/log" >&2
        die "etcd does not serve on $(etcd_url)" "the log is $state/etcd/log"
    }
}

masters_stop() {
    local dir
    for dir in "$state"/zk-* "$state/etcd" "$state/names" "$state/artifacts"; do
        # A stopped (SIGSTOP) server would not hear TERM.
        ! server_pid "$dir" >/dev/null || kill -CONT "$(server_pid "$dir")" || true
        server_stop "$dir" KILL
    done
}
