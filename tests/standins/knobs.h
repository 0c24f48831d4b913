/* knobs.h - how a stand-in is told to misbehave, at run time.
 *
 * SPDX-License-Identifier: Apache-2.0
 * Settings are read, later ones winning, from the environment (STANDIN_MODE,
 * STANDIN_DELAY_MS, ...: how an image's tag carries a knob) and from <name>.conf in
 *   /run/docker/plugins/standin  reachable inside a calico-libnetwork container
 *   /var/run/calico/standin      reachable inside a calico-node container
 *   /etc/clowder-standin         for what runs on the host itself
 * as lines of key=value; '#' starts a comment. They are read again for each answer, so
 * that a test can turn a knob while the stand-in runs; a missing file is no setting.
 */
#ifndef CLOWDER_STANDINS_KNOBS_H
#define CLOWDER_STANDINS_KNOBS_H

#include <stdbool.h>

enum knob_mode {
    MODE_OK,
    MODE_SLOW,    /* every answer, and the start, delay_ms late (default 5000) */
    MODE_FLAP,    /* exits with 1 flap_ms after its start (default 3000), each time */
    MODE_UNREADY, /* runs and answers, but is never healthy */
    MODE_WRONG,   /* answers, but not what was asked */
    MODE_EXIT,    /* exits with 1 at once */
    MODE_HANG,    /* accepts connections and never answers */
};

struct knobs {
    enum knob_mode mode;
    int delay_ms;
    int flap_ms;
    int ready_ms;     /* from the start until healthy: registered, Felix ready */
    char version[48]; /* mesos-slave: the Mesos version it reports */
    char release[48]; /* cni, calico: the release it reports */
};

/* name: "mesos-slave", "cni", "calico-node", "calico-libnetwork". Fields of knobs
 * that nothing sets keep the value that the caller put there. A mode that is not
 * known is said on stderr and exits with 64: a typing error must not look like "ok". */
void knobs_read(struct knobs *knobs, const char *name);

/* What every mode does at the start of a program: exits for MODE_EXIT, waits for
 * MODE_SLOW. */
void knobs_at_start(const struct knobs *knobs);
/* What every mode does before an answer: waits (slow), or never returns (hang). */
void knobs_before_answer(const struct knobs *knobs);
/* Exits with 1 when the mode is MODE_FLAP and flap_ms have passed since started_ms. */
void knobs_flap(const struct knobs *knobs, long long started_ms);

long long monotonic_ms(void);
void sleep_ms(int ms);

#endif
