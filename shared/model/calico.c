/* SPDX-License-Identifier: Apache-2.0 */
#include "shared/model/calico.h"

#include "shared/base/str.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct number {
    int major, minor, patch;
};

static const char *parse(const char *version, struct number *ret)
{
    static const char WRONG[] = "is no version (use digits such as \"2.6.11\")";
    int parts[3] = {0, 0, 0}, count = 0;
    const char *p = version;

    for (;;) {
        size_t digits = strspn(p, "0123456789");

        if (digits < 1 || digits > 4 || count == 3)
            return WRONG;
        parts[count++] = atoi(p);
        p += digits;
        if (*p == '\0')
            break;
        if (*p++ != '.')
            return WRONG;
    }
    if (count < 2)
        return WRONG;
    *ret = (struct number){parts[0], parts[1], parts[2]};
    return NULL;
}

const char *calico_version_check(const char *version)
{
    struct number n;

    return parse(version, &n);
}

/* What a release is made of; patch is the release's own where it says -1. Rows grow. */
struct row {
    int major, minor; /* from this release on */
    const char *node; /* NULL = the release's own number */
    const char *cni;  /* NULL = the release's own number */
};
static const struct row rows[] = {
    {0, 0, NULL, ""},         {0, 21, NULL, "1.3.1"},   {0, 22, NULL, "1.4.1"},
    {1, 0, NULL, "1.5.5"},    {1, 1, NULL, "1.8.0"},    {1, 2, NULL, "1.8.3"},
    {1, 3, NULL, "1.9.1"},    {2, 0, "1.0.0", "1.5.5"}, {2, 1, "1.1.3", "1.8.0"},
    {2, 2, "1.2.1", "1.8.3"}, {2, 3, "1.3.0", "1.9.1"}, {2, 4, NULL, "1.10.0"},
    {2, 6, NULL, "1.11"},     {3, 0, NULL, "2.0"},      {3, 1, NULL, NULL},
};

static bool before(const struct number *n, int major, int minor)
{
    return n->major < major || (n->major == major && n->minor < minor);
}

static const struct row *row_of(const struct number *n)
{
    size_t i = sizeof(rows) / sizeof(rows[0]) - 1;

    while (i > 0 && before(n, rows[i].major, rows[i].minor))
        i--;
    return &rows[i];
}

static void cni_of(const struct number *n, const char *own, const struct row *row,
                   struct calico *ret)
{
    const char *arch = before(n, 3, 8) ? "" : "-amd64";
    int patch = n->patch;

    /* 2.6.10 shipped 1.11.6 and 2.6.11 shipped 1.11.7; the first ones 1.11.0. */
    if (n->major == 2 && n->minor == 6)
        patch = patch > 4 ? patch - 4 : 0;
    if (row->cni && (str_equal(row->cni, "1.11") || str_equal(row->cni, "2.0")))
        (void)snprintf(ret->cni_version, sizeof(ret->cni_version), "%s.%d", row->cni,
                       patch);
    else
        (void)STR_COPY(ret->cni_version, row->cni ? row->cni : own);
    if (ret->cni_version[0] == '\0')
        return;
#define RELEASES "https://github.com/projectcalico/cni-plugin/releases/download"
    (void)snprintf(ret->cni_url, sizeof(ret->cni_url), RELEASES "/v%s/calico%s",
                   ret->cni_version, arch);
    (void)snprintf(ret->cni_ipam_url, sizeof(ret->cni_ipam_url),
                   RELEASES "/v%s/calico-ipam%s", ret->cni_version, arch);
#undef RELEASES
}

void calico_of(const char *version, struct calico *ret)
{
    struct number n = {0, 0, 0};
    const struct row *row;
    char own[24];

    memset(ret, 0, sizeof(*ret));
    (void)parse(version, &n);
    (void)snprintf(own, sizeof(own), "%d.%d.%d", n.major, n.minor, n.patch);
    row = row_of(&n);
    (void)STR_COPY(ret->node_version, row->node ? row->node : own);
    (void)snprintf(ret->node_image, sizeof(ret->node_image), "%scalico/node:v%s",
                   before(&n, 2, 6) ? "" : "quay.io/", ret->node_version);
    cni_of(&n, own, row, ret);
    ret->etcd3 = !before(&n, 3, 0);
    if (before(&n, 1, 0)) {
        ret->libnetwork = CALICO_LIBNETWORK_CONTAINER;
        (void)snprintf(ret->libnetwork_image, sizeof(ret->libnetwork_image),
                       "calico/node-libnetwork:v0.%d.0", before(&n, 0, 21) ? 8 : 9);
    } else {
        ret->libnetwork = ret->etcd3 ? CALICO_LIBNETWORK_NONE : CALICO_LIBNETWORK_NODE;
    }
}
