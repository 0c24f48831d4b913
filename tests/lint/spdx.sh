#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Every source file, build file and script says its licence in its first ten lines. One
# process looks at all of them: a tree has hundreds.
cd "${1:-$(dirname "$0")/../..}" || exit 2
find CMakeLists.txt shared agentd coordinator tests deploy -type f -print0 |
    xargs -0 awk '
        function judge() {
            if (of_interest && !licensed) {
                print file ": no SPDX-License-Identifier line"
                bad = 1
            }
        }
        FNR == 1 {
            judge()
            file = FILENAME
            licensed = 0
            of_interest = file ~ /(\.(c|h|sh|py|cmake|service|pml)|CMakeLists\.txt)$/ ||
                /^#!/
        }
        /SPDX-License-Identifier: Apache-2\.0/ { licensed = 1 }
        FNR == 10 || !of_interest { nextfile }
        END {
            judge()
            exit bad
        }' && echo "spdx: 1 passed, 0 failed"
