/* inputs.c - test inputs that end where readable memory ends. */
#if defined(__APPLE__)
#define _DARWIN_C_SOURCE
#else
#define _DEFAULT_SOURCE
#define _BSD_SOURCE
#endif

#include "driver.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#ifndef MAP_ANONYMOUS
#define MAP_ANONYMOUS MAP_ANON
#endif

/* Return the end of INPUT_MAX writable bytes that lie between two pages without access. */
static uint8_t *guarded_end(void)
{
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    const size_t size = (INPUT_MAX + page - 1) / page * page;
    void *place = mmap(NULL, size + 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    uint8_t *start = place;

    if (place == MAP_FAILED || mprotect(start, page, PROT_NONE) || mprotect(start + page + size, page, PROT_NONE)) {
        perror("guarded memory");
        exit(2);
    }
    return start + page + size;
}

const uint8_t *counting_input(size_t len)
{
    static uint8_t *end;
    static size_t filled;
    size_t i;

    if (!end)
        end = guarded_end();
    if (filled != len) /* the first byte is input 0, so that each length has bytes of its own */
        for (i = 0, filled = len; i < len; i++)
            (end - len)[i] = (uint8_t)(i % 251);
    return end - len;
}

const uint8_t *random_input(size_t len)
{
    static uint8_t *end;
    size_t i;

    if (!end) {
        uint32_t state = 0x9E3779B9u; /* xorshift32, Marsaglia 2003 */

        end = guarded_end();
        for (i = 0; i < INPUT_MAX; i++) {
            state ^= state << 13;
            state ^= state >> 17;
            state ^= state << 5;
            (end - INPUT_MAX)[i] = (uint8_t)(state >> 11);
        }
    }
    return end - len;
}
