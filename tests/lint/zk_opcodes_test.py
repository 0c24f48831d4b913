#!/usr/bin/env python3
"""zk_opcodes_test.py - the lint passes on this tree and catches each forbidden call.

SPDX-License-Identifier: Apache-2.0
"""
import pathlib
import sys

sys.dont_write_bytecode = True  # the tree stays as it is
from zk_opcodes import complaints, lint  # noqa: E402

CLIENT = "shared/io/zk_request.c"
PASSES = [
    (CLIENT, "int r = zoo_awget(zh, path, fn, node, on_data, request);"),
    (CLIENT, "/* never zoo_acreate2(zh): 3.4 does not know it */"),
    (CLIENT, "(void)zoo_aremove_watches(zh, p, type, fn, ctx, 1, NULL, NULL);"),
]
CALLS = """acreate2 acreate_ttl acreate2_ttl aremove_all_watches areconfig agetconfig
    create get wget multi awget_children2 deterministic_conn_order""".split()
FAILS = [(CLIENT, f"int r = zoo_{call}(zh);") for call in CALLS] + [
    (CLIENT, "(void)zoo_aremove_watches(zh, p, type, fn, ctx, 0, done, ctx);"),
    (CLIENT, "int mode = ZOO_CONTAINER;"),
    (CLIENT, "zh = zookeeper_init(host, fn, 1, NULL, NULL, 0);"),
    ("agentd/main.c", "int r = zoo_awget(zh, path, fn, node, on_data, request);"),
]

bad = lint(pathlib.Path(__file__).resolve().parents[2])
for path, text in PASSES:
    for complaint in complaints(path, text):
        print(f"expected to pass: {text}: {complaint}")
        bad = True
for path, text in FAILS:
    if not any(complaints(path, text)):
        print(f"expected to fail: {text}")
        bad = True
if not bad:
    print("zk_opcodes: 1 passed, 0 failed")
sys.exit(bad)
