/* features_hwcap.c - AT_HWCAP, the word in which an ELF kernel tells a program its processor's features.
 *
 * Asked on 32-bit ARM and on PowerPC; elsewhere, and where it cannot be asked, it has no bits.
 */
#include "internal.h"

#if defined(__arm__) || defined(__powerpc__) || defined(__powerpc64__)
#define ASKED 1
#else
#define ASKED 0
#endif

#if ASKED && defined(__FreeBSD__)
#include <sys/param.h>

#if __FreeBSD_version >= 1200000
#define BY_AUX_INFO 1
#include <sys/auxv.h>
#endif

#elif ASKED && defined(__linux__)
#include <stdio.h>

/* getauxval came with glibc 2.16; under an older one the kernel's own copy of the vector is read. */
#if defined(__GLIBC__) && (__GLIBC__ < 2 || (__GLIBC__ == 2 && __GLIBC_MINOR__ < 16))
#define BY_FILE 1
#else
#define BY_GETAUXVAL 1
#include <sys/auxv.h>
#endif

#endif

unsigned long mn_hwcap(void)
{
    unsigned long word = 0;
#if defined(BY_AUX_INFO)
    if (elf_aux_info(AT_HWCAP, &word, (int)sizeof word) != 0)
        word = 0;
#elif defined(BY_GETAUXVAL)
    word = getauxval(AT_HWCAP);
#elif defined(BY_FILE)
    enum { END_OF_VECTOR = 0, HWCAP = 16 };
    unsigned long entry[2];
    FILE *vector = fopen("/proc/self/auxv", "rb");
    if (vector != NULL) {
        while (fread(entry, sizeof entry, 1, vector) == 1 && entry[0] != END_OF_VECTOR)
            if (entry[0] == HWCAP)
                word = entry[1];
        fclose(vector);
    }
#endif
    return word;
}
