/* clock.c - the finest clock of the system that does not step when somebody sets the time. */
#if !defined(__APPLE__) && !defined(_POSIX_C_SOURCE)
#define _POSIX_C_SOURCE 199309L
#endif
#include "kernels.h"

#if defined(__APPLE__)
#include <mach/mach_time.h>

int64_t mn_clock(void)
{
    mach_timebase_info_data_t rate;
    uint64_t ticks = mach_absolute_time();

    if (mach_timebase_info(&rate) != 0 || rate.denom == 0)
        return 0;
    /* In two parts: the product alone would pass 64 bits within months. */
    return (int64_t)(ticks / rate.denom * rate.numer + ticks % rate.denom * rate.numer / rate.denom);
}

#else
#include <time.h>

#if defined(CLOCK_MONOTONIC)

int64_t mn_clock(void)
{
    struct timespec now;
    return clock_gettime(CLOCK_MONOTONIC, &now) == 0 ? (int64_t)now.tv_sec * 1000000000 + now.tv_nsec : 0;
}

#else
#include <sys/time.h>

int64_t mn_clock(void)
{
    struct timeval now;
    return gettimeofday(&now, NULL) == 0 ? (int64_t)now.tv_sec * 1000000000 + (int64_t)now.tv_usec * 1000 : 0;
}

#endif
#endif
