/* journal.c - two documents in memory, each written whole before a change is believed.
 *
 * SPDX-License-Identifier: Apache-2.0
 * Layer: agentd.
 * A change is made on a copy, written, and only then taken over: memory never runs
 * ahead of the disk.
 */
#include "agentd/journal.h"

#include "agentd/archive.h"
#include "shared/base/cleanup.h"
#include "shared/base/failpoint.h"
#include "shared/base/fs.h"
#include "shared/base/mem.h"
#include "shared/base/str.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { JOURNAL_VERSION = 1, JOURNAL_MAX_BYTES = 8 * 1024 * 1024 };

struct journal {
    char *state_dir, *path, *baseline_path;
    bool good, journal_bad, baseline_bad;
    struct error trouble;
    struct journal_visit visit;
    json_t *steps;    /* of the visit, by name; never NULL */
    json_t *baseline; /* by step's name; never NULL */
};

static const char *const phase_names[JOURNAL_PHASE_COUNT] = {
    [JOURNAL_OBSERVED] = "observed", [JOURNAL_APPLYING] = "applying",
    [JOURNAL_PROVED] = "proved",     [JOURNAL_REVERTING] = "reverting",
    [JOURNAL_REVERTED] = "reverted", [JOURNAL_FAILED] = "failed",
};

const char *journal_phase_text(enum journal_phase phase)
{
    return phase_names[phase];
}

static int phase_from_text(const char *text)
{
    for (int i = 0; i < JOURNAL_PHASE_COUNT; i++)
        if (strcmp(phase_names[i], text) == 0)
            return i;
    return -1;
}

/* ---- decoding: every refusal is -EBADMSG with what is wrong */

static int bad(struct error *err, const char *fmt, ...) PRINTF_LIKE(2, 3);
static int bad(struct error *err, const char *fmt, ...)
{
    char text[256];
    va_list args;

    va_start(args, fmt);
    (void)vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    return error_set(err, -EBADMSG, "%s", text);
}

static int document_load(const char *bytes, size_t len, json_t **ret, struct error *err)
{
    json_error_t where;
    int version;

    if (len == 0)
        return bad(err, "it is empty");
    json_t *document = json_loadb(bytes, len, JSON_REJECT_DUPLICATES, &where);
    if (!document)
        return bad(err, "line %d, column %d: %s", where.line, where.column, where.text);
    int r = 0;
    if (json_unpack_ex(document, &where, 0, "{s:i}", "v", &version) < 0)
        r = bad(err, "it has no version: %s", where.text);
    else if (version > JOURNAL_VERSION)
        r = bad(err,
                "it is of version %d, from a newer clowder-agentd; this one knows %d",
                version, JOURNAL_VERSION);
    else if (version != JOURNAL_VERSION)
        r = bad(err, "its version %d was never in use", version);
    if (r < 0)
        json_decref(document);
    else
        *ret = document;
    return r;
}

static int step_check(const char *name, json_t *entry, struct error *err)
{
    json_error_t where;
    const char *phase;
    json_t *memo;

    if (!name_valid(name))
        return bad(err, "steps: \"%.64s\" is no step's name", name);
    if (json_unpack_ex(entry, &where, 0, "{s:s, s:o !}", "phase", &phase, "memo",
                       &memo) < 0)
        return bad(err, "steps.%s: %s", name, where.text);
    if (phase_from_text(phase) < 0)
        return bad(err, "steps.%s.phase: \"%.32s\" is unknown", name, phase);
    if (!json_is_object(memo))
        return bad(err, "steps.%s.memo is not an object", name);
    return 0;
}

static int field_copy(char *dst, size_t size, const char *src, const char *what,
                      struct error *err)
{
    return str_copy(dst, size, src) ? 0 : bad(err, "%s is too long", what);
}

static int visit_decode(json_t *document, struct journal_visit *ret, json_t **ret_steps,
                        struct error *err)
{
    const char *rollout, *stage, *boot_id, *name;
    json_int_t token, begun_ms;
    json_t *steps, *entry;
    json_error_t where;
    struct journal_visit visit = {0};
    int version, attempt, r;

