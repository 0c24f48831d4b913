# shellcheck shell=bash
# machine.sh - what the machine under the testbed must be and have.
#
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2154,SC2034 # variables shared with testbed

# Debian's own programs before others of their name: a version manager's python3 starts
# ten times slower than the one that packages bring, and is started thousands of times.
PATH=/usr/sbin:/usr/bin:/sbin:/bin:$PATH

# ZooKeeper's server jar without the zookeeper package: that one pulls in a whole
# desktop Java. The etcd of the cluster is the one inside the hosts' root filesystem,
# so that no service gets installed on the machine.
machine_packages=(docker.io iptables iproute2 mmdebstrap libzookeeper-java
    default-jre-headless dnsmasq-base openssl python3 curl gcc libc6-dev cmake
    ninja-build)

machine_check_root() {
    [ "$(id -u)" = 0 ] ||
        die "this needs root (user is \"$(id -un)\")" "run it with sudo"
}

machine_check_debian() {
    local id=unknown like=""
    if [ -r /etc/os-release ]; then
        # shellcheck source=/dev/null
        . /etc/os-release
        id=${ID:-unknown} like=${ID_LIKE:-}
    fi
    case " $id $like " in
    *" debian "* | *" ubuntu "*) ;;
    *) die "this needs Debian or Ubuntu (the machine is \"$id\")" \
        "run it in a Debian 12 virtual machine" ;;
    esac
    command -v apt-get >/dev/null ||
        die "apt-get is not there" "run it in a Debian 12 virtual machine"
}

machine_check_cgroups() {
    grep -qE ' (cgroup|cgroup2) ' /proc/mounts ||
        die "no cgroup hierarchy is mounted: containers cannot run here" \
            "mount one (mount -t cgroup2 none /sys/fs/cgroup), or use a machine with systemd"
    unshare --mount true 2>/dev/null ||
        die "mount namespaces cannot be made here (CAP_SYS_ADMIN is missing)" \
            "run it on a machine or a virtual machine, not in an unprivileged container"
}

machine_check() {
    machine_check_root
    machine_check_debian
    machine_check_cgroups
}

package_installed() {
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

# packages_install PACKAGE...: only what is missing; says why when it cannot.
packages_install() {
    local missing=() package log
    for package; do
        package_installed "$package" || [[ " ${missing[*]} " == *" $package "* ]] ||
            missing+=("$package")
    done
    [ ${#missing[@]} -gt 0 ] || return 0
    log=$(mktemp)
    say "  installing ${missing[*]}"
    if ! DEBIAN_FRONTEND=noninteractive apt-get -q -y -o DPkg::Lock::Timeout=600 \
        install --no-install-recommends "${missing[@]}" >"$log" 2>&1; then
        # An old or empty package list is the usual reason, or an installation that was
        # killed: once more with a new list, after what was begun there.
        DEBIAN_FRONTEND=noninteractive dpkg --configure -a >>"$log" 2>&1 || true
        apt-get -q -o DPkg::Lock::Timeout=600 update >>"$log" 2>&1 || true
        if ! DEBIAN_FRONTEND=noninteractive apt-get -q -y -o DPkg::Lock::Timeout=600 \
            install --no-install-recommends "${missing[@]}" >>"$log" 2>&1; then
            tail -n 15 "$log" >&2
            rm -f "$log"
            die "apt-get could not install: ${missing[*]}" \
                "the reason is above; apt-get must reach its mirror"
        fi
    fi
    rm -f "$log"
}

# machine_apt_mirrors SUITE: the lines of a sources.list for the hosts' root filesystem,
# out of apt's own sources (whatever their form); CLOWDER_TESTBED_MIRROR overrides.
# shellcheck disable=SC2016 # apt's own variables
machine_apt_mirrors() {
    local suite=$1 release component uri found=""
    if [ -n "${CLOWDER_TESTBED_MIRROR:-}" ]; then
        printf 'deb %s %s main\n' "$CLOWDER_TESTBED_MIRROR" "$suite"
        return 0
    fi
    while read -r release component uri; do
        case $component:$release in
        main:"$suite") found=yes ;;
        main:"$suite"-updates | main:"$suite"-security) ;;
        *) continue ;;
        esac
        printf 'deb %s %s main\n' "$uri" "$release"
    done < <(apt-get indextargets \
        --format '$(RELEASE) $(COMPONENT) $(REPO_URI)' Created-By:\ Packages)
    [ -n "$found" ] ||
        die "apt's sources on this machine do not name Debian's \"$suite\"" \
            "set CLOWDER_TESTBED_MIRROR to the address of a Debian mirror"
}
