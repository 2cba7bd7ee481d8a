/* sweep.c - every length and every lane boundary of a path against the portable one, single inputs and batches. */
#include "driver.h"

#include <string.h>

#define BLOCK 64
#define CHUNK 1024
#define EVERY_LENGTH_TO 4200
#define CHUNKS_MAX 70
#define CANARY 0xA5

static const uint8_t key[DIGEST] = {3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5, 8, 9, 7, 9, 3, 2, 3, 8, 4, 6, 2, 6, 4, 3, 3, 8, 3, 2, 7, 9, 5};

/* Hash in one of the three modes. */
static void hash(uint32_t mode, const uint8_t *data, size_t len, uint8_t *out, size_t out_len)
{
    int status;

    if (mode == MN_MODE_HASH)
        status = mn_blake3_hash(data, len, out, out_len);
    else if (mode == MN_MODE_KEYED)
        status = mn_blake3_keyed(key, DIGEST, data, len, out, out_len);
    else
        status = mn_blake3_derive(key, DIGEST, data, len, out, out_len);
    check(status == MN_OK, "status of a hash", mode, (unsigned long)len);
}

static void compare_input(uint32_t path, uint32_t mode, size_t len, size_t out_len)
{
    static uint8_t ours[CHUNK + 2], expected[CHUNK];
    const uint8_t *data = random_input(len);

    use(PORTABLE);
    hash(mode, data, len, expected, out_len);
    use(path);
    memset(ours, CANARY, sizeof ours);
    hash(mode, data, len, ours + 1, out_len); /* an odd address */
    check_same(ours + 1, expected, out_len, "input against portable", mode, (unsigned long)len);
    check(ours[0] == CANARY && ours[1 + out_len] == CANARY, "output stays in its bounds", (unsigned long)len, (unsigned long)out_len);
}

void check_inputs(uint32_t path)
{
    static const size_t with_output[] = {0, 64, 100, 1024, 1025, 3000, 9000};
    size_t len, i;

    for (len = 0; len < EVERY_LENGTH_TO; len++)
        compare_input(path, (uint32_t)(len % 3), len, DIGEST);
    for (len = CHUNK; len <= CHUNKS_MAX * CHUNK; len += CHUNK)
        for (i = 0; i < 3; i++)
            compare_input(path, (uint32_t)((len / CHUNK + i) % 3), len - 1 + i, DIGEST);
    for (i = 0; i < sizeof with_output / sizeof *with_output; i++)
        for (len = 0; len < 4 * BLOCK; len++)
            compare_input(path, (uint32_t)(len % 3), with_output[i], len < 3 * BLOCK ? len : 4 * (len + 1));
}

/* Compare one batch with single calls of the portable path.  The messages end where readable memory ends. */
static void compare_batch(uint32_t path, uint32_t mode, const uint64_t *offsets, size_t count)
{
    static uint8_t ours[DIGEST * MESSAGES_MAX + 2], expected[DIGEST * MESSAGES_MAX];
    const size_t len = (size_t)offsets[count];
    const uint8_t *data = random_input(len);
    const uint8_t *with_key = mode == MN_MODE_HASH ? NULL : key;
    size_t i;

    use(PORTABLE);
    for (i = 0; i < count; i++)
        hash(mode, data + (size_t)offsets[i], (size_t)(offsets[i + 1] - offsets[i]), expected + DIGEST * i, DIGEST);
    use(path);
    memset(ours, CANARY, DIGEST * count + 2);
    check(mn_blake3_many(mode, with_key, with_key ? DIGEST : 0, data, len, offsets, count, ours + 1, DIGEST * count) == MN_OK,
          "status of a batch", mode, (unsigned long)count);
    check_same(ours + 1, expected, DIGEST * count, "batch against portable", (unsigned long)len, (unsigned long)count);
    check(ours[0] == CANARY && ours[1 + DIGEST * count] == CANARY, "digests stay in their bounds", (unsigned long)len,
          (unsigned long)count);
}

