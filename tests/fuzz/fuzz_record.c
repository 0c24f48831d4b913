/* fuzz_record.c - /rollouts/<id>/hosts/<host> from any bytes.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "shared/model/record.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    struct record record;
    struct error err = {0};
    char *first, *second;
    int rc = record_decode((const char *)bytes, len, &record, &err);

    if (rc < 0) {
        fuzz_refused(rc, &err);
        return 0;
    }
    fuzz_require(record.state != HOST_HOLDING || record.permit >= 0,
                 "a holder has a permit");
    first = record_encode(&record);
    fuzz_require(record_decode(first, strlen(first), &record, &err) == 0,
                 "a record decodes again");
    second = record_encode(&record);
    fuzz_require(strcmp(first, second) == 0, "and is the same");
    free(first);
    free(second);
    return 0;
}
