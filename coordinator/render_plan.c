/* SPDX-License-Identifier: Apache-2.0
 *
 * What an install would do: the sums first, then wave by wave what each host would
 * change and what that disturbs, then who is left out and why.
 */
#include "coordinator/render.h"
#include "shared/model/zone_reach.h"

#include <stdio.h>
#include <string.h>

enum { INDENT = 2, HOSTS_SHOWN = 40 };

static const char *const short_names[STEP_COUNT] = {
    [STEP_ETCD_PROXY] = "proxy",  [STEP_DOCKER_STORE] = "store", [STEP_CNI] = "cni",
    [STEP_LIBNETWORK] = "libnet", [STEP_NODE] = "node",
};

static bool enabled(const struct plan_view *view, int step)
{
    return spec_policy(view->spec, (enum step_id)step)->enabled;
}

static enum tone finding_tone(enum finding finding)
{
    switch (finding) {
    case FINDING_RIGHT:
        return TONE_DIM;
    case FINDING_UNKNOWN:
        return TONE_WARN;
    case FINDING_FOREIGN:
        return TONE_BAD;
    case FINDING_ABSENT:
    case FINDING_STALE:
        break;
    }
    return TONE_PLAIN;
}

static const char *finding_cell(enum finding finding)
{
    switch (finding) {
    case FINDING_RIGHT:
        return "right";
    case FINDING_UNKNOWN:
        return "unknown";
    case FINDING_FOREIGN:
        return "foreign";
    case FINDING_ABSENT:
        return "install";
    case FINDING_STALE:
        return "replace";
    }
    return "";
}

/* The worst of its steps: a Docker restart restarts everything. */
static enum disruption disturbs(const struct plan_view *view,
                                const struct plan_host *host)
{
    enum disruption worst = DISRUPTION_NONE;
    bool docker = false, agent = false;
    for (int s = 0; s < STEP_COUNT; s++) {
        enum disruption d = enabled(view, s) ? host->steps[s].disruption : worst;
        docker = docker || d == DISRUPTION_DOCKER_RESTART;
        agent = agent || d == DISRUPTION_AGENT_RESTART;
        if (d == DISRUPTION_RELOAD)
            worst = d;
    }
    return docker  ? DISRUPTION_DOCKER_RESTART
           : agent ? DISRUPTION_AGENT_RESTART
                   : worst;
}

static void add_disturbs(struct strbuf *out, const struct style *style,
                         const struct plan_view *view, const struct plan_host *host)
{
    bool agent = false;
    enum disruption worst = disturbs(view, host);
    for (int s = 0; s < STEP_COUNT; s++)
        agent = agent || (enabled(view, s) &&
                          host->steps[s].disruption == DISRUPTION_AGENT_RESTART);
    if (worst == DISRUPTION_DOCKER_RESTART)
        style_add(out, style, TONE_WARN, agent ? "docker, agent" : "docker");
    else if (worst == DISRUPTION_AGENT_RESTART)
        style_add(out, style, TONE_WARN, "agent");
    else
        style_add(out, style, TONE_DIM, worst == DISRUPTION_RELOAD ? "reload" : "-");
}

static void add_hosts_head(struct strbuf *out, const struct style *style,
                           const struct plan_view *view)
{
    style_cell(out, style, TONE_PLAIN, INDENT, "");
    style_cell(out, style, TONE_DIM, 10, "wave");
    style_cell(out, style, TONE_DIM, 17, "host");
    for (int s = 0; s < STEP_COUNT; s++)
        if (enabled(view, s))
            style_cell(out, style, TONE_DIM, 9, short_names[s]);
    style_add(out, style, TONE_DIM, "restarts");
    style_end_line(out);
}

static void add_host(struct strbuf *out, const struct style *style,
                     const struct plan_view *view, const struct plan_host *host)
{
    style_cell(out, style, TONE_PLAIN, INDENT, "");
    style_cell(out, style, TONE_DIM, 9, view->plan->waves[host->wave].name);
    strbuf_add(out, " ");
    style_cell(out, style, TONE_PLAIN, 16, host->host);
    strbuf_add(out, " ");
    for (int s = 0; s < STEP_COUNT; s++)
        if (enabled(view, s))
            style_cell(out, style, finding_tone(host->steps[s].finding), 9,
                       finding_cell(host->steps[s].finding));
    add_disturbs(out, style, view, host);
    style_end_line(out);
}

