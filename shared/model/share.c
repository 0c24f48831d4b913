/* SPDX-License-Identifier: Apache-2.0 */
#include "shared/model/share.h"

#include <stdint.h>

int share_resolve(struct share share, int total)
{
    int floor = share.at_least > 0 ? share.at_least : 1;
    int part;

    if (share.percent == 0)
        return share.number;
    part = (int)((int64_t)total * share.percent / 100);
    return part > floor ? part : floor;
}
