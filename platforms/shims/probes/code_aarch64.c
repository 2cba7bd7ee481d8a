/* code_aarch64.c - code words for 64-bit ARM. */
#include "kernels.h"

#if defined(__aarch64__) || defined(__arm64__)

#include <string.h>

#if defined(__APPLE__)
#include <libkern/OSCacheControl.h>
#endif

enum { WORDS = 5 };

int mn_code_known(void)
{
    return 1;
}

size_t mn_code_write(uint8_t *at, uint32_t a, uint32_t b)
{
    const uint32_t words[WORDS] = {
        UINT32_C(0x52800001) | b << 5, /* mov w1, #b */
        UINT32_C(0x0B010000),          /* add w0, w0, w1 */
        UINT32_C(0x52800001) | a << 5, /* mov w1, #a */
        UINT32_C(0x4A010000),          /* eor w0, w0, w1 */
        UINT32_C(0xD65F03C0)           /* ret */
    };
    size_t i;

    /* Little-endian, whatever the order of data. */
    for (i = 0; i < sizeof words; i++)
        at[i] = (uint8_t)(words[i / 4] >> i % 4 * 8);
    return sizeof words;
}

void mn_code_flush(uint8_t *at, size_t size)
{
#if defined(__APPLE__)
    sys_icache_invalidate(at, size);
#else
    __builtin___clear_cache((char *)at, (char *)at + size);
#endif
}

uint32_t mn_code_call(uint8_t *at, uint32_t x)
{
    uint32_t (*function)(uint32_t);
    memcpy(&function, &at, sizeof function);
    return function(x);
}

#endif
