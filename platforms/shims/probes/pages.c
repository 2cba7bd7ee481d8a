/* pages.c - memory straight from the system, and back to it: an allocator might keep it.
 *
 * Memory that is writable and executable at once is refused by some systems (OpenBSD, NetBSD, macOS on ARM, Linux
 * under SELinux): the probe is then unmeasured.
 */
#if !defined(_DEFAULT_SOURCE)
#define _DEFAULT_SOURCE 1
#endif
#if !defined(_BSD_SOURCE)
#define _BSD_SOURCE 1
#endif
#include "kernels.h"

#if defined(__unix__) || defined(__APPLE__)
#include <sys/types.h>
#include <sys/mman.h>

#if !defined(MAP_ANONYMOUS)
#define MAP_ANONYMOUS MAP_ANON
#endif

uint8_t *mn_pages(size_t size, int executable)
{
    const int access = PROT_READ | PROT_WRITE | (executable ? PROT_EXEC : 0);
    void *pages = mmap(NULL, size, access, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return pages == MAP_FAILED ? NULL : pages;
}

void mn_pages_back(uint8_t *pages, size_t size)
{
    munmap(pages, size);
}

#else

uint8_t *mn_pages(size_t size, int executable)
{
    (void)size;
    (void)executable;
    return NULL;
}

void mn_pages_back(uint8_t *pages, size_t size)
{
    (void)pages;
    (void)size;
}

#endif
