/* file_server.h - one file over HTTP from a process of its own, which counts.
 *
 * SPDX-License-Identifier: Apache-2.0
 * Layer: benchmarks. A thread per connection; each answer is held up half-way, so that
 * connections are open together as those to a distant server are. The counters are
 * shared memory. The process ends with the one that started it.
 */
#ifndef CLOWDER_TESTS_BENCH_FILE_SERVER_H
#define CLOWDER_TESTS_BENCH_FILE_SERVER_H

#include "shared/base/digest.h"

#include <stdatomic.h>
#include <stdint.h>
#include <sys/types.h>

struct file_server_counts {
    _Atomic int open, open_max, connections, answers;
    _Atomic int64_t bytes;
};
struct file_server {
    char url[64], sha256[DIGEST_HEX_SIZE];
    pid_t pid;
    struct file_server_counts *counts;
};

/* Ends the program with a sentence where it cannot. */
void file_server_start(struct file_server *server, size_t bytes, int hold_ms);
void file_server_stop(struct file_server *server);

#endif
