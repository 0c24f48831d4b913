# coverage.py - the tables of tests/coverage, from gcovr's summary.
#
# SPDX-License-Identifier: Apache-2.0
import collections
import json
import sys

DIRECTORIES = ["shared/base", "shared/model", "shared/io", "shared/swarm", "agentd",
               "agentd/steps", "coordinator"]
LEAST = 10


class Count:
    def __init__(self):
        self.lines = self.lines_all = self.branches = self.branches_all = 0

    def add(self, entry):
        self.lines += entry["line_covered"]
        self.lines_all += entry["line_total"]
        self.branches += entry["branch_covered"]
        self.branches_all += entry["branch_total"]

    def row(self, name):
        return "%-32s %6d of %6d lines %5.1f%%   %6d of %6d branches %5.1f%%" % (
            name, self.lines, self.lines_all, percent(self.lines, self.lines_all),
            self.branches, self.branches_all, percent(self.branches, self.branches_all))


def percent(part, whole):
    return 100.0 * part / whole if whole else 100.0


def main():
    with open(sys.argv[1], encoding="utf-8") as summary:
        entries = json.load(summary)["files"]
    of = collections.defaultdict(Count)
    for entry in entries:
        path = entry["filename"]
        of[path.rpartition("/")[0]].add(entry)
        of[path.partition("/")[0] + "/"].add(entry)
        of[path].add(entry)
    for name in DIRECTORIES + ["shared/", "agentd/"]:
        print(of[name].row(name))
    print("\nthe most lines that no test runs through:")
    files = [entry["filename"] for entry in entries]
    files.sort(key=lambda path: of[path].lines - of[path].lines_all)
    for path in files[:LEAST]:
        print(of[path].row(path))


main()
