/* roff.h - text for a man page.
 *
 * SPDX-License-Identifier: Apache-2.0
 * Layer: base. Source: man-pages(7), groff_man(7).
 */
#ifndef CLOWDER_BASE_ROFF_H
#define CLOWDER_BASE_ROFF_H

#include "shared/base/str.h"

/* Adds text as it is read: a hyphen is a minus, a backslash is spelled, a leading dot
 * is hidden. */
void roff_add(struct strbuf *out, const char *text);

#endif
