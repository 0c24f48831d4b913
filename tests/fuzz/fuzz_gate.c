/* fuzz_gate.c - /rollouts/<id>/gate and /current from any bytes.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "shared/model/failure.h"
#include "shared/model/gate.h"
#include "tests/fuzz/fuzz.h"

static void try_current(const char *text, size_t len)
{
    struct current current;
    struct error err = {0};
    int rc = current_decode(text, len, &current, &err);
    char *encoded;

    if (rc < 0) {
        fuzz_refused(rc, &err);
        return;
    }
    encoded = current_encode(&current);
    fuzz_require(current_decode(encoded, strlen(encoded), &current, &err) == 0,
                 "current decodes again");
    free(encoded);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    const char *text = (const char *)bytes;
    struct gate gate;
    struct error err = {0};
    char *first, *second;
    int rc;

    try_current(text, len);
    rc = gate_decode(text, len, &gate, &err);
    if (rc < 0) {
        fuzz_refused(rc, &err);
        return 0;
    }
    first = gate_encode(&gate);
    fuzz_require(gate_decode(first, strlen(first), &gate, &err) == 0,
                 "a gate decodes again");
    second = gate_encode(&gate);
    fuzz_require(strcmp(first, second) == 0, "and is the same");
    struct failure failure = {.host = "10.0.0.5",
                              .why = "fuzz",
                              .wave = 1,
                              .wave_name = "rest",
                              .wave_budget = 2,
                              .streak_budget = 3};
    gate_count_failure(&gate, &failure);
    fuzz_require(!gate_grants(&gate) || gate.failed <= gate.max_failed,
                 "no grant beyond the budget");
    free(first);
    free(second);
    return 0;
}
