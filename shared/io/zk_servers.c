/* zk_servers.c - which addresses to try next: names resolved without blocking.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "shared/io/zk_servers.h"

#include "shared/base/mem.h"
#include "shared/base/str.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    PORT_DEFAULT = 2181,
    NAMES_MAX = 64,
    ADDRESSES_PER_NAME_MAX = 16,
    LOOKUP_TIMEOUT_MS = 10000,
    RESOLVE_GAP_MS = 5000,
    HOST_SIZE = 256,
};

struct zk_server_name {
    struct zk_servers *servers;
    char host[HOST_SIZE];
    int port;
    bool numeric;
    struct proc *lookup;
    char found[ADDRESSES_PER_NAME_MAX][INET6_ADDRSTRLEN]; /* the last good answer */
    int found_count;
    char reason[80]; /* why it does not resolve; "" = it does, or was not asked */
};

static bool is_numeric(const char *host)
{
    struct in6_addr scratch;
    return inet_pton(AF_INET, host, &scratch) == 1 ||
           inet_pton(AF_INET6, host, &scratch) == 1;
}

/* The name becomes an argument of a command: nothing that looks like an option. */
static bool host_valid(const char *host)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                  "0123456789.-_";
    return host[0] != '\0' && host[0] != '-' && host[0] != '.' &&
           strspn(host, letters) == strlen(host);
}

/* "h", "h:1", "[::1]:1", "::1" */
static int parse_server(const char *text, char host[HOST_SIZE], int *ret_port,
                        struct error *err)
{
    const char *port = NULL;
    size_t host_len = strlen(text);
    if (text[0] == '[') {
        const char *end = strchr(text, ']');
        if (end == NULL || (end[1] != '\0' && end[1] != ':'))
            return error_set(err, -EINVAL, "server '%s': no ']' or more after it",
                             text);
        host_len = (size_t)(end - text) - 1;
        port = end[1] == ':' ? end + 2 : NULL;
        text++;
    } else if (strchr(text, ':') && strchr(text, ':') == strrchr(text, ':')) {
        host_len = strcspn(text, ":");
        port = text + host_len + 1;
    }
    int64_t number = PORT_DEFAULT;
    if (port && str_to_int64(port, 1, 65535, &number) < 0)
        return error_set(err, -EINVAL, "server '%s': port '%s' is not 1..65535", text,
                         port);
    if (host_len >= HOST_SIZE)
        return error_set(err, -EINVAL, "server '%s': the name is too long", text);
    memcpy(host, text, host_len);
    host[host_len] = '\0';
    if (!is_numeric(host) && !host_valid(host))
        return error_set(err, -EINVAL, "server '%s': not a host name or an address",
                         text);
    *ret_port = (int)number;
    return 0;
}

static int add_server(struct zk_servers *servers, const char *text, struct error *err)
{
    struct zk_server_name name = {.servers = servers};
    int r = parse_server(text, name.host, &name.port, err);
    if (r < 0)
        return r;
    if (servers->names_count == NAMES_MAX)
        return error_set(err, -E2BIG, "more than %d servers", NAMES_MAX);
    name.numeric = is_numeric(name.host);
    if (name.numeric) {
        (void)str_copy(name.found[0], sizeof(name.found[0]), name.host);
        name.found_count = 1;
    }
    servers->names[servers->names_count++] = name;
    return 0;
}

static int parse_list(struct zk_servers *servers, const char *list, struct error *err)
{
    for (const char *at = list;;) {
        size_t len = strcspn(at, ",");
        char text[HOST_SIZE + 16];
        if (len >= sizeof(text))
            return error_set(err, -EINVAL, "servers '%s': a name is too long", list);
        memcpy(text, at, len);
        text[len] = '\0';
        if (len > 0) {
            int r = add_server(servers, text, err);
            if (r < 0)
                return r;
        }
        if (at[len] == '\0')
            break;
        at += len + 1;
    }
    if (servers->names_count == 0)
        return error_set(err, -EINVAL, "servers '%s': no server named", list);
    return 0;
}

