/* SPDX-License-Identifier: Apache-2.0 */
#include "coordinator/prepare.h"

#include "shared/base/cleanup.h"
#include "shared/base/fs.h"
#include "shared/base/mem.h"
#include "shared/base/zone.h"
#include "shared/model/json.h"
#include "shared/swarm/inventory_read.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    SPEC_BYTES_MAX = 1000000,
    PROBE_WAIT_MS = 30000, /* a probe takes seconds, where all is well */
    PROBE_LOOK_MS = 1000,
};

static int read_stdin(char **ret, size_t *ret_len, struct error *err)
{
    struct strbuf text = {0};
    char chunk[8192];
    size_t got;
    while ((got = fread(chunk, 1, sizeof(chunk), stdin)) > 0) {
        strbuf_add_bytes(&text, chunk, got);
        if (text.len > SPEC_BYTES_MAX)
            break;
    }
    if (ferror(stdin) || text.len > SPEC_BYTES_MAX) {
        strbuf_done(&text);
        return error_set(err, -EFBIG,
                         "standard input is no spec: unreadable, or more "
                         "than %d bytes",
                         SPEC_BYTES_MAX);
    }
    *ret_len = text.len;
    *ret = strbuf_take(&text);
    return 0;
}

static int read_document(struct cli *cli, json_t **ret)
{
    const char *file = cli->options.spec_file;
    _cleanup_(freep) char *text = NULL;
    size_t len = 0;
    int rc;
    if (!file) {
        *ret = json_object();
        return 0;
    }
    rc = str_equal(file, "-") ? read_stdin(&text, &len, &cli->err)
                              : fs_read(file, SPEC_BYTES_MAX, &text, &len, &cli->err);
    if (rc == 0)
        rc = json_parse(text, len, ret, &cli->err);
    return rc < 0 ? error_context(&cli->err, rc, "spec '%s'", file) : 0;
}

static int set(json_t *document, const char *key, const char *value, const char *option,
               struct error *err)
{
    if (!value)
        return 0;
    _cleanup_(freep) char *assignment = mem_printf("%s=%s", key, value);
    int rc = spec_document_set(document, assignment, err);
    return rc < 0 ? error_context(err, rc, "%s", option) : 0;
}

static int apply_options(struct cli *cli, json_t *document)
{
    const struct options *options = &cli->options;
    int rc = 0;
    for (int i = 0; rc == 0 && i < options->sets.count; i++)
        if ((rc = spec_document_set(document, options->sets.items[i], &cli->err)) < 0)
            rc = error_context(&cli->err, rc, "--set %s", options->sets.items[i]);
    if (rc == 0)
        rc = set(document, "waves.canary", options->canary, "--canary", &cli->err);
    if (rc == 0)
        rc = set(document, "waves.size", options->wave_size, "--wave-size", &cli->err);
    if (rc == 0)
        rc = set(document, "leases.restart", options->max_restarts, "--max-restarts",
                 &cli->err);
    if (rc == 0)
        rc = set(document, "zone_limits.restart", options->zone_restarts,
                 "--zone-restarts", &cli->err);
    return rc;
}

/* A host that does not know the zone begins nothing at any time: say so now. */
static int check_zones(const struct spec *spec, struct error *err)
{
    for (int i = 0; i < spec->windows_count; i++)
        if (!zone_known(spec->windows[i].zone))
            return error_set(err, -EINVAL,
                             "spec: windows[%d].zone: \"%s\" is not known on this "
                             "machine: use a name such as Europe/Berlin (or install "
                             "tzdata)",
                             i, spec->windows[i].zone);
    return 0;
}

enum exit_code prepare_spec_from(struct cli *cli, json_t *document)
{
    struct strbuf mistakes = {0};
    int rc = apply_options(cli, document);
    if (rc == 0)
        rc = spec_decode(document, &cli->spec, &mistakes, &cli->err);
    if (rc == 0)
        rc = check_zones(cli->spec, &cli->err);
    json_decref(document);
    if (rc < 0)
        cli->writer.ops->error(&cli->writer, EXIT_USAGE, cli->err.text, mistakes.text);
    strbuf_done(&mistakes);
    return rc < 0 ? EXIT_USAGE : EXIT_DONE;
}

enum exit_code prepare_spec(struct cli *cli)
{
    json_t *document = NULL;
    if (read_document(cli, &document) == 0)
        return prepare_spec_from(cli, document);
    json_decref(document);
    cli->writer.ops->error(&cli->writer, EXIT_USAGE, cli->err.text, NULL);
    return EXIT_USAGE;
}

struct inventory {
    struct plan_input *inputs;
    struct bad {
        char host[HOST_ID_SIZE], why[200];
    } * bad; /* in order of names */
    int bad_count;
    int count;
};

static void on_names(void *ctx, const struct strings *names, const bool *live)
{
    struct inventory *inventory = ctx;
    inventory->count = names->count;
    inventory->inputs = mem_array((size_t)names->count + 1, sizeof(*inventory->inputs));
    for (int i = 0; i < names->count; i++) {
        facts_init(&inventory->inputs[i].facts);
        STR_COPY(inventory->inputs[i].facts.host, names->items[i]);
        inventory->inputs[i].live = live[i];
    }
}

