/* Checks of one string each.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "shared/model/spec_keys.h"

#include "shared/base/cleanup.h"
#include "shared/base/digest.h"
#include "shared/base/mem.h"

#include <arpa/inet.h>
#include <string.h>

const char *check_word(const char *text)
{
    for (; *text; text++) {
        if (*text <= ' ' || *text > '~')
            return "has a blank or a control character in it";
    }
    return NULL;
}

static bool port_valid(const char *text, size_t len)
{
    _cleanup_(freep) char *port = mem_strndup(text, len);
    int64_t n;

    return str_to_int64(port, 1, 65535, &n) == 0;
}

/* "host", "host:2379", "[::1]:2379" of len bytes; *ret_port whether it names one. */
static bool authority_valid(const char *text, size_t len, bool *ret_port)
{
    const char *bracket = memchr(text, ']', len);
    const char *from = bracket ? bracket : text;
    const char *colon = memchr(from, ':', len - (size_t)(from - text));
    size_t host = colon ? (size_t)(colon - text) : len;

    *ret_port = colon != NULL;
    if (host == 0 || (colon && !port_valid(colon + 1, len - host - 1)))
        return false;
    if (text[0] == '[')
        return bracket && bracket == text + host - 1 && host > 2 &&
               strspn(text + 1, "0123456789abcdefABCDEF:.") == host - 2;
    return strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                        "0123456789.-_") >= host;
}

static const char *after_scheme(const char *url)
{
    if (str_starts(url, "http://"))
        return url + 7;
    return str_starts(url, "https://") ? url + 8 : NULL;
}

const char *check_http_url(const char *text)
{
    const char *rest = after_scheme(text);
    bool port;

    if (!rest || check_word(text))
        return "is no URL (use http://host:port or https://host:port)";
    if (!authority_valid(rest, strcspn(rest, "/?#"), &port))
        return "has a bad host or port (use http://host:port)";
    return rest[strcspn(rest, "/?#")] == '\0' ||
                   str_equal(rest + strcspn(rest, "/?#"), "/")
               ? NULL
               : "must end after the port (use http://host:port)";
}

const char *check_url(const char *text)
{
    const char *rest = after_scheme(text);
    bool port;

    if (check_word(text))
        return check_word(text);
    if (str_starts(text, "file:///"))
        return NULL;
    if (!rest)
        return "is no URL (use http://, https:// or file:///)";
    return authority_valid(rest, strcspn(rest, "/?#"), &port)
               ? NULL
               : "has a bad host or port";
}

const char *check_sha256(const char *text)
{
    return digest_valid(text) ? NULL : "is no SHA-256 (64 hexadecimal digits)";
}

const char *check_path(const char *text)
{
    if (text[0] != '/')
        return "is not an absolute path (use /...)";
    if (strstr(text, "/../") || str_ends(text, "/.."))
        return "has \"..\" in it";
    for (; *text; text++) {
        if ((unsigned char)*text < ' ' || *text == 0x7f)
            return "has a control character in it";
    }
    return NULL;
}

const char *check_file_name(const char *text)
{
    if (strchr(text, '/') || text[0] == '.' || text[0] == '-' || check_word(text))
        return "is no plain file name";
    return strlen(text) > 128 ? "is longer than 128 bytes" : NULL;
}

static const char *check_ip(const char *text)
{
    unsigned char buf[sizeof(struct in6_addr)];

    if (inet_pton(AF_INET, text, buf) == 1 || inet_pton(AF_INET6, text, buf) == 1)
        return NULL;
    return "is no IP address";
}

const char *check_cidr(const char *text)
{
    static const char WRONG[] = "is no address range (use 192.168.0.0/16)";
    const char *slash = strchr(text, '/');
    _cleanup_(freep) char *address = NULL;
    int64_t bits;

    if (!slash)
        return WRONG;
    address = mem_strndup(text, (size_t)(slash - text));
    if (check_ip(address) ||
        str_to_int64(slash + 1, 0, strchr(address, ':') ? 128 : 32, &bits) != 0)
        return WRONG;
    return NULL;
}

const char *check_volume(const char *text)
{
    static const char WRONG[] = "is no volume (use /host:/container or "
                                "/host:/container:ro)";
    const char *colon = strchr(text, ':'), *second;

    if (text[0] != '/' || !colon || colon[1] != '/' || check_word(text))
        return WRONG;
    second = strchr(colon + 1, ':');
    if (second && !str_equal(second, ":ro") && !str_equal(second, ":rw"))
        return WRONG;
    return NULL;
}

const char *check_host_port(const char *text)
{
    bool port = false;

    if (strstr(text, "://"))
        return "must not be a URL (use host:2379)";
    return authority_valid(text, strlen(text), &port) && port
               ? NULL
               : "is no host:port (use host:2379)";
}

const char *check_store(const char *text)
{
    static const char *const schemes[] = {"etcd://", "zk://", "consul://"};

    if (check_word(text))
        return check_word(text);
    for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++) {
        if (str_starts(text, schemes[i]) && text[strlen(schemes[i])])
            return NULL;
    }
    return "is no cluster store (use etcd://host:2379, zk://host:2181 or "
           "consul://host:8500)";
}

const char *check_ip_or_auto(const char *text)
{
    if (str_equal(text, "auto"))
        return NULL;
    return check_ip(text) ? "is no IP address (or \"auto\")" : NULL;
}

const char *check_advertise(const char *text)
{
    bool port = false;

    if (str_equal(text, "auto"))
        return NULL;
    return authority_valid(text, strlen(text), &port) && port
               ? NULL
               : "is neither \"auto\" nor address:port";
}

const char *check_node_name(const char *text)
{
    return host_id_check(text) ? "is no node name (1 to 64 of a-z, 0-9, '.', '-')"
                               : NULL;
}

bool url_is_loopback(const char *url)
{
    const char *host = after_scheme(url);

    return host && (str_starts(host, "127.") || str_starts(host, "[::1]") ||
                    (str_starts(host, "localhost") &&
                     (host[9] == '\0' || host[9] == ':' || host[9] == '/')));
}
