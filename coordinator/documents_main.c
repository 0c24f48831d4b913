/* documents_main.c - clowder-documents man|completion: prints one of them.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "coordinator/documents.h"

#include <stdio.h>
#include <string.h>

int main(int argc, char **argv)
{
    struct strbuf out = {0};
    if (argc == 2 && strcmp(argv[1], "man") == 0)
        document_man(&out);
    else if (argc == 2 && strcmp(argv[1], "completion") == 0)
        document_completion(&out);
    else
        return 2;
    int failed = fputs(out.text, stdout) < 0 || fflush(stdout) != 0;
    strbuf_done(&out);
    return failed;
}
