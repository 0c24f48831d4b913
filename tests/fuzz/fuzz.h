/* fuzz.h - what every target does: decode; what decodes must encode to one text that
 * decodes again to the same text.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef CLOWDER_TESTS_FUZZ_H
#define CLOWDER_TESTS_FUZZ_H

#include "shared/base/error.h"

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static inline void fuzz_require(int good, const char *what)
{
    if (!good) {
        (void)fprintf(stderr, "fuzz: not so: %s\n", what);
        abort();
    }
}

/* A refusal must say why. */
static inline void fuzz_refused(int rc, const struct error *err)
{
    fuzz_require(rc < 0 && err->code == rc, "the error's code is what was returned");
    fuzz_require(err->text[0] != '\0', "a refusal says why");
}

#endif
