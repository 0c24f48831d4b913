/* SPDX-License-Identifier: Apache-2.0 */
#include "shared/swarm/progress_probe.h"

#include "shared/base/mem.h"
#include "shared/base/str.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

void progress_probe(struct progress_reader *reader, enum probe_kind kind, int a, int b)
{
    if (reader->probes_count == reader->probes_size) {
        reader->probes_size = reader->probes_size ? 2 * reader->probes_size : 64;
        reader->probes = mem_resize(reader->probes, (size_t)reader->probes_size,
                                    sizeof(*reader->probes));
    }
    reader->probes[reader->probes_count++] =
        (struct progress_probe){.kind = kind, .a = a, .b = b};
}

static const char *stage_name(const struct progress_reader *reader, int stage)
{
    return reader->manifest->spec->stages[stage].name;
}

static const char *lease_name(const struct progress_reader *reader, int lease)
{
    return reader->known.limits[lease].lease;
}

static struct zpath probe_path(const struct progress_reader *reader,
                               const struct progress_probe *p)
{
    const char *root = reader->root, *id = reader->rollout;
    switch (p->kind) {
    case PROBE_MANIFEST:
        return zpath_spec(root, id);
    case PROBE_GATE:
        return zpath_gate(root, id);
    case PROBE_FAILED_COUNT:
    case PROBE_FAILED_NAMES:
        return zpath_failures(root, id);
    case PROBE_EXCLUDED_COUNT:
        return zpath_exclusions(root, id);
    case PROBE_DRIFTED_COUNT:
    case PROBE_DRIFTED_NAMES:
        return zpath_drifts(root, id);
    case PROBE_EVENTS_COUNT:
        return zpath_events(root, id);
    case PROBE_QUEUE:
        return zpath_queue(root, id, lease_name(reader, p->a));
    case PROBE_PERMIT_NAMES:
        return zpath_permits(root, id, lease_name(reader, p->a));
    case PROBE_PERMIT:
        return zpath_permit(root, id, lease_name(reader, p->a), p->b);
    case PROBE_LEASE_NAMES:
        return zpath_leases(root, id);
    case PROBE_ZONE_QUEUE:
        return zpath_queue(root, id, reader->zone_leases.items[p->a]);
    case PROBE_ZONE_PERMITS:
        return zpath_permits(root, id, reader->zone_leases.items[p->a]);
    case PROBE_ARRIVED:
        return zpath_arrivals(root, id, p->a, stage_name(reader, p->b));
    case PROBE_OPEN:
        return zpath_open(root, id, p->a, stage_name(reader, p->b));
    case PROBE_HOLDER_RECORD:
        return zpath_record(root, id, reader->fresh.permits[p->a].host);
    case PROBE_HOLDER_LIVE:
        return zpath_live(root, reader->fresh.permits[p->a].host);
    case PROBE_FAILED_RECORD:
        return zpath_record(root, id, reader->fresh.failed[p->a].host);
    case PROBE_DRIFTED_RECORD:
        return zpath_record(root, id, reader->fresh.drifted[p->a].host);
    }
    abort();
}

struct zk_request *progress_probe_issue(void *ctx, int index, zk_done_f done,
                                        void *done_ctx)
{
    struct progress_reader *reader = ctx;
    const struct progress_probe *p = &reader->probes[index];
    struct zpath path = probe_path(reader, p);
    reader->requests++;
    switch (p->kind) {
    case PROBE_MANIFEST:
    case PROBE_GATE:
    case PROBE_PERMIT:
    case PROBE_HOLDER_RECORD:
    case PROBE_FAILED_RECORD:
    case PROBE_DRIFTED_RECORD:
        return zk_get(reader->zk, path.text, NULL, done, done_ctx);
    case PROBE_PERMIT_NAMES:
    case PROBE_LEASE_NAMES:
    case PROBE_FAILED_NAMES:
    case PROBE_DRIFTED_NAMES:
        return zk_children(reader->zk, path.text, NULL, done, done_ctx);
    case PROBE_FAILED_COUNT:
    case PROBE_EXCLUDED_COUNT:
    case PROBE_DRIFTED_COUNT:
    case PROBE_EVENTS_COUNT:
    case PROBE_QUEUE:
    case PROBE_ZONE_QUEUE:
    case PROBE_ZONE_PERMITS:
    case PROBE_ARRIVED:
    case PROBE_OPEN:
    case PROBE_HOLDER_LIVE:
        return zk_exists(reader->zk, path.text, NULL, done, done_ctx);
    }
    abort();
}

