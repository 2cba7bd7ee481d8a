/* transpose512.h - between sixteen messages in memory and sixteen registers of one word each.
 *
 * Two layers of shuffles bring equal 16 bytes of lanes e, e + 4, e + 8, e + 12 into one register; two
 * layers of unpacks then transpose 4 x 4 words within each 128 bits.
 */
#ifndef METANODE_BLAKE3_TRANSPOSE512_H
#define METANODE_BLAKE3_TRANSPOSE512_H

#include <immintrin.h>

#define MN_TRANSPOSE512(w0, w1, w2, w3, r0, r1, r2, r3)      \
    do {                                                     \
        __m512i low01 = _mm512_unpacklo_epi32(r0, r1);       \
        __m512i high01 = _mm512_unpackhi_epi32(r0, r1);      \
        __m512i low23 = _mm512_unpacklo_epi32(r2, r3);       \
        __m512i high23 = _mm512_unpackhi_epi32(r2, r3);      \
        w0 = _mm512_unpacklo_epi64(low01, low23);            \
        w1 = _mm512_unpackhi_epi64(low01, low23);            \
        w2 = _mm512_unpacklo_epi64(high01, high23);          \
        w3 = _mm512_unpackhi_epi64(high01, high23);          \
    } while (0)

/* The first, second, third and fourth 16 bytes of rows e, e + 4, e + 8, e + 12. */
#define MN_QUARTERS512(q, ROW, e)                                                               \
    do {                                                                                        \
        __m512i x0 = ROW(e), x1 = ROW((e) + 4), x2 = ROW((e) + 8), x3 = ROW((e) + 12);          \
        __m512i a = _mm512_shuffle_i32x4(x0, x1, 0x44), b = _mm512_shuffle_i32x4(x0, x1, 0xEE); \
        __m512i c = _mm512_shuffle_i32x4(x2, x3, 0x44), d = _mm512_shuffle_i32x4(x2, x3, 0xEE); \
        q##0 = _mm512_shuffle_i32x4(a, c, 0x88);                                                \
        q##1 = _mm512_shuffle_i32x4(a, c, 0xDD);                                                \
        q##2 = _mm512_shuffle_i32x4(b, d, 0x88);                                                \
        q##3 = _mm512_shuffle_i32x4(b, d, 0xDD);                                                \
    } while (0)
#define MN_LOAD512(m, ROW)                                             \
    do {                                                               \
        __m512i e0, e1, e2, e3, f0, f1, f2, f3;                        \
        __m512i g0, g1, g2, g3, h0, h1, h2, h3;                        \
        MN_QUARTERS512(e, ROW, 0);                                     \
        MN_QUARTERS512(f, ROW, 1);                                     \
        MN_QUARTERS512(g, ROW, 2);                                     \
        MN_QUARTERS512(h, ROW, 3);                                     \
        MN_TRANSPOSE512(m[0], m[1], m[2], m[3], e0, f0, g0, h0);       \
        MN_TRANSPOSE512(m[4], m[5], m[6], m[7], e1, f1, g1, h1);       \
        MN_TRANSPOSE512(m[8], m[9], m[10], m[11], e2, f2, g2, h2);     \
        MN_TRANSPOSE512(m[12], m[13], m[14], m[15], e3, f3, g3, h3);   \
    } while (0)

/* The sixteen words at in[lane] + at, of each lane. */
static inline __attribute__((always_inline)) void mn_load512(__m512i m[16], const uint8_t *const *in, size_t at)
{
#define MN_ROW512(lane) _mm512_loadu_si512(in[lane] + at)
    MN_LOAD512(m, MN_ROW512);
#undef MN_ROW512
}

/* The same where lane's block has only tail[lane] bytes, zeros after them.  A masked load touches no
 * byte that its mask leaves out. */
static inline __attribute__((always_inline)) void mn_load512_tails(__m512i m[16], const uint8_t *const *in, size_t at,
                                                                   const uint32_t *tail)
{
#define MN_MASK512(bytes) ((bytes) > 0 ? ~(__mmask64)0 >> (64 - (bytes)) : 0)
#define MN_ROW512(lane) _mm512_maskz_loadu_epi8(MN_MASK512(tail[lane]), in[lane] + at)
    MN_LOAD512(m, MN_ROW512);
#undef MN_ROW512
#undef MN_MASK512
}

/* Words 0-3 in a and 4-7 in b, of lanes e, e + 4, e + 8, e + 12 in turn. */
static inline void mn_scatter512(uint8_t *const *out, __m512i a, __m512i b)
{
    const __m512i lower = _mm512_setr_epi64(0, 1, 8, 9, 2, 3, 10, 11);
    const __m512i upper = _mm512_setr_epi64(4, 5, 12, 13, 6, 7, 14, 15);
    __m512i low = _mm512_permutex2var_epi64(a, lower, b), high = _mm512_permutex2var_epi64(a, upper, b);
    _mm256_storeu_si256((__m256i *)(void *)out[0], _mm512_castsi512_si256(low));
    _mm256_storeu_si256((__m256i *)(void *)out[4], _mm512_extracti64x4_epi64(low, 1));
    _mm256_storeu_si256((__m256i *)(void *)out[8], _mm512_castsi512_si256(high));
    _mm256_storeu_si256((__m256i *)(void *)out[12], _mm512_extracti64x4_epi64(high, 1));
}

/* Store v0..v7 of sixteen lanes as sixteen digests. */
#define MN_STORE512(out, v)                                                  \
    do {                                                                     \
        __m512i a0, a1, a2, a3, b0, b1, b2, b3;                              \
        MN_TRANSPOSE512(a0, a1, a2, a3, v##0, v##1, v##2, v##3);             \
        MN_TRANSPOSE512(b0, b1, b2, b3, v##4, v##5, v##6, v##7);             \
        mn_scatter512(out, a0, b0);                                          \
        mn_scatter512((out) + 1, a1, b1);                                    \
        mn_scatter512((out) + 2, a2, b2);                                    \
        mn_scatter512((out) + 3, a3, b3);                                    \
    } while (0)

#endif
