#!/usr/bin/env python3
"""zk_opcodes.py [DIR] - which calls of the ZooKeeper C client the tree makes.

SPDX-License-Identifier: Apache-2.0
DC/OS runs ZooKeeper 3.4, which drops the connection on an opcode that it does not know.
So only calls known to be safe may appear, and only in shared/io/zk_*.c. The list is of
what is allowed: a call that nobody thought of fails too. zoo_aremove_watches is allowed
where its `local` argument is 1 (it then sends nothing).
"""
import pathlib
import re
import sys

ALLOWED = re.compile(
    r"zoo_(awget|awexists|awget_children|acreate|aset|adelete|async|amulti|add_auth)"
    r"|zoo_(state|client_id|recv_timeout|set_servers|set_servers_resolution_delay"
    r"|set_debug_level)"
    r"|zoo_(create|set|delete|check)_op_init"
    r"|zoo_aremove_watches"
    r"|zookeeper_(init2|close|interest|process)"
)
COMMENT = re.compile(r"/\*.*?\*/|//[^\n]*", re.DOTALL)
CALL = re.compile(r"\b((?:zoo|zookeeper)_[a-z0-9_]+) *\(")
REMOVAL = re.compile(r"zoo_aremove_watches\([^;]*;")
LOCAL_REMOVAL = re.compile(r",\s1,\s+NULL,\s+NULL\);")
MODE = re.compile(r"ZOO_(CONTAINER|PERSISTENT_(SEQUENTIAL_)?WITH_TTL)")


def complaints(path, text):
    code = COMMENT.sub(" ", text)
    for call in sorted(set(CALL.findall(code))):
        if not re.fullmatch(r"shared/io/zk_.*\.c", path):
            yield f"{call}: the C client is called in shared/io/zk_*.c only"
        if not ALLOWED.fullmatch(call):
            yield f"{call}: not among the calls that a 3.4 server is known to serve"
    if any(not LOCAL_REMOVAL.search(removal) for removal in REMOVAL.findall(code)):
        yield "zoo_aremove_watches must be local: '1, NULL, NULL'"
    for mode in MODE.finditer(code):
        yield f"{mode.group()}: containers and TTLs are unknown to 3.4"


def lint(root):
    bad = False
    for folder in ("agentd", "coordinator", "shared"):
        for file in sorted((root / folder).rglob("*.[ch]")):
            path = file.relative_to(root).as_posix()
            for complaint in complaints(path, file.read_text(encoding="utf-8")):
                print(f"{path}: {complaint}")
                bad = True
    return bad


if __name__ == "__main__":
    here = pathlib.Path(__file__).resolve()
    sys.exit(lint(pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else here.parents[2]))
