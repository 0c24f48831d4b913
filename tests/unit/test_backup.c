/* test_backup.c - the exact state of a file, kept and put back; what we installed.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "agentd/steps/backup.h"
#include "agentd/steps/installed.h"
#include "agentd/steps/place.h"
#include "shared/base/cleanup.h"
#include "shared/base/digest.h"
#include "shared/base/fs.h"
#include "tests/unit/cmocka_all.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char root[64], state_dir[96], file[96];
static struct error err;

static int begin(void **state)
{
    strcpy(root, "/tmp/clowder-test-XXXXXX");
    assert_non_null(mkdtemp(root));
    snprintf(state_dir, sizeof(state_dir), "%s/state", root);
    snprintf(file, sizeof(file), "%s/file", root);
    err = (struct error){0};
    return 0;
}

static int end(void **state)
{
    return fs_remove_tree(root, NULL);
}

static void write_file(const char *path, const char *text, mode_t mode)
{
    const struct fs_attributes attributes = {mode, geteuid(), getegid()};

    assert_int_equal(fs_write_atomic(path, text, strlen(text), &attributes, NULL, NULL),
                     0);
}

static json_t *taken(void)
{
    json_t *entry = NULL;

    assert_int_equal(backup_take(state_dir, file, &entry, &err), 0);
    return entry;
}

static void assert_file(const char *text, mode_t mode)
{
    _cleanup_(freep) char *bytes = NULL;
    struct stat st;

    assert_int_equal(fs_read(file, 4096, &bytes, NULL, NULL), 0);
    assert_string_equal(bytes, text);
    assert_int_equal(stat(file, &st), 0);
    assert_int_equal(st.st_mode & 07777, mode);
}

static void bytes_mode_and_owner_come_back(void **state)
{
    write_file(file, "as it was", 0640);
    if (geteuid() == 0)
        assert_int_equal(chown(file, 1, 2), 0);
    json_t *entry = taken();
    write_file(file, "ours", 0600);

    assert_int_equal(backup_restore(state_dir, entry, NULL, NULL, &err), 0);

    struct stat st;
    bool same = false;
    assert_file("as it was", 0640);
    assert_int_equal(stat(file, &st), 0);
    assert_int_equal(st.st_uid, geteuid() == 0 ? 1 : geteuid());
    assert_int_equal(backup_matches(entry, &same, &err), 0);
    assert_true(same);
    json_decref(entry);
}

static void absence_comes_back(void **state)
{
    json_t *entry = taken();
    write_file(file, "ours", 0600);

    assert_int_equal(backup_restore(state_dir, entry, NULL, NULL, &err), 0);

    assert_false(fs_exists(file));
    json_decref(entry);
}

static void a_symlink_stays_one(void **state)
{
    char target[128], link[256];

    snprintf(target, sizeof(target), "%s/target", root);
    write_file(target, "as it was", 0644);
    assert_int_equal(symlink("target", file), 0);
    json_t *entry = taken();
    assert_int_equal(unlink(file), 0);
    write_file(file, "not even a link", 0600);

    assert_int_equal(backup_restore(state_dir, entry, NULL, NULL, &err), 0);

    ssize_t len = readlink(file, link, sizeof(link));
    assert_int_equal(len, 6);
    assert_memory_equal(link, "target", 6);
    assert_file("as it was", 0644);
    json_decref(entry);
}

static void what_somebody_changed_since_is_not_overwritten(void **state)
{
    char ours[DIGEST_HEX_SIZE];

    write_file(file, "as it was", 0644);
    json_t *entry = taken();
    digest_bytes("ours", 4, ours);
    write_file(file, "theirs", 0644);

    assert_int_equal(backup_restore(state_dir, entry, ours, NULL, &err), -ESTALE);

    assert_non_null(strstr(err.text, "changed by somebody"));
    assert_file("theirs", 0644);
    json_decref(entry);
}

static void a_damaged_backup_is_not_put_back(void **state)
{
    char kept[256];

    write_file(file, "as it was", 0644);
    json_t *entry = taken();
    snprintf(kept, sizeof(kept), "%s/backup/%s", state_dir,
             json_string_value(json_object_get(entry, "sha256")));
    write_file(kept, "rotten", 0600);
    write_file(file, "ours", 0644);

    assert_int_equal(backup_restore(state_dir, entry, NULL, NULL, &err), -EBADMSG);

    assert_file("ours", 0644);
    json_decref(entry);
}

static void directories_made_go_away_when_empty(void **state)
{
    char deep[160], other[160];

    snprintf(deep, sizeof(deep), "%s/a/b/c/", root);
    snprintf(other, sizeof(other), "%s/a/theirs", root);
    json_t *missing = backup_missing_dirs(deep);
    assert_int_equal(json_array_size(missing), 3);
    assert_int_equal(fs_mkdirs(deep, 0755, NULL), 0);
    write_file(other, "x", 0644);

    backup_remove_dirs(missing);

    assert_true(fs_exists(other));
    snprintf(deep, sizeof(deep), "%s/a/b", root);
    assert_false(fs_exists(deep));
    json_decref(missing);
}

static void a_placed_file_leaves_nothing_beside_it(void **state)
{
    const struct fs_attributes attributes = {0755, geteuid(), getegid()};
    char from[96], nowhere[96];

    snprintf(from, sizeof(from), "%s/from", root);
    snprintf(nowhere, sizeof(nowhere), "%s/none/file", root);
    write_file(from, "program", 0600);

    assert_int_equal(place_file(from, file, &attributes, NULL, &err), 0);
    assert_int_equal(place_file(from, nowhere, &attributes, root, &err), -ENOENT);

    assert_file("program", 0755);
    assert_int_equal(unlink(file), 0);
    assert_int_equal(unlink(from), 0);
    assert_int_equal(rmdir(root), 0); /* no temp file is left */
    assert_int_equal(mkdir(root, 0700), 0);
}

