/* zwatch.h - a server's table of one-shot watches: who is told of what.
 *
 * SPDX-License-Identifier: Apache-2.0
 * Layer: test support, pure. As on the real server a watcher has at most one data watch
 * and one child watch per path; exists arms a data watch also where there is no node.
 */
#ifndef CLOWDER_TESTS_SUPPORT_ZWATCH_H
#define CLOWDER_TESTS_SUPPORT_ZWATCH_H

#include "tests/support/strmap.h"

#include <stdbool.h>

struct zwatch;

struct zwatcher { /* embedded in whoever is told; zero-initialised has no watch */
    struct zwatch *first;
};

struct zwatches { /* zero-initialised is empty */
    struct strmap paths;
};

void zwatch_add(struct zwatches *table, struct zwatcher *watcher, const char *path,
                bool child);
/* Removes the path's watches of that kind and tells each watcher. */
void zwatch_fire(struct zwatches *table, const char *path, bool child,
                 void (*tell)(void *ctx, struct zwatcher *watcher), void *ctx);
void zwatch_forget(struct zwatches *table, struct zwatcher *watcher); /* all of its */

#endif
