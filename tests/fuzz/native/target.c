/* target.c - one input of the fuzzer: see fuzz.h. */
#include "fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CALLS_MAX 12
#define SHIFT_MAX 66 /* any place in a block, and one byte into the next */
#define WORK_MAX 3000000u /* bytes hashed per input, so that none takes seconds */

arena keys, data, array, array2, work, output, output2;
uint8_t answer[ARENA_BYTES];

static const uint32_t EDGES[] = {0,    1,    31,   32,   33,   63,   64,   65,    127,   128,   129,   255,    256,
                                 1023, 1024, 1025, 2047, 2048, 2049, 3072, 3073,  4095,  4096,  4097,  5120,   7168,
                                 8191, 8192, 8193, 9217, 15360, 16383, 16384, 16385, 17408, 31744, 32769, 65537, 131073};

static size_t hashed; /* bytes of the input under way */

unsigned feed_byte(feed *from)
{
    if (from->left == 0)
        return 0;
    from->left--;
    return *from->at++;
}

uint32_t feed_number(feed *from, unsigned bytes)
{
    uint32_t number = 0;

    while (bytes-- > 0)
        number = number << 8 | feed_byte(from);
    return number;
}

uint32_t feed_chance(feed *from)
{
    from->chance = from->chance * 1664525u + 1013904223u;
    return from->chance >> 8;
}

static size_t length_of_kind(unsigned kind, uint32_t number, size_t max)
{
    size_t len;

    switch (kind) {
    case 0: len = EDGES[number % (sizeof EDGES / sizeof EDGES[0])]; break;
    case 1: len = number % 256; break;
    case 2: len = number % 65536; break;
    default: len = number % (LEN_MAX + 1); break;
    }
    return len < max ? len : max;
}

size_t feed_length(feed *from, size_t max)
{
    unsigned kind = feed_byte(from);

    return length_of_kind(kind & 3, feed_number(from, kind & 2 ? 3 : 1), max);
}

unsigned feed_shift(feed *from)
{
    unsigned byte = feed_byte(from);

    return byte & 1 ? 0 : byte / 2 % (SHIFT_MAX + 1); /* half of them end at the page behind */
}

int messages_make(feed *from, size_t count, size_t len_max, const uint64_t **offsets, size_t *len)
{
    unsigned style = feed_byte(from), breaks = feed_byte(from);
    uint64_t *made, place = style >> 5;
    size_t fixed = feed_length(from, 300), i;
    int valid = 1;

    from->chance = feed_byte(from);
    made = (uint64_t *)(void *)arena_place(&array, (count + 1) * sizeof *made, 0);
    for (i = 0; i <= count; i++) {
        size_t left = len_max - (size_t)place, next;
        made[i] = place;
        switch (style & 3) {
        case 0: next = fixed; break;
        case 1: next = feed_chance(from) % 251; break;
        case 2: next = length_of_kind(feed_chance(from) % 2, feed_chance(from), 20000); break;
        default: next = feed_chance(from) % 8 ? feed_chance(from) % 1100 : feed_chance(from) % 9000; break;
        }
        place += i == count ? 0 : next < left ? next : left;
    }
    *len = (size_t)place + (style >> 2 & 7);
    arena_place(&data, *len, feed_shift(from));
    if (breaks >= 192) {
        const uint64_t values[] = {0, 1, *len, *len + 1, (uint64_t)1 << 32, (uint64_t)1 << 63, UINT64_MAX, UINT64_MAX - 31};
        made[feed_number(from, 2) % (count + 1)] = values[breaks & 7];
        for (i = 0; i < count; i++)
            valid &= made[i] <= made[i + 1];
        valid &= made[count] <= *len;
    }
    hashed += *len + 64 * count;
    *offsets = made;
    return valid;
}

void must(int holds, const char *what)
{
    if (holds)
        return;
    fprintf(stderr, "path %u: %s\n", (unsigned)mn_blake3_selected(), what);
    abort();
}

static int usable(uint32_t path)
{
    return path < MN_PATHS && (mn_blake3_paths_built() & mn_blake3_paths_supported()) >> path & 1;
}

int on_every_path(call_fn call, const void *arguments, size_t out_len, unsigned shift)
{
    uint32_t path;
    int first = MN_OK;

    for (path = 0; path < MN_PATHS; path++) {
        int status;
        if (!usable(path))
            continue;
        must(mn_blake3_select(path) == MN_OK && mn_blake3_selected() == path, "a path cannot be selected");
        status = call(arguments, arena_output(&output, out_len, shift));
        must(status == MN_OK || arena_untouched(&output), "a refused call wrote its output");
        if (path == MN_PATH_PORTABLE) {
            first = status;
            memcpy(answer, output.at, out_len);
        }
        must(status == first, "another status than the portable path");
        must(memcmp(answer, output.at, out_len) == 0, "other bytes than the portable path");
    }
    must(mn_blake3_select(MN_PATH_PORTABLE) == MN_OK, "the portable path cannot be selected");
    return first;
}

static void prepare(void)
{
    arena *all[] = {&keys, &data, &array, &array2, &work, &output, &output2};
    uint32_t path, i;

    for (i = 0; i < sizeof all / sizeof all[0]; i++)
        arena_make(all[i], i + 1);
    for (path = 0; path < 40; path++)
        if (!usable(path))
            must(mn_blake3_select(path) == MN_RANGE, "a path is selected that does not exist here");
    must(mn_blake3_select(UINT32_MAX) == MN_RANGE, "a path is selected that does not exist anywhere");
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size)
{
    feed from;
    int calls;

    if (keys.start == NULL)
        prepare();
    from.at = input;
    from.left = size;
    from.chance = 0;
    hashed = 0;
    for (calls = 0; calls < CALLS_MAX && from.left > 0 && hashed < WORK_MAX; calls++) {
        switch (feed_byte(&from) & 3) {
        case 0: fuzz_single(&from); hashed += data.len; break;
        case 1: fuzz_many(&from); break;
        case 2: fuzz_lists(&from); break;
        default: fuzz_signatures(&from); break;
        }
    }
    return 0;
}
