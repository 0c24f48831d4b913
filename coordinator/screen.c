/* SPDX-License-Identifier: Apache-2.0 */
#include "coordinator/screen.h"

#include "shared/base/str.h"

#include <string.h>

static void send(struct screen *screen, struct strbuf *out)
{
    (void)fwrite(out->text, 1, out->len, screen->to);
    (void)fflush(screen->to);
    strbuf_done(out);
}

void screen_open(struct screen *screen, FILE *to, int height)
{
    struct strbuf out = {0};
    *screen = (struct screen){.to = to, .height = height, .open = true};
    strbuf_add(&out, "\033[?25l");
    send(screen, &out);
}

void screen_draw(struct screen *screen, const char *text)
{
    struct strbuf out = {0};
    int lines = 0;
    /* Show the whole picture at once, where the terminal knows how; cut, do not wrap.
     */
    strbuf_add(&out, "\033[?2026h\033[?7l");
    if (screen->drawn > 0)
        strbuf_addf(&out, "\033[%dA\r", screen->drawn);
    while (*text && lines < screen->height - 1) {
        size_t len = strcspn(text, "\n");
        strbuf_add(&out,
                   "\033[2K"); /* before: after a full line it would eat a letter */
        strbuf_add_bytes(&out, text, len);
        strbuf_add(&out, "\n");
        text += len + (text[len] == '\n');
        lines++;
    }
    strbuf_add(&out, "\033[J\033[?7h\033[?2026l");
    screen->drawn = lines;
    send(screen, &out);
}

void screen_resize(struct screen *screen, int height)
{
    struct strbuf out = {0};
    screen->height = height;
    screen->drawn = 0;
    strbuf_add(&out, "\033[H\033[2J");
    send(screen, &out);
}

void screen_close(struct screen *screen)
{
    struct strbuf out = {0};
    if (!screen->open)
        return;
    screen->open = false;
    strbuf_add(&out, "\033[?25h");
    send(screen, &out);
}