static void add_hosts(struct strbuf *out, const struct style *style,
                      const struct plan_view *view)
{
    int shown = 0, limit = view->all ? view->plan->members : HOSTS_SHOWN;
    add_hosts_head(out, style, view);
    for (int h = 0; h < view->plan->hosts_count && shown < limit; h++) {
        if (view->plan->hosts[h].wave < 0)
            continue;
        add_host(out, style, view, &view->plan->hosts[h]);
        shown++;
    }
    if (shown < view->plan->members) {
        char more[64];
        (void)snprintf(more, sizeof(more), "  and %d more: `clowder plan --all`",
                       view->plan->members - shown);
        style_add(out, style, TONE_DIM, more);
        style_end_line(out);
    }
    style_end_line(out);
}

static const char *fit_text(enum plan_fit fit)
{
    switch (fit) {
    case PLAN_FIT:
        return "fit";
    case PLAN_ABSENT:
        return "absent";
    case PLAN_UNPROBED:
        return "unprobed";
    case PLAN_UNFIT:
        return "unfit";
    case PLAN_UNKNOWN_HOST:
        return "unknown";
    }
    return "";
}

static void add_left_out(struct strbuf *out, const struct style *style,
                         const struct plan_view *view)
{
    int left_out = view->plan->hosts_count - view->plan->members, shown = 0;
    char head[64];
    if (left_out == 0)
        return;
    (void)snprintf(head, sizeof(head), "%d %s left out", left_out,
                   plural(left_out, "host is", "hosts are"));
    style_add(out, style, TONE_WARN, head);
    style_end_line(out);
    for (int h = 0; h < view->plan->hosts_count; h++) {
        const struct plan_host *host = &view->plan->hosts[h];
        if (host->wave >= 0)
            continue;
        if (!view->all && shown == HOSTS_SHOWN / 2) {
            (void)snprintf(head, sizeof(head), "  and %d more: `clowder plan --all`",
                           left_out - shown);
            style_add(out, style, TONE_DIM, head);
            style_end_line(out);
            break;
        }
        style_cell(out, style, TONE_PLAIN, INDENT, "");
        style_cell(out, style, TONE_BOLD, 16, host->host);
        strbuf_add(out, " ");
        style_cell(out, style, TONE_PLAIN, 9, fit_text(host->fit));
        style_wrap(out, style, TONE_PLAIN, INDENT + 26, host->why);
        style_end_line(out);
        shown++;
    }
    style_end_line(out);
}

static void add_waves(struct strbuf *out, const struct style *style,
                      const struct plan_view *view)
{
    const struct plan *plan = view->plan;
    char text[64];
    int used = 0;
    for (int w = 0; w < plan->waves_count && w < 12; w++) {
        (void)snprintf(text, sizeof(text), "%s%s %d", w ? ", " : "",
                       plan->waves[w].name, plan->waves[w].size);
        if (used + text_width(text) > style->width - 10)
            break;
        style_add(out, style, TONE_PLAIN, text);
        used += text_width(text);
        if (w + 1 == plan->waves_count)
            used = -1;
    }
    if (used >= 0)
        style_add(out, style, TONE_DIM, ", ...");
}

static void add_line_head(struct strbuf *out, const struct style *style,
                          const char *name)
{
    style_cell(out, style, TONE_PLAIN, INDENT, "");
    style_cell(out, style, TONE_DIM, 10, name);
}

/* Members where every step found its work done already. */
static int hosts_right(const struct plan_view *view)
{
    int count = 0;
    for (int h = 0; h < view->plan->hosts_count; h++) {
        const struct plan_host *host = &view->plan->hosts[h];
        bool right = host->wave >= 0;
        for (int s = 0; s < STEP_COUNT; s++)
            right =
                right && (!enabled(view, s) || host->steps[s].finding == FINDING_RIGHT);
        count += right;
    }
    return count;
}

static void add_right(struct strbuf *out, const struct style *style,
                      const struct plan_view *view)
{
    char text[96];
    int right = hosts_right(view), members = view->plan->members;
    if (right == 0 || view->kind != ROLLOUT_INSTALL)
        return;
    add_line_head(out, style, "right");
    (void)snprintf(text, sizeof(text), "%d of %d %s already: looked at, not changed",
                   right, members, plural(members, "host", "hosts"));
    style_cell(out, style, TONE_GOOD, 0, text);
    style_end_line(out);
}

/* Members where a step has not been seen: nobody can say what it would disturb. */
static int hosts_unknown(const struct plan_view *view)
{
    int count = 0;
    for (int h = 0; h < view->plan->hosts_count; h++) {
        bool unknown = false;
        for (int s = 0; s < STEP_COUNT; s++)
            unknown =
                unknown || (enabled(view, s) && view->plan->hosts[h].wave >= 0 &&
                            view->plan->hosts[h].steps[s].finding == FINDING_UNKNOWN);
        count += unknown;
    }
    return count;
}

