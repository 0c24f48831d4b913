/* SPDX-License-Identifier: Apache-2.0 */
#include "shared/base/roff.h"

void roff_add(struct strbuf *out, const char *text)
{
    if (*text == '.' || *text == '\'')
        strbuf_add(out, "\\&");
    for (; *text; text++) {
        if (*text == '-')
            strbuf_add(out, "\\-");
        else if (*text == '\\')
            strbuf_add(out, "\\e");
        else if (*text == '`')
            strbuf_add(out, "\\(oq");
        else if (*text == ',' && text[1] != ' ')
            strbuf_add(out, ",\\:");
        else
            strbuf_add_bytes(out, text, 1);
    }
}
