/* chains.c - chains of dependent arithmetic: a step cannot begin before the one before has ended, so the time of a
 * chain is the latency of its instruction, however many units the processor has. */
#include "kernels.h"

#include <string.h>

#define ALTERNATE(op)   \
    do {                \
        x = op(x, a);   \
        MN_KEEP(x);     \
        x = op(x, b);   \
        MN_KEEP(x);     \
    } while (0);
#define ADD(x, k) ((x) + (k))
#define MUL(x, k) ((x) * (k))
#define DIV(x, k) ((k) / (x) | UINT32_C(1) << 15)

#define INTEGER(name, op)                              \
    uint64_t name(const mn_work *work)                 \
    {                                                  \
        const uint32_t a = work->a, b = work->b;       \
        uint32_t x = work->start, left = work->steps;  \
                                                       \
        for (; left != 0; left -= 16) {                \
            MN_EIGHT(ALTERNATE(op))                    \
        }                                              \
        return x;                                      \
    }

INTEGER(mn_int_add, ADD)
INTEGER(mn_int_mul, MUL)
INTEGER(mn_int_div, DIV)

#define LANE(x)                       \
    x = mn_rotate16((x) + a) ^ b;     \
    MN_KEEP(x);

uint64_t mn_scalar(const mn_work *work)
{
    const uint32_t a = work->a, b = work->b;
    uint32_t out[MN_LANES], w, x, y, z, left;
    int i;

    for (i = 0; i < MN_LANES; i += 4) {
        w = work->lanes[i];
        x = work->lanes[i + 1];
        y = work->lanes[i + 2];
        z = work->lanes[i + 3];
        for (left = work->steps; left != 0; left -= 8) {
            MN_EIGHT(LANE(w) LANE(x) LANE(y) LANE(z))
        }
        out[i] = w;
        out[i + 1] = x;
        out[i + 2] = y;
        out[i + 3] = z;
    }
    return mn_fold_lanes(out);
}

/* Without a floating-point unit a chain would measure a library. */
#if defined(__SOFTFP__) || defined(_SOFT_FLOAT) || defined(__NO_FPRS__) || defined(__mips_soft_float) || \
    (defined(__riscv) && !defined(__riscv_flen)) || (defined(__m68k__) && !defined(__HAVE_68881__))

const mn_kernel mn_fp_add = NULL;
const mn_kernel mn_fp_mul = NULL;
const mn_kernel mn_fp_div = NULL;

#else

/* Units that compute with 64-bit mantissas are told to round to 53 bits, as IEEE 754 wants it. */
#if defined(__i386__) && !defined(__SSE2_MATH__)
typedef uint16_t precision;
static precision narrow(void)
{
    precision before, now;
    __asm__ volatile("fnstcw %0" : "=m"(before));
    now = (precision)((before & 0xFCFF) | 0x0200);
    __asm__ volatile("fldcw %0" : : "m"(now));
    return before;
}
static void widen(precision before)
{
    __asm__ volatile("fldcw %0" : : "m"(before));
}
#elif defined(__m68k__)
typedef uint32_t precision;
static precision narrow(void)
{
    precision before, now;
    __asm__ volatile("fmove%.l %!,%0" : "=d"(before));
    now = (before & ~(precision)0xC0) | 0x80;
    __asm__ volatile("fmove%.l %0,%!" : : "d"(now));
    return before;
}
static void widen(precision before)
{
    __asm__ volatile("fmove%.l %0,%!" : : "d"(before));
}
#else
typedef int precision;
static precision narrow(void)
{
    return 0;
}
static void widen(precision before)
{
    (void)before;
}
#endif

/* Sixteen steps from left to right and one assignment: each would send an extended register through memory. */
#define SIXTEEN(x, op, a, b) x op a op b op a op b op a op b op a op b op a op b op a op b op a op b op a op b

/* 1 + fraction: a binary64 in [1, 2) from its 52 bits, without a look at how they lie in memory. */
static double real_of(uint64_t fraction)
{
    return 1.0 + (double)(int64_t)fraction / 4503599627370496.0;
}

static uint64_t bits_of(double x)
{
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

/* All sums are integers below 2^53, so each is exact. */
static uint64_t fp_add(const mn_work *work)
{
    const uint64_t mask = (UINT64_C(1) << 36) - 1;
    const double a = (double)(int64_t)(work->wide_a & mask), b = (double)(int64_t)(work->wide_b & mask);
    double x = (double)(int64_t)(work->wide_start & mask);
    uint32_t left;

    for (left = work->steps; left != 0; left -= 16) {
        x = SIXTEEN(x, +, a, b);
    }
    return (uint64_t)(int64_t)x;
}

/* Factors lie above 1 by less than 2^-10, so thousands of them stay far from overflow. */
#define ROUNDED(name, op)                                                                                        \
    static uint64_t name(const mn_work *work)                                                                    \
    {                                                                                                            \
        const uint64_t mask = (UINT64_C(1) << 42) - 1;                                                           \
        const precision before = narrow();                                                                       \
        const double a = real_of(work->wide_a & mask), b = real_of(work->wide_b & mask);                         \
        double x = real_of(work->wide_start & ((UINT64_C(1) << 52) - 1));                                        \
        uint32_t left;                                                                                           \
        uint64_t bits;                                                                                           \
                                                                                                                 \
        for (left = work->steps; left != 0; left -= 16) {                                                        \
            x = SIXTEEN(x, op, a, b);                                                                            \
        }                                                                                                        \
        bits = bits_of(x);                                                                                       \
        widen(before);                                                                                           \
        return bits;                                                                                             \
    }

ROUNDED(fp_mul, *)
ROUNDED(fp_div, /)

const mn_kernel mn_fp_add = fp_add;
const mn_kernel mn_fp_mul = fp_mul;
const mn_kernel mn_fp_div = fp_div;

#endif
