/* screen.h - a picture on a terminal that is redrawn in place.
 *
 * SPDX-License-Identifier: Apache-2.0
 * Layer: coordinator. The picture stands in the ordinary screen, so that its last state
 * stays in the scroll-back. Each redraw is one write.
 */
#ifndef CLOWDER_COORDINATOR_SCREEN_H
#define CLOWDER_COORDINATOR_SCREEN_H

#include <stdbool.h>
#include <stdio.h>

struct screen {
    FILE *to;
    int height;
    int drawn; /* lines of the last picture */
    bool open;
};

void screen_open(struct screen *screen, FILE *to, int height); /* hides the cursor */
/* Lines beyond the height are cut. */
void screen_draw(struct screen *screen, const char *text);
/* The terminal has another size: what stands there has been torn by it. */
void screen_resize(struct screen *screen, int height);
void screen_close(struct screen *screen); /* shows the cursor again */

#endif
