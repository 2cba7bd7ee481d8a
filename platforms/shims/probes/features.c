/* features.c - which vector kernel this processor runs, by the feature detection of the BLAKE3 shim.
 *
 * Its files are included, not copied, so there is one place that knows how to ask; each extension has its own
 * compiled copy, for one may be built without the other.
 */
#include "kernels.h"

#include "../blake3/features_hwcap.c"
#include "../blake3/features_arm.c"
#include "../blake3/features_ppc.c"
#include "../blake3/features_x86.c"

#if defined(__GNUC__) && (defined(__x86_64__) || defined(__i386__))

enum { LEAF1_D_FXSR = 24, LEAF1_D_SSE2 = 26 };

static int has_sse2(void)
{
    uint32_t words[4];

    if (!has_cpuid())
        return 0;
    cpuid(0, words);
    if (words[0] < 1)
        return 0;
    cpuid(1, words);
    return bit(words[3], LEAF1_D_FXSR) && bit(words[3], LEAF1_D_SSE2);
}

#else

static int has_sse2(void)
{
    return 0;
}

#endif

mn_kernel mn_simd(void)
{
    if (mn_simd_sse2 != NULL && has_sse2())
        return mn_simd_sse2;
    if (mn_simd_neon != NULL && (mn_features_arm() >> MN_PATH_NEON & 1) != 0)
        return mn_simd_neon;
    if (mn_simd_altivec != NULL && (mn_features_ppc() >> MN_PATH_ALTIVEC & 1) != 0)
        return mn_simd_altivec;
    return NULL;
}
