/* scenes.h - rollouts in typical states, for what is shown of them.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef CLOWDER_TESTS_CLI_SCENES_H
#define CLOWDER_TESTS_CLI_SCENES_H

#include "shared/model/plan.h"
#include "shared/model/progress.h"

#define SCENE_NOW_MS INT64_C(1795464600000) /* 2026-11-23 20:10:00 UTC */

enum scene {
    SCENE_RUNNING,
    SCENE_PAUSED_BY_FAILURE,
    SCENE_LOST_HOLDER,
    SCENE_ABORTING,
    SCENE_FINISHED,
    SCENE_FINISHED_WITH_FAILURES,
    SCENE_MANY_WAVES,
    SCENE_HOSTILE_TEXT,
    SCENE_BETWEEN_WAVES, /* promoted by hand; one holder is away */
    SCENE_DRIFTED,       /* kept: three hosts have changed, one repairs itself */
    SCENE_LARGE,         /* 20 waves, 5,000 hosts, everything at once */
    SCENE_ZONES,
};
enum { SCENE_COUNT = SCENE_ZONES + 1 };
const char *scene_name(enum scene scene);

void scene_make(enum scene scene, struct progress *ret); /* progress_done it */

/* A plan with every kind of finding, and its spec. */
struct plan_scene {
    struct spec *spec;
    struct plan plan;
};
struct plan_scene plan_scene_make(void);
void plan_scene_done(struct plan_scene *scene);

#endif
