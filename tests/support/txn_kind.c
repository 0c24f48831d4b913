/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/txn_kind.h"

#include "shared/base/str.h"
#include "shared/model/record.h"

#include <assert.h>
#include <string.h>

/* Where an operation goes. */
enum place {
    AT_LIVE,
    AT_INVENTORY,
    AT_GATE,
    AT_RECORD,
    AT_FAILURE,
    AT_TICKET,
    AT_PERMIT,
    AT_ARRIVAL,
    AT_OPEN,
    AT_EVENT,
    AT_DRIFT,
    AT_OTHER,
};
static_assert(AT_OTHER < sizeof(((struct txn_scan *)0)->seen), "a scan sees all");

const char *txn_kind_text(enum txn_kind kind)
{
    static const char *const texts[] = {
        [TXN_READ] = "read",
        [TXN_JOIN] = "join",
        [TXN_TAKEOVER] = "take-over",
        [TXN_INVENTORY] = "inventory",
        [TXN_ENQUEUE] = "enqueue",
        [TXN_LEAVE] = "leave",
        [TXN_TAKE] = "take",
        [TXN_TAKE_ZONE] = "take-zone",
        [TXN_ACT] = "act",
        [TXN_PUBLISH] = "publish",
        [TXN_RELEASE] = "release",
        [TXN_GIVE_BACK] = "give-back",
        [TXN_FAIL] = "fail",
        [TXN_OPEN] = "open",
        [TXN_LOST] = "lost",
        [TXN_RETURN] = "return",
        [TXN_ADOPT] = "adopt",
        [TXN_CLOSE] = "close",
        [TXN_DRIFT] = "drift",
        [TXN_ORDER] = "order",
        [TXN_RETRY] = "retry",
        [TXN_EXCLUDE] = "exclude",
        [TXN_BREAK] = "break",
        [TXN_FORCE] = "force",
        [TXN_PROMOTE] = "promote",
        [TXN_OTHER] = "other",
    };
    return texts[kind];
}

static enum place place_in_rollout(const char *below)
{
    if (str_equal(below, "gate"))
        return AT_GATE;
    if (str_starts(below, "hosts/"))
        return AT_RECORD;
    if (str_starts(below, "failed/"))
        return AT_FAILURE;
    if (str_starts(below, "events/"))
        return AT_EVENT;
    if (str_starts(below, "drifted/"))
        return AT_DRIFT;
    if (strstr(below, "/permits/"))
        return AT_PERMIT;
    if (strstr(below, "/queue/"))
        return AT_TICKET;
    if (strstr(below, "/arrived/"))
        return AT_ARRIVAL;
    return str_ends(below, "/open") ? AT_OPEN : AT_OTHER;
}

static enum place place_of(const char *path)
{
    const char *rollouts = strstr(path, "/rollouts/");
    const char *id = rollouts ? strchr(rollouts + strlen("/rollouts/"), '/') : NULL;
    if (rollouts)
        return id ? place_in_rollout(id + 1) : AT_OTHER;
    if (strstr(path, "/live/"))
        return AT_LIVE;
    return strstr(path, "/hosts/") ? AT_INVENTORY : AT_OTHER;
}

void txn_scan_op(struct txn_scan *scan, enum zk_op_kind kind, const char *path,
                 const char *data, size_t len)
{
    enum place place = place_of(path);
    scan->seen[place] |= (unsigned char)(1u << kind);
    if (place == AT_RECORD && (kind == ZK_OP_SET || kind == ZK_OP_CREATE)) {
        scan->record = data;
        scan->record_len = len;
    }
}

static bool does(const struct txn_scan *scan, enum zk_op_kind kind, enum place place)
{
    return scan->seen[place] & (1u << kind);
}

static bool writes(const struct txn_scan *scan, enum place place)
{
    return does(scan, ZK_OP_SET, place) || does(scan, ZK_OP_CREATE, place);
}

