/* work.c - the workload that a challenge asks for: the same draws on every machine. */
#include "kernels.h"

#define ODD UINT64_C(0x9E3779B97F4A7C15) /* 2^64 over the golden ratio */

enum {
    WORDS = 4,
    WORD_BYTES = 8,
    UNROLLED = 16,
    SMALL_ODD = 8,       /* lines of the smallest walk, in units of 8, before 0 to 3 are added */
    CODE_MASK = 0x7FFF,
    STREAM_BYTES = 4 << 20,
    STREAM_UNIT = 64 << 10
};

/* The output function of splitmix64 (Steele, Lea, Flood, 2014). */
static uint64_t mixed(uint64_t z)
{
    z = (z ^ z >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ z >> 27) * UINT64_C(0x94D049BB133111EB);
    return z ^ z >> 31;
}

uint64_t mn_next(uint64_t *state)
{
    *state += ODD;
    return mixed(*state);
}

static uint64_t seed(uint32_t probe, const uint8_t *challenge)
{
    uint64_t state = probe, word;
    int i, j;

    for (i = 0; i < WORDS; i++) {
        word = 0;
        for (j = 0; j < WORD_BYTES; j++)
            word = word << 8 | challenge[i * WORD_BYTES + j];
        state ^= word;
        state = mn_next(&state);
    }
    return state;
}

uint64_t mn_fold(uint32_t probe, uint64_t raw)
{
    uint64_t state = raw ^ (uint64_t)probe << 56;
    return mn_next(&state);
}

uint64_t mn_fold_lanes(const uint32_t lanes[MN_LANES])
{
    uint64_t state = 0;
    int i;

    for (i = 0; i < MN_LANES; i++) {
        state ^= lanes[i];
        state = mn_next(&state);
    }
    return state;
}

/* 16 * (base + what the mask leaves of a draw). */
static uint32_t steps_of(uint64_t *state, uint32_t base, uint32_t mask)
{
    return UNROLLED * (base + ((uint32_t)mn_next(state) & mask));
}

/* A walk over n = q * 2^k lines, x -> (a * x + b) mod n: all lines in one round (Hull, Dobell, 1962), because b has
 * no factor with n, and a - 1 has all prime factors of n and the factor 4. */
static void draw_walk(mn_work *work, uint64_t *state, uint32_t index)
{
    const uint32_t q = SMALL_ODD + ((uint32_t)mn_next(state) & 3), n = q << (3 + index);
    uint32_t odd = q;

    while (odd % 2 == 0)
        odd /= 2;
    work->lanes[0] = n;
    work->steps = MN_CHASE_STEPS;
    work->a = 1 + 4 * odd * ((uint32_t)(mn_next(state) % (n / (4 * odd) - 1)) | 1);
    work->b = 1 + 2 * odd * (uint32_t)(mn_next(state) % (n / (2 * odd)));
    work->start = (uint32_t)(mn_next(state) % n);
}

void mn_work_draw(mn_work *work, uint32_t probe, const uint8_t *challenge)
{
    /* The vectors do the same work as the plain registers. */
    uint64_t state = seed(probe == MN_SIMD ? MN_SCALAR : probe, challenge);
    int i;

    work->start = work->a = work->b = 0;
    work->wide_start = work->wide_a = work->wide_b = 0;
    switch (probe) {
    case MN_INT_ADD:
        work->steps = steps_of(&state, 1024, 255);
        break;
    case MN_INT_MUL:
    case MN_FP_ADD:
    case MN_FP_MUL:
        work->steps = steps_of(&state, 256, 63);
        break;
    case MN_SCALAR:
    case MN_SIMD:
        work->steps = steps_of(&state, 32, 7);
        for (i = 0; i < MN_LANES; i++)
            work->lanes[i] = (uint32_t)mn_next(&state);
        break;
    case MN_PATCH:
        work->steps = steps_of(&state, 3, 1);
        break;
    case MN_TIMER:
        work->steps = 1;
        break;
    case MN_STREAM:
        work->steps = (STREAM_BYTES + ((uint32_t)mn_next(&state) & 7) * STREAM_UNIT) / 4;
        break;
    default:
        if (probe >= MN_CHASE) {
            draw_walk(work, &state, probe - MN_CHASE);
            return;
        }
        work->steps = steps_of(&state, 64, 15); /* divisions, calls */
    }
    work->wide_start = mn_next(&state);
    work->wide_a = mn_next(&state);
    work->wide_b = mn_next(&state);
    work->start = (uint32_t)work->wide_start | 1;
    work->a = (uint32_t)work->wide_a | 1;
    work->b = (uint32_t)work->wide_b | 1;
    if (probe == MN_INT_DIV) {
        work->a |= UINT32_C(1) << 31;
        work->b |= UINT32_C(1) << 31;
        work->start |= UINT32_C(1) << 15;
    } else if (probe == MN_CALL) {
        work->a &= CODE_MASK;
        work->b &= CODE_MASK;
    }
}

uint32_t mn_work_bytes(const mn_work *work, uint32_t probe)
{
    if (probe == MN_STREAM)
        return work->steps * 4;
    return probe >= MN_CHASE ? work->lanes[0] * MN_LINE : 0;
}
