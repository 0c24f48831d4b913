/* test_golden.c - what the CLI shows, against files that people have looked at.
 *
 * SPDX-License-Identifier: Apache-2.0
 * CLOWDER_GOLDEN_WRITE=1 writes the files anew: look at the difference before
 * committing.
 */
#include "coordinator/render.h"
#include "coordinator/writer.h"
#include "shared/base/cleanup.h"
#include "shared/base/fs.h"
#include "shared/base/mem.h"
#include "tests/cli/scenes.h"
#include "tests/unit/cmocka_all.h"
#include "tests/unit/why_fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static void assert_golden(const char *name, const char *text)
{
    _cleanup_(freep) char *path = mem_printf("tests/cli/golden/%s", name);
    _cleanup_(freep) char *wanted = NULL;
    struct error err = {0};
    size_t len;
    if (getenv("CLOWDER_GOLDEN_WRITE")) {
        if (fs_write_atomic(path, text, strlen(text), NULL, NULL, &err) < 0)
            fail_msg("%s", err.text);
        return;
    }
    if (fs_read(path, 1 << 20, &wanted, &len, &err) < 0)
        fail_msg("%s", err.text);
    if (strcmp(wanted, text) != 0)
        fail_msg("%s differs; now it is:\n%s", path, text);
}

static const struct style wide = {.width = 100, .utf8 = true};
static const struct style narrow = {.width = 44};
static const struct style colored = {.width = 80, .utf8 = true, .color = true};

static void golden_progress(enum scene scene, const char *suffix,
                            const struct style *style)
{
    struct progress p;
    struct strbuf out = {0};
    scene_make(scene, &p);
    render_progress(&out, style, &p, SCENE_NOW_MS, 0);
    _cleanup_(freep) char *name = mem_printf("%s-%s.txt", scene_name(scene), suffix);
    assert_golden(name, out.text);
    strbuf_done(&out);
    progress_done(&p);
}

static void every_scene_wide(void **state)
{
    for (int s = 0; s < SCENE_COUNT; s++)
        golden_progress((enum scene)s, "wide", &wide);
}

static void every_scene_narrow_and_in_ascii(void **state)
{
    for (int s = 0; s < SCENE_COUNT; s++)
        golden_progress((enum scene)s, "narrow", &narrow);
}

static void a_scene_in_color(void **state)
{
    golden_progress(SCENE_PAUSED_BY_FAILURE, "color", &colored);
}

/* One answer of a writer, as text. */
struct capture {
    char *text;
    size_t size;
    struct writer writer;
};

static void capture_begin(struct capture *c, const struct writer_ops *ops)
{
    *c = (struct capture){0};
    c->writer = (struct writer){.ops = ops, .style = wide, .err_style = wide};
    c->writer.out = c->writer.err = open_memstream(&c->text, &c->size);
}

static void capture_golden(struct capture *c, const char *name)
{
    (void)fclose(c->writer.out);
    assert_golden(name, c->text);
    free(c->text);
}

static void every_scene_as_json(void **state)
{
    for (int s = 0; s < SCENE_COUNT; s++) {
        struct progress p;
        struct capture c;
        scene_make((enum scene)s, &p);
        capture_begin(&c, &writer_json);
        c.writer.ops->progress(&c.writer, &p, SCENE_NOW_MS);
        _cleanup_(freep) char *name = mem_printf("%s.json", scene_name((enum scene)s));
        capture_golden(&c, name);
        progress_done(&p);
    }
}

static void no_rollout_at_all(void **state)
{
    struct capture c;
    capture_begin(&c, &writer_text);
    c.writer.ops->progress(&c.writer, NULL, SCENE_NOW_MS);
    capture_golden(&c, "none.txt");
    capture_begin(&c, &writer_json);
    c.writer.ops->progress(&c.writer, NULL, SCENE_NOW_MS);
    capture_golden(&c, "none.json");
}

static void golden_leases(enum scene scene, const char *text, const char *json)
{
    struct progress p;
    struct capture c;
    scene_make(scene, &p);
    capture_begin(&c, &writer_text);
    c.writer.ops->leases(&c.writer, &p, SCENE_NOW_MS);
    capture_golden(&c, text);
    capture_begin(&c, &writer_json);
    c.writer.ops->leases(&c.writer, &p, SCENE_NOW_MS);
    capture_golden(&c, json);
    progress_done(&p);
}

static void the_leases(void **state)
{
    golden_leases(SCENE_RUNNING, "leases.txt", "leases.json");
}

static void the_leases_of_zones(void **state)
{
    golden_leases(SCENE_ZONES, "leases-zones.txt", "leases-zones.json");
}

