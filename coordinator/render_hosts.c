/* SPDX-License-Identifier: Apache-2.0 */
#include "coordinator/render.h"

#include <stdio.h>
#include <string.h>

enum { HOST_WIDTH = 20 };

static void ago_text(int64_t at_ms, int64_t now_ms, char *dst, size_t size)
{
    dst[0] = '\0';
    if (at_ms > 0)
        duration_text(now_ms - at_ms, dst, size);
}

static void does_text(const struct host_row *row, char *dst, size_t size)
{
    dst[0] = '\0';
    if (row->error[0])
        (void)snprintf(dst, size, "%s", row->error);
    else if (row->state == HOST_WAITING)
        (void)snprintf(dst, size, "for lease %s", row->lease);
    else if (row->step[0])
        (void)snprintf(dst, size, "%s%s%s", row->step, row->doing[0] ? ": " : "",
                       row->doing);
    else if (row->drifted[0])
        (void)snprintf(dst, size, "drifted: %s", row->drifted);
}

static void add_row(struct strbuf *out, const struct style *style,
                    const struct host_row *row, int64_t now_ms)
{
    char does[512], since[24];
    int room = style->width - HOST_WIDTH - 10 - 10 - 10;
    const char *state = row->has_record ? host_state_text(row->state) : "-";
    does_text(row, does, sizeof(does));
    ago_text(row->has_record ? row->since_ms : 0, now_ms, since, sizeof(since));
    style_cell(out, style, TONE_PLAIN, HOST_WIDTH - 1, row->host);
    strbuf_add(out, " ");
    style_cell(out, style, row->has_record ? state_tone(row->state) : TONE_DIM, 10,
               state);
    style_cell(out, style, TONE_PLAIN, 9, row->stage);
    strbuf_add(out, " ");
    style_cell(out, style, TONE_DIM, -8, since);
    strbuf_add(out, "  ");
    if (!row->live)
        style_cell(out, style, TONE_WARN, 0, does[0] ? "away, " : "away");
    if (does[0] && room > 12)
        style_cell(out, style, TONE_PLAIN, row->live ? room : room - 6, does);
    style_end_line(out);
}

/* "20.10.24+dfsg1" by its upstream part: the rest is the distribution's. */
static void add_version(struct strbuf *out, const struct style *style,
                        const char *version)
{
    char upstream[32];
    size_t len = strcspn(version, "+~");
    (void)snprintf(upstream, sizeof(upstream), "%.*s", (int)len, version);
    style_cell(out, style, TONE_PLAIN, 9, upstream[0] ? upstream : "-");
}

static void add_inventory_row(struct strbuf *out, const struct style *style,
                              const struct host_row *row)
{
    style_cell(out, style, TONE_PLAIN, HOST_WIDTH - 1, row->host);
    strbuf_add(out, " ");
    style_cell(out, style, row->live ? TONE_GOOD : TONE_WARN, 6,
               row->live ? "here" : "away");
    if (row->error[0]) {
        style_cell(out, style, TONE_BAD, style->width - HOST_WIDTH - 6, row->error);
        style_end_line(out);
        return;
    }
    style_cell(out, style, TONE_PLAIN, 13, row->role);
    add_version(out, style, row->docker);
    strbuf_add(out, " ");
    style_cell(out, style, TONE_PLAIN, 9, row->mesos[0] ? row->mesos : "-");
    strbuf_add(out, " ");
    style_cell(out, style, TONE_PLAIN, 9, row->dcos[0] ? row->dcos : "-");
    if (style->width >= 80) {
        strbuf_add(out, " ");
        style_cell(out, style, TONE_PLAIN, style->width - 70, row->zone);
    }
    style_end_line(out);
}

