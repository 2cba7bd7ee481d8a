/* lanes4.h - four messages side by side, one word of all of them in each 128-bit vector.
 *
 * The one body of the SSE4.1, NEON and AltiVec paths.  Written out in macros, because old compilers
 * neither unroll loops nor keep arrays in registers.  The including file defines, for words in the
 * order of lanes:
 *
 *   V                          a vector of four uint32_t
 *   V_LOAD(from)               16 bytes from any address, as four little-endian words
 *   V_STORE(to, v)             the reverse
 *   V_SPLAT(word)              the word in every lane
 *   V_WORDS(array)             four uint32_t of an array, in native order
 *   V_ADD(a, b) V_XOR(a, b) V_AND(a, b)
 *   V_ROTR16(v) V_ROTR12(v) V_ROTR8(v) V_ROTR7(v)
 *   V_TRANSPOSE(a, b, c, d)    a 4 x 4 transposition in place
 *   V_CONSTANTS                declarations that the above need, or nothing
 *   V_PATH                     the number of the path
 */
#ifndef METANODE_BLAKE3_LANES4_H
#define METANODE_BLAKE3_LANES4_H

#include "internal.h"

enum { LANES = 4 };

#define MIX(a, b, c, d, x, y)        \
    a = V_ADD(V_ADD(a, m##x), b);    \
    d = V_XOR(d, a);                 \
    d = V_ROTR16(d);                 \
    c = V_ADD(c, d);                 \
    b = V_XOR(b, c);                 \
    b = V_ROTR12(b);                 \
    a = V_ADD(V_ADD(a, m##y), b);    \
    d = V_XOR(d, a);                 \
    d = V_ROTR8(d);                  \
    c = V_ADD(c, d);                 \
    b = V_XOR(b, c);                 \
    b = V_ROTR7(b);
#define ROUND(s0, s1, s2, s3, s4, s5, s6, s7, s8, s9, s10, s11, s12, s13, s14, s15) \
    MIX(v0, v4, v8, v12, s0, s1)                                                    \
    MIX(v1, v5, v9, v13, s2, s3)                                                    \
    MIX(v2, v6, v10, v14, s4, s5)                                                   \
    MIX(v3, v7, v11, v15, s6, s7)                                                   \
    MIX(v0, v5, v10, v15, s8, s9)                                                   \
    MIX(v1, v6, v11, v12, s10, s11)                                                 \
    MIX(v2, v7, v8, v13, s12, s13)                                                  \
    MIX(v3, v4, v9, v14, s14, s15)

/* Four words of all lanes, from 16 bytes of each; and the same under masks. */
#define LOAD4(a, b, c, d, at)   \
    a = V_LOAD(in0 + (at));     \
    b = V_LOAD(in1 + (at));     \
    c = V_LOAD(in2 + (at));     \
    d = V_LOAD(in3 + (at));     \
    V_TRANSPOSE(a, b, c, d)
#define LOAD4_MASKED(a, b, c, d, at)                                \
    a = V_AND(V_LOAD(in0 + (at)), V_LOAD(mask[0] + (at)));          \
    b = V_AND(V_LOAD(in1 + (at)), V_LOAD(mask[1] + (at)));          \
    c = V_AND(V_LOAD(in2 + (at)), V_LOAD(mask[2] + (at)));          \
    d = V_AND(V_LOAD(in3 + (at)), V_LOAD(mask[3] + (at)));          \
    V_TRANSPOSE(a, b, c, d)

static void hash(const mn_batch *batch, const mn_lanes *lanes, size_t used)
{
    V_CONSTANTS
    V v0, v1, v2, v3, v4, v5, v6, v7, v8, v9, v10, v11, v12, v13, v14, v15;
    V m0, m1, m2, m3, m4, m5, m6, m7, m8, m9, m10, m11, m12, m13, m14, m15;
    uint8_t last[LANES][MN_BLOCK];
    uint32_t low[LANES], high[LANES];
    const uint8_t *mask[LANES];
    const uint8_t *in0 = lanes->in[0], *in1 = lanes->in[1], *in2 = lanes->in[2], *in3 = lanes->in[3];
    uint32_t flags = batch->flags | batch->first;
    V lengths = V_SPLAT(MN_BLOCK);
    size_t left, i;

    (void)used;
    for (i = 0; i < LANES; i++) {
        uint64_t counter = batch->counter + batch->step * i;
        low[i] = (uint32_t)counter;
        high[i] = (uint32_t)(counter >> 32);
    }
    v0 = V_SPLAT(batch->key[0]);
    v1 = V_SPLAT(batch->key[1]);
    v2 = V_SPLAT(batch->key[2]);
    v3 = V_SPLAT(batch->key[3]);
    v4 = V_SPLAT(batch->key[4]);
    v5 = V_SPLAT(batch->key[5]);
    v6 = V_SPLAT(batch->key[6]);
    v7 = V_SPLAT(batch->key[7]);
    for (left = batch->blocks; left > 0; left--) {
        if (left == 1)
            flags |= batch->last;
        if (left == 1 && batch->limit != NULL) {
            lengths = V_WORDS(lanes->tail);
            for (i = 0; i < LANES; i++)
                mask[i] = mn_ones_zeros + MN_BLOCK - lanes->tail[i];
            in0 = mn_readable(last[0], in0, lanes->tail[0], batch->limit);
            in1 = mn_readable(last[1], in1, lanes->tail[1], batch->limit);
            in2 = mn_readable(last[2], in2, lanes->tail[2], batch->limit);
            in3 = mn_readable(last[3], in3, lanes->tail[3], batch->limit);
            LOAD4_MASKED(m0, m1, m2, m3, 0);
            LOAD4_MASKED(m4, m5, m6, m7, 16);
            LOAD4_MASKED(m8, m9, m10, m11, 32);
            LOAD4_MASKED(m12, m13, m14, m15, 48);
        } else {
            LOAD4(m0, m1, m2, m3, 0);
            LOAD4(m4, m5, m6, m7, 16);
            LOAD4(m8, m9, m10, m11, 32);
            LOAD4(m12, m13, m14, m15, 48);
            in0 += MN_BLOCK;
            in1 += MN_BLOCK;
            in2 += MN_BLOCK;
            in3 += MN_BLOCK;
        }
        v8 = V_SPLAT(MN_IV0);
        v9 = V_SPLAT(MN_IV1);
        v10 = V_SPLAT(MN_IV2);
        v11 = V_SPLAT(MN_IV3);
        v12 = V_WORDS(low);
        v13 = V_WORDS(high);
        v14 = lengths;
        v15 = V_SPLAT(flags);
        MN_ROUNDS(ROUND)
        v0 = V_XOR(v0, v8);
        v1 = V_XOR(v1, v9);
        v2 = V_XOR(v2, v10);
        v3 = V_XOR(v3, v11);
        v4 = V_XOR(v4, v12);
        v5 = V_XOR(v5, v13);
        v6 = V_XOR(v6, v14);
        v7 = V_XOR(v7, v15);
        flags = batch->flags;
    }
    V_TRANSPOSE(v0, v1, v2, v3);
    V_TRANSPOSE(v4, v5, v6, v7);
    V_STORE(lanes->out[0], v0);
    V_STORE(lanes->out[0] + 16, v4);
    V_STORE(lanes->out[1], v1);
    V_STORE(lanes->out[1] + 16, v5);
    V_STORE(lanes->out[2], v2);
    V_STORE(lanes->out[2] + 16, v6);
    V_STORE(lanes->out[3], v3);
    V_STORE(lanes->out[3] + 16, v7);
}

/* With one lane idle a group still costs less than three messages one by one. */
static const mn_path path = {V_PATH, LANES, 3, hash};

#endif
