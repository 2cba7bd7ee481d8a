/* portable.c - the compression function in portable C99: the reference of every other path.
 *
 * After "BLAKE3: one function, fast everywhere" (O'Connor, Aumasson, Neves, Wilcox-O'Hearn, 2020),
 * section 2.2.  Written out in full, so that old compilers keep the state in registers.
 */
#include "internal.h"

#define ROTR(word, by) ((word) >> (by) | (word) << (32 - (by)))

#define MIX(a, b, c, d, x, y) \
    do {                      \
        a += b + (x);         \
        d = ROTR(d ^ a, 16);  \
        c += d;               \
        b = ROTR(b ^ c, 12);  \
        a += b + (y);         \
        d = ROTR(d ^ a, 8);   \
        c += d;               \
        b = ROTR(b ^ c, 7);   \
    } while (0)

#define ROUND(s0, s1, s2, s3, s4, s5, s6, s7, s8, s9, s10, s11, s12, s13, s14, s15) \
    MIX(v0, v4, v8, v12, m[s0], m[s1]);                                             \
    MIX(v1, v5, v9, v13, m[s2], m[s3]);                                             \
    MIX(v2, v6, v10, v14, m[s4], m[s5]);                                            \
    MIX(v3, v7, v11, v15, m[s6], m[s7]);                                            \
    MIX(v0, v5, v10, v15, m[s8], m[s9]);                                            \
    MIX(v1, v6, v11, v12, m[s10], m[s11]);                                          \
    MIX(v2, v7, v8, v13, m[s12], m[s13]);                                           \
    MIX(v3, v4, v9, v14, m[s14], m[s15]);

void mn_compress(uint32_t out[16], const uint32_t chain[MN_WORDS], const uint8_t block[MN_BLOCK], uint64_t counter,
                 uint32_t length, uint32_t flags)
{
    uint32_t v0 = chain[0], v1 = chain[1], v2 = chain[2], v3 = chain[3];
    uint32_t v4 = chain[4], v5 = chain[5], v6 = chain[6], v7 = chain[7];
    uint32_t v8 = MN_IV0, v9 = MN_IV1, v10 = MN_IV2, v11 = MN_IV3;
    uint32_t v12 = (uint32_t)counter, v13 = (uint32_t)(counter >> 32), v14 = length, v15 = flags;
    uint32_t m[16];
    int i;

    for (i = 0; i < 16; i++)
        m[i] = mn_load32(block + 4 * i);
    MN_ROUNDS(ROUND)
    /* The upper half first: out may be chain. */
    out[8] = v8 ^ chain[0];
    out[9] = v9 ^ chain[1];
    out[10] = v10 ^ chain[2];
    out[11] = v11 ^ chain[3];
    out[12] = v12 ^ chain[4];
    out[13] = v13 ^ chain[5];
    out[14] = v14 ^ chain[6];
    out[15] = v15 ^ chain[7];
    out[0] = v0 ^ v8;
    out[1] = v1 ^ v9;
    out[2] = v2 ^ v10;
    out[3] = v3 ^ v11;
    out[4] = v4 ^ v12;
    out[5] = v5 ^ v13;
    out[6] = v6 ^ v14;
    out[7] = v7 ^ v15;
}

/* One lane: `fewest` keeps callers from ever asking for more. */
static const mn_path path = {MN_PATH_PORTABLE, 1, (size_t)-1, NULL};
const mn_path *const mn_path_portable = &path;
