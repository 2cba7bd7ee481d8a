/* neon.c - the vector workload for ARM; compiled with -mfpu=neon where that is a choice, called only where it is. */
#include "kernels.h"

#if defined(__ARM_NEON) || defined(__ARM_NEON__)
#include <arm_neon.h>

/* A rotation of 32 bits by 16 as a permutation of bytes: one instruction for a processor, a loop for a program that
 * imitates one. */
#if defined(__aarch64__) || defined(__arm64__)
#define PERMUTED(v) vqtbl1q_u8(v, order)
#else
#define PERMUTED(v) vcombine_u8(vtbl1_u8(vget_low_u8(v), vget_low_u8(order)), vtbl1_u8(vget_high_u8(v), vget_low_u8(order)))
#endif
#define LANES(x) x = veorq_u32(vreinterpretq_u32_u8(PERMUTED(vreinterpretq_u8_u32(vaddq_u32(x, a)))), b);

static uint64_t simd(const mn_work *work)
{
    static const uint8_t swapped[16] = {2, 3, 0, 1, 6, 7, 4, 5, 10, 11, 8, 9, 14, 15, 12, 13};
    const uint8x16_t order = vld1q_u8(swapped);
    const uint32x4_t a = vdupq_n_u32(work->a), b = vdupq_n_u32(work->b);
    uint32x4_t w = vld1q_u32(work->lanes), x = vld1q_u32(work->lanes + 4);
    uint32x4_t y = vld1q_u32(work->lanes + 8), z = vld1q_u32(work->lanes + 12);
    uint32_t out[MN_LANES], left;

    for (left = work->steps; left != 0; left -= 8) {
        MN_EIGHT(LANES(w) LANES(x) LANES(y) LANES(z))
    }
    vst1q_u32(out, w);
    vst1q_u32(out + 4, x);
    vst1q_u32(out + 8, y);
    vst1q_u32(out + 12, z);
    return mn_fold_lanes(out);
}

const mn_kernel mn_simd_neon = simd;

#else

const mn_kernel mn_simd_neon = NULL;

#endif
