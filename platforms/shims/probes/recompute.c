/* recompute.c - what a validator does: every workload once more, by portable integer arithmetic.
 *
 * Floating point too: processors differ in rounding modes and extra precision, consensus must not.
 */
#include "kernels.h"

enum { FRACTION = 52, BIAS = 1023, SMALL_FRACTION = 42, SUMMAND = 36, DIVISOR_BIT = 15 };

#define HIDDEN (UINT64_C(1) << FRACTION)

/* A binary64 of normal range and positive sign: mantissa in [2^52, 2^53), value mantissa * 2^(exponent - 52). */
typedef struct {
    uint64_t mantissa;
    int exponent;
} real;

/* Round to nearest, ties to even: `below` bits are cut off, and something below them was lost if `sticky`. */
static void round_into(real *to, uint64_t bits, int below, int sticky)
{
    const uint64_t half = (uint64_t)1 << (below - 1), rest = bits & (2 * half - 1);

    to->mantissa = bits >> below;
    if (rest > half || (rest == half && (sticky || (to->mantissa & 1))))
        to->mantissa++;
    if (to->mantissa == 2 * HIDDEN) {
        to->mantissa = HIDDEN;
        to->exponent++;
    }
}

/* The product of two mantissas has 105 or 106 bits; the upper 64 and a sticky bit decide. */
static void multiply(real *x, uint64_t factor)
{
    const uint64_t low = (uint32_t)x->mantissa, high = x->mantissa >> 32, f_low = (uint32_t)factor, f_high = factor >> 32;
    const uint64_t lowest = low * f_low, one = high * f_low, two = low * f_high;
    const uint64_t middle = (lowest >> 32) + (uint32_t)one + (uint32_t)two;
    const uint64_t upper = high * f_high + (one >> 32) + (two >> 32) + (middle >> 32);
    const uint64_t lower = middle << 32 | (uint32_t)lowest;
    const int longer = (int)(upper >> (105 - 64) & 1);
    /* Two bits to spare below the mantissa. */
    const int cut = FRACTION + longer - 2;

    x->exponent += longer;
    round_into(x, upper << (64 - cut) | lower >> cut, 2, (lower & (((uint64_t)1 << cut) - 1)) != 0);
}

static void divide(real *x, uint64_t divisor)
{
    uint64_t rest = x->mantissa, quotient = 0;
    int bit;

    if (rest < divisor) {
        rest *= 2;
        x->exponent--;
    }
    /* 53 bits of the quotient and one to round by. */
    for (bit = 0; bit <= FRACTION + 1; bit++) {
        quotient *= 2;
        if (rest >= divisor) {
            rest -= divisor;
            quotient++;
        }
        rest *= 2;
    }
    round_into(x, quotient, 1, rest != 0);
}

static uint64_t floating(uint32_t probe, const mn_work *work)
{
    const uint64_t mask = (UINT64_C(1) << SMALL_FRACTION) - 1;
    const uint64_t operands[2] = {HIDDEN | (work->wide_a & mask), HIDDEN | (work->wide_b & mask)};
    real x = {HIDDEN | (work->wide_start & (HIDDEN - 1)), 0};
    uint32_t i;

    for (i = 0; i < work->steps; i++) {
        if (probe == MN_FP_MUL)
            multiply(&x, operands[i & 1]);
        else
            divide(&x, operands[i & 1]);
    }
    return (uint64_t)(x.exponent + BIAS) << FRACTION | (x.mantissa & (HIDDEN - 1));
}

static uint64_t lanes(const mn_work *work)
{
    uint32_t now[MN_LANES], x, i, lane;

    for (lane = 0; lane < MN_LANES; lane++) {
        x = work->lanes[lane];
        for (i = 0; i < work->steps; i++)
            x = mn_rotate16(x + work->a) ^ work->b;
        now[lane] = x;
    }
    return mn_fold_lanes(now);
}

static uint64_t calls(const mn_work *work, int patch)
{
    uint64_t state = work->wide_start, words = 0;
    uint32_t x = work->start, a = work->a, b = work->b, i;

    for (i = 0; i < work->steps; i++) {
        if (patch) {
            words = mn_next(&state);
            a = (uint32_t)words & 0x7FFF;
            b = (uint32_t)(words >> 32) & 0x7FFF;
        }
        x = (x + b) ^ a;
    }
    return x;
}

uint64_t mn_recompute(uint32_t probe, const mn_work *work)
{
    const uint64_t summand = (UINT64_C(1) << SUMMAND) - 1;
    uint32_t x = work->start, i;

    switch (probe) {
    case MN_INT_ADD:
        return (uint32_t)(x + work->steps / 2 * (work->a + work->b));
    case MN_INT_MUL:
        for (i = 0; i < work->steps; i++)
            x *= i & 1 ? work->b : work->a;
        return x;
    case MN_INT_DIV:
        for (i = 0; i < work->steps; i++)
            x = (i & 1 ? work->b : work->a) / x | UINT32_C(1) << DIVISOR_BIT;
        return x;
    case MN_FP_ADD:
        return (work->wide_start & summand) + (uint64_t)work->steps / 2 * ((work->wide_a & summand) + (work->wide_b & summand));
    case MN_FP_MUL:
    case MN_FP_DIV:
        return floating(probe, work);
    case MN_SCALAR:
    case MN_SIMD:
        return lanes(work);
    case MN_CALL:
        return calls(work, 0);
    case MN_PATCH:
        return calls(work, 1);
    case MN_STREAM:
        /* The sum of a, a + b, a + 2b ... modulo 2^32; of n and n - 1 one is even. */
        return (uint32_t)(work->steps * work->a + (uint32_t)((uint64_t)work->steps * (work->steps - 1) / 2) * work->b);
    case MN_TIMER:
        return (uint32_t)(x + MN_TIMER_READS * (work->a + work->b));
    default:
        for (i = 0; i < work->steps; i++)
            x = (uint32_t)(((uint64_t)work->a * x + work->b) % work->lanes[0]);
        return (uint64_t)work->lanes[0] << 32 | x;
    }
}
