/* step_world.h - a small fake host around one step: systemctl, Docker, etcd, an agent.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Everything stands in one directory (world_path):
 *   bin/systemctl      reads and changes units/<unit>; writes its arguments to acts;
 *                      runs hooks/<unit> after a start or restart, hooks/<unit>.hup on
 *                      kill; fail/<unit> makes a start fail
 *   http/docker/…      answers at the Docker socket: "_info" holds "200 {…}"; no file
 *   http/tcp/…         is a 404; a file DOWN means no answer. tcp: etcd and the agent
 *   up                 while it exists the TCP port is open (world_up waits for it)
 *   root/ state/ cache/
 * A visit is observe, judge, apply, prove, as agentd/visit.h has it. A crash is a save
 * that fails after (or before) it has reached the journal: the step is thrown away and
 * the next visit gets the journal's memo.
 */
#ifndef CLOWDER_TESTS_UNIT_STEP_WORLD_H
#define CLOWDER_TESTS_UNIT_STEP_WORLD_H

#include "agentd/steps/step.h"
#include "tests/unit/cmocka_all.h"

#include <sys/types.h>

enum crash { CRASH_NEVER, CRASH_AFTER_SAVE, CRASH_BEFORE_SAVE };

struct world {
    struct event_loop *el;
    struct spec *spec;
    struct facts facts;
    struct step_env env;
    enum step_id id;
    json_t *journal; /* the memo as it was last saved */
    int saves, asks, steps;
    enum crash crash;
    int crash_at;             /* the save, from 1 */
    int cancel_at;            /* the flow step of apply, from 1; 0 = never */
    int answer;               /* to ask: 0 or -EPERM, -ECANCELED */
    void (*when_asked)(void); /* what happens while it waits for leave; or NULL */
    int restarts_when_asked;
    const char *asked_unit; /* whose restarts are counted when asked */
    struct judgement judgement;
    char says[160];
    struct error err; /* of the last phase that failed */
    int port;
    pid_t server;
    char unit_pid[16];
};
extern struct world world;

int world_begin(void **state);
int world_end(void **state);

/* ' for " ; {P} is the TCP port, {W} the world's directory */
void world_spec(enum step_id id, const char *text);
const char *world_path(const char *name); /* a few are valid at a time */
void world_write(const char *name, mode_t mode, const char *text);
void world_assert_file(const char *name, const char *text, mode_t mode);
void world_unit(const char *unit, const char *active); /* pid 812 */
int world_restarts(const char *unit);
bool world_did(const char *act); /* a line of acts */
void world_up(void);             /* opens the TCP port */

int world_observe(void);
int world_visit(void); /* 0, or the error's code; world.judgement, world.err */
int world_revert(void);
void world_forget(void); /* a new visit: the journal is empty */

#endif
