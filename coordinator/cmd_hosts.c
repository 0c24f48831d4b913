/* SPDX-License-Identifier: Apache-2.0
 *
 * hosts: every host's state, or what every host is; or all about one host.
 */
#include "coordinator/commands.h"
#include "coordinator/current.h"
#include "shared/base/mem.h"
#include "shared/base/str.h"
#include "shared/swarm/inventory_read.h"
#include "shared/swarm/progress_read.h"

#include <errno.h>
#include <stdlib.h>

struct table {
    struct host_row *rows;
    int count;
};

static void on_names(void *ctx, const struct strings *names, const bool *live)
{
    struct table *table = ctx;
    table->count = names->count;
    table->rows = mem_array((size_t)names->count + 1, sizeof(*table->rows));
    for (int i = 0; i < names->count; i++) {
        STR_COPY(table->rows[i].host, names->items[i]);
        table->rows[i].live = live[i];
    }
}

static void on_facts(void *ctx, int index, struct facts *facts)
{
    struct table *table = ctx;
    struct host_row *row = &table->rows[index];
    row->has_facts = true;
    row->seen_ms = facts->seen_ms;
    STR_COPY(row->role, host_role_text(facts->role));
    STR_COPY(row->zone, facts->zone);
    STR_COPY(row->address, facts->address);
    STR_COPY(row->docker, facts->docker);
    STR_COPY(row->mesos, facts->mesos);
    STR_COPY(row->dcos, facts->dcos);
    STR_COPY(row->agentd, facts->agentd);
}

static void on_record(void *ctx, int index, const struct record *record)
{
    struct table *table = ctx;
    struct host_row *row = &table->rows[index];
    row->has_record = true;
    row->state = record->state;
    row->wave = record->wave;
    row->since_ms = record->since_ms;
    STR_COPY(row->stage, record->stage);
    STR_COPY(row->step, record->step);
    STR_COPY(row->doing, record->doing);
    STR_COPY(row->lease, record->lease);
    STR_COPY(row->error, record->error);
    row->drift = record->drift;
    record_drifted_says(record, row->drifted, sizeof(row->drifted));
}

static void on_bad(void *ctx, int index, const struct error *err)
{
    struct table *table = ctx;
    STR_COPY(table->rows[index].error, err->text);
}

static enum exit_code show_table(struct cli *cli, const struct current *current)
{
    struct table table = {0};
    struct inventory_read read = {0};
    bool inventory = cli->options.inventory || !current->rollout[0];
    const struct inventory_request wanted = {
        .root = cli->root,
        .rollout =
            current->rollout[0] && !cli->options.inventory ? current->rollout : NULL,
        .facts = inventory,
        .names = on_names,
        .on_facts = on_facts,
        .on_record = on_record,
        .on_bad = on_bad,
        .ctx = &table};
    inventory_read_start(&read, cli->zk, cli->loop, &wanted, cli_done, cli);
    int rc = cli_wait(cli);
    const struct hosts_view view = {.rows = table.rows,
                                    .count = table.count,
                                    .rollout = current->rollout,
                                    .inventory = inventory};
    if (rc < 0)
        inventory_read_cancel(&read);
    else
        cli->writer.ops->hosts(&cli->writer, &view, cli_now_ms(cli));
    free(table.rows);
    return rc < 0 ? cli_fail(cli) : EXIT_DONE;
}

/* One host: its whole record and inventory. */
struct one {
    bool known, live, has_facts, has_record;
    struct facts facts;
    struct record record;
    struct error bad;
};

static void on_one_name(void *ctx, const struct strings *names, const bool *live)
{
    struct one *one = ctx;
    one->known = names->count > 0;
    one->live = names->count > 0 && live[0];
}

static void on_one_facts(void *ctx, int index, struct facts *facts)
{
    struct one *one = ctx;
    facts_done(&one->facts);
    one->facts = *facts;
    one->has_facts = true;
    facts_init(facts);
}

static void on_one_record(void *ctx, int index, const struct record *record)
{
    struct one *one = ctx;
    one->record = *record;
    one->has_record = true;
}

static void on_one_bad(void *ctx, int index, const struct error *err)
{
    struct one *one = ctx;
    error_copy(&one->bad, err);
}

static enum exit_code show_one(struct cli *cli, const char *host, const struct one *one,
                               const char *rollout, const struct manifest *manifest)
{
    if (!one->known) {
        (void)error_set(&cli->err, -ENOENT,
                        "host '%s' has never registered: see `clowder hosts`", host);
        return cli_fail(cli);
    }
    if (one->bad.code < 0) {
        error_copy(&cli->err, &one->bad);
        return cli_fail(cli);
    }
    const struct host_view view = {.host = host,
                                   .live = one->live,
                                   .rollout = rollout,
                                   .manifest = manifest,
                                   .facts = one->has_facts ? &one->facts : NULL,
                                   .record = one->has_record ? &one->record : NULL};
    cli->writer.ops->host(&cli->writer, &view, cli_now_ms(cli));
    return EXIT_DONE;
}

static int read_one(struct cli *cli, const char *host, const char *rollout,
                    struct one *one)
{
    struct inventory_read read = {0};
    const struct inventory_request wanted = {.root = cli->root,
                                             .rollout = rollout[0] ? rollout : NULL,
                                             .host = host,
                                             .facts = true,
                                             .names = on_one_name,
                                             .on_facts = on_one_facts,
                                             .on_record = on_one_record,
                                             .on_bad = on_one_bad,
                                             .ctx = one};
    inventory_read_start(&read, cli->zk, cli->loop, &wanted, cli_done, cli);
    int rc = cli_wait(cli);
    if (rc < 0)
        inventory_read_cancel(&read);
    return rc;
}

static enum exit_code one_host(struct cli *cli, const char *host,
                               const struct current *current)
{
    struct one one = {0};
    struct progress_reader reader;
    enum exit_code code;
    facts_init(&one.facts);
    progress_reader_init(&reader, cli->zk, cli->loop, cli->root, NULL);
    int rc = read_one(cli, host, current->rollout, &one);
    if (rc == 0 && current->rollout[0]) {
        progress_reader_refresh(&reader, cli_done, cli);
        rc = cli_wait(cli);
    }
    code = rc < 0 ? cli_fail(cli)
                  : show_one(cli, host, &one, current->rollout, reader.manifest);
    progress_reader_done(&reader);
    facts_done(&one.facts);
    return code;
}

enum exit_code hosts_check(struct cli *cli)
{
    const struct strings *arguments = &cli->options.arguments;
    if (arguments->count && !host_id_valid(arguments->items[0]))
        return cli_usage(cli, "hosts: \"%s\" %s", arguments->items[0],
                         host_id_check(arguments->items[0]));
    return EXIT_DONE;
}

enum exit_code cmd_hosts(struct cli *cli)
{
    struct current current;
    const struct strings *arguments = &cli->options.arguments;
    if (current_get(cli, &current) < 0)
        return cli_fail(cli);
    if (arguments->count)
        return one_host(cli, arguments->items[0], &current);
    return show_table(cli, &current);
}