static void the_plan_says_what_limits_of_zones_make_of_it(void **state)
{
    struct plan_scene scene = plan_scene_make();
    struct plan_view view = {
        .spec = scene.spec, .plan = &scene.plan, .max_restarts = 3, .brief = true};
    struct capture c;
    STR_COPY(scene.plan.hosts[0].zone, "rack-1");
    STR_COPY(scene.plan.hosts[1].zone, "rack-1");
    scene.spec->leases[1].permits.number = 3; /* restart */
    scene.spec->zone_limits[0] =
        (struct spec_zone_limit){.lease = "restart", .permits = 1};
    scene.spec->zone_limits_count = 1;
    capture_begin(&c, &writer_text);
    c.writer.ops->plan(&c.writer, &view);
    capture_golden(&c, "plan-zones.txt");
    capture_begin(&c, &writer_json);
    c.writer.ops->plan(&c.writer, &view);
    capture_golden(&c, "plan-zones.json");
    plan_scene_done(&scene);
}

static void the_plan(void **state)
{
    struct plan_scene scene = plan_scene_make();
    struct plan_view view = {
        .spec = scene.spec, .plan = &scene.plan, .max_restarts = 1};
    struct capture c;
    capture_begin(&c, &writer_text);
    c.writer.ops->plan(&c.writer, &view);
    capture_golden(&c, "plan.txt");
    capture_begin(&c, &writer_json);
    c.writer.ops->plan(&c.writer, &view);
    capture_golden(&c, "plan.json");
    view.brief = true;
    capture_begin(&c, &writer_text);
    c.writer.ops->plan(&c.writer, &view);
    capture_golden(&c, "plan-brief.txt");
    plan_scene_done(&scene);
}

static void the_hosts(void **state)
{
    struct host_row rows[4] = {
        {.host = "10.0.0.5",
         .live = true,
         .has_record = true,
         .state = HOST_DONE,
         .since_ms = SCENE_NOW_MS - 250000},
        {.host = "10.0.0.6",
         .live = true,
         .has_record = true,
         .state = HOST_HOLDING,
         .stage = "restart",
         .step = "cni",
         .doing = "prove",
         .since_ms = SCENE_NOW_MS - 9000},
        {.host = "10.0.0.7",
         .has_record = true,
         .state = HOST_FAILED,
         .stage = "run",
         .since_ms = SCENE_NOW_MS - 90000,
         .error = "the image quay.io/calico/node:v2.6.11 cannot be pulled: no route"},
        {.host = "10.0.0.8",
         .live = true,
         .has_record = true,
         .state = HOST_DONE,
         .since_ms = SCENE_NOW_MS - 86400000,
         .drift = RECORD_DRIFTED,
         .drifted = "cni: calico.cni to be renewed"},
    };
    struct hosts_view view = {
        .rows = rows, .count = 4, .rollout = "20261123-200000-1a2b"};
    struct capture c;
    capture_begin(&c, &writer_text);
    c.writer.ops->hosts(&c.writer, &view, SCENE_NOW_MS);
    capture_golden(&c, "hosts.txt");
    capture_begin(&c, &writer_json);
    c.writer.ops->hosts(&c.writer, &view, SCENE_NOW_MS);
    capture_golden(&c, "hosts.json");
}

static void the_events(void **state)
{
    struct event events[2] = {
        {.who = "ops@laptop",
         .what = "install: 120 hosts in 3 waves",
         .at_ms = SCENE_NOW_MS - 600000},
        {.who = "ops@laptop", .what = "pause", .why = "lunch", .at_ms = SCENE_NOW_MS}};
    struct capture c;
    capture_begin(&c, &writer_text);
    c.writer.ops->events(&c.writer, events, 2);
    capture_golden(&c, "events.txt");
    capture_begin(&c, &writer_json);
    c.writer.ops->events(&c.writer, events, 2);
    capture_golden(&c, "events.json");
}

static void a_single_mistake_is_said_once(void **state)
{
    struct capture c;
    capture_begin(&c, &writer_text);
    c.writer.ops->error(&c.writer, EXIT_USAGE, "spec: steps.cni: expected an object",
                        "steps.cni: expected an object\n");
    capture_golden(&c, "error-single.txt");
}

static void errors_with_all_their_mistakes(void **state)
{
    static const char mistakes[] = "foo: unknown key\nsteps.cni.restart: \"maybe\"";
    struct capture c;
    capture_begin(&c, &writer_text);
    c.writer.ops->error(&c.writer, EXIT_USAGE, "spec: 2 mistakes", mistakes);
    capture_golden(&c, "error.txt");
    capture_begin(&c, &writer_json);
    c.writer.ops->error(&c.writer, EXIT_USAGE, "spec: 2 mistakes", mistakes);
    capture_golden(&c, "error.json");
}

