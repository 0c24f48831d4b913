/* SPDX-License-Identifier: Apache-2.0 */
#include "shared/swarm/rollout_layout.h"

#include "shared/base/mem.h"
#include "shared/base/str.h"
#include "shared/model/record.h"
#include "shared/model/zpath.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { OP_OVERHEAD = 64 }; /* headers, ACL and lengths on the wire */

static char *own(struct rollout_layout *layout, char *text)
{
    if (layout->owned_count == layout->owned_size) {
        layout->owned_size = layout->owned_size ? 2 * layout->owned_size : 256;
        layout->owned = mem_resize(layout->owned, (size_t)layout->owned_size,
                                   sizeof(*layout->owned));
    }
    layout->owned[layout->owned_count++] = text;
    return text;
}

/* data is borrowed from own() or NULL. */
static void add(struct rollout_layout *layout, struct zpath path, const char *data)
{
    if (layout->ops_count == layout->ops_size) {
        layout->ops_size = layout->ops_size ? 2 * layout->ops_size : 256;
        layout->ops =
            mem_resize(layout->ops, (size_t)layout->ops_size, sizeof(*layout->ops));
    }
    layout->ops[layout->ops_count++] =
        (struct zk_op){.kind = ZK_OP_CREATE,
                       .path = own(layout, mem_strdup(path.text)),
                       .data = data,
                       .data_len = data ? strlen(data) : 0};
}

static struct zpath below(struct zpath parent, const char *leaf)
{
    strncat(parent.text, leaf, sizeof(parent.text) - strlen(parent.text) - 1);
    return parent;
}

static void add_lease(struct rollout_layout *layout, const char *root, const char *id,
                      const char *lease)
{
    add(layout, zpath_lease(root, id, lease), NULL);
    add(layout, zpath_queue(root, id, lease), NULL);
    add(layout, zpath_permits(root, id, lease), NULL);
}

static const char *zone_of(const struct wave *wave, int host)
{
    return host < wave->zones.count ? wave->zones.items[host] : "";
}

/* The zones of all members, each once. */
static void list_zones(const struct rollout_documents *documents, struct strings *ret)
{
    struct strings all = {0};
    for (int w = 0; w < documents->manifest->waves_count; w++)
        for (int h = 0; h < documents->waves[w].hosts.count; h++)
            strings_add(&all, zone_of(&documents->waves[w], h));
    strings_sort(&all);
    for (int i = 0; i < all.count; i++)
        if (i == 0 || !str_equal(all.items[i - 1], all.items[i]))
            strings_add(ret, all.items[i]);
    strings_done(&all);
}

/* Of the zones that are known now; a late host of another one makes its own. */
static void add_zone_leases(struct rollout_layout *layout, const char *root,
                            const struct rollout_documents *documents)
{
    const char *id = documents->manifest->id;
    const struct gate *gate = documents->gate;
    struct strings zones = {0};
    if (gate->zone_limits_count > 0)
        list_zones(documents, &zones);
    for (int i = 0; i < gate->zone_limits_count; i++)
        for (int z = 0; z < zones.count; z++)
            add_lease(layout, root, id,
                      lease_in_zone(gate->zone_limits[i].lease, zones.items[z]).text);
    strings_done(&zones);
}

static void add_leases(struct rollout_layout *layout, const char *root,
                       const struct rollout_documents *documents)
{
    const char *id = documents->manifest->id;
    const struct gate *gate = documents->gate;
    add(layout, zpath_leases(root, id), NULL);
    for (int i = 0; i < gate->limits_count; i++)
        add_lease(layout, root, id, gate->limits[i].lease);
    add_zone_leases(layout, root, documents);
}

static void add_barriers(struct rollout_layout *layout, const char *root,
                         const struct manifest *manifest)
{
    const char *id = manifest->id;
    add(layout, below(zpath_rollout(root, id), "/barriers"), NULL);
    for (int w = 0; w < manifest->waves_count; w++) {
        for (int s = 0; s < manifest->spec->stages_count; s++) {
            const char *stage = manifest->spec->stages[s].name;
            add(layout, zpath_barrier(root, id, w, stage), NULL);
            add(layout, zpath_arrivals(root, id, w, stage), NULL);
        }
    }
}

