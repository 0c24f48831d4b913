/* digest.c - SHA-256 in hexadecimal (libmd).
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "shared/base/digest.h"

#include "shared/base/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <sha2.h>
#include <string.h>
#include <unistd.h>

static void finish(SHA2_CTX *sha, char ret_hex[DIGEST_HEX_SIZE])
{
    static const char digits[] = "0123456789abcdef";
    uint8_t raw[SHA256_DIGEST_LENGTH];

    SHA256Final(raw, sha);
    for (size_t i = 0; i < sizeof(raw); i++) {
        ret_hex[2 * i] = digits[raw[i] >> 4];
        ret_hex[2 * i + 1] = digits[raw[i] & 15];
    }
    ret_hex[DIGEST_HEX_SIZE - 1] = '\0';
}

void digest_bytes(const void *bytes, size_t len, char ret_hex[DIGEST_HEX_SIZE])
{
    SHA2_CTX sha;

    SHA256Init(&sha);
    if (len > 0)
        SHA256Update(&sha, bytes, len);
    finish(&sha, ret_hex);
}

int digest_file(const char *path, char ret_hex[DIGEST_HEX_SIZE], struct error *err)
{
    _cleanup_(closep) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    uint8_t block[16384];
    SHA2_CTX sha;
    ssize_t got;

    if (fd < 0)
        return error_set(err, -errno, "open '%s': %s", path, strerror(errno));
    SHA256Init(&sha);
    do {
        got = read(fd, block, sizeof(block));
        if (got < 0 && errno != EINTR)
            return error_set(err, -errno, "read '%s': %s", path, strerror(errno));
        if (got > 0)
            SHA256Update(&sha, block, (size_t)got);
    } while (got != 0);
    finish(&sha, ret_hex);
    return 0;
}

bool digest_valid(const char *hex)
{
    return hex && strlen(hex) == DIGEST_HEX_SIZE - 1 &&
           strspn(hex, "0123456789abcdefABCDEF") == DIGEST_HEX_SIZE - 1;
}
