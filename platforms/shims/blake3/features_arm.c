/* features_arm.c - NEON: part of every 64-bit ARM, an option of 32-bit ones. */
#include "internal.h"

#if defined(__aarch64__) || defined(__arm64__)

uint32_t mn_features_arm(void)
{
    return 1U << MN_PATH_NEON;
}

#elif defined(__arm__)

/* HWCAP_NEON of Linux (asm/hwcap.h) and FreeBSD (machine/elf.h). */
enum { HWCAP_NEON_BIT = 12 };

uint32_t mn_features_arm(void)
{
    return (mn_hwcap() >> HWCAP_NEON_BIT & 1) != 0 ? 1U << MN_PATH_NEON : 0;
}

#else

uint32_t mn_features_arm(void)
{
    return 0;
}

#endif
