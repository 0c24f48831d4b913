/* digest.h - SHA-256 in hexadecimal, of bytes and of files (libmd).
 *
 * SPDX-License-Identifier: Apache-2.0
 * Layer: base.
 */
#ifndef CLOWDER_BASE_DIGEST_H
#define CLOWDER_BASE_DIGEST_H

#include "shared/base/error.h"

#include <stdbool.h>
#include <stddef.h>

enum { DIGEST_HEX_SIZE = 65 }; /* 64 lower-case digits and the NUL */

void digest_bytes(const void *bytes, size_t len, char ret_hex[DIGEST_HEX_SIZE]);
MUST_CHECK int digest_file(const char *path, char ret_hex[DIGEST_HEX_SIZE],
                           struct error *err);
bool digest_valid(const char *hex); /* 64 hex digits */

#endif
