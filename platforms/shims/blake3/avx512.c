/* avx512.c - sixteen messages side by side, one word of all of them in each 512-bit register; or
 * thirty-two, as two groups whose instructions alternate.
 *
 * One group is a chain of dependent instructions that leaves half the units of a recent processor
 * idle.  Two groups of state fill the register file exactly, so their message words come from memory.
 */
#include "internal.h"

#if defined(__AVX512F__) && defined(__AVX512BW__) && defined(__AVX512VL__)

#include <immintrin.h>

#include "transpose512.h"

enum { GROUP = 16, LANES = 2 * GROUP };

#define ADD(a, b) a = _mm512_add_epi32(a, b)
#define XOR(a, b) a = _mm512_xor_si512(a, b)
#define TURN(a, b, by) a = _mm512_ror_epi32(_mm512_xor_si512(a, b), by)

/* One half of the mixing function on the four columns of a state v, or on its four diagonals: every
 * step is four independent instructions.  x0..x3 are message words. */
#define HALF(v, m, b0, b1, b2, b3, c0, c1, c2, c3, d0, d1, d2, d3, x0, x1, x2, x3, by_d, by_b) \
    ADD(v##0, m[x0]);                                                                          \
    ADD(v##1, m[x1]);                                                                          \
    ADD(v##2, m[x2]);                                                                          \
    ADD(v##3, m[x3]);                                                                          \
    ADD(v##0, v##b0);                                                                          \
    ADD(v##1, v##b1);                                                                          \
    ADD(v##2, v##b2);                                                                          \
    ADD(v##3, v##b3);                                                                          \
    TURN(v##d0, v##0, by_d);                                                                   \
    TURN(v##d1, v##1, by_d);                                                                   \
    TURN(v##d2, v##2, by_d);                                                                   \
    TURN(v##d3, v##3, by_d);                                                                   \
    ADD(v##c0, v##d0);                                                                         \
    ADD(v##c1, v##d1);                                                                         \
    ADD(v##c2, v##d2);                                                                         \
    ADD(v##c3, v##d3);                                                                         \
    TURN(v##b0, v##c0, by_b);                                                                  \
    TURN(v##b1, v##c1, by_b);                                                                  \
    TURN(v##b2, v##c2, by_b);                                                                  \
    TURN(v##b3, v##c3, by_b);

#define COLUMNS(v, m, x0, x1, x2, x3, by_d, by_b) \
    HALF(v, m, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, x0, x1, x2, x3, by_d, by_b)
#define DIAGONALS(v, m, x0, x1, x2, x3, by_d, by_b) \
    HALF(v, m, 5, 6, 7, 4, 10, 11, 8, 9, 15, 12, 13, 14, x0, x1, x2, x3, by_d, by_b)

#define ROUND1(s0, s1, s2, s3, s4, s5, s6, s7, s8, s9, s10, s11, s12, s13, s14, s15) \
    COLUMNS(v, m, s0, s2, s4, s6, 16, 12)                                            \
    COLUMNS(v, m, s1, s3, s5, s7, 8, 7)                                              \
    DIAGONALS(v, m, s8, s10, s12, s14, 16, 12)                                       \
    DIAGONALS(v, m, s9, s11, s13, s15, 8, 7)

#define ROUND2(s0, s1, s2, s3, s4, s5, s6, s7, s8, s9, s10, s11, s12, s13, s14, s15) \
    COLUMNS(v, m, s0, s2, s4, s6, 16, 12)                                            \
    COLUMNS(w, n, s0, s2, s4, s6, 16, 12)                                            \
    COLUMNS(v, m, s1, s3, s5, s7, 8, 7)                                              \
    COLUMNS(w, n, s1, s3, s5, s7, 8, 7)                                              \
    DIAGONALS(v, m, s8, s10, s12, s14, 16, 12)                                       \
    DIAGONALS(w, n, s8, s10, s12, s14, 16, 12)                                       \
    DIAGONALS(v, m, s9, s11, s13, s15, 8, 7)                                         \
    DIAGONALS(w, n, s9, s11, s13, s15, 8, 7)

#define STATE(v)                                               \
    __m512i v##0, v##1, v##2, v##3, v##4, v##5, v##6, v##7;    \
    __m512i v##8, v##9, v##10, v##11, v##12, v##13, v##14, v##15

#define START(v, key)                         \
    v##0 = _mm512_set1_epi32((int)(key)[0]);  \
    v##1 = _mm512_set1_epi32((int)(key)[1]);  \
    v##2 = _mm512_set1_epi32((int)(key)[2]);  \
    v##3 = _mm512_set1_epi32((int)(key)[3]);  \
    v##4 = _mm512_set1_epi32((int)(key)[4]);  \
    v##5 = _mm512_set1_epi32((int)(key)[5]);  \
    v##6 = _mm512_set1_epi32((int)(key)[6]);  \
    v##7 = _mm512_set1_epi32((int)(key)[7])

#define REFILL(v, count_low, count_high, lengths, flags) \
    v##8 = _mm512_set1_epi32((int)MN_IV0);               \
    v##9 = _mm512_set1_epi32((int)MN_IV1);               \
    v##10 = _mm512_set1_epi32((int)MN_IV2);              \
    v##11 = _mm512_set1_epi32((int)MN_IV3);              \
    v##12 = count_low;                                   \
    v##13 = count_high;                                  \
    v##14 = lengths;                                     \
    v##15 = _mm512_set1_epi32((int)(flags))

#define FOLD(v)       \
    XOR(v##0, v##8);   \
    XOR(v##1, v##9);   \
    XOR(v##2, v##10);  \
    XOR(v##3, v##11);  \
    XOR(v##4, v##12);  \
    XOR(v##5, v##13);  \
    XOR(v##6, v##14);  \
    XOR(v##7, v##15)

/* Per-lane counters of one group. */
static inline void counters(const mn_batch *batch, uint32_t from_lane, __m512i *low, __m512i *high)
{
    const __m512i index = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    __m512i base = _mm512_set1_epi32((int)(uint32_t)batch->counter);
    __m512i lane = _mm512_add_epi32(index, _mm512_set1_epi32((int)from_lane));
    *low = _mm512_add_epi32(base, _mm512_mullo_epi32(lane, _mm512_set1_epi32((int)batch->step)));
    *high = _mm512_set1_epi32((int)(uint32_t)(batch->counter >> 32));
    *high = _mm512_mask_add_epi32(*high, _mm512_cmplt_epu32_mask(*low, base), *high, _mm512_set1_epi32(1));
}

static void hash16(const mn_batch *batch, const mn_lanes *lanes)
{
    __m512i m[16], low, high, lengths = _mm512_set1_epi32(MN_BLOCK);
    STATE(v);
    uint32_t flags = batch->flags | batch->first;
    size_t left, at = 0;

    counters(batch, 0, &low, &high);
    START(v, batch->key);
    for (left = batch->blocks; left > 0; left--, at += MN_BLOCK) {
        if (left == 1) {
            flags |= batch->last;
            lengths = _mm512_loadu_si512(lanes->tail);
            mn_load512_tails(m, lanes->in, at, lanes->tail);
        } else {
            mn_load512(m, lanes->in, at);
        }
        REFILL(v, low, high, lengths, flags);
        MN_ROUNDS(ROUND1)
        FOLD(v);
        flags = batch->flags;
    }
    MN_STORE512(lanes->out, v);
}

static void hash32(const mn_batch *batch, const mn_lanes *lanes)
{
    __m512i m[16], n[16], low, high, low2, high2;
    __m512i lengths = _mm512_set1_epi32(MN_BLOCK), lengths2 = lengths;
    STATE(v);
    STATE(w);
    uint32_t flags = batch->flags | batch->first;
    size_t left, at = 0;

    counters(batch, 0, &low, &high);
    counters(batch, GROUP, &low2, &high2);
    START(v, batch->key);
    START(w, batch->key);
    for (left = batch->blocks; left > 0; left--, at += MN_BLOCK) {
        if (left == 1) {
            flags |= batch->last;
            lengths = _mm512_loadu_si512(lanes->tail);
            lengths2 = _mm512_loadu_si512(lanes->tail + GROUP);
            mn_load512_tails(m, lanes->in, at, lanes->tail);
            mn_load512_tails(n, lanes->in + GROUP, at, lanes->tail + GROUP);
        } else {
            mn_load512(m, lanes->in, at);
            mn_load512(n, lanes->in + GROUP, at);
        }
        REFILL(v, low, high, lengths, flags);
        REFILL(w, low2, high2, lengths2, flags);
        MN_ROUNDS(ROUND2)
        FOLD(v);
        FOLD(w);
        flags = batch->flags;
    }
    MN_STORE512(lanes->out, v);
    MN_STORE512(lanes->out + GROUP, w);
}

static void hash(const mn_batch *batch, const mn_lanes *lanes, size_t used)
{
    if (used > GROUP)
        hash32(batch, lanes);
    else
        hash16(batch, lanes);
}

static const mn_path path = {MN_PATH_AVX512, LANES, 3, hash};
const mn_path *const mn_path_avx512 = &path;

#else

const mn_path *const mn_path_avx512 = NULL;

#endif