    if (json_unpack_ex(document, &where, 0,
                       "{s:i, s:s, s:s, s:i, s:I, s:s, s:I, s:o !}", "v", &version,
                       "rollout", &rollout, "stage", &stage, "attempt", &attempt,
                       "token", &token, "boot_id", &boot_id, "begun_ms", &begun_ms,
                       "steps", &steps) < 0)
        return bad(err, "%s", where.text);
    if (!rollout_id_valid(rollout))
        return bad(err, "rollout: \"%.64s\" is no rollout's id", rollout);
    if (!name_valid(stage))
        return bad(err, "stage: \"%.64s\" is no stage's name", stage);
    if (!json_is_object(steps))
        return bad(err, "steps is not an object");
    visit.attempt = attempt;
    visit.token = token;
    visit.begun_ms = begun_ms;
    r = field_copy(visit.rollout, sizeof visit.rollout, rollout, "rollout", err);
    if (r == 0)
        r = field_copy(visit.stage, sizeof visit.stage, stage, "stage", err);
    if (r == 0)
        r = field_copy(visit.boot_id, sizeof visit.boot_id, boot_id, "boot_id", err);
    json_object_foreach (steps, name, entry)
        if (r == 0)
            r = step_check(name, entry, err);
    if (r < 0)
        return r;
    *ret = visit;
    *ret_steps = json_incref(steps);
    return 0;
}

static int baseline_decode(json_t *document, json_t **ret_steps, struct error *err)
{
    json_t *steps, *entry, *memo;
    const char *name, *rollout;
    json_int_t token, saved_ms;
    json_error_t where;
    int version;

    if (json_unpack_ex(document, &where, 0, "{s:i, s:o !}", "v", &version, "steps",
                       &steps) < 0)
        return bad(err, "%s", where.text);
    if (!json_is_object(steps))
        return bad(err, "steps is not an object");
    json_object_foreach (steps, name, entry) {
        if (!name_valid(name))
            return bad(err, "steps: \"%.64s\" is no step's name", name);
        if (json_unpack_ex(entry, &where, 0, "{s:s, s:I, s:I, s:o !}", "rollout",
                           &rollout, "token", &token, "saved_ms", &saved_ms, "memo",
                           &memo) < 0)
            return bad(err, "steps.%s: %s", name, where.text);
        if (!json_is_object(memo))
            return bad(err, "steps.%s.memo is not an object", name);
    }
    *ret_steps = json_incref(steps);
    return 0;
}

/* ---- encoding and writing */

static json_t *visit_encode(const struct journal_visit *v, json_t *steps)
{
    return json_pack("{s:i, s:s, s:s, s:i, s:I, s:s, s:I, s:O}", "v", JOURNAL_VERSION,
                     "rollout", v->rollout, "stage", v->stage, "attempt", v->attempt,
                     "token", (json_int_t)v->token, "boot_id", v->boot_id, "begun_ms",
                     (json_int_t)v->begun_ms, "steps", steps);
}

/* Takes the document. */
static int document_write(const char *path, json_t *document, struct error *err)
{
    static const struct fs_attributes private_file = {.mode = 0600};
    struct fs_attributes attributes = private_file;
    _cleanup_(freep) char *text = NULL;

    attributes.uid = geteuid();
    attributes.gid = getegid();
    if (document)
        text = json_dumps(document, JSON_COMPACT);
    json_decref(document);
    if (!text)
        return error_set(err, -EINVAL, "journal \"%s\": a text in it is not UTF-8",
                         path);
    size_t len = strlen(text);
    if (len > JOURNAL_MAX_BYTES)
        return error_set(err, -EFBIG, "journal \"%s\" would be of %zu bytes", path,
                         len);
    int r = fs_write_atomic(path, text, len, &attributes, NULL, err);
    return r < 0 ? error_context(err, r, "journal") : 0;
}

static int baseline_write(struct journal *j, json_t *steps, struct error *err)
{
    int r = document_write(
        j->baseline_path, json_pack("{s:i, s:O}", "v", JOURNAL_VERSION, "steps", steps),
        err);

    if (r == 0) {
        json_decref(j->baseline);
        j->baseline = json_incref(steps);
    }
    return r;
}