static json_t *look(void)
{
    json_t *seen = NULL;

    assert_int_equal(installed_look(state_dir, file, &seen, &err), 0);
    return seen;
}

static const char *text(const json_t *seen, const char *key)
{
    return json_string_value(json_object_get(seen, key));
}

static void what_we_installed_is_known_again_and_a_change_is_seen(void **state)
{
    char fetched[128];
    snprintf(fetched, sizeof(fetched), "%s/fetched", root);
    write_file(fetched, "program", 0600);
    assert_int_equal(
        installed_place(state_dir, fetched, file, "http://x/p", "f00d", &err), 0);

    json_t *seen = look();
    const json_t *recorded = json_object_get(seen, "recorded");
    assert_string_equal(text(seen, "mode"), "0755");
    assert_string_equal(text(seen, "sha256"), text(recorded, "sha256"));
    assert_string_equal(text(recorded, "url"), "http://x/p");
    assert_null(text(recorded, "stat"));
    json_decref(seen);

    write_file(file, "Program", 0755); /* the same size */
    seen = look();
    recorded = json_object_get(seen, "recorded");
    assert_string_not_equal(text(seen, "sha256"), text(recorded, "sha256"));
    json_decref(seen);

    assert_int_equal(installed_set(state_dir, file, NULL, &err), 0);
    seen = look();
    assert_null(json_object_get(seen, "recorded"));
    json_decref(seen);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(bytes_mode_and_owner_come_back, begin, end),
        cmocka_unit_test_setup_teardown(absence_comes_back, begin, end),
        cmocka_unit_test_setup_teardown(a_symlink_stays_one, begin, end),
        cmocka_unit_test_setup_teardown(what_somebody_changed_since_is_not_overwritten,
                                        begin, end),
        cmocka_unit_test_setup_teardown(a_damaged_backup_is_not_put_back, begin, end),
        cmocka_unit_test_setup_teardown(directories_made_go_away_when_empty, begin,
                                        end),
        cmocka_unit_test_setup_teardown(a_placed_file_leaves_nothing_beside_it, begin,
                                        end),
        cmocka_unit_test_setup_teardown(
            what_we_installed_is_known_again_and_a_change_is_seen, begin, end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
