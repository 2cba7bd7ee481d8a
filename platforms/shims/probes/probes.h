/* probes.h - timings that tell a processor from a program that imitates one, each keyed by a challenge.
 *
 * Every probe does a small workload whose operands, lengths, sizes or code words are drawn from 32 bytes of
 * challenge, takes the time of each repetition, and returns a 64-bit result.  Anyone recomputes the result with
 * integers alone, in at most 1 ms (mn_probe_recompute), so it shows that this very work was done; the times are
 * what this machine says of itself, evidence and no proof.
 *
 * Portable C99.  No heap, no globals, safe from any thread.  A call takes milliseconds: whoever has a time budget,
 * shows progress or lowers the priority does so between calls.  Memory is mapped and given back within the call.
 */
#ifndef METANODE_PROBES_H
#define METANODE_PROBES_H

#include <stddef.h>
#include <stdint.h>

/* Declarations between the two marks are read by build_native.py: plain C, no directives but
 * #define NAME NUMBER. */
/* cffi: begin */

/* Status codes. */
#define MN_OK 0
#define MN_NULL 1        /* a pointer is null */
#define MN_RANGE 2       /* a length or number is outside its range */
#define MN_UNSUPPORTED 3 /* this processor, or this build, has not what the probe needs */
#define MN_REFUSED 4     /* the system gave no memory, or none that is writable and executable at once */
#define MN_WRONG 5       /* two repetitions gave two results */

#define MN_CHALLENGE 32     /* bytes of a challenge */
#define MN_SAMPLES_MAX 1024 /* most samples of one call */
#define MN_REPEAT_MAX 4096  /* most repetitions within one sample */

/* Probes, from 16 on: smaller numbers are of workloads without a time (fingerprint/keyed.py). */
#define MN_INT_ADD 16    /* dependent chains: each step needs the one before */
#define MN_INT_MUL 17
#define MN_INT_DIV 18    /* and an or, which keeps the divisor from zero */
#define MN_FP_ADD 19     /* binary64 */
#define MN_FP_MUL 20
#define MN_FP_DIV 21
#define MN_SCALAR 22     /* add, rotate, xor of sixteen 32-bit lanes, four streams at a time in plain registers */
#define MN_SIMD 23       /* the same work in vectors of four */
#define MN_CALL 24       /* calls of a function of two instructions' work that was written as code words */
#define MN_PATCH 25      /* the same, its words written anew and flushed before each call */
#define MN_STREAM 26     /* memory read in order */
#define MN_TIMER 27      /* the clock, read between short waits; a sample is one difference */
#define MN_CHASE 32      /* and the next 10: a walk through memory in an order without pattern, sizes doubling */
#define MN_CHASE_LAST 42

/* Whether a probe can run here, as MN_OK or MN_UNSUPPORTED.  MN_RANGE: no such probe. */
int mn_probe_supported(uint32_t probe);

/* Work of one repetition: how many steps it has, and how many bytes of memory it touches (0: none to speak of). */
int mn_probe_size(uint32_t probe, const uint8_t *challenge, size_t challenge_len, uint32_t *steps, uint32_t *bytes);

/* Take `count` samples: ns[i] is the time of `repeat` repetitions, in nanoseconds.  The result is that of one.
 * Outputs are valid only with MN_OK. */
int mn_probe_run(uint32_t probe, const uint8_t *challenge, size_t challenge_len, uint32_t repeat, int64_t *ns,
                 size_t count, uint64_t *result);

/* The result that a probe must give, by portable integer arithmetic. */
int mn_probe_recompute(uint32_t probe, const uint8_t *challenge, size_t challenge_len, uint64_t *result);

/* cffi: end */

#endif
