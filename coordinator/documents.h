/* documents.h - the man page and the shell completion, from the tables.
 *
 * SPDX-License-Identifier: Apache-2.0
 * Layer: coordinator. Written by the build (clowder-documents), installed with it.
 */
#ifndef CLOWDER_COORDINATOR_DOCUMENTS_H
#define CLOWDER_COORDINATOR_DOCUMENTS_H

#include "shared/base/str.h"

void document_man(struct strbuf *out);        /* clowder(8), man(7) macros */
void document_completion(struct strbuf *out); /* for bash */

#endif
