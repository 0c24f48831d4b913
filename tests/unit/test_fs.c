/* test_fs.c - atomic writes, symlinks, modes, limits.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "shared/base/fs.h"
#include "shared/base/str.h"
#include "tests/unit/cmocka_all.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static char root[64];

static const char *in_root(const char *name)
{
    static char paths[4][256];
    static int next;
    char *path = paths[next++ % 4];

    snprintf(path, sizeof(paths[0]), "%s/%s", root, name);
    return path;
}

static int make_root(void **state)
{
    strcpy(root, "/tmp/clowder-test-XXXXXX");
    return mkdtemp(root) ? 0 : -1;
}

static int remove_root(void **state)
{
    return fs_remove_tree(root, NULL);
}

static void assert_holds(const char *path, const char *text)
{
    char *bytes;
    size_t len;

    assert_int_equal(fs_read(path, 1000, &bytes, &len, NULL), 0);
    assert_int_equal(len, strlen(text));
    assert_string_equal(bytes, text);
    free(bytes);
}

static int entries_in_root(void)
{
    DIR *dir = opendir(root);
    int count = 0;

    while (readdir(dir))
        count++;
    closedir(dir);
    return count - 2;
}

static void a_new_file_is_written_with_mode_0644(void **state)
{
    struct fs_attributes found;
    const char *path = in_root("new");

    assert_int_equal(fs_write_atomic(path, "hello", 5, NULL, NULL, NULL), 0);

    assert_holds(path, "hello");
    assert_int_equal(fs_attributes_get(path, &found, NULL), 0);
    assert_int_equal(found.mode, 0644);
    assert_int_equal(entries_in_root(), 1);
}

static void replacing_keeps_mode_and_owner(void **state)
{
    const struct fs_attributes odd = {0640, geteuid(), geteuid() == 0 ? 12 : getegid()};
    struct fs_attributes found;
    const char *path = in_root("kept");

    assert_int_equal(fs_write_atomic(path, "a", 1, &odd, NULL, NULL), 0);
    assert_int_equal(fs_write_atomic(path, "b", 1, NULL, NULL, NULL), 0);

    assert_holds(path, "b");
    assert_int_equal(fs_attributes_get(path, &found, NULL), 0);
    assert_int_equal(found.mode, 0640);
    assert_int_equal(found.gid, odd.gid);
}

static void a_symlink_stays_and_its_target_is_replaced(void **state)
{
    const char *link = in_root("link");
    struct stat st;

    assert_int_equal(mkdir(in_root("real"), 0755), 0);
    assert_int_equal(symlink("real/target", link), 0); /* dangling at first */
    assert_int_equal(fs_write_atomic(link, "one", 3, NULL, NULL, NULL), 0);
    assert_int_equal(fs_write_atomic(link, "two", 3, NULL, NULL, NULL), 0);

    assert_int_equal(lstat(link, &st), 0);
    assert_true(S_ISLNK(st.st_mode));
    assert_holds(in_root("real/target"), "two");
}

static void a_symlink_loop_is_an_error(void **state)
{
    assert_int_equal(symlink("loop-b", in_root("loop-a")), 0);
    assert_int_equal(symlink("loop-a", in_root("loop-b")), 0);

    assert_int_equal(fs_write_atomic(in_root("loop-a"), "x", 1, NULL, NULL, NULL),
                     -ELOOP);
}

static void what_a_crash_left_behind_goes_with_the_next_write(void **state)
{
    const char *path = in_root("file");
    char *temp = NULL;
    int fd = fs_temp_open(NULL, path, &temp, NULL);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, "half", 4), 4);
    close(fd); /* and the process dies */
    assert_int_equal(entries_in_root(), 1);

    assert_int_equal(fs_write_atomic(path, "whole", 5, NULL, NULL, NULL), 0);

    assert_int_equal(entries_in_root(), 1);
    assert_holds(path, "whole");
    free(temp);
}

static void the_stage_directory_holds_the_temp_file(void **state)
{
    struct error err = {0};
    const char *path = in_root("staged");

    assert_int_equal(fs_write_atomic(path, "x", 1, NULL, "/nonexistent-stage", &err),
                     -ENOENT);
    assert_non_null(strstr(err.text, "/nonexistent-stage/.clowder-"));
    assert_false(fs_exists(path));
    assert_int_equal(fs_write_atomic(path, "x", 1, NULL, root, NULL), 0);
    assert_holds(path, "x");
}

static void a_failed_write_leaves_the_old_file_and_no_debris(void **state)
{
    const char *path = in_root("dir");

    assert_int_equal(mkdir(path, 0755), 0); /* rename over a directory fails */
    assert_int_equal(fs_write_atomic(path, "x", 1, NULL, NULL, NULL), -EISDIR);

    assert_int_equal(entries_in_root(), 1);
}

