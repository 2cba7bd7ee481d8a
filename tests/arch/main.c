/* main.c - the cross-architecture driver: try every built path on this processor and say how it went.
 *
 * Prints `words BITS BE|LE`, `built NAME...`, `supported NAME...` and, for each built path, either
 * `path NAME ok N cases` or `path NAME refused`.  The exit code is 0 when all that holds; the first wrong case is printed and
 * ends the program with code 1.
 */
#include "driver.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *const path_names[PATHS] = {"portable", "sse41", "avx2", "avx512", "neon", "altivec"};
unsigned long cases;

void check(int right, const char *what, unsigned long first, unsigned long second)
{
    if (!right) {
        printf("path %s FAIL %s (%lu, %lu) after %lu cases\n", path_names[mn_blake3_selected() % PATHS], what, first,
               second, cases);
        exit(1);
    }
}

void check_same(const uint8_t *ours, const uint8_t *expected, size_t len, const char *what, unsigned long first,
                unsigned long second)
{
    check(memcmp(ours, expected, len) == 0, what, first, second);
    cases++;
}

void use(uint32_t path)
{
    check(mn_blake3_select(path) == MN_OK && mn_blake3_selected() == path, "select", path, mn_blake3_selected());
}

static void print_paths(const char *title, uint32_t set)
{
    uint32_t path;

    printf("%s", title);
    for (path = 0; path < PATHS; path++)
        if (set >> path & 1)
            printf(" %s", path_names[path]);
    printf("\n");
}

int main(void)
{
    const uint32_t built = mn_blake3_paths_built(), supported = mn_blake3_paths_supported();
    const uint16_t order = 1;
    uint32_t path;

    printf("words %u %s\n", (unsigned)(sizeof(size_t) * 8), *(const uint8_t *)&order ? "LE" : "BE");
    print_paths("built", built);
    print_paths("supported", supported);
    fflush(stdout);
    check((built & 1) && (supported & 1), "the portable path is built and supported", built, supported);
    check(!(built >> PATHS), "no unknown path is built", built, PATHS);
    check(mn_blake3_selected() == PORTABLE, "the portable path is selected at the start", mn_blake3_selected(), 0);
    check(mn_blake3_select(PATHS) == MN_RANGE && mn_blake3_select(UINT32_MAX) == MN_RANGE, "select of no path", PATHS, 0);
    for (path = 0; path < PATHS; path++) {
        if (!((built & supported) >> path & 1)) {
            use(PORTABLE);
            check(mn_blake3_select(path) == MN_RANGE && mn_blake3_selected() == PORTABLE, "select of a missing path", path, 0);
            if (built >> path & 1)
                printf("path %s refused\n", path_names[path]);
            continue;
        }
        cases = 0;
        use(path);
        check_vectors();
        check_inputs(path);
        check_batches(path);
        check_trees(path);
        check_refusals();
        printf("path %s ok %lu cases\n", path_names[path], cases);
        fflush(stdout);
    }
    return 0;
}
