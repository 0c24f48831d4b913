/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/bench/figures.h"

#include "shared/base/mem.h"

#include <linux/tcp.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

void series_add(struct series *s, double value)
{
    if (s->count == s->size) {
        int size = s->size ? 2 * s->size : 256;
        double *values = mem_array((size_t)size, sizeof(*values));
        if (s->count)
            memcpy(values, s->values, (size_t)s->count * sizeof(*values));
        free(s->values);
        s->values = values;
        s->size = size;
    }
    s->values[s->count++] = value;
}

void series_done(struct series *s)
{
    free(s->values);
    *s = (struct series){0};
}

double series_max(const struct series *s)
{
    double max = 0;
    for (int i = 0; i < s->count; i++)
        max = s->values[i] > max ? s->values[i] : max;
    return max;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double quantile(const struct series *s, double q)
{
    return s->values[(int)(q * (s->count - 1) + 0.5)];
}

json_t *series_json(struct series *s)
{
    if (s->count == 0)
        return json_pack("{s:i}", "count", 0);
    qsort(s->values, (size_t)s->count, sizeof(*s->values), compare);
    return json_pack("{s:i,s:f,s:f,s:f,s:f}", "count", s->count, "p50",
                     quantile(s, 0.5), "p90", quantile(s, 0.9), "p99",
                     quantile(s, 0.99), "max", quantile(s, 1));
}

int64_t resident_kb(pid_t pid)
{
    char path[64];
    long pages = 0, skip = 0;
    (void)snprintf(path, sizeof(path), "/proc/%d/statm", (int)pid);
    FILE *f = fopen(path, "re");
    if (!f)
        return 0;
    if (fscanf(f, "%ld %ld", &skip, &pages) != 2)
        pages = 0;
    (void)fclose(f);
    return (int64_t)pages * sysconf(_SC_PAGESIZE) / 1024;
}

double cpu_seconds(pid_t pid)
{
    char path[64], line[512];
    unsigned long user = 0, system = 0;
    (void)snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
    FILE *f = fopen(path, "re");
    if (!f)
        return 0;
    const char *rest = fgets(line, sizeof(line), f) ? strrchr(line, ')') : NULL;
    if (!rest || sscanf(rest, ") %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu",
                        &user, &system) != 2)
        user = system = 0;
    (void)fclose(f);
    return (double)(user + system) / (double)sysconf(_SC_CLK_TCK);
}

json_t *traffic_of_sockets(void)
{
    struct rlimit files;
    uint64_t sent = 0, received = 0;
    (void)getrlimit(RLIMIT_NOFILE, &files);
    for (int fd = 3; fd < (int)files.rlim_cur; fd++) {
        struct tcp_info info;
        socklen_t len = sizeof(info);
        if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len) < 0)
            continue;
        sent += info.tcpi_bytes_acked;
        received += info.tcpi_bytes_received;
    }
    return json_pack("{s:I,s:I}", "sent", (json_int_t)sent, "received",
                     (json_int_t)received);
}