static int visit_write(struct journal *j, const struct journal_visit *visit,
                       json_t *steps, struct error *err)
{
    int r = document_write(j->path, visit_encode(visit, steps), err);

    if (r == 0) {
        j->visit = *visit;
        j->good = true;
        if (steps != j->steps) {
            json_decref(j->steps);
            j->steps = json_incref(steps);
        }
    }
    return r;
}

/* ---- opening */

/* 0 with a document or NULL (absent); -EBADMSG: unreadable, err says why. */
static int file_load(const char *path, json_t **ret, struct error *err)
{
    _cleanup_(freep) char *bytes = NULL;
    size_t len = 0;
    int r = fs_read(path, JOURNAL_MAX_BYTES, &bytes, &len, err);

    if (r == -ENOENT) {
        *ret = NULL;
        return 0;
    }
    if (r == -EFBIG)
        return bad(err, "it is larger than %d bytes", JOURNAL_MAX_BYTES);
    if (r < 0)
        return r;
    return document_load(bytes, len, ret, err);
}

static void trouble_add(struct journal *j, const char *path, const struct error *why,
                        const char *advice)
{
    char before[sizeof j->trouble.text];

    STR_COPY(before, j->trouble.text);
    (void)error_set(&j->trouble, -EBADMSG, "%s%sjournal \"%s\" is unreadable: %s; %s",
                    before, before[0] ? "; " : "", path, why->text, advice);
}

static int open_visit(struct journal *j, struct error *err)
{
    struct error why = {0};
    json_t *document = NULL;
    int r = file_load(j->path, &document, &why);

    if (r == 0 && document) {
        json_t *steps = NULL;
        r = visit_decode(document, &j->visit, &steps, &why);
        if (r == 0) {
            json_decref(j->steps);
            j->steps = steps;
            j->good = true;
        }
    }
    json_decref(document);
    if (r == -EBADMSG) {
        j->journal_bad = true;
        trouble_add(j, j->path, &why,
                    "what was under way on this host is not known: look at the host, "
                    "then `clowder-agentd --set-journal-aside` there, and restart it");
        return 0;
    }
    if (r < 0)
        error_copy(err, &why);
    return r;
}

static int open_baseline(struct journal *j, struct error *err)
{
    struct error why = {0};
    json_t *document = NULL;
    int r = file_load(j->baseline_path, &document, &why);

    if (r == 0 && document) {
        json_t *steps = NULL;
        r = baseline_decode(document, &steps, &why);
        if (r == 0) {
            json_decref(j->baseline);
            j->baseline = steps;
        }
    }
    json_decref(document);
    if (r == -EBADMSG) {
        j->baseline_bad = true;
        trouble_add(
            j, j->baseline_path, &why,
            "what this host had before the first rollout is not known: put a "
            "good copy back, or `clowder-agentd --set-journal-aside` there, and "
            "restart it");
        return 0;
    }
    if (r < 0)
        error_copy(err, &why);
    return r;
}

int journal_open(const char *state_dir, struct journal **ret, struct error *err)
{
    struct journal *j = NEW(struct journal);

    j->state_dir = mem_strdup(state_dir);
    j->path = mem_printf("%s/journal.json", state_dir);
    j->baseline_path = mem_printf("%s/baseline.json", state_dir);
    j->steps = json_object();
    j->baseline = json_object();
    int r = open_visit(j, err);
    if (r == 0)
        r = open_baseline(j, err);
    if (r < 0) {
        journal_close(j);
        return error_context(err, r, "journal");
    }
    *ret = j;
    return 0;
}

void journal_close(struct journal *j)
{
    if (!j)
        return;
    json_decref(j->steps);
    json_decref(j->baseline);
    free(j->state_dir);
    free(j->path);
    free(j->baseline_path);
    free(j);
}

enum journal_state journal_state(const struct journal *j)
{
    if (j->journal_bad || j->baseline_bad)
        return JOURNAL_UNREADABLE;
    return j->good ? JOURNAL_GOOD : JOURNAL_ABSENT;
}

const char *journal_trouble(const struct journal *j)
{
    return j->trouble.text;
}