static void changes_are_lines(void **state)
{
    struct progress running, paused, finished;
    struct strbuf out = {0};
    scene_make(SCENE_RUNNING, &running);
    scene_make(SCENE_PAUSED_BY_FAILURE, &paused);
    scene_make(SCENE_FINISHED_WITH_FAILURES, &finished);

    render_changes(&out, &wide, NULL, &running, SCENE_NOW_MS);
    size_t first = out.len;
    render_changes(&out, &wide, &running, &running, SCENE_NOW_MS + 1000);
    assert_int_equal(out.len, first);
    render_changes(&out, &wide, &running, &paused, SCENE_NOW_MS + 2000);
    render_changes(&out, &wide, &paused, &finished, SCENE_NOW_MS + 3000);

    assert_golden("changes.txt", out.text);
    strbuf_done(&out);
    progress_done(&running);
    progress_done(&paused);
    progress_done(&finished);
}

static void a_holder_that_goes_away_and_a_wait_are_lines(void **state)
{
    struct progress running, between, away;
    struct strbuf out = {0};
    scene_make(SCENE_RUNNING, &running);
    scene_make(SCENE_RUNNING, &away);
    scene_make(SCENE_BETWEEN_WAVES, &between);
    away.leases[1].held[0].away = true;

    render_changes(&out, &wide, &running, &away, SCENE_NOW_MS);
    render_changes(&out, &wide, &away, &running, SCENE_NOW_MS + 1000);
    render_changes(&out, &wide, NULL, &between, SCENE_NOW_MS + 2000);
    render_changes(&out, &wide, &between, &between, SCENE_NOW_MS + 3000);

    assert_golden("changes-away.txt", out.text);
    strbuf_done(&out);
    progress_done(&running);
    progress_done(&away);
    progress_done(&between);
}

static void what_gc_would_remove(void **state)
{
    struct gc_rollout rollouts[] = {
        {.id = "20261123-203000-1a2b", .verdict = GC_KEEP_CURRENT, .hosts = 200},
        {.id = "20261122-090000-3c4d", .verdict = GC_KEEP_OPEN, .hosts = 1},
        {.id = "20261121-090000-5e6f", .verdict = GC_DEBRIS, .hosts = 19800},
        {.id = "20261120-090000-7788", .verdict = GC_CLOSED, .hosts = 200},
    };
    struct gc gc = {
        .server_ms = SCENE_NOW_MS, .rollouts = rollouts, .rollouts_count = 4};
    const struct style *styles[] = {&wide, &narrow};
    struct capture c;
    for (int i = 0; i < 4; i++)
        rollouts[i].created_ms = SCENE_NOW_MS - i * INT64_C(86400000) - 3600000;
    for (int i = 0; i < 23; i++) {
        char name[16];
        (void)snprintf(name, sizeof(name), "10.0.0.%d", i);
        strings_add(&gc.hosts, name);
    }
    const struct gc_view view = {.gc = &gc, .dry_run = true, .left = ""};
    for (int i = 0; i < 2; i++) {
        struct strbuf out = {0};
        render_gc(&out, styles[i], &view);
        assert_golden(i ? "gc-narrow.txt" : "gc-wide.txt", out.text);
        strbuf_done(&out);
    }
    capture_begin(&c, &writer_json);
    c.writer.ops->gc(&c.writer, &view);
    capture_golden(&c, "gc.json");
    strings_done(&gc.hosts);
}

static void assert_no_line_wider(const char *text, int width, const char *what)
{
    while (*text) {
        size_t len = strcspn(text, "\n");
        _cleanup_(freep) char *line = mem_strndup(text, len);
        if (text_width(line) > width)
            fail_msg("%s at width %d: \"%s\"", what, width, line);
        text += len + (text[len] == '\n');
    }
}

static void no_line_is_wider_than_the_terminal(void **state)
{
    struct style style = {.utf8 = true};
    for (style.width = WIDTH_MIN; style.width <= 160; style.width++) {
        for (int s = 0; s < SCENE_COUNT; s++) {
            struct progress p;
            struct strbuf out = {0};
            scene_make((enum scene)s, &p);
            render_progress(&out, &style, &p, SCENE_NOW_MS, 0);
            assert_no_line_wider(out.text, style.width, scene_name((enum scene)s));
            strbuf_done(&out);
            progress_done(&p);
        }
    }
}

static void assert_fits(enum scene scene, const struct style *style, int height)
{
    struct progress p;
    struct strbuf out = {0};
    int lines = 0;
    scene_make(scene, &p);
    render_progress(&out, style, &p, SCENE_NOW_MS, height);
    for (const char *c = out.text; *c; c++)
        lines += *c == '\n';
    if (lines > height)
        fail_msg("%s: %d lines in a height of %d:\n%s", scene_name(scene), lines,
                 height, out.text);
    strbuf_done(&out);
    progress_done(&p);
}

