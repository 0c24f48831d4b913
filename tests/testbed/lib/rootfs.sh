# shellcheck shell=bash
# rootfs.sh - the hosts' root filesystem, the stand-ins and the images, all cached.
#
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2154,SC2034 # variables shared with testbed
# Under $TESTBED_CACHE:
#   base-<key>.tar      Debian with systemd, Docker, etcd and our runtime libraries;
#                       key = suite, architecture and package list
#   standins-<key>/     the stand-ins, built; key = their sources
#   images-<key>.tar    the Calico images for the hosts' own Docker; key = as above
#   bin-<key>/etcd      the base's etcd, for the cluster
#   ca/                 a certificate authority that the hosts trust
#   tmp/                what is being made
# Whatever is there under its name is whole: it is made under another one. A maker that
# was killed leaves something in tmp/, at worst.
# In the outer Docker: clowder-testbed-base:<key> and clowder-testbed-host:<key>.

# Docker 20.10 is the last one with a cluster-store, so the hosts are Debian 12
# whatever the machine is.
host_suite=bookworm
host_packages=(systemd systemd-sysv dbus iproute2 iptables procps kmod curl
    ca-certificates docker.io etcd-server etcd-client libzookeeper-st2 libjansson4
    libevent-core-2.1-7 libevent-2.1-7 libevent-extra-2.1-7 libcurl4 libmd0 libasan8
    libubsan1 libfaketime)

key_of() { # reads what the key depends on
    sha256sum | cut -c1-12
}

base_key() {
    {
        echo "$host_suite" "$(dpkg --print-architecture)" "${host_packages[@]}"
        sed -n '/^base_build/,/^}/p' "$testbed_dir/lib/rootfs.sh"
    } | key_of
}

