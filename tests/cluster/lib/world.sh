# shellcheck shell=bash
# world.sh - what changes around agentd: its clock, its disk, its journal.
#
# SPDX-License-Identifier: Apache-2.0

# A clock of its own for agentd: libfaketime reads the offset anew each time.
clock_give() { # HOST
    # shellcheck disable=SC2016 # expands in the host
    on "$1" sh -c 'mkdir -p /etc/systemd/system/clowder-agentd.service.d &&
        echo +0 >/etc/clowder-clock &&
        cat >/etc/systemd/system/clowder-agentd.service.d/clock.conf <<UNIT
[Service]
Environment=LD_PRELOAD=/usr/lib/$(uname -m)-linux-gnu/faketime/libfaketime.so.1
Environment=FAKETIME_TIMESTAMP_FILE=/etc/clowder-clock FAKETIME_NO_CACHE=1
Environment=FAKETIME_DONT_FAKE_MONOTONIC=1
UNIT
        systemctl daemon-reload'
}

clock_take() { # HOST
    on "$1" sh -c 'rm /etc/systemd/system/clowder-agentd.service.d/clock.conf /etc/clowder-clock &&
        systemctl daemon-reload && systemctl restart clowder-agentd.service'
}

clock_jumps() { # HOST BY
    on "$1" sh -c "echo '$2' >/etc/clowder-clock"
}

# A small filesystem of its own in that directory's place, with what was in it.
small_disk() { # HOST DIR
    on "$1" sh -c "systemctl stop clowder-agentd.service; mkdir -p '$2' && cp -a '$2' /root/small &&
        mount -t tmpfs -o size=16m,mode=\$(stat -c %a '$2') tmpfs '$2' &&
        cp -a /root/small/. '$2' && rm -r /root/small"
}

disk_fill() { # HOST DIR
    on "$1" sh -c "dd if=/dev/zero of='$2/ballast' bs=4k 2>/dev/null; sync
        test \$(df --output=avail '$2' | tail -n 1) = 0"
}

disk_free() { # HOST DIR
    on "$1" rm -f "$2/ballast"
}

journal_cut() { # HOST: while agentd does not run
    # shellcheck disable=SC2016 # expands in the host
    on "$1" sh -c 'cd /var/lib/clowder &&
        truncate -s $(($(stat -c %s journal.json) / 2)) journal.json'
}
