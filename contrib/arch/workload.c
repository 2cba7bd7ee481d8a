/* workload.c - a known amount of hashing on one path, for counting instructions: `workload PATH KIND KIB`.
 *
 * PATH is a number of blake3.h; KIND is `one` (one input) or `many` (a batch of messages of 64 to 250 bytes).
 * The caller counts two amounts and takes the difference, so that start and end of the program cancel.
 */
#include "blake3.h"

#include <stdlib.h>
#include <string.h>

#define KIB 1024
#define KIB_MAX 48
#define MESSAGE_MIN 64
#define MESSAGE_MAX 250

static uint8_t data[KIB_MAX * KIB], digests[KIB_MAX * KIB / MESSAGE_MIN * 32];
static uint64_t offsets[KIB_MAX * KIB / MESSAGE_MIN + 1];

/* Cut data[0..len) into messages, the last of which may be a little longer; return how many. */
static size_t cut(uint64_t len)
{
    uint32_t state = 1;
    size_t count = 0;

    while (offsets[count] < len) {
        const uint64_t start = offsets[count];

        state = state * 1664525u + 1013904223u;
        offsets[++count] = start + MESSAGE_MIN + (state >> 8) % (MESSAGE_MAX - MESSAGE_MIN + 1);
        if (offsets[count] + MESSAGE_MIN > len)
            offsets[count] = len;
    }
    return count;
}

int main(int argc, char **argv)
{
    size_t len, count, i;

    if (argc != 4 || mn_blake3_select((uint32_t)atoi(argv[1])) != MN_OK)
        return 2;
    len = (size_t)atoi(argv[3]) * KIB;
    if (len > sizeof data)
        return 2;
    for (i = 0; i < sizeof data; i++) /* all of it, so that filling costs the same whatever is asked for */
        data[i] = (uint8_t)(i % 251);
    if (strcmp(argv[2], "one") == 0)
        return mn_blake3_hash(data, len, digests, 32);
    count = cut(len);
    return mn_blake3_many(MN_MODE_HASH, NULL, 0, data, len, offsets, count, digests, 32 * count);
}
