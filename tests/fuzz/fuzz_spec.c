/* fuzz_spec.c - an operator's document from any bytes, and --set.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "shared/base/mem.h"
#include "shared/model/json.h"
#include "shared/model/spec.h"
#include "tests/fuzz/fuzz.h"

static void try_set(const char *text, size_t len)
{
    char *assignment = mem_strndup(text, len);
    json_t *document = json_object();
    struct error err = {0};
    struct spec *spec = NULL;
    int rc = spec_document_set(document, assignment, &err);

    if (rc < 0)
        fuzz_refused(rc, &err);
    else if (spec_decode(document, &spec, NULL, &err) == 0)
        spec_free(spec);
    json_decref(document);
    free(assignment);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    const char *text = (const char *)bytes;
    struct spec *spec = NULL, *again = NULL;
    struct strbuf errors = {0};
    struct error err = {0};
    char *first, *second;
    int rc;

    try_set(text, len);
    rc = spec_parse(text, len, &spec, &errors, &err);
    if (rc < 0) {
        fuzz_refused(rc, &err);
        fuzz_require(errors.len > 0, "the mistakes are listed");
        strbuf_done(&errors);
        return 0;
    }
    fuzz_require(errors.len == 0, "no mistakes in a good spec");
    first = json_line(spec->document);
    fuzz_require(spec_decode(spec->document, &again, NULL, &err) == 0,
                 "a spec decodes again");
    second = json_line(again->document);
    fuzz_require(strcmp(first, second) == 0, "and is the same");
    free(first);
    free(second);
    spec_free(spec);
    spec_free(again);
    return 0;
}