static void restarts_text(const struct plan_view *view, char *dst, size_t size)
{
    int docker = view->plan->docker_restarts, agent = view->plan->agent_restarts;
    if (docker > 0 && agent > 0)
        (void)snprintf(dst, size,
                       "Docker on %d %s, the Mesos agent on %d; %d at a time", docker,
                       plural(docker, "host", "hosts"), agent, view->max_restarts);
    else
        (void)snprintf(dst, size, "%s on %d %s; %d at a time",
                       docker > 0 ? "Docker" : "the Mesos agent", docker + agent,
                       plural(docker + agent, "host", "hosts"), view->max_restarts);
}

static void add_restarts(struct strbuf *out, const struct style *style,
                         const struct plan_view *view)
{
    const struct plan *plan = view->plan;
    char text[160];
    int unknown = hosts_unknown(view);
    add_line_head(out, style, "restarts");
    if (unknown > 0 && plan->docker_restarts + plan->agent_restarts == 0) {
        (void)snprintf(text, sizeof(text), "not known yet on %d %s: see their probes",
                       unknown, plural(unknown, "host", "hosts"));
        style_cell(out, style, TONE_WARN, 0, text);
    } else if (plan->docker_restarts + plan->agent_restarts == 0) {
        style_add(out, style, TONE_GOOD, "none needed");
    } else {
        restarts_text(view, text, sizeof(text));
        style_cell(out, style, TONE_WARN, 0, text);
    }
    style_end_line(out);
    if (plan->reloads > 0) {
        add_line_head(out, style, "reloads");
        (void)snprintf(text, sizeof(text), "Docker on %d %s", plan->reloads,
                       plural(plan->reloads, "host", "hosts"));
        style_add(out, style, TONE_PLAIN, text);
        style_end_line(out);
    }
}

static void add_zone_limit(struct strbuf *out, const struct style *style,
                           const struct plan_view *view,
                           const struct spec_zone_limit *limit)
{
    struct zone_reach reach = zone_reach_of(view->plan, view->spec, limit);
    struct strbuf text = {0};
    bool warns = reach.at_most < reach.permits || reach.unnamed > 0;
    strbuf_addf(&text, "%s: at most %d %s in each of %d %s at a time", limit->lease,
                limit->permits, plural(limit->permits, "host", "hosts"), reach.zones,
                plural(reach.zones, "zone", "zones"));
    if (reach.at_most < reach.permits)
        strbuf_addf(&text, ", so %d of the %d allowed", reach.at_most, reach.permits);
    if (reach.unnamed > 0)
        strbuf_addf(&text, "; %d %s no zone: taken as one", reach.unnamed,
                    plural(reach.unnamed, "host names", "hosts name"));
    add_line_head(out, style, "zones");
    style_wrap(out, style, warns ? TONE_WARN : TONE_PLAIN, INDENT + 10, text.text);
    style_end_line(out);
    strbuf_done(&text);
}

static void add_zone_limits(struct strbuf *out, const struct style *style,
                            const struct plan_view *view)
{
    for (int i = 0; i < view->spec->zone_limits_count; i++)
        add_zone_limit(out, style, view, &view->spec->zone_limits[i]);
}

static void add_sums(struct strbuf *out, const struct style *style,
                     const struct plan_view *view)
{
    const struct plan *plan = view->plan;
    char text[160];
    switch (view->kind) {
    case ROLLOUT_INSTALL:
        (void)snprintf(text, sizeof(text), "Calico %s on", view->spec->calico_version);
        break;
    case ROLLOUT_UNINSTALL:
        (void)snprintf(text, sizeof(text), "Calico %s off", view->spec->calico_version);
        break;
    case ROLLOUT_ROLLBACK:
        (void)snprintf(text, sizeof(text), "Rollback of %s on", view->of);
        break;
    }
    size_t len = strlen(text);
    (void)snprintf(text + len, sizeof(text) - len, " %d of %d %s", plan->members,
                   plan->hosts_count, plural(plan->hosts_count, "host", "hosts"));
    style_add(out, style, TONE_BOLD, text);
    style_end_line(out);
    if (plan->members == 0)
        return;
    add_line_head(out, style, "waves");
    add_waves(out, style, view);
    style_end_line(out);
    add_right(out, style, view);
    add_restarts(out, style, view);
    add_zone_limits(out, style, view);
}

void render_plan(struct strbuf *out, const struct style *style,
                 const struct plan_view *view)
{
    add_sums(out, style, view);
    style_end_line(out);
    if (!view->brief && view->plan->members > 0)
        add_hosts(out, style, view);
    if (view->plan->hosts_count > 0)
        add_left_out(out, style, view);
    else
        strbuf_addf(out, "%s\n", render_no_host_note);
}
