/* cleanup.h - scope-bound release of plain resources.
 *
 * SPDX-License-Identifier: Apache-2.0
 * Layer: base. `_cleanup_(freep) char *s = NULL;` releases at the end of the scope;
 * `return take_ptr(s);` hands over.
 */
#ifndef CLOWDER_BASE_CLEANUP_H
#define CLOWDER_BASE_CLEANUP_H

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define _cleanup_(fn) __attribute__((cleanup(fn)))

static inline void freep(void *p)
{
    free(*(void **)p);
}

static inline void closep(int *fd)
{
    if (*fd >= 0)
        (void)close(*fd);
}

static inline void fclosep(FILE **f)
{
    if (*f)
        (void)fclose(*f);
}

#define take_ptr(p)                                                                    \
    ({                                                                                 \
        __typeof__(p) taken_ = (p);                                                    \
        (p) = NULL;                                                                    \
        taken_;                                                                        \
    })

#endif