static void a_low_terminal_gets_a_low_picture(void **state)
{
    for (int height = 16; height < 40; height++)
        assert_fits(SCENE_MANY_WAVES, &wide, height);
}

static void everything_at_once_fits_on_one_screen_of_80_by_24(void **state)
{
    const struct style screen = {.width = 80, .height = 23, .utf8 = true};
    struct progress p;
    struct capture c;
    for (int s = 0; s < SCENE_COUNT; s++)
        assert_fits((enum scene)s, &screen, screen.height);
    scene_make(SCENE_LARGE, &p);
    capture_begin(&c, &writer_text);
    c.writer.style = screen;
    c.writer.ops->progress(&c.writer, &p, SCENE_NOW_MS);
    capture_golden(&c, "large-screen.txt");
    progress_done(&p);
}

static void golden_why(const char *name, struct why_fixture *f)
{
    const struct style *styles[] = {&wide, &narrow};
    why_explain(f);
    const struct why_view view = {
        .host = WHY_HOST, .rollout = f->manifest->id, .why = &f->why};
    for (int i = 0; i < 2; i++) {
        struct strbuf out = {0};
        _cleanup_(freep) char *file =
            mem_printf("why-%s-%s.txt", name, i ? "narrow" : "wide");
        render_why(&out, styles[i], &view, WHY_NOW_MS);
        assert_no_line_wider(out.text, styles[i]->width + (i ? 40 : 0), file);
        assert_golden(file, out.text);
        strbuf_done(&out);
    }
    struct capture c;
    _cleanup_(freep) char *file = mem_printf("why-%s.json", name);
    capture_begin(&c, &writer_json);
    c.writer.ops->why(&c.writer, &view, WHY_NOW_MS);
    capture_golden(&c, file);
    why_end(f);
}

static void why_a_host_waits_for_a_permit(void **state)
{
    struct why_fixture f;
    why_begin(&f, "{}");
    why_wait_in_line(&f);
    (void)why_held_by(&f, "restart", "10.0.0.5", HOST_HOLDING, false);
    golden_why("permit", &f);
}

static void why_a_host_waits_for_its_wave(void **state)
{
    struct why_fixture f;
    why_begin(&f, "{}");
    why_wait_for_wave(&f);
    golden_why("wave", &f);
}

static void why_a_host_has_failed(void **state)
{
    struct why_fixture f;
    why_begin(&f, "{}");
    f.in.host.record = why_record(HOST_FAILED, "restart", "restart", 0);
    STR_COPY(f.in.host.record.step, "docker-cluster-store");
    STR_COPY(f.in.host.record.error, "docker.service did not come up within 1m");
    why_gate_is(&f, GATE_PAUSE, WHY_HOST, "host 10.0.0.9 failed");
    golden_why("failed", &f);
}

static void foreign_text_cannot_draw_on_the_screen(void **state)
{
    struct progress p;
    struct strbuf out = {0};
    scene_make(SCENE_HOSTILE_TEXT, &p);

    render_progress(&out, &wide, &p, SCENE_NOW_MS, 0);
    render_changes(&out, &wide, NULL, &p, SCENE_NOW_MS);

    for (const char *c = out.text; *c; c++)
        assert_true(*c == '\n' || (unsigned char)*c >= ' ');
    strbuf_done(&out);
    progress_done(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_scene_wide),
        cmocka_unit_test(every_scene_narrow_and_in_ascii),
        cmocka_unit_test(a_scene_in_color),
        cmocka_unit_test(every_scene_as_json),
        cmocka_unit_test(no_rollout_at_all),
        cmocka_unit_test(the_leases),
        cmocka_unit_test(the_leases_of_zones),
        cmocka_unit_test(the_plan_says_what_limits_of_zones_make_of_it),
        cmocka_unit_test(the_plan),
        cmocka_unit_test(the_hosts),
        cmocka_unit_test(the_events),
        cmocka_unit_test(a_single_mistake_is_said_once),
        cmocka_unit_test(errors_with_all_their_mistakes),
        cmocka_unit_test(changes_are_lines),
        cmocka_unit_test(a_holder_that_goes_away_and_a_wait_are_lines),
        cmocka_unit_test(what_gc_would_remove),
        cmocka_unit_test(no_line_is_wider_than_the_terminal),
        cmocka_unit_test(a_low_terminal_gets_a_low_picture),
        cmocka_unit_test(everything_at_once_fits_on_one_screen_of_80_by_24),
        cmocka_unit_test(why_a_host_waits_for_a_permit),
        cmocka_unit_test(why_a_host_waits_for_its_wave),
        cmocka_unit_test(why_a_host_has_failed),
        cmocka_unit_test(foreign_text_cannot_draw_on_the_screen),
    };
    (void)setenv("TZ", "UTC", 1);
    tzset();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