static void on_facts(void *ctx, int index, struct facts *facts)
{
    struct inventory *inventory = ctx;
    facts_done(&inventory->inputs[index].facts);
    inventory->inputs[index].facts = *facts;
    facts_init(facts);
}

static void on_record(void *ctx, int index, const struct record *record)
{
}

/* Nonsense in a host's inventory: it counts as not probed, so no plan takes it; say
 * why. */
static void on_bad(void *ctx, int index, const struct error *err)
{
    struct inventory *inventory = ctx;
    int i = inventory->bad_count++;
    inventory->bad = mem_resize(inventory->bad, (size_t)inventory->bad_count,
                                sizeof(*inventory->bad));
    STR_COPY(inventory->bad[i].host, inventory->inputs[index].facts.host);
    (void)snprintf(inventory->bad[i].why, sizeof(inventory->bad[i].why),
                   "its inventory is unreadable: %s", err->text);
}

static void say_why_bad(const struct inventory *inventory, struct plan *plan)
{
    for (int b = 0; b < inventory->bad_count; b++)
        for (int h = 0; h < plan->hosts_count; h++)
            if (str_equal(plan->hosts[h].host, inventory->bad[b].host)) {
                plan->hosts[h].fit = PLAN_UNFIT;
                STR_COPY(plan->hosts[h].why, inventory->bad[b].why);
            }
}

static void inventory_done(struct inventory *inventory)
{
    for (int i = 0; i < inventory->count; i++)
        facts_done(&inventory->inputs[i].facts);
    free(inventory->inputs);
    free(inventory->bad);
}

static int read_inventory(struct cli *cli, struct inventory *ret)
{
    struct inventory_read read = {0};
    const struct inventory_request wanted = {.root = cli->root,
                                             .facts = true,
                                             .names = on_names,
                                             .on_facts = on_facts,
                                             .on_record = on_record,
                                             .on_bad = on_bad,
                                             .ctx = ret};
    inventory_read_start(&read, cli->zk, cli->loop, &wanted, cli_done, cli);
    int rc = cli_wait(cli);
    if (rc < 0)
        inventory_read_cancel(&read);
    return rc;
}

static int make_plan(struct cli *cli, const struct goal *goal, struct plan *ret)
{
    struct inventory inventory = {0};
    int rc = read_inventory(cli, &inventory);
    if (rc == 0 && goal->kind != ROLLOUT_INSTALL)
        rc = plan_make_undo(cli->spec, inventory.inputs, inventory.count,
                            &cli->options.hosts, goal->force, ret, &cli->err);
    else if (rc == 0)
        rc = plan_make(cli->spec, inventory.inputs, inventory.count,
                       &cli->options.hosts, ret, &cli->err);
    if (rc == 0)
        say_why_bad(&inventory, ret);
    inventory_done(&inventory);
    return rc;
}

static int unprobed(const struct plan *plan)
{
    int count = 0;
    for (int h = 0; h < plan->hosts_count; h++)
        count += plan->hosts[h].fit == PLAN_UNPROBED;
    return count;
}

static void on_pause_over(void *ctx)
{
    static const struct error none = {0};
    cli_done(ctx, 0, &none);
}

static int pause_for(struct cli *cli, int64_t ms)
{
    struct timer timer = {0};
    timer_start(&timer, cli->loop, ms, on_pause_over, cli);
    int rc = cli_wait(cli);
    timer_stop(&timer);
    return rc;
}

/* Right after agentd was installed everywhere, hosts are known and not yet looked at:
 * a plan made at once would leave them out. */
enum exit_code prepare_plan(struct cli *cli, const struct goal *goal, struct plan *ret)
{
    int64_t until_ms = loop_now_ms(cli->loop) + PROBE_WAIT_MS;
    int rc = make_plan(cli, goal, ret);
    int count = rc == 0 ? unprobed(ret) : 0;
    if (count > 0)
        (void)fprintf(cli->writer.err,
                      "waiting at most %d s for %d %s whose clowder-agentd has just "
                      "begun and is still looking at its host\n",
                      PROBE_WAIT_MS / 1000, count, plural(count, "host", "hosts"));
    while (count > 0 && loop_now_ms(cli->loop) < until_ms) {
        plan_done(ret);
        *ret = (struct plan){0};
        rc = pause_for(cli, PROBE_LOOK_MS);
        if (rc == 0)
            rc = make_plan(cli, goal, ret);
        count = rc == 0 ? unprobed(ret) : 0;
    }
    return rc < 0 ? cli_fail(cli) : EXIT_DONE;
}

struct plan_view prepare_view(const struct cli *cli, const struct plan *plan,
                              const struct goal *goal)
{
    return (struct plan_view){
        .kind = goal->kind,
        .of = goal->of,
        .spec = cli->spec,
        .plan = plan,
        .max_restarts =
            share_resolve(spec_permits(cli->spec, "restart"), plan->members),
        .all = cli->options.all,
    };
}
