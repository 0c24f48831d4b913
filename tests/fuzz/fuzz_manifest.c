/* fuzz_manifest.c - /rollouts/<id>/spec and /waves/<n> from any bytes.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "shared/model/manifest.h"
#include "tests/fuzz/fuzz.h"

static void try_wave(const char *text, size_t len)
{
    struct wave wave;
    struct error err = {0};
    int rc = wave_decode(text, len, &wave, &err);
    char *encoded;

    if (rc < 0) {
        fuzz_refused(rc, &err);
        return;
    }
    encoded = wave_encode(&wave);
    wave_done(&wave);
    fuzz_require(wave_decode(encoded, strlen(encoded), &wave, &err) == 0,
                 "a wave decodes again");
    wave_done(&wave);
    free(encoded);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    const char *text = (const char *)bytes;
    struct manifest *manifest = NULL, *again = NULL;
    struct error err = {0};
    char *first, *second;
    int rc;

    try_wave(text, len);
    rc = manifest_decode(text, len, &manifest, &err);
    if (rc < 0) {
        fuzz_refused(rc, &err);
        return 0;
    }
    first = manifest_encode(manifest);
    fuzz_require(manifest_decode(first, strlen(first), &again, &err) == 0,
                 "a manifest decodes again");
    second = manifest_encode(again);
    fuzz_require(strcmp(first, second) == 0, "and is the same");
    free(first);
    free(second);
    manifest_free(manifest);
    manifest_free(again);
    return 0;
}