static bool has_permit(const struct progress_reading *reading, int lease, int permit)
{
    for (int i = 0; i < reading->permits_count; i++)
        if (reading->permits[i].lease == lease && reading->permits[i].permit == permit)
            return true;
    return false;
}

static void add_permit(struct progress_reading *reading, int lease, int permit,
                       const struct zk_reply *reply)
{
    int i = reading->permits_count++;
    reading->permits = mem_resize(reading->permits, (size_t)reading->permits_count,
                                  sizeof(*reading->permits));
    reading->permits[i] = (struct progress_permit){.lease = lease,
                                                   .permit = permit,
                                                   .token = reply->stat.czxid,
                                                   .since_ms = reply->stat.ctime_ms};
    STR_COPY(reading->permits[i].host, reply->data_len ? reply->data : "?");
}

int progress_permits_asked(const struct progress_reader *reader, int lease)
{
    int limit = reader->known.limits[lease].permits;
    int hosts = reader->manifest->hosts;
    return limit < hosts ? limit : hosts;
}

/* Occupied ones that were not asked for: the limit was lowered, or a late host. */
static void on_permit_names(struct progress_reader *reader, int lease,
                            const struct zk_reply *reply)
{
    for (int i = 0; i < reply->children_count; i++) {
        int64_t permit;
        if (str_to_int64(reply->children[i], 0, 1000000, &permit) == 0 &&
            permit >= progress_permits_asked(reader, lease))
            progress_probe(reader, PROBE_PERMIT, lease, (int)permit);
    }
}

void progress_probe_zones(struct progress_reader *reader)
{
    for (int i = 0; i < reader->zone_leases.count; i++) {
        progress_probe(reader, PROBE_ZONE_QUEUE, i, 0);
        progress_probe(reader, PROBE_ZONE_PERMITS, i, 0);
    }
}

static void on_lease_names(struct progress_reader *reader, const struct zk_reply *reply)
{
    struct strings names = {0};
    for (int i = 0; i < reply->children_count; i++)
        if (lease_zone(reply->children[i]))
            strings_add(&names, reply->children[i]);
    strings_sort(&names);
    for (int i = 0; i < names.count && i < PROGRESS_ZONES_MAX; i++)
        strings_add(&reader->zone_leases, names.items[i]);
    reader->zones_left_out = names.count - reader->zone_leases.count;
    reader->zones_listed = true;
    strings_done(&names);
    progress_probe_zones(reader);
}

static int compare_hosts(const void *a, const void *b)
{
    const struct progress_failed *x = a, *y = b;
    return strcmp(x->host, y->host);
}

/* The first so many by name; how many they are. */
static int list_hosts(const struct zk_reply *reply, int max,
                      struct progress_failed **ret)
{
    int all = reply->children_count;
    struct progress_failed *hosts = mem_array((size_t)all + 1, sizeof(*hosts));
    for (int i = 0; i < all; i++)
        STR_COPY(hosts[i].host, reply->children[i]);
    qsort(hosts, (size_t)all, sizeof(*hosts), compare_hosts);
    free(*ret);
    *ret = hosts;
    return all < max ? all : max;
}

/* One record that is nonsense hides nothing of the others. */
static bool take_record(const struct zk_reply *reply, const char *path,
                        struct record *record, struct error *bad)
{
    int rc = record_decode(reply->data, reply->data_len, record, bad);
    if (rc < 0)
        (void)error_context(bad, rc, "znode '%s'", path);
    else
        bad->code = 0;
    return rc == 0;
}

static void on_barrier_open(struct progress_reader *reader,
                            const struct progress_probe *p,
                            const struct zk_reply *reply)
{
    int stages = reader->manifest->spec->stages_count;
    struct progress_barrier *barrier = &reader->fresh.barriers[p->a * stages + p->b];
    barrier->open = true;
    barrier->opened_ms = reply->stat.ctime_ms;
}

