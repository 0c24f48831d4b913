#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""kazoo_bench.py SERVERS lock|semaphore|barrier WAITERS HANDOFFS HOLD_MS: kazoo's recipes.

Hand-off: from the start of a release to the return of the next acquire, ms. Barrier:
from the last enter() to the last enter()'s return, s. One JSON object. Waiters share
a few sessions, as threads of one process would.
"""
import collections
import json
import sys
import threading
import time

from kazoo.client import KazooClient
from kazoo.recipe.barrier import DoubleBarrier
from kazoo.recipe.lock import Lock, Semaphore

threading.stack_size(256 * 1024)
servers, kind, waiters, handoffs, hold_ms = (
    sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), float(sys.argv[5]))
clients = [KazooClient(hosts=servers, timeout=30) for _ in range(min(8, waiters + 1))]
for client in clients:
    client.start()


def spread(values):
    values = sorted(values)
    at = lambda q: values[int(q * (len(values) - 1) + 0.5)]
    return {"count": len(values), "p50": at(.5), "p90": at(.9), "p99": at(.99), "max": values[-1]}


def handoff():
    samples, stop, released = [], threading.Event(), collections.deque()
    queued = [0]
    path = "/kazoo-%s" % kind
    clients[0].ensure_path(path)

    def worker(client):
        while not stop.is_set():
            recipe = Lock(client, path) if kind == "lock" else Semaphore(client, path, 1)
            queued[0] += 1
            recipe.acquire()
            now = time.monotonic()
            if released:
                samples.append(1000 * (now - released.popleft()))
            if len(samples) >= handoffs:
                stop.set()
            time.sleep(hold_ms / 1000 if queued[0] > waiters else 0.05)
            released.append(time.monotonic())
            recipe.release()

    for i in range(waiters + 1):
        threading.Thread(target=worker, args=(clients[i % len(clients)],), daemon=True).start()
    stop.wait(120)
    return spread(samples[min(5, len(samples) // 4):])


def barrier():
    entered, left = [], []
    path = "/kazoo-barrier-%d" % waiters

    def worker(client, last):
        recipe = DoubleBarrier(client, path, waiters, identifier="x")
        if last:
            while len(client.get_children(path)) < waiters - 1:
                time.sleep(0.2)
            time.sleep(1)
            entered.append(time.monotonic())
        recipe.enter()
        left.append(time.monotonic())

    clients[0].ensure_path(path)
    threads = [threading.Thread(target=worker, args=(clients[i % len(clients)], i == waiters - 1),
                                daemon=True) for i in range(waiters)]
    for thread in threads:
        thread.start()
    until = time.monotonic() + 180
    for thread in threads:
        thread.join(max(0.1, until - time.monotonic()))
    if len(left) < waiters:
        return {"failed": "%d of %d were released within 180 s" % (len(left), waiters)}
    return {"size": waiters, "sent_to_released_s": max(left) - entered[0]}


result = barrier() if kind == "barrier" else handoff()
print(json.dumps(result), flush=True)
import os
os._exit(0)  # thousands of daemon threads that wait are not to be joined
