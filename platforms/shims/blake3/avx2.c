/* avx2.c - eight messages side by side, one word of all of them in each 256-bit register. */
#include "internal.h"

#if defined(__AVX2__)

#include <immintrin.h>

enum { LANES = 8 };

/* Byte orders that turn each word right by 16 and by 8 bits.  The instruction is written out so that
 * it takes them from memory: the compilers keep them in registers, which the state needs. */
typedef union {
    uint8_t raw[32];
    __m256i v;
} byte_order;

static const byte_order TURN16 = {{2, 3, 0, 1, 6, 7, 4, 5, 10, 11, 8, 9, 14, 15, 12, 13,
                                   2, 3, 0, 1, 6, 7, 4, 5, 10, 11, 8, 9, 14, 15, 12, 13}};
static const byte_order TURN8 = {{1, 2, 3, 0, 5, 6, 7, 4, 9, 10, 11, 8, 13, 14, 15, 12,
                                  1, 2, 3, 0, 5, 6, 7, 4, 9, 10, 11, 8, 13, 14, 15, 12}};

static inline __m256i shuffle(__m256i v, const byte_order *order)
{
    __asm__("vpshufb %1, %0, %0" : "+x"(v) : "m"(order->v));
    return v;
}

#define ADD(a, b) a = _mm256_add_epi32(a, b)
#define XOR(a, b) a = _mm256_xor_si256(a, b)
#define ROTR16(x) shuffle(x, &TURN16)
#define ROTR8(x) shuffle(x, &TURN8)
#define ROTR12(x) _mm256_or_si256(_mm256_srli_epi32(x, 12), _mm256_slli_epi32(x, 20))
#define ROTR7(x) _mm256_or_si256(_mm256_srli_epi32(x, 7), _mm256_slli_epi32(x, 25))

/* The sixteen words of state fill the registers, so message words come from memory.  Column after
 * column rather than step after step: fewer values are alive at once. */
#define MIX(a, b, c, d, x, y) \
    ADD(a, m[x]);             \
    ADD(a, b);                \
    XOR(d, a);                \
    d = ROTR16(d);            \
    ADD(c, d);                \
    XOR(b, c);                \
    b = ROTR12(b);            \
    ADD(a, m[y]);             \
    ADD(a, b);                \
    XOR(d, a);                \
    d = ROTR8(d);             \
    ADD(c, d);                \
    XOR(b, c);                \
    b = ROTR7(b);
#define ROUND(s0, s1, s2, s3, s4, s5, s6, s7, s8, s9, s10, s11, s12, s13, s14, s15) \
    MIX(v0, v4, v8, v12, s0, s1)                                                    \
    MIX(v1, v5, v9, v13, s2, s3)                                                    \
    MIX(v2, v6, v10, v14, s4, s5)                                                   \
    MIX(v3, v7, v11, v15, s6, s7)                                                   \
    MIX(v0, v5, v10, v15, s8, s9)                                                   \
    MIX(v1, v6, v11, v12, s10, s11)                                                 \
    MIX(v2, v7, v8, v13, s12, s13)                                                  \
    MIX(v3, v4, v9, v14, s14, s15)

/* A 4 x 4 transposition within each 128 bits. */
#define TRANSPOSE(w0, w1, w2, w3, r0, r1, r2, r3)            \
    do {                                                     \
        __m256i low01 = _mm256_unpacklo_epi32(r0, r1);       \
        __m256i high01 = _mm256_unpackhi_epi32(r0, r1);      \
        __m256i low23 = _mm256_unpacklo_epi32(r2, r3);       \
        __m256i high23 = _mm256_unpackhi_epi32(r2, r3);      \
        w0 = _mm256_unpacklo_epi64(low01, low23);            \
        w1 = _mm256_unpackhi_epi64(low01, low23);            \
        w2 = _mm256_unpacklo_epi64(high01, high23);          \
        w3 = _mm256_unpackhi_epi64(high01, high23);          \
    } while (0)

static inline __m128i load128(const uint8_t *from)
{
    return _mm_loadu_si128((const __m128i *)(const void *)from);
}

/* 16 bytes of two lanes that are four apart. */
static inline __m256i pair(const uint8_t *const *in, size_t at)
{
    return _mm256_inserti128_si256(_mm256_castsi128_si256(load128(in[0] + at)), load128(in[4] + at), 1);
}

