/* SPDX-License-Identifier: Apache-2.0 */
#include "shared/swarm/occupancy.h"

#include "shared/base/str.h"
#include "shared/model/zpath.h"

static void look_at_next(struct occupancy *o);

static void end(struct occupancy *o, const struct zk_reply *failed)
{
    strings_done(&o->zones);
    o->done(o->ctx, failed);
}

static void on_permits(void *ctx, const struct zk_reply *reply)
{
    struct occupancy *o = ctx;
    o->request = NULL;
    if (reply->result != ZK_OK && reply->result != ZK_NO_NODE) {
        end(o, reply);
    } else if (reply->result == ZK_OK && reply->stat.children_count > 0) {
        o->count = reply->stat.children_count;
        end(o, NULL);
    } else {
        o->next++;
        look_at_next(o);
    }
}

static void on_leases(void *ctx, const struct zk_reply *reply)
{
    struct occupancy *o = ctx;
    o->request = NULL;
    if (reply->result != ZK_OK && reply->result != ZK_NO_NODE) {
        end(o, reply);
        return;
    }
    for (int i = 0; reply->result == ZK_OK && i < reply->children_count; i++)
        if (lease_zone(reply->children[i]))
            strings_add(&o->zones, reply->children[i]);
    strings_sort(&o->zones);
    o->listed = true;
    look_at_next(o);
}

static void look_at_next(struct occupancy *o)
{
    int zone = o->next - o->gate->limits_count;
    if (zone >= 0 && o->gate->zone_limits_count > 0 && !o->listed) {
        struct zpath leases = zpath_leases(o->root, o->rollout);
        o->request = zk_children(o->zk, leases.text, NULL, on_leases, o);
        return;
    }
    if (zone >= o->zones.count) {
        end(o, NULL);
        return;
    }
    STR_COPY(o->lease,
             zone < 0 ? o->gate->limits[o->next].lease : o->zones.items[zone]);
    struct zpath permits = zpath_permits(o->root, o->rollout, o->lease);
    o->request = zk_exists(o->zk, permits.text, NULL, on_permits, o);
}

void occupancy_look(struct occupancy *o, struct zk *zk, const char *root,
                    const char *rollout, const struct gate *gate,
                    void (*done)(void *ctx, const struct zk_reply *failed), void *ctx)
{
    *o = (struct occupancy){.zk = zk,
                            .root = root,
                            .rollout = rollout,
                            .gate = gate,
                            .done = done,
                            .ctx = ctx};
    look_at_next(o);
}

void occupancy_cancel(struct occupancy *o)
{
    if (!o->zk)
        return;
    zk_cancel(o->zk, o->request);
    o->request = NULL;
    strings_done(&o->zones);
}