static void add_structure(struct rollout_layout *layout, const char *root,
                          const struct rollout_documents *documents)
{
    const struct manifest *manifest = documents->manifest;
    const char *id = manifest->id;
    add(layout, zpath_rollout(root, id), NULL);
    add(layout, zpath_spec(root, id), own(layout, manifest_encode(manifest)));
    add(layout, below(zpath_rollout(root, id), "/waves"), NULL);
    for (int w = 0; w < manifest->waves_count; w++)
        add(layout, zpath_wave(root, id, w),
            own(layout, wave_encode(&documents->waves[w])));
    add(layout, zpath_records(root, id), NULL);
    add(layout, zpath_failures(root, id), NULL);
    add(layout, zpath_exclusions(root, id), NULL);
    add(layout, zpath_retries(root, id), NULL);
    add(layout, zpath_drifts(root, id), NULL);
    add(layout, zpath_events(root, id), NULL);
    add_leases(layout, root, documents);
    add_barriers(layout, root, manifest);
}

/* Members of one wave and zone begin with the same record. */
static void add_records(struct rollout_layout *layout, const char *root,
                        const struct rollout_documents *documents)
{
    const struct manifest *manifest = documents->manifest;
    for (int w = 0; w < manifest->waves_count; w++) {
        struct record record;
        record_init(&record, w);
        record.since_ms = manifest->created_ms;
        const struct strings *hosts = &documents->waves[w].hosts;
        const char *data = NULL;
        for (int h = 0; h < hosts->count; h++) {
            const char *zone = zone_of(&documents->waves[w], h);
            if (!data || !str_equal(record.zone, zone)) {
                STR_COPY(record.zone, zone);
                data = own(layout, record_encode(&record));
            }
            add(layout, zpath_record(root, manifest->id, hosts->items[h]), data);
        }
    }
}

static void begin_chunk(struct rollout_layout *layout, int first)
{
    layout->chunks[layout->chunks_count++] = first;
}

static int cut(struct rollout_layout *layout, int structure_ops, struct error *err)
{
    size_t bytes = 0;
    int in_chunk = 0;
    layout->chunks = mem_array((size_t)layout->ops_count + 1, sizeof(*layout->chunks));
    for (int i = 0; i < layout->ops_count; i++) {
        const struct zk_op *op = &layout->ops[i];
        size_t size = strlen(op->path) + op->data_len + OP_OVERHEAD;
        if (size > LAYOUT_ZNODE_MAX)
            return error_set(err, -E2BIG,
                             "znode '%s' would have %zu bytes, more than a server "
                             "takes: make smaller waves (--wave-size)",
                             op->path, op->data_len);
        if (i == structure_ops)
            layout->structure_chunks = layout->chunks_count;
        if (i == 0 || i == structure_ops || in_chunk == LAYOUT_OPS_MAX ||
            bytes + size > LAYOUT_BYTES_MAX) {
            begin_chunk(layout, i);
            bytes = 0;
            in_chunk = 0;
        }
        bytes += size;
        in_chunk++;
    }
    if (structure_ops == layout->ops_count)
        layout->structure_chunks = layout->chunks_count;
    layout->chunks[layout->chunks_count] = layout->ops_count;
    return 0;
}

int rollout_layout_make(const char *root, const struct rollout_documents *documents,
                        struct rollout_layout *ret, struct error *err)
{
    struct rollout_layout layout = {0};
    add_structure(&layout, root, documents);
    int structure_ops = layout.ops_count;
    add_records(&layout, root, documents);
    int rc = cut(&layout, structure_ops, err);
    if (rc < 0) {
        rollout_layout_done(&layout);
        return rc;
    }
    *ret = layout;
    return 0;
}

void rollout_layout_done(struct rollout_layout *layout)
{
    for (int i = 0; i < layout->owned_count; i++)
        free(layout->owned[i]);
    free(layout->owned);
    free(layout->ops);
    free(layout->chunks);
    *layout = (struct rollout_layout){0};
}
