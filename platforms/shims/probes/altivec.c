/* altivec.c - the vector workload for PowerPC; compiled with -maltivec, called only where the processor has it. */
#include "kernels.h"

#include <string.h>

#if defined(__ALTIVEC__)
#include <altivec.h>

typedef __vector unsigned int lanes4;

/* Arrays are copied through a union: vec_ld drops the low bits of an address. */
typedef union {
    lanes4 whole;
    uint32_t lanes[4];
} both;

static lanes4 load(const uint32_t *from)
{
    both copy;
    memcpy(copy.lanes, from, sizeof copy.lanes);
    return copy.whole;
}

static void store(uint32_t *to, lanes4 four)
{
    both copy;
    copy.whole = four;
    memcpy(to, copy.lanes, sizeof copy.lanes);
}

static lanes4 same(uint32_t word)
{
    uint32_t four[4];
    four[0] = four[1] = four[2] = four[3] = word;
    return load(four);
}

/* A rotation of 32 bits by 16 as a permutation of bytes: one instruction for a processor, a loop for a program that
 * imitates one. */
#define LANES(x)                  \
    x = vec_add(x, a);            \
    x = vec_xor(vec_perm(x, x, order), b);

static uint64_t simd(const mn_work *work)
{
    static const uint8_t swapped[16] = {2, 3, 0, 1, 6, 7, 4, 5, 10, 11, 8, 9, 14, 15, 12, 13};
    const lanes4 a = same(work->a), b = same(work->b);
    lanes4 w = load(work->lanes), x = load(work->lanes + 4), y = load(work->lanes + 8), z = load(work->lanes + 12);
    __vector unsigned char order;
    uint32_t out[MN_LANES], left;

    memcpy(&order, swapped, sizeof order);
    for (left = work->steps; left != 0; left -= 8) {
        MN_EIGHT(LANES(w) LANES(x) LANES(y) LANES(z))
    }
    store(out, w);
    store(out + 4, x);
    store(out + 8, y);
    store(out + 12, z);
    return mn_fold_lanes(out);
}

const mn_kernel mn_simd_altivec = simd;

#else

const mn_kernel mn_simd_altivec = NULL;

#endif