static struct record record_of(const struct txn_scan *scan)
{
    struct record record;
    struct error err;
    if (!scan->record ||
        record_decode(scan->record, scan->record_len, &record, &err) < 0)
        record_init(&record, -1);
    return record;
}

static enum txn_kind order_kind(const struct txn_scan *scan)
{
    if (does(scan, ZK_OP_CREATE, AT_OPEN))
        return TXN_PROMOTE;
    if (!scan->record)
        return TXN_ORDER;
    if (does(scan, ZK_OP_DELETE, AT_PERMIT))
        return TXN_BREAK;
    struct record record = record_of(scan);
    if (record.state == HOST_EXCLUDED)
        return TXN_EXCLUDE;
    for (int i = 0; i < record.steps_count; i++)
        if (record.steps[i].by[0])
            return TXN_FORCE; /* or a retry behind one: both go on from a failure */
    return TXN_RETRY;
}

/* A permit goes: a visit is done (its attempts count anew), or is to be repeated. */
static enum txn_kind freeing_kind(const struct txn_scan *scan)
{
    return record_of(scan).attempt == 0 ? TXN_RELEASE : TXN_GIVE_BACK;
}

/* What else tells it: the first row that fits. */
static const struct mark {
    enum zk_op_kind op;
    enum place place;
    enum txn_kind kind;
} marks[] = {
    {ZK_OP_DELETE, AT_LIVE, TXN_TAKEOVER},
    {ZK_OP_CREATE, AT_LIVE, TXN_JOIN},
    {ZK_OP_CREATE, AT_INVENTORY, TXN_INVENTORY},
    {ZK_OP_SET, AT_INVENTORY, TXN_INVENTORY},
    {ZK_OP_CREATE, AT_TICKET, TXN_ENQUEUE},
    {ZK_OP_CREATE, AT_PERMIT, TXN_TAKE},
    {ZK_OP_DELETE, AT_FAILURE, TXN_RETURN},
    {ZK_OP_CREATE, AT_RECORD, TXN_ADOPT},
    {ZK_OP_DELETE, AT_TICKET, TXN_LEAVE},
    {ZK_OP_CREATE, AT_OPEN, TXN_OPEN},
};

/* An order that takes a host out ends its drift, too. */
static bool is_drift(const struct txn_scan *scan)
{
    return (does(scan, ZK_OP_CREATE, AT_DRIFT) || does(scan, ZK_OP_DELETE, AT_DRIFT)) &&
           record_of(scan).state != HOST_EXCLUDED;
}

enum txn_kind txn_scan_kind(const struct txn_scan *scan)
{
    if (is_drift(scan))
        return TXN_DRIFT;
    if (does(scan, ZK_OP_CREATE, AT_FAILURE))
        return record_of(scan).state == HOST_LOST ? TXN_LOST : TXN_FAIL;
    if (does(scan, ZK_OP_CREATE, AT_EVENT))
        return order_kind(scan);
    if (does(scan, ZK_OP_CREATE, AT_TICKET) && does(scan, ZK_OP_CREATE, AT_PERMIT))
        return TXN_TAKE_ZONE;
    if (does(scan, ZK_OP_DELETE, AT_PERMIT) && does(scan, ZK_OP_DELETE, AT_TICKET))
        return TXN_LEAVE;
    if (does(scan, ZK_OP_DELETE, AT_PERMIT))
        return freeing_kind(scan);
    for (size_t i = 0; i < sizeof(marks) / sizeof(marks[0]); i++)
        if (does(scan, marks[i].op, marks[i].place))
            return marks[i].kind;
    if (does(scan, ZK_OP_CHECK, AT_GATE) && writes(scan, AT_RECORD))
        return TXN_ACT;
    if (does(scan, ZK_OP_SET, AT_GATE))
        return TXN_CLOSE;
    return writes(scan, AT_RECORD) ? TXN_PUBLISH : TXN_OTHER;
}
