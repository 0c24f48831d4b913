#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The C code is as clang-format 14 writes it (other versions differ); 77 = skipped.
cd "${1:-$(dirname "$0")/../..}" || exit 2
if ! command -v clang-format-14 >/dev/null; then
    echo "skipped: clang-format-14 is not installed"
    exit 77
fi
find shared agentd coordinator tests \( -name '*.c' -o -name '*.h' \) -print |
    sort | xargs clang-format-14 --dry-run -Werror --ferror-limit=1 &&
    echo "format: 1 passed, 0 failed"
