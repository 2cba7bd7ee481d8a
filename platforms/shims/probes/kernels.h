/* kernels.h - what the files of this folder share; no part of the interface. */
#ifndef METANODE_PROBES_KERNELS_H
#define METANODE_PROBES_KERNELS_H

#include "probes.h"

enum {
    MN_LANES = 16,
    MN_LINE = 64,         /* bytes between two places of a walk */
    MN_CHASE_STEPS = 2048,
    MN_TIMER_READS = 512
};

/* A workload, drawn from a challenge.  Which fields are used depends on the probe; docs/fingerprint.md says how. */
typedef struct {
    uint32_t steps;
    uint32_t start, a, b;
    uint64_t wide_start, wide_a, wide_b;
    uint32_t lanes[MN_LANES];
} mn_work;

/* work.c */
void mn_work_draw(mn_work *work, uint32_t probe, const uint8_t *challenge);
uint32_t mn_work_bytes(const mn_work *work, uint32_t probe);
uint64_t mn_fold(uint32_t probe, uint64_t raw);
uint64_t mn_fold_lanes(const uint32_t lanes[MN_LANES]);
/* The next pair of constants of patched code, from a state that starts as wide_start. */
uint64_t mn_next(uint64_t *state);

/* recompute.c: the raw result, by integers alone. */
uint64_t mn_recompute(uint32_t probe, const mn_work *work);

/* A kernel does one repetition and returns its raw result. */
typedef uint64_t (*mn_kernel)(const mn_work *work);

/* chains.c; the floating-point ones are null where the build has no floating-point unit. */
uint64_t mn_int_add(const mn_work *work);
uint64_t mn_int_mul(const mn_work *work);
uint64_t mn_int_div(const mn_work *work);
uint64_t mn_scalar(const mn_work *work);
extern const mn_kernel mn_fp_add, mn_fp_mul, mn_fp_div;

/* sse2.c, neon.c, altivec.c: null where the compiler was not told of the instruction set. */
extern const mn_kernel mn_simd_sse2, mn_simd_neon, mn_simd_altivec;
/* features.c: the one that this processor runs; null: none. */
mn_kernel mn_simd(void);

/* code_*.c: code of this processor for x -> (x + b) xor a, both constants of 15 bits. */
int mn_code_known(void);
size_t mn_code_write(uint8_t *at, uint32_t a, uint32_t b);
void mn_code_flush(uint8_t *at, size_t size);
uint32_t mn_code_call(uint8_t *at, uint32_t x);

/* pages.c: memory of its own, whole pages; null when refused. */
uint8_t *mn_pages(size_t size, int executable);
void mn_pages_back(uint8_t *pages, size_t size);

/* clock.c: the finest clock that never steps, in nanoseconds. */
int64_t mn_clock(void);

/* memory.c, patch.c */
int mn_run_chase(const mn_work *work, uint32_t repeat, int64_t *ns, size_t count, uint64_t *raw);
int mn_run_stream(const mn_work *work, uint32_t repeat, int64_t *ns, size_t count, uint64_t *raw);
int mn_run_code(const mn_work *work, int patch, uint32_t repeat, int64_t *ns, size_t count, uint64_t *raw);

/* The value, from here on unknown to the compiler and in a register: each step stays one instruction. */
#if defined(__GNUC__)
#define MN_KEEP(x) __asm__("" : "+r"(x))
#else
#define MN_KEEP(x) ((void)0)
#endif

#define MN_EIGHT(step) step step step step step step step step

static inline uint32_t mn_rotate16(uint32_t x)
{
    return x << 16 | x >> 16;
}

#endif