static int aside(const char *path, int64_t wall_ms, struct error *err)
{
    _cleanup_(freep) char *to = mem_printf("%s.bad-%lld", path, (long long)wall_ms);

    if (rename(path, to) < 0 && errno != ENOENT)
        return error_set(err, -errno, "cannot rename \"%s\" to \"%s\": %s", path, to,
                         strerror(errno));
    return 0;
}

int journal_set_aside(struct journal *j, int64_t wall_ms, struct error *err)
{
    int r = 0;

    if (j->journal_bad)
        r = aside(j->path, wall_ms, err);
    if (r == 0)
        j->journal_bad = false;
    if (r == 0 && j->baseline_bad)
        r = aside(j->baseline_path, wall_ms, err);
    if (r < 0)
        return r;
    j->baseline_bad = false;
    j->trouble = (struct error){0};
    return 0;
}

/* ---- the visit */

const struct journal_visit *journal_visit(const struct journal *j)
{
    return &j->visit;
}

static int readable(const struct journal *j, struct error *err)
{
    if (!j->journal_bad && !j->baseline_bad)
        return 0;
    return error_set(err, -EBADMSG, "%s", j->trouble.text);
}

int journal_begin(struct journal *j, const struct journal_visit *visit,
                  struct error *err)
{
    int r = readable(j, err);

    if (r < 0)
        return r;
    if (j->good && (strcmp(j->visit.rollout, visit->rollout) != 0 ||
                    strcmp(j->visit.stage, visit->stage) != 0))
        return error_set(err, -EBUSY,
                         "journal \"%s\": stage \"%s\" of rollout \"%s\" is under way "
                         "on this host: finish it before stage \"%s\" of \"%s\"",
                         j->path, j->visit.stage, j->visit.rollout, visit->stage,
                         visit->rollout);
    json_t *steps = j->good ? json_incref(j->steps) : json_object();
    FAILPOINT("journal:begin");
    r = visit_write(j, visit, steps, err);
    FAILPOINT("journal:begun");
    json_decref(steps);
    return r;
}

static bool memo_has_something(const json_t *memo)
{
    return memo && json_object_size(memo) > 0;
}

static bool baseline_of_this_visit(const struct journal *j, const char *step)
{
    const json_t *entry = json_object_get(j->baseline, step);

    return entry &&
           str_equal(json_string_value(json_object_get(entry, "rollout")),
                     j->visit.rollout) &&
           json_integer_value(json_object_get(entry, "token")) == j->visit.token;
}

static int baseline_put(struct journal *j, const char *step, json_t *entry,
                        struct error *err)
{
    json_t *steps = json_copy(j->baseline);
    (void)json_object_set_new(steps, step, entry);
    int r = baseline_write(j, steps, err);
    json_decref(steps);
    return r;
}

/* The first visit writes its file: what it found there then counts, for it may have
 * waited long for leave since it looked first. */
static int baseline_renew(struct journal *j, const char *step, const json_t *memo,
                          struct error *err)
{
    static const char *const files[] = {"file", "config"};
    const json_t *wrote = json_object_get(memo, "wrote");
    json_t *entry = json_deep_copy(json_object_get(j->baseline, step));
    json_t *first = json_object_get(entry, "memo");

    if (!wrote || json_object_get(first, "wrote") || !baseline_of_this_visit(j, step)) {
        json_decref(entry);
        return 0;
    }
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        json_t *found = json_object_get(json_object_get(memo, "before"), files[i]);
        if (found)
            (void)json_object_set_new(json_object_get(first, "before"), files[i],
                                      json_deep_copy(found));
    }
    (void)json_object_set_new(first, "wrote", json_deep_copy(wrote));
    return baseline_put(j, step, entry, err);
}

static int baseline_keep(struct journal *j, const char *step, const json_t *memo,
                         int64_t wall_ms, struct error *err)
{
    if (!memo_has_something(memo))
        return 0;
    if (json_object_get(j->baseline, step))
        return baseline_renew(j, step, memo, err);
    return baseline_put(j, step,
                        json_pack("{s:s, s:I, s:I, s:o}", "rollout", j->visit.rollout,
                                  "token", (json_int_t)j->visit.token, "saved_ms",
                                  (json_int_t)wall_ms, "memo", json_deep_copy(memo)),
                        err);
}

