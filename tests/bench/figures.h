/* figures.h - samples, their quantiles, and the machine they were taken on.
 *
 * SPDX-License-Identifier: Apache-2.0
 * Layer: benchmarks.
 */
#ifndef CLOWDER_TESTS_BENCH_FIGURES_H
#define CLOWDER_TESTS_BENCH_FIGURES_H

#include <jansson.h>
#include <stdint.h>
#include <sys/types.h>

struct series { /* zero-initialised is empty */
    double *values;
    int count, size;
};
void series_add(struct series *series, double value);
void series_done(struct series *series);
double series_max(const struct series *series);
/* {"count", "p50", "p90", "p99", "max"}; sorts the series. */
json_t *series_json(struct series *series);

int64_t resident_kb(pid_t pid);   /* 0 = unknown */
double cpu_seconds(pid_t pid);    /* user and system */
json_t *traffic_of_sockets(void); /* bytes of this process's TCP connections */

#endif
