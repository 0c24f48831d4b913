/* clowder_check.c - clowder-check: the invariants of PROTOCOL.md 5 over a recorded run.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "shared/base/cleanup.h"
#include "shared/base/str.h"
#include "tests/support/checker.h"
#include "tests/support/txnlog.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { EXIT_OK, EXIT_VIOLATED, EXIT_USAGE, EXIT_UNREADABLE };

struct arguments {
    const char *root, *rollout, *txnlog;
    const char *files[64];
    int files_count;
    bool complete, dump, ends_may_be_missing;
};

static const char usage[] =
    "usage: clowder-check [options] (HISTORY.jsonl... | --txnlog DIR [ACTS.jsonl...])\n"
    "Checks the invariants of the swarm over what ZooKeeper committed and what agents "
    "report.\n"
    "  --txnlog DIR    a server's dataDir (or its version-2) instead of a history\n"
    "  --root PATH     where the swarm stands (/clowder)\n"
    "  --rollout ID    only this one (all of them)\n"
    "  --complete      every host must have come to its end\n"
    "  --acts-open     an act whose end was not reported is no violation\n"
    "  --dump          print the history as JSON lines, check nothing\n"
    "exit codes: 0 holds, 1 violated, 2 usage, 3 unreadable\n";

static bool parse(int argc, char **argv, struct arguments *a)
{
    static const struct option options[] = {
        {"txnlog", required_argument, NULL, 't'},
        {"root", required_argument, NULL, 'r'},
        {"rollout", required_argument, NULL, 'i'},
        {"complete", no_argument, NULL, 'c'},
        {"acts-open", no_argument, NULL, 'o'},
        {"dump", no_argument, NULL, 'd'},
        {NULL, 0, NULL, 0},
    };
    int option;

    while ((option = getopt_long(argc, argv, "", options, NULL)) >= 0) {
        if (option == 't')
            a->txnlog = optarg;
        else if (option == 'r')
            a->root = optarg;
        else if (option == 'i')
            a->rollout = optarg;
        else if (option == 'c')
            a->complete = true;
        else if (option == 'o')
            a->ends_may_be_missing = true;
        else if (option == 'd')
            a->dump = true;
        else
            return false;
    }
    for (; optind < argc && a->files_count < 64; optind++)
        a->files[a->files_count++] = argv[optind];
    return optind == argc && (a->txnlog || a->files_count);
}

static int read_one(struct history *h, const char *path, struct error *err)
{
    _cleanup_(fclosep) FILE *file = fopen(path, "re");
    int rc;

    if (!file)
        return error_set(err, -errno, "cannot open '%s': %s", path, strerror(errno));
    rc = history_read(h, file, err);
    return rc < 0 ? error_context(err, rc, "'%s'", path) : 0;
}

static int read_all(struct history *h, const struct arguments *a, struct error *err)
{
    int rc = a->txnlog ? txnlog_read(a->txnlog, a->root, h, err) : 0;

    for (int i = 0; i < a->files_count && rc == 0; i++)
        rc = read_one(h, a->files[i], err);
    if (rc == 0)
        history_sort(h);
    return rc;
}

/* True when the rollout's history holds. */
static bool check(const struct history *h, const struct arguments *a,
                  const char *rollout)
{
    struct checker *checker = checker_new(&(struct checker_config){
        .root = a->root,
        .rollout = rollout,
        .ends_may_be_missing = a->ends_may_be_missing,
    });
    const struct violation *v;
    struct checker_counts n;

    for (int i = 0; i < history_count(h); i++)
        checker_feed(checker, history_at(h, i));
    checker_finish(checker, a->complete);
    v = checker_violation(checker);
    n = checker_counts(checker);
    if (v)
        printf("violated: rollout=%s rule=%s zxid=0x%" PRIx64 " %s\n", rollout, v->rule,
               v->zxid, v->text);
    else
        printf("holds: rollout=%s transactions=%d grants=%d releases=%d held_max=%d "
               "failures=%d barriers_opened=%d acts=%d hosts=%d ended=%d\n",
               rollout, n.txns, n.grants, n.releases, n.occupied_max, n.failures,
               n.opens, n.acts, n.hosts, n.ended);
    checker_free(checker);
    return v == NULL;
}

/* "<root>/rollouts/<id>/gate" created -> id. */
static bool gate_of(const struct history_op *op, const char *root, char *ret,
                    size_t size)
{
    size_t len = strlen(root);
    const char *id = op->path + len + strlen("/rollouts/");

    if (op->kind != ZK_OP_CREATE || !str_starts(op->path, root) ||
        !str_starts(op->path + len, "/rollouts/") || !str_ends(op->path, "/gate"))
        return false;
    snprintf(ret, size, "%.*s", (int)strcspn(id, "/"), id);
    return strlen(ret) + strlen("/gate") == strlen(id);
}

static int check_all(const struct history *h, const struct arguments *a)
{
    const char *root = a->root ? a->root : "/clowder";
    bool holds = true;
    int rollouts = 0;
    char id[128];

    if (a->rollout)
        return check(h, a, a->rollout) ? EXIT_OK : EXIT_VIOLATED;
    for (int i = 0; i < history_count(h); i++) {
        const struct history_entry *e = history_at(h, i);

        for (int j = 0; e->kind == HISTORY_TXN && j < e->ops_count; j++) {
            if (!gate_of(&e->ops[j], root, id, sizeof(id)))
                continue;
            rollouts++;
            holds = check(h, a, id) && holds;
        }
    }
    if (!rollouts)
        fprintf(stderr, "clowder-check: no rollout below '%s' in %d entries\n", root,
                history_count(h));
    return !rollouts ? EXIT_UNREADABLE : holds ? EXIT_OK : EXIT_VIOLATED;
}

int main(int argc, char **argv)
{
    struct arguments a = {0};
    struct error err = {0};
    int code;

    if (!parse(argc, argv, &a)) {
        fputs(usage, stderr);
        return EXIT_USAGE;
    }
    struct history *h = history_new(true);
    int rc = read_all(h, &a, &err);
    if (rc == 0 && a.dump)
        rc = history_write(h, stdout, &err);
    if (rc < 0) {
        fprintf(stderr, "clowder-check: %s\n", err.text);
        code = EXIT_UNREADABLE;
    } else {
        code = a.dump ? EXIT_OK : check_all(h, &a);
    }
    history_free(h);
    return code;
}