/* Messages of one length: each count around the widths 4, 8 and 16 of a path, twice over. */
static void equal_lengths(uint32_t path, size_t len)
{
    static const size_t counts[] = {0, 1, 2, 3, 4, 5, 7, 8, 9, 12, 15, 16, 17, 31, 32, 33};
    uint64_t offsets[34];
    size_t i, j;

    for (i = 0; i < sizeof counts / sizeof *counts; i++) {
        for (j = 0; j <= counts[i]; j++)
            offsets[j] = j * len + i % 3; /* the first message need not start at 0 */
        compare_batch(path, (uint32_t)((len + i) % 3), offsets, counts[i]);
    }
}

/* Messages of many lengths; one in `long_every` is longer than a chunk. */
static void mixed_lengths(uint32_t path, uint32_t seed, size_t count, uint32_t longest, uint32_t long_every)
{
    static uint64_t offsets[MESSAGES_MAX + 1];
    uint32_t state = seed * 2654435761u + 1;
    size_t i;

    offsets[0] = seed % 5;
    for (i = 0; i < count; i++) {
        uint64_t next;

        state = state * 1664525u + 1013904223u; /* Numerical Recipes' generator; its upper bits are used */
        next = offsets[i] + (state >> 8) % (longest + 1);
        if (long_every && (state >> 3) % long_every == 0)
            next += CHUNK;
        offsets[i + 1] = next <= INPUT_MAX ? next : offsets[i];
    }
    compare_batch(path, seed % 3, offsets, count);
}

void check_batches(uint32_t path)
{
    size_t len;
    uint32_t seed;

    for (len = 0; len <= CHUNK; len += BLOCK) {
        if (len)
            equal_lengths(path, len - 1);
        equal_lengths(path, len);
        equal_lengths(path, len + 1);
    }
    equal_lengths(path, 2 * CHUNK + 1);
    for (seed = 0; seed < 24; seed++) {
        mixed_lengths(path, seed, 30 + 7 * seed, 250, 0);
        mixed_lengths(path, seed, 40, CHUNK, 5);
    }
    mixed_lengths(path, 1, MESSAGES_MAX, BLOCK, 0);
    mixed_lengths(path, 2, MESSAGES_MAX, 100, 200);
    mixed_lengths(path, 3, MESSAGES_MAX, 0, 0);
}

/* Expect a status and an untouched digest. */
static void refuse(int expected, const uint64_t *offsets, size_t count, size_t len, size_t out_len, const char *what)
{
    static const uint8_t untouched[2 * DIGEST];
    uint8_t out[2 * DIGEST];

    memset(out, 0, sizeof out);
    check(mn_blake3_many(MN_MODE_KEYED, key, DIGEST, random_input(len), len, offsets, count, out, out_len) == expected, what, 0, 0);
    check_same(out, untouched, sizeof out, what, 1, 0);
}

void check_refusals(void)
{
    static const uint64_t falling[3] = {0, 8, 7}, beyond[3] = {0, 8, 17};
    /* What a 32-bit size_t would take for 0 and 16. */
    static const uint64_t wide[3] = {0, 8, 0x100000010u}, wide_first[3] = {0x100000000u, 0x100000008u, 0x100000010u};
    static const uint64_t right[3] = {0, 8, 16};

    refuse(MN_RANGE, falling, 2, 16, 2 * DIGEST, "falling offsets");
    refuse(MN_RANGE, beyond, 2, 16, 2 * DIGEST, "offsets beyond the end");
    refuse(MN_RANGE, wide, 2, 16, 2 * DIGEST, "an offset of 2^32");
    refuse(MN_RANGE, wide_first, 2, 16, 2 * DIGEST, "offsets of 2^32");
    refuse(MN_RANGE, right, 2, 16, 2 * DIGEST - 1, "room for fewer digests");
    refuse(MN_RANGE, right, (size_t)-1 / DIGEST + 2, 16, DIGEST, "a count whose digests overflow size_t");
    refuse(MN_NULL, NULL, 2, 16, 2 * DIGEST, "no offsets");
}
