/* The spec's time windows.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "shared/model/spec_keys.h"

#include <string.h>

enum { MINUTE_MS = 60000, WEEK_MS = 7 * 86400000 };

struct window_entry { /* a window as it is written */
    struct strings days;
    char start[8];
    int64_t length_ms;
    char zone[ZONE_SIZE];
};
static const struct json_key window_keys[] = {
    {"days", KEY_STRINGS, JSON_AT(struct window_entry, days), .filled = true,
     .fallback = "[\"mon-sun\"]", .check = window_days_check},
    {"start", KEY_CHARS, JSON_AT(struct window_entry, start), .required = true,
     .filled = true, .check = window_start_check},
    {"length", KEY_DURATION, JSON_AT(struct window_entry, length_ms), .required = true,
     .min = MINUTE_MS, .max = WEEK_MS},
    {"zone", KEY_CHARS, JSON_AT(struct window_entry, zone), .filled = true,
     .fallback = "\"UTC\"", .check = window_zone_check},
    {0},
};

static void window_read(const json_t *value, const char *path, struct window *window,
                        struct json_mistakes *mistakes)
{
    struct window_entry entry = {0};

    json_read(value, path, window_keys, &entry, mistakes);
    *window = (struct window){.start_min = window_start(entry.start),
                              .length_ms = entry.length_ms};
    for (int i = 0; i < entry.days.count; i++)
        window->days |= window_days(entry.days.items[i]);
    if (window->days == 0)
        window->days = WINDOW_ALL_DAYS; /* "days": [] */
    (void)STR_COPY(window->zone, entry.zone);
    json_release(window_keys, &entry);
}

static void windows_read(const json_t *value, const char *path, void *field,
                         struct json_mistakes *mistakes)
{
    struct spec *spec = field;
    char window_path[64];
    size_t i;
    json_t *item;

    spec->windows_count = 0;
    if (!json_is_array(value)) {
        json_mistake(mistakes, path,
                     "expected a list such as [{\"days\":[\"mon-fri\"],\"start\":"
                     "\"22:00\",\"length\":\"6h\",\"zone\":\"Europe/Berlin\"}]");
        return;
    }
    if (json_array_size(value) > WINDOWS_MAX) {
        json_mistake(mistakes, path, "more than %d windows", WINDOWS_MAX);
        return;
    }
    json_array_foreach (value, i, item) {
        (void)snprintf(window_path, sizeof(window_path), "%s[%zu]", path, i);
        window_read(item, window_path, &spec->windows[spec->windows_count++], mistakes);
    }
}

static void days_write(unsigned days, struct strings *ret)
{
    struct strbuf text = {0};
    char *rest = NULL;

    window_days_text(days, &text);
    for (char *one = strtok_r(text.text, ",", &rest); one;
         one = strtok_r(NULL, ",", &rest))
        strings_add(ret, one);
    strbuf_done(&text);
}

static json_t *windows_write(const void *field)
{
    const struct spec *spec = field;
    json_t *windows = json_array();

    for (int i = 0; i < spec->windows_count; i++) {
        const struct window *window = &spec->windows[i];
        struct window_entry entry = {.length_ms = window->length_ms};

        days_write(window->days, &entry.days);
        (void)snprintf(entry.start, sizeof(entry.start), "%02d:%02d",
                       window->start_min / 60 % 24, window->start_min % 60);
        (void)STR_COPY(entry.zone, window->zone);
        (void)json_array_append_new(windows, json_write(window_keys, &entry));
        json_release(window_keys, &entry);
    }
    return windows;
}

const struct json_custom spec_windows_custom = {
    .read = windows_read,
    .write = windows_write,
    .type = "list of windows",
    .schema = "{\"type\":\"array\",\"maxItems\":16,\"items\":{\"type\":\"object\","
              "\"additionalProperties\":false,\"required\":[\"start\",\"length\"],"
              "\"properties\":{"
              "\"days\":{\"type\":\"array\",\"items\":{\"type\":\"string\",\"pattern\":"
              "\"^(mon|tue|wed|thu|fri|sat|sun)(-(mon|tue|wed|thu|fri|sat|sun))?$\"},"
              "\"default\":[\"mon-sun\"]},"
              "\"start\":{\"type\":\"string\",\"pattern\":"
              "\"^([01][0-9]|2[0-3]):[0-5][0-9]$\"},"
              "\"length\":{\"type\":[\"string\",\"integer\"]},"
              "\"zone\":{\"type\":\"string\",\"default\":\"UTC\"}}}}",
};
