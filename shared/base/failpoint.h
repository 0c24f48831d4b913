/* failpoint.h - named points at which a test kills or stops the process.
 *
 * SPDX-License-Identifier: Apache-2.0
 * Layer: base. Compiled in with CLOWDER_FAILPOINTS only; otherwise the macros are
 * nothing.
 *
 * Shape: a file holds "<name> [<nth> [<delay_ms>|stop]]": the nth (1) time that the
 * process comes to the point it removes the file and kills itself by SIGKILL, at once
 * or after the delay, in the middle of what comes then. With "stop" it stops itself by
 * SIGSTOP instead: the test changes the world at that very point and lets it go on by
 * SIGCONT. "list" instead says "failpoint name=... n=..." on stderr each time that one
 * is passed. The file is the one that the environment's CLOWDER_FAILPOINT_FILE names,
 * else FAILPOINT_FILE; it is looked at each time, so that a process that runs can be
 * told.
 *
 * Every name stands in the one table of failpoint.c, which a test holds against the
 * source. The steps of flows are points, too, named by what they are
 * (FAILPOINT_STEP("apply", "cni", "place calico") is "apply:cni:place-calico").
 */
#ifndef CLOWDER_BASE_FAILPOINT_H
#define CLOWDER_BASE_FAILPOINT_H

#ifdef CLOWDER_FAILPOINTS

#define FAILPOINT_FILE "/run/clowder/failpoint"
#define FAILPOINT(name) failpoint_hit(name)
#define FAILPOINT_STEP(phase, step, name) failpoint_hit_step(phase, step, name)

void failpoint_hit(const char *name); /* asserts that the name is in the table */
void failpoint_hit_step(const char *phase, const char *step, const char *name);
const char *failpoint_name(int index); /* NULL behind the last */

#else

#define FAILPOINT(name) ((void)0)
#define FAILPOINT_STEP(phase, step, name) ((void)0)

#endif

#endif
