/* SPDX-License-Identifier: Apache-2.0 */
#include "coordinator/cli.h"

#include "shared/base/str.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

/* One whole line, without its end; false when there is none, or it does not fit. */
static bool read_answer(struct cli *cli, const char *question, char *dst, size_t size)
{
    char line[1024] = "";
    (void)fflush(cli->writer.out);
    (void)fprintf(cli->writer.err, "%s ", question);
    (void)fflush(cli->writer.err);
    if (!fgets(line, sizeof(line), stdin) || !strchr(line, '\n'))
        return false;
    line[strcspn(line, "\n")] = '\0';
    return str_copy(dst, size, line);
}

bool cli_ask(struct cli *cli, const char *question)
{
    char asked[256], answer[16] = "";
    (void)snprintf(asked, sizeof(asked), "%s [y/N]", question);
    return read_answer(cli, asked, answer, sizeof(answer)) &&
           tolower((unsigned char)answer[0]) == 'y';
}

bool cli_ask_text(struct cli *cli, const char *question, char *dst, size_t size)
{
    return read_answer(cli, question, dst, size) && dst[0];
}

bool cli_ask_word(struct cli *cli, const char *question, const char *word)
{
    char answer[256];
    return read_answer(cli, question, answer, sizeof(answer)) &&
           strcmp(answer, word) == 0;
}
