/* share.h - a number of hosts, or a percentage of them.
 *
 * SPDX-License-Identifier: Apache-2.0
 * Layer: model, pure. JSON: 5, "10%" or {"percent":10,"at_least":10}.
 */
#ifndef CLOWDER_MODEL_SHARE_H
#define CLOWDER_MODEL_SHARE_H

struct share {
    int number;   /* used when percent is 0 */
    int percent;  /* 1..100 */
    int at_least; /* floor of a percentage; 0 means 1 */
};

/* A number as it is; a percentage of total rounded down, never below its floor. */
int share_resolve(struct share share, int total);

#endif
