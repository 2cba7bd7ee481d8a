/* code_ppc.c - code words for PowerPC, 32 and 64 bit. */
#include "kernels.h"

#if defined(__powerpc__) || defined(__powerpc64__) || defined(__ppc__) || defined(__ppc64__) || defined(__POWERPC__)

#include <string.h>

enum { WORDS = 4, SMALLEST_LINE = 32 };

int mn_code_known(void)
{
    return 1;
}

size_t mn_code_write(uint8_t *at, uint32_t a, uint32_t b)
{
    const uint32_t words[WORDS] = {
        UINT32_C(0x38630000) | b, /* addi r3, r3, b */
        UINT32_C(0x68630000) | a, /* xori r3, r3, a */
        UINT32_C(0x5463003E),     /* rlwinm r3, r3, 0, 0, 31: 64-bit registers lose the carry */
        UINT32_C(0x4E800020)      /* blr */
    };

    memcpy(at, words, sizeof words);
    return sizeof words;
}

void mn_code_flush(uint8_t *at, size_t size)
{
    size_t i;

    /* PowerPC Virtual Environment Architecture, section 5.1.5.2: data out, then instructions anew. */
    for (i = 0; i < size; i += SMALLEST_LINE)
        __asm__ volatile("dcbst 0,%0" : : "r"(at + i) : "memory");
    __asm__ volatile("sync" : : : "memory");
    for (i = 0; i < size; i += SMALLEST_LINE)
        __asm__ volatile("icbi 0,%0" : : "r"(at + i) : "memory");
    __asm__ volatile("sync\n\tisync" : : : "memory");
}

uint32_t mn_code_call(uint8_t *at, uint32_t x)
{
    unsigned long (*function)(unsigned long);
#if (defined(__powerpc64__) || defined(__ppc64__)) && !(defined(_CALL_ELF) && _CALL_ELF == 2) && !defined(__APPLE__)
    /* A function's address is that of three words: where its code is, and two that this code does not use. */
    void *descriptor[3] = {NULL, NULL, NULL}, *place = descriptor;
    descriptor[0] = at;
    __asm__ volatile("" : : "r"(descriptor) : "memory");
    memcpy(&function, &place, sizeof function);
#else
    memcpy(&function, &at, sizeof function);
#endif
    return (uint32_t)function(x);
}

#endif
