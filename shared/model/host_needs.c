/* host_needs.c - kernel settings and modules that calico-node expects of its host.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "shared/model/host_needs.h"

#include "shared/base/str.h"

#include <string.h>

const struct host_sysctl host_sysctls[] = {
    {.name = "net.ipv4.ip_forward", .wanted = 1, .required = true},
    {.name = "net.ipv6.conf.all.forwarding", .wanted = 1, .ipv6 = true},
    /* one entry per connection of every task: the usual default is far too small */
    {.name = "net.netfilter.nf_conntrack_max", .wanted = 1000000, .at_least = true},
    {0},
};
const char *const host_modules[] = {"xt_set", "ip6_tables", NULL};

static bool uses_ipv6(const struct spec *spec, const struct facts *facts)
{
    const char *support =
        json_string_value(json_object_get(spec->node.env, "FELIX_IPV6SUPPORT"));

    return strchr(facts->address, ':') ||
           (spec->node.ip && strchr(spec->node.ip, ':')) ||
           json_object_get(spec->node.env, "IP6") || str_equal(support, "true");
}

enum need host_sysctl_need(const struct host_sysctl *sysctl, const struct spec *spec,
                           const struct facts *facts, const json_t *seen)
{
    const json_t *entry = json_object_get(seen, sysctl->name);
    const char *text = json_string_value(json_object_get(entry, "value"));
    int64_t value = -1;

    if (sysctl->ipv6 && !uses_ipv6(spec, facts))
        return NEED_MET;
    if (!entry)
        return sysctl->required ? NEED_UNFIT : NEED_UNMET;
    if (!text || str_to_int64(text, INT64_MIN, INT64_MAX, &value) < 0)
        value = -1;
    if (value == sysctl->wanted || (sysctl->at_least && value > sysctl->wanted))
        return NEED_MET;
    if (json_is_true(json_object_get(entry, "writable")))
        return NEED_WRITE;
    return sysctl->required ? NEED_UNFIT : NEED_UNMET;
}
