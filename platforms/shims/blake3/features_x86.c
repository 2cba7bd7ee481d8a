/* features_x86.c - vector instruction sets of x86 that the processor has and the system saves.
 *
 * Bits as in Intel's Software Developer's Manual: CPUID leaves 1 and 7, and XCR0 for the registers
 * that the system saves on a task switch.  Inline assembly: old compilers have no header for it.
 */
#include "internal.h"

#if defined(__GNUC__) && (defined(__x86_64__) || defined(__i386__))

enum {
    LEAF1_C_SSSE3 = 9,
    LEAF1_C_SSE41 = 19,
    LEAF1_C_OSXSAVE = 27,
    LEAF7_B_AVX2 = 5,
    LEAF7_B_AVX512F = 16,
    LEAF7_B_AVX512BW = 30,
    LEAF7_B_AVX512VL = 31,
    XCR0_YMM = 0x06, /* SSE and AVX state */
    XCR0_ZMM = 0xE6  /* and mask registers, upper halves, registers 16 to 31 */
};

static uint32_t bit(uint32_t word, int number)
{
    return word >> number & 1;
}

static void cpuid(uint32_t leaf, uint32_t out[4])
{
    uint32_t a = leaf, b, c = 0, d;
#if defined(__i386__) && defined(__PIC__)
    /* ebx holds the table of global offsets. */
    __asm__ volatile("xchgl %%ebx, %1\n\tcpuid\n\txchgl %%ebx, %1" : "+a"(a), "=&r"(b), "+c"(c), "=d"(d));
#else
    __asm__ volatile("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
#endif
    out[0] = a;
    out[1] = b;
    out[2] = c;
    out[3] = d;
}

#if defined(__i386__)
/* Processors before the i586 have no cpuid: bit 21 of the flags cannot be changed there. */
static int has_cpuid(void)
{
    uint32_t before, after;
    __asm__ volatile("pushfl\n\tpopl %0\n\tmovl %0, %1\n\txorl $0x200000, %1\n\tpushl %1\n\tpopfl\n\t"
                     "pushfl\n\tpopl %1\n\tpushl %0\n\tpopfl"
                     : "=&r"(before), "=&r"(after)
                     :
                     : "cc");
    return ((before ^ after) & 0x200000) != 0;
}
#else
static int has_cpuid(void)
{
    return 1;
}
#endif

static uint32_t saved_state(void)
{
    uint32_t low, high;
    /* xgetbv, spelled for assemblers that do not know it. */
    __asm__ volatile(".byte 0x0f, 0x01, 0xd0" : "=a"(low), "=d"(high) : "c"(0));
    return low;
}

uint32_t mn_features_x86(void)
{
    uint32_t zero[4], one[4], seven[4], state, set = 0;

    if (!has_cpuid())
        return 0;
    cpuid(0, zero);
    if (zero[0] < 1)
        return 0;
    cpuid(1, one);
    if (bit(one[2], LEAF1_C_SSSE3) && bit(one[2], LEAF1_C_SSE41))
        set |= 1U << MN_PATH_SSE41;
    if (zero[0] < 7 || !bit(one[2], LEAF1_C_OSXSAVE))
        return set;
    state = saved_state();
    cpuid(7, seven);
    if ((state & XCR0_YMM) == XCR0_YMM && bit(seven[1], LEAF7_B_AVX2)) {
        set |= 1U << MN_PATH_AVX2;
        if ((state & XCR0_ZMM) == XCR0_ZMM && bit(seven[1], LEAF7_B_AVX512F) && bit(seven[1], LEAF7_B_AVX512BW) &&
            bit(seven[1], LEAF7_B_AVX512VL))
            set |= 1U << MN_PATH_AVX512;
    }
    return set;
}

#else

uint32_t mn_features_x86(void)
{
    return 0;
}

#endif
