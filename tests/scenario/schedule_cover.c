/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/scenario/schedule_cover.h"

#include <inttypes.h>
#include <stdio.h>

static const char *const blow_texts[] = {
    [BLOW_LOST] = "lost",
    [BLOW_EXPIRED] = "expired",
    [BLOW_LATE] = "late",
    [BLOW_SLOW] = "slow",
    [BLOW_KILL_SENT] = "kill:sent",
    [BLOW_GATE_MOVES] = "gate moves",
    [BLOW_APPLIED] = "no reply",
    [BLOW_OUTLIVED] = "outlived",
    [BLOW_KILL_APPLIED] = "kill:applied",
    [BLOW_KILL_REPLIED] = "kill:replied",
};

const char *event_text(enum event_kind kind)
{
    static const char *const texts[] = {
        [EVENT_CRASH] = "crash",
        [EVENT_CUT] = "cut",
        [EVENT_DROP] = "drop",
        [EVENT_EXPIRE] = "expire",
        [EVENT_OUTAGE] = "outage",
        [EVENT_SERVER] = "server",
        [EVENT_SLOW] = "slow network",
        [EVENT_CLOCK] = "clock jumps",
        [EVENT_PAUSE] = "pause",
        [EVENT_LIMIT] = "set-limit",
        [EVENT_HOST_ORDER] = "order about",
        [EVENT_OPERATOR_DIES] = "operator dies",
        [EVENT_GATE_MOVES] = "gate moves",
        [EVENT_ABORT] = "abort",
        [EVENT_DRIFT] = "drift",
        [EVENT_LATE] = "late host",
        [EVENT_KILL] = "kill",
    };
    return texts[kind];
}

/* A plain array of counts, whatever it is called. */
void cover_add(struct cover *sum, const struct cover *more)
{
    uint64_t *to = (uint64_t *)sum;
    const uint64_t *from = (const uint64_t *)more;
    for (size_t i = 0; i < sizeof(*sum) / sizeof(*to); i++)
        to[i] += from[i];
}

void cover_print(const struct cover *c)
{
    printf("%-10s %10s", "", "sent");
    for (int blow = 0; blow < BLOW_COUNT; blow++)
        printf(" %12s", blow_texts[blow]);
    for (int kind = 0; kind < TXN_KIND_COUNT; kind++) {
        printf("\n%-10s %10" PRIu64, txn_kind_text((enum txn_kind)kind), c->sent[kind]);
        for (int blow = 0; blow < BLOW_COUNT; blow++)
            printf(" %12" PRIu64, c->met[kind][blow]);
    }
    printf("\nevents:");
    for (int i = 0; i < EVENT_COUNT; i++)
        printf(" %s=%" PRIu64, event_text((enum event_kind)i), c->events[i]);
    printf("\nkilled when:");
    for (int i = 0; i < SIM_MOMENT_COUNT; i++)
        printf(" %s=%" PRIu64, sim_moment_text((enum sim_moment)i), c->killed_at[i]);
    printf("\n");
}

static int missing(uint64_t count, const char *what, const char *when)
{
    if (count > 0)
        return 0;
    printf("never reached: %s %s\n", what, when);
    return 1;
}

/* Hosts drift in stories of their own (test_drift.c), not in schedules. */
static bool has_cells(enum txn_kind kind)
{
    return kind != TXN_OTHER && kind != TXN_DRIFT;
}

static int missing_cells(const struct cover *c)
{
    int count = 0;
    for (int kind = 0; kind < TXN_KIND_COUNT; kind++)
        for (int blow = 0; has_cells((enum txn_kind)kind) && blow < BLOW_COUNT; blow++)
            count += missing(c->met[kind][blow], blow_texts[blow],
                             txn_kind_text((enum txn_kind)kind));
    return count;
}

int cover_missing(const struct cover *c, bool cells)
{
    int count = 0;
    for (int blow = 0; blow < BLOW_COUNT; blow++) {
        uint64_t met = 0;
        for (int kind = 0; kind < TXN_KIND_COUNT; kind++)
            met += c->met[kind][blow];
        count += missing(met, blow_texts[blow], "of any transaction");
    }
    for (int i = 0; i < EVENT_COUNT; i++)
        count += missing(c->events[i], event_text((enum event_kind)i), "");
    for (int i = 0; i < SIM_MOMENT_COUNT; i++)
        count +=
            missing(c->killed_at[i], "kill when", sim_moment_text((enum sim_moment)i));
    return count + (cells ? missing_cells(c) : 0);
}
