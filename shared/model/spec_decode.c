/* From a document to a spec: read by the table, derive, check, fill in.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "shared/model/spec_keys.h"

#include "shared/base/mem.h"

#include <errno.h>

static json_t *document_of(const struct spec *spec)
{
    json_t *body = json_write(spec_keys(), spec);
    json_t *whole = json_object();

    (void)json_object_set_new(whole, "v", json_integer(JSON_VERSION));
    (void)json_object_update(whole, body);
    json_decref(body);
    return whole;
}

static int report(struct json_mistakes *mistakes, struct strbuf *errors,
                  struct error *err)
{
    int rc = 0;

    if (mistakes->count > 0) {
        if (errors)
            strbuf_add(errors, mistakes->text.text);
        if (mistakes->count == 1)
            rc = json_mistakes_error(mistakes, "spec", err);
        else
            rc = error_set(err, -EINVAL, "spec: %d mistakes", mistakes->count);
    }
    json_mistakes_done(mistakes);
    return rc;
}

static int decode_body(const json_t *body, struct spec **ret, struct strbuf *errors,
                       struct error *err)
{
    struct json_mistakes mistakes = {0};
    struct spec *spec = NEW(struct spec);
    int rc;

    json_read(body, "", spec_keys(), spec, &mistakes);
    spec_derive(spec, body);
    spec_check(spec, &mistakes);
    rc = report(&mistakes, errors, err);
    if (rc < 0) {
        spec_free(spec);
        return rc;
    }
    spec->document = document_of(spec);
    *ret = spec;
    return 0;
}

int spec_decode(const json_t *document, struct spec **ret, struct strbuf *errors,
                struct error *err)
{
    json_t *body = json_deep_copy(document);
    struct error own;
    int rc = json_version_take(body, "spec", false, &own);

    if (rc == 0) {
        (void)json_object_del(body, "$schema"); /* for editors only */
        rc = decode_body(body, ret, errors, err);
    } else {
        if (errors)
            strbuf_addf(errors, "%s\n", own.text);
        if (err)
            error_copy(err, &own);
    }
    json_decref(body);
    return rc;
}

int spec_parse(const char *text, size_t len, struct spec **ret, struct strbuf *errors,
               struct error *err)
{
    struct error own;
    json_t *document = NULL;
    int rc = json_parse(text, len, &document, &own);

    if (rc < 0) {
        rc = error_context(&own, rc, "spec");
        if (errors)
            strbuf_addf(errors, "%s\n", own.text);
        if (err)
            error_copy(err, &own);
        return rc;
    }
    rc = spec_decode(document, ret, errors, err);
    json_decref(document);
    return rc;
}