#define LOAD4(PAIR, k)                                                        \
    do {                                                                      \
        __m256i r0 = PAIR(0, 4 * (k)), r1 = PAIR(1, 4 * (k));                 \
        __m256i r2 = PAIR(2, 4 * (k)), r3 = PAIR(3, 4 * (k));                 \
        TRANSPOSE(m[k], m[(k) + 1], m[(k) + 2], m[(k) + 3], r0, r1, r2, r3);  \
    } while (0)
#define LOAD16(PAIR) \
    LOAD4(PAIR, 0);  \
    LOAD4(PAIR, 4);  \
    LOAD4(PAIR, 8);  \
    LOAD4(PAIR, 12)
#define WHOLE(lane, from) pair(in + (lane), at + (from))
#define MASKED(lane, from) _mm256_and_si256(pair(in + (lane), at + (from)), pair(mask + (lane), from))

/* The digests of two lanes that are four apart, from words 0-3 in a and 4-7 in b. */
static inline void store(uint8_t *const *out, __m256i a, __m256i b)
{
    _mm256_storeu_si256((__m256i *)(void *)out[0], _mm256_permute2x128_si256(a, b, 0x20));
    _mm256_storeu_si256((__m256i *)(void *)out[4], _mm256_permute2x128_si256(a, b, 0x31));
}

static void hash(const mn_batch *batch, const mn_lanes *lanes, size_t used)
{
    __m256i v0, v1, v2, v3, v4, v5, v6, v7, v8, v9, v10, v11, v12, v13, v14, v15, m[16];
    __m256i lengths = _mm256_set1_epi32(MN_BLOCK);
    uint8_t last[LANES][MN_BLOCK];
    const uint8_t *in[LANES], *mask[LANES];
    uint32_t low[LANES], high[LANES];
    uint32_t flags = batch->flags | batch->first;
    size_t left, at = 0, i;

    (void)used;
    for (i = 0; i < LANES; i++) {
        uint64_t counter = batch->counter + batch->step * i;
        low[i] = (uint32_t)counter;
        high[i] = (uint32_t)(counter >> 32);
        in[i] = lanes->in[i];
    }
    v0 = _mm256_set1_epi32((int)batch->key[0]);
    v1 = _mm256_set1_epi32((int)batch->key[1]);
    v2 = _mm256_set1_epi32((int)batch->key[2]);
    v3 = _mm256_set1_epi32((int)batch->key[3]);
    v4 = _mm256_set1_epi32((int)batch->key[4]);
    v5 = _mm256_set1_epi32((int)batch->key[5]);
    v6 = _mm256_set1_epi32((int)batch->key[6]);
    v7 = _mm256_set1_epi32((int)batch->key[7]);
    for (left = batch->blocks; left > 0; left--, at += MN_BLOCK) {
        if (left == 1)
            flags |= batch->last;
        if (left == 1 && batch->limit != NULL) {
            lengths = _mm256_loadu_si256((const __m256i *)(const void *)lanes->tail);
            for (i = 0; i < LANES; i++) {
                mask[i] = mn_ones_zeros + MN_BLOCK - lanes->tail[i];
                in[i] = mn_readable(last[i], in[i] + at, lanes->tail[i], batch->limit);
            }
            at = 0;
            LOAD16(MASKED);
        } else {
            LOAD16(WHOLE);
        }
        v8 = _mm256_set1_epi32((int)MN_IV0);
        v9 = _mm256_set1_epi32((int)MN_IV1);
        v10 = _mm256_set1_epi32((int)MN_IV2);
        v11 = _mm256_set1_epi32((int)MN_IV3);
        v12 = _mm256_loadu_si256((const __m256i *)(const void *)low);
        v13 = _mm256_loadu_si256((const __m256i *)(const void *)high);
        v14 = lengths;
        v15 = _mm256_set1_epi32((int)flags);
        MN_ROUNDS(ROUND)
        XOR(v0, v8);
        XOR(v1, v9);
        XOR(v2, v10);
        XOR(v3, v11);
        XOR(v4, v12);
        XOR(v5, v13);
        XOR(v6, v14);
        XOR(v7, v15);
        flags = batch->flags;
    }
    TRANSPOSE(m[0], m[1], m[2], m[3], v0, v1, v2, v3);
    TRANSPOSE(m[4], m[5], m[6], m[7], v4, v5, v6, v7);
    store(lanes->out, m[0], m[4]);
    store(lanes->out + 1, m[1], m[5]);
    store(lanes->out + 2, m[2], m[6]);
    store(lanes->out + 3, m[3], m[7]);
}

static const mn_path path = {MN_PATH_AVX2, LANES, 3, hash};
const mn_path *const mn_path_avx2 = &path;

#else

const mn_path *const mn_path_avx2 = NULL;

#endif
