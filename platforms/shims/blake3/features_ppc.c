/* features_ppc.c - AltiVec, from the system: asking the processor itself could trap. */
#include "internal.h"

#if defined(__powerpc__) || defined(__powerpc64__) || defined(__ppc__) || defined(__ppc64__) || defined(__POWERPC__)

#if defined(__APPLE__)
#include <sys/types.h>
#include <sys/sysctl.h>

/* hw.optional.altivec came with Mac OS X 10.4; HW_VECTORUNIT before it counts up with the unit. */
static int has_altivec(void)
{
    int mib[2] = {CTL_HW, HW_VECTORUNIT};
    int value = 0;
    size_t size = sizeof value;

    if (sysctlbyname("hw.optional.altivec", &value, &size, NULL, 0) == 0)
        return value != 0;
    value = 0;
    size = sizeof value;
    return sysctl(mib, 2, &value, &size, NULL, 0) == 0 && value != 0;
}

#elif defined(__FreeBSD__)
#include <sys/types.h>
#include <sys/sysctl.h>

static int has_altivec(void)
{
    int value = 0;
    size_t size = sizeof value;
    return sysctlbyname("hw.altivec", &value, &size, NULL, 0) == 0 && value != 0;
}

#else

/* PPC_FEATURE_HAS_ALTIVEC of Linux (asm/cputable.h). */
enum { HWCAP_ALTIVEC_BIT = 28 };

static int has_altivec(void)
{
    return (mn_hwcap() >> HWCAP_ALTIVEC_BIT & 1) != 0;
}

#endif

uint32_t mn_features_ppc(void)
{
    return has_altivec() ? 1U << MN_PATH_ALTIVEC : 0;
}

#else

uint32_t mn_features_ppc(void)
{
    return 0;
}

#endif
