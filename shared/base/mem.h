/* mem.h - allocation that does not fail: out of memory aborts, in this one place.
 *
 * SPDX-License-Identifier: Apache-2.0
 * Layer: base. The journal makes a restart safe, so a process without memory stops.
 */
#ifndef CLOWDER_BASE_MEM_H
#define CLOWDER_BASE_MEM_H

#include <stddef.h>

void *mem_new(size_t size);                 /* zeroed */
void *mem_array(size_t count, size_t size); /* zeroed; aborts on overflow */
void *mem_resize(void *p, size_t count, size_t size);
char *mem_strdup(const char *s); /* NULL gives NULL */
char *mem_strndup(const char *s, size_t len);
char *mem_printf(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#define NEW(type) ((type *)mem_new(sizeof(type)))

#endif