static void reading_has_a_limit_and_wants_a_regular_file(void **state)
{
    const char *path = in_root("ten");
    char *bytes = NULL;
    size_t len;

    assert_int_equal(fs_write_atomic(path, "0123456789", 10, NULL, NULL, NULL), 0);
    assert_int_equal(fs_read(path, 9, &bytes, &len, NULL), -EFBIG);
    assert_int_equal(fs_read(root, 9, &bytes, &len, NULL), -EISDIR);
    assert_int_equal(mkfifo(in_root("fifo"), 0600), 0);
    assert_int_equal(fs_read(in_root("fifo"), 9, &bytes, &len, NULL), -EINVAL);
    assert_int_equal(fs_read(in_root("absent"), 9, &bytes, &len, NULL), -ENOENT);
    assert_null(bytes);
    assert_int_equal(fs_read(path, 10, &bytes, NULL, NULL), 0);
    assert_string_equal(bytes, "0123456789");
    free(bytes);
}

static void directories_are_made_and_removed_as_trees(void **state)
{
    assert_int_equal(fs_mkdirs(in_root("a/b/c"), 0755, NULL), 0);
    assert_int_equal(fs_mkdirs(in_root("a/b/c"), 0755, NULL), 0);
    assert_int_equal(fs_write_atomic(in_root("a/b/f"), "x", 1, NULL, NULL, NULL), 0);
    assert_int_equal(fs_write_atomic(in_root("outside"), "x", 1, NULL, NULL, NULL), 0);
    assert_int_equal(symlink("../outside", in_root("a/link")), 0);
    assert_int_equal(fs_mkdirs(in_root("a/b/f"), 0755, NULL), -ENOTDIR);

    assert_int_equal(fs_remove_tree(in_root("a"), NULL), 0);
    assert_false(fs_exists(in_root("a")));
    assert_true(fs_exists(in_root("outside")));
    assert_int_equal(fs_remove_tree(in_root("a"), NULL), 0);
}

static void removing_what_is_absent_succeeds(void **state)
{
    assert_int_equal(fs_remove(in_root("absent"), NULL), 0);
    assert_int_equal(fs_write_atomic(in_root("f"), "x", 1, NULL, NULL, NULL), 0);
    assert_int_equal(fs_remove(in_root("f"), NULL), 0);
    assert_false(fs_exists(in_root("f")));
}

/* In a child: locks of one process do not exclude each other. */
static int lock_in_child(const char *path, struct error *ret_err)
{
    int pipe_fds[2], status;
    assert_int_equal(pipe(pipe_fds), 0);
    pid_t pid = fork();
    if (pid == 0) {
        struct error err = {0};
        int fd = -1;
        err.code = fs_lock(path, &fd, &err);
        _exit(write(pipe_fds[1], &err, sizeof(err)) == (ssize_t)sizeof(err) ? 0 : 1);
    }
    assert_int_equal(read(pipe_fds[0], ret_err, sizeof(*ret_err)),
                     (ssize_t)sizeof(*ret_err));
    assert_int_equal(waitpid(pid, &status, 0), pid);
    (void)close(pipe_fds[0]);
    (void)close(pipe_fds[1]);
    return ret_err->code;
}

static void a_locked_file_is_refused_to_others_and_its_owner_is_named(void **state)
{
    char owner[32];
    struct error err;
    int fd = -1;
    snprintf(owner, sizeof(owner), "(pid %d)", (int)getpid());

    assert_int_equal(fs_lock(in_root("lock"), &fd, &err), 0);
    assert_int_equal(lock_in_child(in_root("lock"), &err), -EBUSY);
    assert_non_null(strstr(err.text, owner));

    (void)close(fd);
    assert_int_equal(lock_in_child(in_root("lock"), &err), 0);
}

static void a_lock_is_no_symlink_and_needs_its_directory(void **state)
{
    struct error err;
    int fd = -1;

    assert_int_equal(symlink("elsewhere", in_root("link")), 0);
    assert_int_equal(fs_lock(in_root("link"), &fd, &err), -ELOOP);
    assert_int_equal(fs_lock(in_root("none/lock"), &fd, &err), -ENOENT);
    assert_int_equal(fd, -1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_root, remove_root)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_new_file_is_written_with_mode_0644),
        TEST(replacing_keeps_mode_and_owner),
        TEST(a_symlink_stays_and_its_target_is_replaced),
        TEST(a_symlink_loop_is_an_error),
        TEST(what_a_crash_left_behind_goes_with_the_next_write),
        TEST(the_stage_directory_holds_the_temp_file),
        TEST(a_failed_write_leaves_the_old_file_and_no_debris),
        TEST(reading_has_a_limit_and_wants_a_regular_file),
        TEST(directories_are_made_and_removed_as_trees),
        TEST(removing_what_is_absent_succeeds),
        TEST(a_locked_file_is_refused_to_others_and_its_owner_is_named),
        TEST(a_lock_is_no_symlink_and_needs_its_directory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