static void add_head(struct strbuf *out, const struct style *style, bool inventory)
{
    style_cell(out, style, TONE_DIM, HOST_WIDTH, "host");
    if (inventory) {
        style_cell(out, style, TONE_DIM, 6, "agent");
        style_cell(out, style, TONE_DIM, 13, "role");
        style_cell(out, style, TONE_DIM, 10, "docker");
        style_cell(out, style, TONE_DIM, 10, "mesos");
        style_cell(out, style, TONE_DIM, 10, "dc/os");
        style_add(out, style, TONE_DIM, style->width >= 80 ? "zone" : "");
    } else {
        style_cell(out, style, TONE_DIM, 10, "state");
        style_cell(out, style, TONE_DIM, 10, "stage");
        style_cell(out, style, TONE_DIM, -8, "since");
    }
    style_end_line(out);
}

const char render_no_host_note[] =
    "no host has registered: is clowder-agentd running on them, with the same --zk?";

void render_hosts(struct strbuf *out, const struct style *style,
                  const struct hosts_view *view, int64_t now_ms)
{
    if (view->count == 0) {
        strbuf_addf(out, "%s\n", render_no_host_note);
        return;
    }
    add_head(out, style, view->inventory);
    for (int i = 0; i < view->count; i++) {
        if (view->inventory)
            add_inventory_row(out, style, &view->rows[i]);
        else
            add_row(out, style, &view->rows[i], now_ms);
    }
}

static void add_pair(struct strbuf *out, const struct style *style, const char *name,
                     enum tone tone, const char *value)
{
    if (!value[0])
        return;
    strbuf_add(out, "  ");
    style_cell(out, style, TONE_DIM, 12, name);
    style_wrap(out, style, tone, 14, value);
    style_end_line(out);
}

static void add_facts(struct strbuf *out, const struct style *style,
                      const struct facts *facts, int64_t now_ms)
{
    char seen[40] = "not yet", span[24];
    add_pair(out, style, "role", TONE_PLAIN, host_role_text(facts->role));
    add_pair(out, style, "address", TONE_PLAIN, facts->address);
    add_pair(out, style, "zone", TONE_PLAIN, facts->zone);
    add_pair(out, style, "docker", TONE_PLAIN, facts->docker);
    add_pair(out, style, "mesos", TONE_PLAIN, facts->mesos);
    add_pair(out, style, "dc/os", TONE_PLAIN, facts->dcos);
    add_pair(out, style, "kernel", TONE_PLAIN, facts->kernel);
    add_pair(out, style, "agentd", TONE_PLAIN, facts->agentd);
    if (facts->seen_ms > 0) {
        duration_text(now_ms - facts->seen_ms, span, sizeof(span));
        (void)snprintf(seen, sizeof(seen), "%s ago", span);
    }
    add_pair(out, style, "probed", TONE_PLAIN, seen);
    const char *step;
    json_t *error;
    json_object_foreach (facts->errors, step, error) {
        char text[512];
        (void)snprintf(text, sizeof(text), "%s: %s", step, json_string_value(error));
        add_pair(out, style, "probe", TONE_WARN, text);
    }
}

static enum tone step_tone(enum step_state state)
{
    switch (state) {
    case STEP_PENDING:
    case STEP_DISABLED:
        return TONE_DIM;
    case STEP_RUNNING:
        return TONE_BUSY;
    case STEP_ALREADY:
    case STEP_PROVED:
        return TONE_GOOD;
    case STEP_DRIFTED:
        return TONE_WARN;
    case STEP_FAILED:
    case STEP_REVERTED:
        return TONE_BAD;
    }
    return TONE_PLAIN;
}

static void add_steps(struct strbuf *out, const struct style *style,
                      const struct record *record)
{
    if (record->steps_count > 0)
        style_end_line(out);
    for (int i = 0; i < record->steps_count; i++) {
        const struct step_record *step = &record->steps[i];
        char span[24] = "";
        if (step->took_ms > 0)
            duration_text(step->took_ms, span, sizeof(span));
        strbuf_add(out, "  ");
        style_cell(out, style, TONE_PLAIN, 22, step->name);
        style_cell(out, style, step_tone(step->state), 10,
                   step_state_text(step->state));
        style_cell(out, style, TONE_DIM, -7, span);
        strbuf_add(out, "  ");
        style_wrap(out, style, TONE_PLAIN, 43, step->says);
        style_end_line(out);
    }
}

