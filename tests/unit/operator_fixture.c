/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/operator_fixture.h"

#include "shared/base/mem.h"
#include "shared/base/str.h"
#include "tests/unit/cmocka_all.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DAY_MS = 24 * 3600 * 1000 };

static bool connected(void *ctx)
{
    return ((struct desk_fixture *)ctx)->zk->connected;
}

void desk_begin(struct desk_fixture *f, const struct model_zk_config *config)
{
    struct model_zk_config none = {.seed = 1};
    *f = (struct desk_fixture){.sim = sim_loop_new(config ? config->seed : 1)};
    f->loop = sim_loop_port(f->sim);
    f->mz = model_zk_new(f->sim, config ? config : &none);
    f->zk = model_zk_connect(f->mz, "cli", NULL);
    assert_true(sim_loop_run_until(f->sim, connected, f, DAY_MS));
}

void desk_end(struct desk_fixture *f)
{
    zk_free(f->zk);
    model_zk_free(f->mz);
    sim_loop_free(f->sim);
}

void desk_done(void *ctx, int result, const struct error *err)
{
    struct desk_fixture *f = ctx;
    f->done = true;
    f->calls++;
    f->result = result;
    error_copy(&f->err, err);
}

static bool is_done(void *ctx)
{
    return ((struct desk_fixture *)ctx)->done;
}

int desk_wait(struct desk_fixture *f)
{
    assert_true(sim_loop_run_until(f->sim, is_done, f, DAY_MS));
    f->done = false;
    return f->result;
}

void desk_init(struct desk_fixture *f)
{
    struct init init = {0};
    struct init_request wanted = {.root = ROOT,
                                  .cluster = "11111111-2222-3333-4444-555555555555"};
    init_start(&init, f->zk, f->loop, &wanted, desk_done, f);
    if (desk_wait(f) < 0)
        fail_msg("%s", f->err.text);
}

struct desk_rollout desk_rollout_new(const char *id, int hosts, int wave,
                                     const char *spec)
{
    struct desk_rollout r = {.gate = {.phase = GATE_RUN}};
    struct manifest *m = NEW(struct manifest);
    struct strbuf errors = {0};
    struct error err = {0};
    if (spec_parse(spec, strlen(spec), &m->spec, &errors, &err) < 0)
        fail_msg("%s", err.text);
    strbuf_done(&errors);
    STR_COPY(m->id, id);
    STR_COPY(m->by, "ops@test");
    memset(m->digest, 'a', 64);
    m->created_ms = SIM_WALL_START_MS;
    m->hosts = hosts;
    m->waves_count = wave ? (hosts + wave - 1) / wave : 1;
    r.waves = mem_array((size_t)m->waves_count, sizeof(*r.waves));
    for (int h = 0; h < hosts; h++) {
        char name[32];
        int w = wave ? h / wave : 0;
        (void)snprintf(name, sizeof(name), "host-%d", h);
        (void)snprintf(m->waves[w].name, NAME_SIZE, "wave-%d", w);
        m->waves[w].size++;
        STR_COPY(r.waves[w].name, m->waves[w].name);
        strings_add(&r.waves[w].hosts, name);
        (void)snprintf(name, sizeof(name), "rack-%d", h % 3);
        strings_add(&r.waves[w].zones, name);
    }
    assert_int_equal(gate_set_limit(&r.gate, "restart", 2, &err), 0);
    assert_int_equal(gate_set_limit(&r.gate, "install", 10, &err), 0);
    for (int i = 0; i < m->spec->zone_limits_count; i++) {
        const struct spec_zone_limit *limit = &m->spec->zone_limits[i];
        assert_int_equal(
            gate_set_zone_limit(&r.gate, limit->lease, limit->permits, &err), 0);
    }
    r.manifest = m;
    return r;
}

void desk_rollout_done(struct desk_rollout *r)
{
    for (int w = 0; w < r->manifest->waves_count; w++)
        wave_done(&r->waves[w]);
    free(r->waves);
    manifest_free(r->manifest);
}

int desk_create(struct desk_fixture *f, const struct desk_rollout *r)
{
    struct rollout_create create = {0};
    struct rollout_documents documents = {
        .manifest = r->manifest, .waves = r->waves, .gate = &r->gate};
    rollout_create_start(&create, f->zk, f->loop, ROOT, &documents, NULL, NULL,
                         desk_done, f);
    return desk_wait(f);
}

struct gate desk_gate(struct desk_fixture *f, const char *id)
{
    struct gate gate;
    struct error err = {0};
    const char *data;
    size_t len;
    if (!model_zk_peek(f->mz, zpath_gate(ROOT, id).text, &data, &len, NULL))
        fail_msg("rollout %s has no gate", id);
    if (gate_decode(data, len, &gate, &err) < 0)
        fail_msg("%s", err.text);
    return gate;
}

struct current desk_current(struct desk_fixture *f)
{
    struct current current;
    struct error err = {0};
    const char *data;
    size_t len;
    if (!model_zk_peek(f->mz, ROOT "/current", &data, &len, NULL))
        fail_msg("there is no /current");
    if (current_decode(data, len, &current, &err) < 0)
        fail_msg("%s", err.text);
    return current;
}

int desk_children(struct desk_fixture *f, const char *path)
{
    struct zk_stat stat;
    return model_zk_peek(f->mz, path, NULL, NULL, &stat) ? stat.children_count : -1;
}

void desk_poke_create(struct desk_fixture *f, const char *path, const char *data)
{
    struct zk_op op = {
        .kind = ZK_OP_CREATE, .path = path, .data = data, .data_len = strlen(data)};
    assert_int_equal(model_zk_poke(f->mz, &op, 1), ZK_OK);
}

void desk_poke_set(struct desk_fixture *f, const char *path, const char *data)
{
    struct zk_op op = {.kind = ZK_OP_SET,
                       .path = path,
                       .data = data,
                       .data_len = strlen(data),
                       .version = -1};
    assert_int_equal(model_zk_poke(f->mz, &op, 1), ZK_OK);
}
