/* fuzz_config.c - agentd.json from any bytes; what is taken shows and reads the same.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "agentd/config.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    struct config config, again;
    struct strbuf errors = {0}, first = {0}, second = {0};
    struct error err = {0};
    int rc =
        config_parse("fuzz", (const char *)bytes, len, NULL, 0, &config, &errors, &err);

    if (rc < 0) {
        fuzz_refused(rc, &err);
        fuzz_require(errors.len > 0, "each mistake is said");
        strbuf_done(&errors);
        return 0;
    }
    config_show(&config, &first);
    fuzz_require(
        config_parse("again", first.text, first.len, NULL, 0, &again, NULL, NULL) == 0,
        "what is shown can be read");
    config_show(&again, &second);
    fuzz_require(strcmp(first.text, second.text) == 0, "and is the same");
    config_done(&config);
    config_done(&again);
    strbuf_done(&first);
    strbuf_done(&second);
    return 0;
}
