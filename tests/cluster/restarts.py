#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""restarts.py - restarts of units, as systemd's journals on the hosts tell of them.

restarts.py count UNITS...                  docker, mesos agents, most hosts at once
restarts.py acts ROLLOUT HISTORY UNITS...   as acts for clowder-check
restarts.py tree HISTORY                    ZooKeeper's tree at the end of a history

UNITS: units-<host>.json, of `journalctl -o json`; HISTORY: of clowder-check --dump.
"""
import json
import os
import sys

STEPS = {"docker.service": "docker-cluster-store",
         "dcos-mesos-slave.service": "cni",
         "dcos-mesos-slave-public.service": "cni"}


def host_of(path):
    return os.path.basename(path)[len("units-"):-len(".json")]


def spans(paths):
    """(begin_us, end_us, host, unit), by begin; a unit that never came back: no end.

    One that was stopped, not restarted, and came back with the host's next boot went
    down with the host: nobody restarted it.
    """
    found = []
    for path in paths:
        down, why = {}, {}
        with open(path, encoding="utf-8") as lines:
            for line in lines:
                entry = json.loads(line)
                unit, text = entry.get("UNIT"), entry.get("MESSAGE", "")
                at = int(entry["__REALTIME_TIMESTAMP"])
                if unit not in STEPS:
                    continue
                if text.startswith("Stopping "):
                    down.setdefault(unit, at)
                elif text.startswith("Stopped ") and unit in down:
                    why.setdefault(unit, (entry.get("JOB_TYPE"), entry["_BOOT_ID"]))
                elif text.startswith("Started ") and unit in down:
                    job, boot = why.pop(unit, (None, None))
                    begin = down.pop(unit)
                    if job != "stop" or boot == entry["_BOOT_ID"]:
                        found.append((begin, at, host_of(path), unit))
        found += [(at, float("inf"), host_of(path), unit) for unit, at in down.items()]
    return sorted(found)


def count(paths):
    found = spans(paths)
    most = max((len({h for b, e, h, _ in found if b <= begin < e})
                for begin, _, _, _ in found), default=0)
    docker = sum(unit == "docker.service" for *_, unit in found)
    print(docker, len(found) - docker, most)


def read_history(path):
    with open(path, encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def rollout_zxids(history, rollout):
    """The transactions between the rollout's first grant and its end."""
    part = f"/rollouts/{rollout}/"
    mine = [t for t in history
            if any(part in op.get("path", "") for op in t.get("ops", []))]
    return mine[0]["time_ms"], mine[-1]["time_ms"]


def acts(rollout, history_path, paths):
    history = [t for t in read_history(history_path) if "zxid" in t]
    first_ms, last_ms = rollout_zxids(history, rollout)

    def before(at_us):
        return max((t["zxid"] for t in history if t["time_ms"] * 1000 <= at_us), default=0)

    for begin, end, host, unit in spans(paths):
        if not first_ms * 1000 <= begin <= last_ms * 1000:
            continue
        act = {"act": "begin", "host": host, "lease": "restart", "step": STEPS[unit],
               "at_zxid": before(begin)}
        print(json.dumps(act))
        if end != float("inf"):
            print(json.dumps({**act, "act": "end", "at_zxid": before(end)}))


def tree(history_path):
    nodes = {}
    for transaction in read_history(history_path):
        for op in transaction.get("ops", []):
            if op["op"] in ("create", "set"):
                nodes[op["path"]] = op.get("data", op.get("data_hex", ""))
            elif op["op"] == "delete":
                nodes.pop(op["path"], None)
    for path in sorted(nodes):
        print(path, nodes[path])


def main(words):
    if words[:1] == ["count"]:
        count(words[1:])
    elif words[:1] == ["acts"] and len(words) >= 3:
        acts(words[1], words[2], words[3:])
    elif words[:1] == ["tree"] and len(words) == 2:
        tree(words[1])
    else:
        sys.exit(__doc__)


main(sys.argv[1:])
