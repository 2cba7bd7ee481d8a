/* guarded.c - see guarded.h. */

#if defined(__linux__) && !defined(_DEFAULT_SOURCE)
#define _DEFAULT_SOURCE /* MAP_ANON of glibc */
#endif

#include "guarded.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define WATCHED 1
#endif
#elif defined(__SANITIZE_ADDRESS__)
#define WATCHED 1
#endif
#ifdef WATCHED
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(start, size) ((void)(start), (void)(size))
#define ASAN_UNPOISON_MEMORY_REGION(start, size) ((void)(start), (void)(size))
#endif

#define PATTERN 0xA5

void arena_make(arena *made, uint32_t seed)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE), i;
    uint8_t *whole = mmap(NULL, ARENA_BYTES + 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANON, -1, 0);

    if (whole == MAP_FAILED || mprotect(whole, page, PROT_NONE) != 0 ||
        mprotect(whole + page + ARENA_BYTES, page, PROT_NONE) != 0) {
        perror("guard pages");
        exit(3);
    }
    made->start = whole + page;
    for (i = 0; i < ARENA_BYTES; i++) {
        seed = seed * 1664525u + 1013904223u;
        made->start[i] = (uint8_t)(seed >> 24);
    }
    ASAN_POISON_MEMORY_REGION(made->start, ARENA_BYTES);
    made->at = made->start;
    made->len = 0;
}

uint8_t *arena_place(arena *in, size_t len, unsigned shift)
{
    if (len + shift > ARENA_BYTES)
        abort();
    ASAN_POISON_MEMORY_REGION(in->start, ARENA_BYTES);
    in->at = shift == 0 ? in->start + ARENA_BYTES - len : in->start + shift - 1;
    in->len = len;
    ASAN_UNPOISON_MEMORY_REGION(in->at, len);
    return in->at;
}

uint8_t *arena_output(arena *in, size_t len, unsigned shift)
{
    arena_place(in, len, shift);
    memset(in->at, PATTERN, len);
    return in->at;
}

int arena_untouched(const arena *in)
{
    size_t i;

    for (i = 0; i < in->len; i++)
        if (in->at[i] != PATTERN)
            return 0;
    return 1;
}
