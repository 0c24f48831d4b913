/* states.h - a set of hashes: the distinct states that something was in.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef CLOWDER_TESTS_SCENARIO_STATES_H
#define CLOWDER_TESTS_SCENARIO_STATES_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct states;
struct states *states_new(void);
void states_free(struct states *states);
void states_add(struct states *states, uint64_t state);
uint64_t states_count(const struct states *states);

/* From one process to another. */
bool states_write(const struct states *states, FILE *file);
bool states_read(struct states *states, FILE *file); /* adds them */

#endif
