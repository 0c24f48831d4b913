/* fuzz_journal.c - journal.json and baseline.json from any bytes: readable and going
 * on, or unreadable, said so, and nothing begun over it.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "agentd/journal.h"
#include "tests/fuzz/fuzz.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

static char path_made[] = "/tmp/clowder-fuzz-XXXXXX";

static void remove_directory(void)
{
    (void)rmdir(path_made);
}

static const char *directory(void)
{
    static int made;

    if (!made) {
        fuzz_require(mkdtemp(path_made) != NULL, "a directory");
        fuzz_require(atexit(remove_directory) == 0, "a way to remove it");
    }
    made = 1;
    return path_made;
}

static void put(const char *name, const uint8_t *bytes, size_t len)
{
    char path[128];

    (void)snprintf(path, sizeof path, "%s/%s", directory(), name);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    fuzz_require(fd >= 0 && write(fd, bytes, len) == (ssize_t)len, "a file");
    close(fd);
}

static void drop(const char *name)
{
    char path[128];

    (void)snprintf(path, sizeof path, "%s/%s", directory(), name);
    (void)unlink(path);
}

static void try_journal(void)
{
    static const struct journal_visit visit = {
        .rollout = "20261123-203000-1a2b", .stage = "restart", .boot_id = "b"};
    struct journal *journal;
    struct error err = {0};
    enum journal_phase phase;

    fuzz_require(journal_open(directory(), &journal, &err) == 0, "it opens");
    if (journal_state(journal) == JOURNAL_UNREADABLE) {
        fuzz_require(journal_trouble(journal)[0] != '\0', "its trouble is said");
        fuzz_require(journal_begin(journal, &visit, &err) == -EBADMSG,
                     "nothing begins over it");
    } else if (journal_state(journal) == JOURNAL_GOOD) {
        fuzz_require(name_valid(journal_visit(journal)->stage), "a stage");
        fuzz_require(rollout_id_valid(journal_visit(journal)->rollout), "a rollout");
        if (journal_step_get(journal, "cni", &phase, NULL))
            (void)journal_phase_text(phase);
    }
    (void)journal_baseline(journal, "cni");
    (void)journal_baseline_rollout(journal, "cni");
    journal_close(journal);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    put("journal.json", bytes, len);
    try_journal();
    drop("journal.json");
    put("baseline.json", bytes, len);
    try_journal();
    drop("baseline.json");
    return 0;
}