int journal_baseline_forget(struct journal *j, const char *step, struct error *err)
{
    int r = readable(j, err);

    if (r < 0 || !json_object_get(j->baseline, step))
        return r;
    json_t *steps = json_copy(j->baseline);
    (void)json_object_del(steps, step);
    r = baseline_write(j, steps, err);
    json_decref(steps);
    return r;
}

int journal_step(struct journal *j, const char *step, enum journal_phase phase,
                 const json_t *memo, int64_t wall_ms, struct error *err)
{
    int r = readable(j, err);

    if (r < 0)
        return r;
    if (!j->good)
        return error_set(err, -EINVAL, "journal \"%s\": no visit was begun for \"%s\"",
                         j->path, step);
    FAILPOINT("journal:step");
    if (phase == JOURNAL_APPLYING)
        r = baseline_keep(j, step, memo, wall_ms, err);
    /* Before the word that ends it: nobody looks for it after that one. */
    else if (phase == JOURNAL_REVERTED && baseline_of_this_visit(j, step))
        r = journal_baseline_forget(j, step, err);
    FAILPOINT("journal:step-kept");
    if (r < 0)
        return r;
    json_t *steps = json_copy(j->steps);
    (void)json_object_set_new(steps, step,
                              json_pack("{s:s, s:o}", "phase",
                                        journal_phase_text(phase), "memo",
                                        memo ? json_deep_copy(memo) : json_object()));
    r = visit_write(j, &j->visit, steps, err);
    json_decref(steps);
    FAILPOINT("journal:step-written");
    return r;
}

bool journal_step_get(const struct journal *j, const char *step,
                      enum journal_phase *ret_phase, const json_t **ret_memo)
{
    const json_t *entry = j->good ? json_object_get(j->steps, step) : NULL;

    if (!entry)
        return false;
    if (ret_phase)
        *ret_phase = (enum journal_phase)phase_from_text(
            json_string_value(json_object_get(entry, "phase")));
    if (ret_memo)
        *ret_memo = json_object_get(entry, "memo");
    return true;
}

/* The step has changed this host, and the change was not taken back. */
static bool has_changed(const json_t *entry)
{
    int phase = phase_from_text(json_string_value(json_object_get(entry, "phase")));
    const json_t *memo = json_object_get(entry, "memo");
    const json_t *failure = json_object_get(memo, "failure");
    bool back = phase == JOURNAL_REVERTING || phase == JOURNAL_REVERTED ||
                (phase == JOURNAL_FAILED &&
                 (json_is_true(json_object_get(failure, "undo")) ||
                  json_is_true(json_object_get(failure, "healthy"))));

    return json_object_get(memo, "before") && !back;
}

static int keep_memos(struct journal *j, struct error *err)
{
    json_t *changed = json_object(), *entry;
    const char *step;

    json_object_foreach (j->steps, step, entry) {
        if (has_changed(entry))
            json_object_set(changed, step, json_object_get(entry, "memo"));
    }
    int r = archive_add(j->state_dir, j->visit.rollout, changed, err);
    json_decref(changed);
    return r;
}

int journal_end(struct journal *j, struct error *err)
{
    int r = readable(j, err);

    FAILPOINT("journal:end");
    if (r == 0 && j->good)
        r = keep_memos(j, err);
    if (r == 0)
        r = fs_remove(j->path, err);
    FAILPOINT("journal:ended");
    if (r < 0)
        return r;
    j->good = false;
    j->visit = (struct journal_visit){0};
    json_object_clear(j->steps);
    return 0;
}

/* ---- the baseline */

const json_t *journal_baseline(const struct journal *j, const char *step)
{
    return json_object_get(json_object_get(j->baseline, step), "memo");
}

const char *journal_baseline_rollout(const struct journal *j, const char *step)
{
    const char *rollout = json_string_value(
        json_object_get(json_object_get(j->baseline, step), "rollout"));

    return rollout ? rollout : "";
}
