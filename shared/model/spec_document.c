/* Changing a document by "path=value" before it is decoded.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "shared/model/spec_keys.h"

#include <errno.h>

int spec_document_set(json_t *document, const char *assignment, struct error *err)
{
    int rc = json_assign(document, spec_keys(), assignment, err);

    return rc < 0 ? error_context(err, rc, "--set") : 0;
}
