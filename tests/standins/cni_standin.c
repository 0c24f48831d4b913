/* cni_standin.c - stands in for the CNI binaries calico and calico-ipam.
 *
 * SPDX-License-Identifier: Apache-2.0
 * The artifact server gives out one copy per release; which one it is stands in the
 * last line of the file itself ("standin release=v1.11.7 [mode=wrong]"), so that
 * two releases have different digests, as real ones have. `-v` prints the release
 * (1.4 and later do); CNI_COMMAND=VERSION reads standard input to its end, as the real
 * ones do, and answers with the shape of its release. Knobs: cni.conf (knobs.h);
 * "wrong" answers something that is not JSON, "unready" and "exit" fail, "hang" never
 * ends.
 */
#include "knobs.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char trailer_mark[] = "\nstandin release=";

/* Settings of the file's own last line, into the environment, where knobs_read finds
 * them below what a knob file says. */
static void trailer_read(void)
{
    char tail[256], release[48] = "", mode[16] = "", *mark = NULL;
    int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    ssize_t got;

    if (fd < 0)
        return;
    if (lseek(fd, -(off_t)(sizeof tail - 1), SEEK_END) < 0 ||
        (got = read(fd, tail, sizeof tail - 1)) <= 0) {
        close(fd);
        return;
    }
    close(fd);
    for (ssize_t i = 0; i + (ssize_t)sizeof trailer_mark - 1 <= got; i++)
        if (memcmp(tail + i, trailer_mark, sizeof trailer_mark - 1) == 0)
            mark = tail + i + sizeof trailer_mark - 1;
    if (!mark)
        return;
    tail[got] = '\0';
    if (sscanf(mark, "%47s mode=%15s", release, mode) >= 1)
        setenv("STANDIN_RELEASE", release, 1);
    if (*mode)
        setenv("STANDIN_MODE", mode, 1);
}

static void version_print(const char *release)
{
    int major = 0, minor = 0;

    (void)sscanf(release, "v%d.%d", &major, &minor);
    if (major == 1 && minor < 4) {
        fprintf(stderr, "AssertionError\n"); /* the Python ones had no VERSION */
        exit(1);
    }
    if (major == 1 && minor < 7)
        puts("{\"cniVersion\":\"0.2.0\"}");
    else
        puts("{\"cniVersion\":\"0.3.1\",\"supportedVersions\":"
             "[\"0.1.0\",\"0.2.0\",\"0.3.0\",\"0.3.1\"]}");
}

static void standard_input_drain(void)
{
    char bytes[4096];

    while (read(STDIN_FILENO, bytes, sizeof bytes) > 0)
        ;
}

int main(int argc, char **argv)
{
    struct knobs knobs = {.release = "v1.11.7"};
    const char *command = getenv("CNI_COMMAND");

    trailer_read();
    knobs_read(&knobs, "cni");
    knobs_at_start(&knobs);
    if (argc > 1 && strcmp(argv[1], "-v") == 0) {
        puts(knobs.release);
        return 0;
    }
    if (!command) {
        fprintf(stderr, "required env variables missing: CNI_COMMAND\n");
        return 1;
    }
    standard_input_drain();
    if (knobs.mode == MODE_HANG)
        knobs_before_answer(&knobs);
    if (knobs.mode == MODE_UNREADY || knobs.mode == MODE_FLAP) {
        fprintf(stderr, "standin: fails, as told\n");
        return 1;
    }
    if (knobs.mode == MODE_WRONG)
        puts("<html>404 not found</html>");
    else if (strcmp(command, "VERSION") == 0)
        version_print(knobs.release);
    else if (strcmp(command, "ADD") == 0)
        puts("{\"cniVersion\":\"0.1.0\",\"ip4\":{\"ip\":\"192.168.0.5/"
             "32\"},\"dns\":{}}");
    return 0;
}