static void add_drift(struct strbuf *out, const struct style *style,
                      const struct record *record)
{
    char names[128];
    record_drifted_names(record, names, sizeof(names));
    switch (record->drift) {
    case RECORD_STEADY:
        return;
    case RECORD_DRIFTED:
        add_pair(out, style, "drifted", TONE_WARN, names);
        return;
    case RECORD_REPAIRING:
        add_pair(out, style, "drifted", TONE_BUSY, "repairs itself");
        return;
    }
}

static void add_record(struct strbuf *out, const struct style *style,
                       const struct host_view *view, int64_t now_ms)
{
    const struct record *record = view->record;
    char text[160], span[24];
    duration_text(now_ms - record->since_ms, span, sizeof(span));
    (void)snprintf(text, sizeof(text), "%s for %s", host_state_text(record->state),
                   span);
    add_pair(out, style, "state", state_tone(record->state), text);
    if (record->wave >= 0 && view->manifest &&
        record->wave < view->manifest->waves_count)
        add_pair(out, style, "wave", TONE_PLAIN,
                 view->manifest->waves[record->wave].name);
    add_pair(out, style, "stage", TONE_PLAIN, record->stage);
    (void)snprintf(text, sizeof(text), "%s%s%s", record->step,
                   record->doing[0] ? ": " : "", record->doing);
    add_pair(out, style, "doing", TONE_PLAIN, text);
    if (record->permit >= 0) {
        (void)snprintf(text, sizeof(text), "%s, permit %d, token %lld", record->lease,
                       record->permit, (long long)record->token);
        add_pair(out, style, "holds", TONE_PLAIN, text);
    } else if (record->state == HOST_WAITING) {
        add_pair(out, style, "waits for", TONE_PLAIN, record->lease);
    }
    if (record->state == HOST_EXCLUDED) /* an order, and its reason */
        add_pair(out, style, "why", TONE_PLAIN, record->error);
    else
        add_pair(out, style, "error", TONE_BAD, record->error);
    add_drift(out, style, record);
    add_pair(out, style, "by", TONE_PLAIN, record->by);
    add_steps(out, style, record);
}

void render_host(struct strbuf *out, const struct style *style,
                 const struct host_view *view, int64_t now_ms)
{
    style_add(out, style, TONE_BOLD, view->host);
    style_add(out, style, view->live ? TONE_GOOD : TONE_WARN,
              view->live ? "  here" : "  away: its agentd has no session");
    style_end_line(out);
    if (view->facts)
        add_facts(out, style, view->facts, now_ms);
    if (!view->record) {
        add_pair(out, style, "rollout", TONE_DIM, "it is in none");
        return;
    }
    style_end_line(out);
    add_pair(out, style, "rollout", TONE_PLAIN, view->rollout);
    add_record(out, style, view, now_ms);
}

void render_events(struct strbuf *out, const struct style *style,
                   const struct event *events, int count)
{
    for (int i = 0; i < count; i++) {
        char stamp[32];
        stamp_text(events[i].at_ms, stamp, sizeof(stamp));
        style_add(out, style, TONE_DIM, stamp);
        strbuf_add(out, "  ");
        style_cell(out, style, TONE_PLAIN, 20, events[i].who);
        strbuf_add(out, " ");
        style_add(out, style, TONE_BOLD, events[i].what);
        if (events[i].why[0]) {
            style_add(out, style, TONE_PLAIN, ": ");
            style_add(out, style, TONE_PLAIN, events[i].why);
        }
        style_end_line(out);
    }
    if (count == 0)
        strbuf_add(out, "no event\n");
}