static int find_address(const struct zk_address *list, int count, const char *text)
{
    for (int i = 0; i < count; i++) {
        if (str_equal(list[i].text, text))
            return i;
    }
    return -1;
}

static void shuffle(struct loop *loop, struct zk_address *list, int count)
{
    for (int i = count - 1; i > 0; i--) {
        int64_t j = loop_random_range(loop, 0, i);
        struct zk_address kept = list[i];
        list[i] = list[j];
        list[j] = kept;
    }
}

/* From what each name is known to mean; reasons of addresses that stay are kept. */
static void rebuild(struct zk_servers *servers)
{
    struct zk_address *list = mem_array(
        (size_t)servers->names_count * ADDRESSES_PER_NAME_MAX + 1, sizeof(*list));
    int count = 0;
    for (int n = 0; n < servers->names_count; n++) {
        const struct zk_server_name *name = &servers->names[n];
        for (int i = 0; i < name->found_count; i++) {
            struct zk_address address = {.reason = ""};
            (void)snprintf(address.text, sizeof(address.text), "%s:%d", name->found[i],
                           name->port);
            if (find_address(list, count, address.text) >= 0)
                continue;
            int old = find_address(servers->addresses, servers->addresses_count,
                                   address.text);
            if (old >= 0)
                (void)STR_COPY(address.reason, servers->addresses[old].reason);
            list[count++] = address;
        }
    }
    shuffle(event_loop_port(servers->el), list, count);
    const char *current = zk_servers_current(servers);
    int place = current ? find_address(list, count, current) : -1;
    free(servers->addresses);
    servers->addresses = mem_resize(list, (size_t)count + 1, sizeof(*list));
    servers->addresses_count = count;
    servers->current = place;
    servers->next = 0;
    servers->tried = 0;
}

int zk_servers_init(struct zk_servers *servers, struct event_loop *el, const char *list,
                    void (*on_change)(void *ctx), void *ctx, struct error *err)
{
    *servers = (struct zk_servers){.el = el, .on_change = on_change, .ctx = ctx};
    servers->current = -1;
    servers->resolved_at_ms = -1;
    servers->names = mem_array(NAMES_MAX, sizeof(*servers->names));
    int r = parse_list(servers, list, err);
    if (r < 0) {
        zk_servers_done(servers);
        return r;
    }
    servers->names = mem_resize(servers->names, (size_t)servers->names_count,
                                sizeof(*servers->names));
    rebuild(servers);
    return 0;
}

void zk_servers_done(struct zk_servers *servers)
{
    for (int i = 0; i < servers->names_count; i++)
        proc_cancel(servers->names[i].lookup);
    free(servers->names);
    free(servers->addresses);
    *servers = (struct zk_servers){.current = -1};
}

/* Lines "10.0.0.1        STREAM zk-1.zk", each address three times. Returns how many.
 */
static int read_answer(const char *output,
                       char found[ADDRESSES_PER_NAME_MAX][INET6_ADDRSTRLEN])
{
    int count = 0;
    while (*output != '\0' && count < ADDRESSES_PER_NAME_MAX) {
        size_t len = strcspn(output, " \t\n");
        char text[INET6_ADDRSTRLEN] = "";
        if (len < sizeof(text))
            memcpy(text, output, len);
        bool known = count > 0 && str_equal(found[count - 1], text);
        if (is_numeric(text) && !known)
            (void)str_copy(found[count++], INET6_ADDRSTRLEN, text);
        output += len + strcspn(output + len, "\n");
        output += *output == '\n';
    }
    return count;
}

