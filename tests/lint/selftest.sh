#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The lints find what they are for: one violation of each kind in a tree of its own.
lint=$(cd "$(dirname "$0")" && pwd)
tree=$(mktemp -d) || exit 2
trap 'rm -rf "$tree"' EXIT
cd "$tree" || exit 2
mkdir -p shared/base shared/model shared/io shared/swarm agentd/steps coordinator tests \
    deploy
touch CMakeLists.txt
bad=0
expect() { # file, include: must be refused
    echo "#include \"$2\"" >"$1"
    if "$lint/includes.sh" . >/dev/null 2>&1; then
        echo "includes.sh lets $1 include $2"
        bad=1
    fi
    rm "$1"
}
expect shared/base/a.c shared/model/spec.h
expect shared/model/a.c shared/base/fs.h
expect shared/model/a.c shared/io/zk.h
expect shared/io/zk.c shared/io/event_loop.h
expect shared/io/http.c shared/swarm/take.h
expect shared/swarm/a.c shared/io/http.h
expect agentd/steps/a.c coordinator/writer.h
expect coordinator/a.c agentd/life.h
expect coordinator/a.c tests/support/fake.h
expect coordinator/a.c writer.h
echo '#include "agentd/steps/step.h"' >agentd/steps/a.c
"$lint/includes.sh" . >/dev/null || bad=1
"$lint/spdx.sh" . >/dev/null && echo "spdx.sh finds nothing" && bad=1
if command -v clang-format-14 >/dev/null; then
    echo 'int  a ;' >tests/a.c
    "$lint/format.sh" . >/dev/null 2>&1 && echo "format.sh finds nothing" && bad=1
fi
[ $bad = 0 ] && echo "selftest: 1 passed, 0 failed"
exit $bad
