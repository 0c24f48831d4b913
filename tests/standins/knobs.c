/* knobs.c - see knobs.h.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "knobs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static const char *const directories[] = {
    "/run/docker/plugins/standin",
    "/var/run/calico/standin",
    "/etc/clowder-standin",
};

static const char *const mode_names[] = {
    [MODE_OK] = "ok",           [MODE_SLOW] = "slow",   [MODE_FLAP] = "flap",
    [MODE_UNREADY] = "unready", [MODE_WRONG] = "wrong", [MODE_EXIT] = "exit",
    [MODE_HANG] = "hang",
};

static enum knob_mode mode_of(const char *value)
{
    for (size_t i = 0; i < sizeof mode_names / sizeof mode_names[0]; i++)
        if (strcmp(value, mode_names[i]) == 0)
            return (enum knob_mode)i;
    fprintf(stderr,
            "standin: mode \"%s\" is not one of ok, slow, flap, unready, wrong, exit, "
            "hang\n",
            value);
    exit(64);
}

static void text_set(char *field, size_t size, const char *value)
{
    snprintf(field, size, "%s", value);
}

static void knob_set(struct knobs *knobs, const char *key, const char *value)
{
    if (strcmp(key, "mode") == 0)
        knobs->mode = mode_of(value);
    else if (strcmp(key, "delay_ms") == 0)
        knobs->delay_ms = atoi(value);
    else if (strcmp(key, "flap_ms") == 0)
        knobs->flap_ms = atoi(value);
    else if (strcmp(key, "ready_ms") == 0)
        knobs->ready_ms = atoi(value);
    else if (strcmp(key, "version") == 0)
        text_set(knobs->version, sizeof knobs->version, value);
    else if (strcmp(key, "release") == 0)
        text_set(knobs->release, sizeof knobs->release, value);
    else {
        fprintf(stderr,
                "standin: \"%s\" is not one of mode, delay_ms, flap_ms, ready_ms, "
                "version, release\n",
                key);
        exit(64);
    }
}

static void environment_read(struct knobs *knobs)
{
    static const char *const variables[][2] = {
        {"STANDIN_MODE", "mode"},       {"STANDIN_DELAY_MS", "delay_ms"},
        {"STANDIN_FLAP_MS", "flap_ms"}, {"STANDIN_READY_MS", "ready_ms"},
        {"STANDIN_VERSION", "version"}, {"STANDIN_RELEASE", "release"},
    };

    for (size_t i = 0; i < sizeof variables / sizeof variables[0]; i++) {
        const char *value = getenv(variables[i][0]);

        if (value && *value)
            knob_set(knobs, variables[i][1], value);
    }
}

static void file_read(struct knobs *knobs, const char *path)
{
    char line[256];
    FILE *file = fopen(path, "re");

    if (!file)
        return;
    while (fgets(line, sizeof line, file)) {
        char *value;

        line[strcspn(line, "#\r\n")] = '\0';
        value = strchr(line, '=');
        if (!value)
            continue;
        *value++ = '\0';
        knob_set(knobs, line, value);
    }
    fclose(file);
}

void knobs_read(struct knobs *knobs, const char *name)
{
    knobs->mode = MODE_OK;
    knobs->delay_ms = 5000;
    knobs->flap_ms = 3000;
    environment_read(knobs);
    for (size_t i = 0; i < sizeof directories / sizeof directories[0]; i++) {
        char path[256];

        snprintf(path, sizeof path, "%s/%s.conf", directories[i], name);
        file_read(knobs, path);
    }
}

void knobs_at_start(const struct knobs *knobs)
{
    if (knobs->mode == MODE_EXIT) {
        fprintf(stderr, "standin: exits at once, as told\n");
        exit(1);
    }
    if (knobs->mode == MODE_SLOW)
        sleep_ms(knobs->delay_ms);
}

void knobs_before_answer(const struct knobs *knobs)
{
    if (knobs->mode == MODE_SLOW)
        sleep_ms(knobs->delay_ms);
    while (knobs->mode == MODE_HANG)
        pause();
}

void knobs_flap(const struct knobs *knobs, long long started_ms)
{
    if (knobs->mode != MODE_FLAP || monotonic_ms() - started_ms < knobs->flap_ms)
        return;
    fprintf(stderr, "standin: exits after %d ms, as told\n", knobs->flap_ms);
    _exit(1);
}

long long monotonic_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

void sleep_ms(int ms)
{
    struct timespec left = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L};

    while (nanosleep(&left, &left) != 0)
        ;
}