static int on_present(struct progress_reader *reader, const struct progress_probe *p,
                      const struct zk_reply *reply, const char *path, struct error *err)
{
    struct progress_reading *fresh = &reader->fresh;
    int rc = 0;
    switch (p->kind) {
    case PROBE_MANIFEST:
        rc = manifest_decode(reply->data, reply->data_len, &reader->manifest, err);
        return rc < 0 ? error_context(err, rc, "znode '%s'", path) : 0;
    case PROBE_GATE:
        rc = gate_decode(reply->data, reply->data_len, &fresh->gate, err);
        return rc < 0 ? error_context(err, rc, "znode '%s'", path) : 0;
    case PROBE_FAILED_COUNT:
        fresh->failed_count = reply->stat.children_count;
        if (fresh->failed_count == 0)
            fresh->failed_listed = 0;
        else if (reply->stat.pzxid != reader->failed_seen)
            progress_probe(reader, PROBE_FAILED_NAMES, 0, 0);
        reader->failed_seen = reply->stat.pzxid;
        break;
    case PROBE_FAILED_NAMES:
        fresh->failed_listed = list_hosts(reply, PROGRESS_FAILURES_MAX, &fresh->failed);
        break;
    case PROBE_EXCLUDED_COUNT:
        fresh->excluded_count = reply->stat.children_count;
        break;
    case PROBE_DRIFTED_COUNT:
        fresh->drifted_count = reply->stat.children_count;
        if (fresh->drifted_count > 0 &&
            fresh->drifted_count <= PROGRESS_DRIFTED_NAMES_MAX)
            progress_probe(reader, PROBE_DRIFTED_NAMES, 0, 0);
        break;
    case PROBE_DRIFTED_NAMES:
        fresh->drifted_listed =
            list_hosts(reply, PROGRESS_DRIFTED_MAX, &fresh->drifted);
        break;
    case PROBE_EVENTS_COUNT:
        reader->events_count = reply->stat.children_count;
        break;
    case PROBE_QUEUE:
        fresh->waiting[p->a] = reply->stat.children_count;
        break;
    case PROBE_PERMIT_NAMES:
        on_permit_names(reader, p->a, reply);
        break;
    case PROBE_PERMIT:
        if (!has_permit(fresh, p->a, p->b))
            add_permit(fresh, p->a, p->b, reply);
        break;
    case PROBE_LEASE_NAMES:
        if (!reader->zones_listed)
            on_lease_names(reader, reply);
        break;
    case PROBE_ZONE_QUEUE:
        fresh->zones[p->a].waiting = reply->stat.children_count;
        break;
    case PROBE_ZONE_PERMITS:
        fresh->zones[p->a].held = reply->stat.children_count;
        break;
    case PROBE_ARRIVED:
        fresh->barriers[p->a * reader->manifest->spec->stages_count + p->b].arrived =
            reply->stat.children_count;
        break;
    case PROBE_OPEN:
        on_barrier_open(reader, p, reply);
        break;
    case PROBE_HOLDER_LIVE:
        fresh->permits[p->a].live = true;
        break;
    case PROBE_HOLDER_RECORD:
        fresh->permits[p->a].heard_ms = reply->stat.mtime_ms;
        fresh->permits[p->a].has_record = take_record(
            reply, path, &fresh->permits[p->a].record, &fresh->permits[p->a].bad);
        break;
    case PROBE_FAILED_RECORD:
        fresh->failed[p->a].has_record = take_record(
            reply, path, &fresh->failed[p->a].record, &fresh->failed[p->a].bad);
        break;
    case PROBE_DRIFTED_RECORD:
        fresh->drifted[p->a].has_record = take_record(
            reply, path, &fresh->drifted[p->a].record, &fresh->drifted[p->a].bad);
        break;
    }
    return 0;
}

int progress_probe_reply(void *ctx, int index, bool repeated,
                         const struct zk_reply *reply, struct error *err)
{
    struct progress_reader *reader = ctx;
    const struct progress_probe p = reader->probes[index];
    struct zpath path = probe_path(reader, &p);
    if (reply->result == ZK_NO_NODE &&
        (p.kind == PROBE_MANIFEST || p.kind == PROBE_GATE))
        return error_set(err, -ENOENT, "rollout %s is not there (no '%s')",
                         reader->rollout, path.text);
    if (reply->result == ZK_NO_NODE)
        return 0; /* a free permit, a closed barrier, a znode of a younger program */
    if (reply->result != ZK_OK)
        return zk_error(reply->result, path.text, err);
    return on_present(reader, &p, reply, path.text, err);
}
