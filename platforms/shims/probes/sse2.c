/* sse2.c - the vector workload for x86; compiled with -msse2, called only where the processor has it. */
#include "kernels.h"

#if defined(__SSE2__)
#include <emmintrin.h>

/* A rotation of 32 bits by 16 swaps their halves; SSE2 does so for the lower and the upper two lanes apart. */
#define LANES(x) \
    x = _mm_xor_si128(_mm_shufflehi_epi16(_mm_shufflelo_epi16(_mm_add_epi32(x, a), 0xB1), 0xB1), b);

static uint64_t simd(const mn_work *work)
{
    const __m128i a = _mm_set1_epi32((int)work->a), b = _mm_set1_epi32((int)work->b);
    __m128i w = _mm_loadu_si128((const __m128i *)(const void *)work->lanes);
    __m128i x = _mm_loadu_si128((const __m128i *)(const void *)(work->lanes + 4));
    __m128i y = _mm_loadu_si128((const __m128i *)(const void *)(work->lanes + 8));
    __m128i z = _mm_loadu_si128((const __m128i *)(const void *)(work->lanes + 12));
    uint32_t out[MN_LANES], left;

    for (left = work->steps; left != 0; left -= 8) {
        MN_EIGHT(LANES(w) LANES(x) LANES(y) LANES(z))
    }
    _mm_storeu_si128((__m128i *)(void *)out, w);
    _mm_storeu_si128((__m128i *)(void *)(out + 4), x);
    _mm_storeu_si128((__m128i *)(void *)(out + 8), y);
    _mm_storeu_si128((__m128i *)(void *)(out + 12), z);
    return mn_fold_lanes(out);
}

const mn_kernel mn_simd_sse2 = simd;

#else

const mn_kernel mn_simd_sse2 = NULL;

#endif