static void on_answer(void *ctx, const struct proc_outcome *outcome)
{
    struct zk_server_name *name = ctx;
    struct zk_servers *servers = name->servers;
    name->lookup = NULL;
    servers->lookups--;
    char found[ADDRESSES_PER_NAME_MAX][INET6_ADDRSTRLEN] = {{0}};
    int count = outcome->exit_code == 0 ? read_answer(outcome->output, found) : 0;
    if (count > 0) {
        bool same = count == name->found_count &&
                    memcmp(found, name->found, sizeof(found[0]) * (size_t)count) == 0;
        memset(name->found, 0, sizeof(name->found));
        for (int i = 0; i < count; i++)
            (void)str_copy(name->found[i], sizeof(name->found[i]), found[i]);
        name->found_count = count;
        name->reason[0] = '\0';
        if (!same)
            rebuild(servers);
    } else if (outcome->timed_out) {
        (void)STR_COPY(name->reason, "the name service does not answer");
    } else if (outcome->exit_code == 2) { /* getent(1): key not found */
        (void)STR_COPY(name->reason, "does not resolve");
    } else {
        (void)STR_COPY(name->reason, outcome->says);
    }
    servers->on_change(servers->ctx);
}

static void look_up(struct zk_servers *servers, struct zk_server_name *name)
{
    const char *const argv[] = {"getent", "ahosts", name->host, NULL};
    struct proc_options options = {.argv = argv, .timeout_ms = LOOKUP_TIMEOUT_MS};
    struct error err = {0};
    if (proc_start(servers->el, &options, on_answer, name, &name->lookup, &err) < 0)
        (void)STR_COPY(name->reason, err.text);
    else
        servers->lookups++;
}

void zk_servers_resolve(struct zk_servers *servers)
{
    int64_t now_ms = loop_now_ms(event_loop_port(servers->el));
    if (servers->lookups > 0 || (servers->resolved_at_ms >= 0 &&
                                 now_ms - servers->resolved_at_ms < RESOLVE_GAP_MS))
        return;
    servers->resolved_at_ms = now_ms;
    for (int i = 0; i < servers->names_count; i++) {
        if (!servers->names[i].numeric)
            look_up(servers, &servers->names[i]);
    }
}

bool zk_servers_resolving(const struct zk_servers *servers)
{
    return servers->lookups > 0;
}

const char *zk_servers_next(struct zk_servers *servers)
{
    if (servers->addresses_count == 0)
        return NULL;
    servers->current = servers->next;
    servers->next = (servers->next + 1) % servers->addresses_count;
    servers->tried++;
    return servers->addresses[servers->current].text;
}

const char *zk_servers_current(const struct zk_servers *servers)
{
    return servers->current < 0 ? NULL : servers->addresses[servers->current].text;
}

bool zk_servers_round_over(const struct zk_servers *servers)
{
    return servers->tried > 0 && servers->tried % servers->addresses_count == 0;
}

void zk_servers_note_failure(struct zk_servers *servers, const char *reason)
{
    if (servers->current >= 0)
        (void)STR_COPY(servers->addresses[servers->current].reason, reason);
}

void zk_servers_note_success(struct zk_servers *servers)
{
    servers->tried = 0;
    for (int i = 0; i < servers->addresses_count; i++)
        servers->addresses[i].reason[0] = '\0';
}

void zk_servers_say(const struct zk_servers *servers, char *text, size_t size)
{
    struct strbuf says = {0};
    for (int i = 0; i < servers->addresses_count; i++) {
        const struct zk_address *address = &servers->addresses[i];
        if (address->reason[0] != '\0')
            strbuf_addf(&says, "%s%s: %s", says.len ? "; " : "", address->text,
                        address->reason);
    }
    for (int i = 0; i < servers->names_count; i++) {
        const struct zk_server_name *name = &servers->names[i];
        if (name->reason[0] != '\0')
            strbuf_addf(&says, "%s%s: %s", says.len ? "; " : "", name->host,
                        name->reason);
    }
    (void)str_copy(text, size, says.len ? says.text : "");
    strbuf_done(&says);
}