standins_key() {
    cat "$tests_dir"/standins/CMakeLists.txt "$tests_dir"/standins/*.[ch] | key_of
}

images_key() {
    {
        standins_key
        cat "$testbed_dir/lib/image_archive.py"
        declare -p calico_images knob_modes
    } | key_of
}

host_key() {
    {
        base_key
        standins_key
        cat "$TESTBED_CACHE/ca/cert.pem"
        sed -n '/^host_files/,/^}/p' "$testbed_dir/lib/rootfs.sh"
        (cd "$testbed_dir/host" &&
            find . -print0 | sort -z |
            tar --no-recursion --mtime=@0 --owner=0 --group=0 --null -T - -cf -)
    } | key_of
}

# base_build TAR: nothing but the packages; no unit of theirs that a DC/OS agent would
# not run.
base_build() {
    local tar=$1 sources log=$1.log
    sources=$(machine_apt_mirrors "$host_suite") || exit 1
    # shellcheck disable=SC2016 # expands in mmdebstrap's shell
    mmdebstrap --format=tar --variant=minbase \
        --include="$(printf '%s,' "${host_packages[@]}")" \
        --aptopt='Acquire::Languages "none"' \
        --dpkgopt='path-exclude=/usr/share/man/*' \
        --dpkgopt='path-exclude=/usr/share/doc/*' \
        --dpkgopt='path-exclude=/usr/share/locale/*' \
        --dpkgopt='path-exclude=/usr/share/zoneinfo/*' \
        --customize-hook='rm -f "$1"/usr/sbin/policy-rc.d
            rm -f "$1"/etc/systemd/system/*.wants/etcd.service
            rm -f "$1"/etc/systemd/system/timers.target.wants/*
            rm -f "$1"/etc/systemd/system/*.wants/e2scrub_reap.service
            rm -f "$1"/usr/bin/ctr "$1"/usr/bin/dnet "$1"/usr/bin/ovrouter
            rm -f "$1"/etc/hostname "$1"/etc/resolv.conf
            : >"$1"/etc/machine-id; mkdir -p "$1"/var/log/journal' \
        "$host_suite" "$tar.new" - <<<"$sources" >"$log" 2>&1 || {
        tail -n 15 "$log" >&2
        rm -f "$tar.new"
        die "the hosts' root filesystem was not built" "the log is $log"
    }
    mv "$tar.new" "$tar"
}

standins_build() { # prints the directory with the programs
    local dir log
    dir=$TESTBED_CACHE/standins-$(standins_key)
    log=$dir.log
    if [ ! -e "$dir/built" ]; then
        rm -rf "$dir"
        {
            cmake -S "$tests_dir/standins" -B "$dir" -G Ninja \
                -DCMAKE_BUILD_TYPE=MinSizeRel -DCMAKE_EXE_LINKER_FLAGS=-s &&
                cmake --build "$dir"
        } >"$log" 2>&1 || {
            tail -n 20 "$log" >&2
            die "the stand-ins were not built" "the log is $log"
        }
        touch "$dir/built"
    fi
    printf '%s' "$dir"
}

# Repository, the role that the program plays, tags. Each first tag exists also with
# each knob as a suffix: calico/node:v2.6.11-unready.
calico_images=(
    "quay.io/calico/node node v2.6.11 v2.6.10"
    "calico/node node v2.6.11 v2.6.10 v2.5.1 v2.4.1 v1.3.0 v1.0.0 v0.23.0 v0.22.0"
    "calico/node-libnetwork node-libnetwork v0.9.0 v0.8.0"
    "calico/libnetwork-plugin libnetwork v1.1.3 v1.1.0 v1.0.0"
)
knob_modes=(slow flap unready wrong exit hang)

images_build() { # prints the archive for `docker load`
    local tar dir row repository role tags tag mode specs=()
    tar=$TESTBED_CACHE/images-$(images_key).tar
    if [ ! -s "$tar" ]; then
        dir=$(standins_build)
        for row in "${calico_images[@]}"; do
            read -r repository role tags <<<"$row"
            for tag in $tags; do
                specs+=("$repository:$tag=$role,ok,$tag")
            done
            tag=${tags%% *}
            for mode in "${knob_modes[@]}"; do
                specs+=("$repository:$tag-$mode=$role,$mode,$tag")
            done
        done
        python3 "$testbed_dir/lib/image_archive.py" "$dir/calico-standin" "$tar.new" \
            "${specs[@]}" || die "the Calico images were not made"
        mv "$tar.new" "$tar"
    fi
    printf '%s' "$tar"
}

# What the host image has beyond Debian: host/ and the mesos-slave stand-in.
host_files() { # DIR
    local dir=$1 standins
    standins=$(standins_build)
    cp -a "$testbed_dir/host/." "$dir/"
    # As in DC/OS, where an upgrade turns the link. Made here, since a copy of the tree
    # that keeps no links would leave a file in its place.
    mkdir "$dir/opt/mesosphere/active"
    ln -s /opt/mesosphere/packages/cni--2f5a9d0b81c6 "$dir/opt/mesosphere/active/cni"
    mkdir -p "$dir/etc/mesosphere/roles" "$dir/etc/clowder-standin" "$dir/etc/ssl/certs"
    cp "$TESTBED_CACHE/ca/cert.pem" "$dir/etc/ssl/certs/clowder-testbed.pem"
    install -m 755 "$standins/mesos-slave-standin" "$dir/opt/mesosphere/bin/"
    chown -R 0:0 "$dir"
    chmod -R go-w "$dir"
}

# Debian's etcd 3.4 finds a cluster by SRV only through _etcd-server-ssl (etcd#11321:
# with _etcd-server alone it does not start), so the cluster has a TLS peer port, too,
# with a certificate that the hosts trust as they trust any other authority.
ca_ensure() {
    local dir=$TESTBED_CACHE/ca
    [ ! -s "$dir/cert.pem" ] || return 0
    mkdir -p "$dir"
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes \
        -days 3650 -subj "/CN=clowder testbed authority" \
        -keyout "$dir/key.pem" -out "$dir/cert.new" 2>"$dir/log" ||
        die "openssl made no certificate authority" "the log is $dir/log"
    mv "$dir/cert.new" "$dir/cert.pem"
}

maker=clowder-testbed-maker # the container out of which something is made

image_exists() {
    docker image inspect "$1" >/dev/null 2>&1
}

base_image_make() { # IMAGE
    local tar
    tar=$TESTBED_CACHE/base-$(base_key).tar
    [ -s "$tar" ] || TMPDIR=$TESTBED_CACHE/tmp phase "debian" base_build "$tar"
    phase "import" docker_quietly import "$tar" "$1"
}

docker_quietly() {
    local said
    said=$(docker "$@" 2>&1) || die "docker $1 failed: $said"
}

host_image_make() { # IMAGE BASE-IMAGE
    local image=$1 base=$2 dir container
    dir=$(mktemp -d -p "$TESTBED_CACHE/tmp")
    host_files "$dir"
    container=$(docker create --name "$maker" --network none "$base" /sbin/init) ||
        die "docker cannot make a container of $base"
    tar -C "$dir" -c . | docker cp - "$container:/"
    docker_quietly commit "$container" "$image"
    docker_quietly rm "$container"
    rm -rf "$dir"
}

made_half_remove() {
    tree_remove "$TESTBED_CACHE/tmp"
    docker rm -f "$maker" >/dev/null 2>&1 || true
}

# rootfs_ensure: sets host_image; builds and imports what is not there.
rootfs_ensure() {
    local base
    made_half_remove
    mkdir -p "$TESTBED_CACHE/tmp"
    ca_ensure
    base=clowder-testbed-base:$(base_key)
    host_image=clowder-testbed-host:$(host_key)
    standins_build >/dev/null
    images_build >/dev/null
    if ! image_exists "$host_image"; then
        image_exists "$base" || base_image_make "$base"
        phase "host image" host_image_make "$host_image" "$base"
    fi
    etcd_extract
}

# The cluster runs the hosts' etcd.
etcd_extract() {
    local dir
    dir=$TESTBED_CACHE/bin-$(base_key)
    etcd_program=$dir/etcd
    [ ! -x "$etcd_program" ] || return 0
    mkdir -p "$dir"
    docker run --rm --name "$maker" --network none --entrypoint cat "$host_image" /usr/bin/etcd \
        >"$dir/etcd.new"
    chmod 755 "$dir/etcd.new"
    mv "$dir/etcd.new" "$etcd_program"
}
