/* fake_engine.h - a Docker engine of one host in a child process, for tests of steps.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Serves the part of the Engine API that steps libnetwork and node use, on a unix
 * socket; what is "inside" the containers (Felix's health, the plugin's sockets)
 * answers as long as they run. Its state is shared memory: tests set knobs and look at
 * what happened. The plugin leaves its socket files behind when it goes, as real ones
 * do.
 */
#ifndef CLOWDER_TESTS_UNIT_FAKE_ENGINE_H
#define CLOWDER_TESTS_UNIT_FAKE_ENGINE_H

#include <stdbool.h>
#include <stddef.h>

struct fake_container {
    char name[64];     /* "" = none */
    char id[16];       /* of its own, also after another one of that name */
    char body[8192];   /* as created */
    char image_id[80]; /* of the image when it was created */
    bool running, restarting;
    int restarts;
    int started; /* the StartedAt is made of it */
    bool deaf;   /* its plugin's sockets are not served: until the next (re)start */
};

enum { FAKE_CONTAINERS = 4, FAKE_CALLS = 128 };
struct fake_engine {
    struct fake_container containers[FAKE_CONTAINERS];
    char image[128], image_id[80]; /* the one image; image_id "" = not pulled */
    char pulled_id[80];            /* what a pull would bring; "" = it fails */
    bool create_fails, start_fails, removal_in_progress;
    bool replaced_by_pull; /* somebody puts his own there meanwhile */
    int start_clock, id_clock;
    long long epoch_s; /* StartedAt = this + started; half an hour ago by default */
    /* inside the containers */
    int felix_status; /* 0 = does not answer */
    bool started_line, unreadable_logs, starts_deaf, wrong_driver, local_scope;
    bool one_socket; /* libnetwork 0.x */
    int felix_port;  /* made by the engine */
    char calls[FAKE_CALLS][160];
    int calls_count;
};
extern struct fake_engine *fake;

/* root/docker.sock, root/run/docker/plugins/… */
void fake_engine_start(const char *root);
void fake_engine_stop(void);

struct fake_container *fake_container(const char *name); /* NULL = none */
/* How many calls began so, e.g. "POST /containers/create". */
int fake_calls(const char *start);
void fake_forget_calls(void);
/* Puts a container there, running, as if somebody had made it. */
struct fake_container *fake_put(const char *name, const char *body);
/* Waits until the plugin's sockets are (not) served. */
void fake_settle(void);

#endif
