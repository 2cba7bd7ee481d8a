/* code_arm.c - code words for 32-bit ARM, in ARM state, from ARMv4T on.
 *
 * Big-endian builds are left out: code is big-endian there before ARMv6, and little-endian after. */
#include "kernels.h"

#if defined(__arm__)

#include <string.h>

enum { WORDS = 5, SECOND_BYTE = 12 << 8 /* an immediate rotated right by 24 */ };

int mn_code_known(void)
{
#if defined(__ARM_ARCH_2__) || defined(__ARM_ARCH_3__) || defined(__ARM_ARCH_3M__) || defined(__ARM_ARCH_4__) || \
    defined(__ARM_BIG_ENDIAN) || defined(__ARMEB__)
    return 0; /* no bx, or see above */
#else
    return 1;
#endif
}

size_t mn_code_write(uint8_t *at, uint32_t a, uint32_t b)
{
    const uint32_t words[WORDS] = {
        UINT32_C(0xE2800000) | (b & 0xFF),                /* add r0, r0, #low byte of b */
        UINT32_C(0xE2800000) | SECOND_BYTE | (b >> 8),    /* add r0, r0, #high byte << 8 */
        UINT32_C(0xE2200000) | (a & 0xFF),                /* eor r0, r0, #low byte of a */
        UINT32_C(0xE2200000) | SECOND_BYTE | (a >> 8),    /* eor r0, r0, #high byte << 8 */
        UINT32_C(0xE12FFF1E)                              /* bx lr */
    };

    memcpy(at, words, sizeof words);
    return sizeof words;
}

void mn_code_flush(uint8_t *at, size_t size)
{
    /* libgcc's name since its beginning; a call of the system, for user code may not flush. */
    extern void __clear_cache(void *, void *);
    __clear_cache(at, at + size);
}

uint32_t mn_code_call(uint8_t *at, uint32_t x)
{
    uint32_t (*function)(uint32_t);
    memcpy(&function, &at, sizeof function);
    return function(x);
}

#endif
