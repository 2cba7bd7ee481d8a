/* neon.c - four lanes on ARM: always on 64-bit processors, where present on ARMv7. */
#include "internal.h"

/* Little-endian only: no big-endian ARM was at hand to test. */
#if (defined(__ARM_NEON) || defined(__ARM_NEON__)) && !defined(__ARM_BIG_ENDIAN) && !defined(__ARMEB__)

#include <arm_neon.h>

typedef uint32x4_t V;

#define V_PATH MN_PATH_NEON
#define V_CONSTANTS
/* Byte vectors have no alignment. */
#define V_LOAD(from) vreinterpretq_u32_u8(vld1q_u8(from))
#define V_STORE(to, v) vst1q_u8(to, vreinterpretq_u8_u32(v))
#define V_SPLAT(word) vdupq_n_u32(word)
#define V_WORDS(array) vld1q_u32(array)
#define V_ADD(a, b) vaddq_u32(a, b)
#define V_XOR(a, b) veorq_u32(a, b)
#define V_AND(a, b) vandq_u32(a, b)
/* A shift to the right with insertion completes a shift to the left. */
#define V_ROTR16(v) vreinterpretq_u32_u16(vrev32q_u16(vreinterpretq_u16_u32(v)))
#define V_ROTR12(v) vsriq_n_u32(vshlq_n_u32(v, 20), v, 12)
#define V_ROTR8(v) vsriq_n_u32(vshlq_n_u32(v, 24), v, 8)
#define V_ROTR7(v) vsriq_n_u32(vshlq_n_u32(v, 25), v, 7)
#define V_TRANSPOSE(a, b, c, d)                                                           \
    do {                                                                                  \
        uint32x4x2_t ab = vtrnq_u32(a, b), cd = vtrnq_u32(c, d);                          \
        a = vcombine_u32(vget_low_u32(ab.val[0]), vget_low_u32(cd.val[0]));               \
        b = vcombine_u32(vget_low_u32(ab.val[1]), vget_low_u32(cd.val[1]));               \
        c = vcombine_u32(vget_high_u32(ab.val[0]), vget_high_u32(cd.val[0]));             \
        d = vcombine_u32(vget_high_u32(ab.val[1]), vget_high_u32(cd.val[1]));             \
    } while (0)

#include "lanes4.h"

const mn_path *const mn_path_neon = &path;

#else

const mn_path *const mn_path_neon = NULL;

#endif
