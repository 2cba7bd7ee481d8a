/* code_none.c - processors whose code words nobody has written down here: nothing is patched. */
#include "kernels.h"

#if !(defined(__x86_64__) || defined(__i386__) || defined(__aarch64__) || defined(__arm64__) || defined(__arm__) ||   \
      defined(__powerpc__) || defined(__powerpc64__) || defined(__ppc__) || defined(__ppc64__) || defined(__POWERPC__))

int mn_code_known(void)
{
    return 0;
}

size_t mn_code_write(uint8_t *at, uint32_t a, uint32_t b)
{
    (void)at;
    (void)a;
    (void)b;
    return 0;
}

void mn_code_flush(uint8_t *at, size_t size)
{
    (void)at;
    (void)size;
}

uint32_t mn_code_call(uint8_t *at, uint32_t x)
{
    (void)at;
    return x;
}

#else

typedef int mn_code_of_another_file;

#endif
