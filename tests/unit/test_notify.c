/* test_notify.c - the service manager's datagrams.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "shared/io/notify.h"
#include "tests/unit/cmocka_all.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* name begins with '/' or, for the abstract namespace, '@' */
static int receiver(const char *name)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t len = strlen(name);
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);

    memcpy(address.sun_path, name, len);
    if (name[0] == '@')
        address.sun_path[0] = '\0';
    assert_int_equal(bind(fd, (struct sockaddr *)&address,
                          (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len)),
                     0);
    setenv("NOTIFY_SOCKET", name, 1);
    return fd;
}

static void assert_received(int fd, const char *text)
{
    char got[256] = "";

    assert_int_equal(recv(fd, got, sizeof(got) - 1, 0), (int)strlen(text));
    assert_string_equal(got, text);
}

static void a_message_arrives_as_one_datagram(void **state)
{
    char name[64];
    int fd;

    snprintf(name, sizeof(name), "/tmp/clowder-notify-%d", (int)getpid());
    fd = receiver(name);
    notify_send("READY=1\nSTATUS=%s %d", "hosts", 5);

    assert_received(fd, "READY=1\nSTATUS=hosts 5");
    assert_int_equal(recv(fd, name, 1, 0), -1);
    close(fd);
    unlink(getenv("NOTIFY_SOCKET"));
}

static void abstract_sockets_are_known(void **state)
{
    char name[64];
    int fd;

    snprintf(name, sizeof(name), "@clowder-notify-%d", (int)getpid());
    fd = receiver(name);
    notify_send("WATCHDOG=1");

    assert_received(fd, "WATCHDOG=1");
    close(fd);
}

/* Words of Docker's, say, or of a znode. */
static void a_status_of_many_lines_is_no_other_assignment(void **state)
{
    char name[64];
    int fd;

    snprintf(name, sizeof(name), "@clowder-notify-%d", (int)getpid());
    fd = receiver(name);
    notify_status("it failed:\nWATCHDOG=trigger\tnow");

    assert_received(fd, "STATUS=it failed: WATCHDOG=trigger now");
    close(fd);
}

static void without_a_socket_nothing_happens(void **state)
{
    char longer[200];

    memset(longer, 'x', sizeof(longer) - 1);
    longer[0] = '/';
    longer[sizeof(longer) - 1] = '\0';
    setenv("NOTIFY_SOCKET", longer, 1);
    notify_send("READY=1");
    setenv("NOTIFY_SOCKET", "/nonexistent", 1);
    notify_send("READY=1");
    setenv("NOTIFY_SOCKET", "", 1);
    notify_send("READY=1");
    unsetenv("NOTIFY_SOCKET");
    notify_send("READY=1");
}

static void the_watchdog_is_fed_twice_per_interval(void **state)
{
    char pid[16];

    unsetenv("WATCHDOG_PID");
    unsetenv("WATCHDOG_USEC");
    assert_int_equal(notify_watchdog_interval_ms(), 0);
    setenv("WATCHDOG_USEC", "30000000", 1);
    assert_int_equal(notify_watchdog_interval_ms(), 15000);
    snprintf(pid, sizeof(pid), "%d", (int)getpid());
    setenv("WATCHDOG_PID", pid, 1);
    assert_int_equal(notify_watchdog_interval_ms(), 15000);
    setenv("WATCHDOG_PID", "1", 1); /* meant for another process */
    assert_int_equal(notify_watchdog_interval_ms(), 0);
    unsetenv("WATCHDOG_PID");
    setenv("WATCHDOG_USEC", "soon", 1);
    assert_int_equal(notify_watchdog_interval_ms(), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_message_arrives_as_one_datagram),
        cmocka_unit_test(abstract_sockets_are_known),
        cmocka_unit_test(a_status_of_many_lines_is_no_other_assignment),
        cmocka_unit_test(without_a_socket_nothing_happens),
        cmocka_unit_test(the_watchdog_is_fed_twice_per_interval),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
