/* guarded.h - buffers that end the program when something beside them is read or written.
 *
 * An arena lies between two pages that may not be touched.  A buffer is placed against the page behind
 * it, or so many bytes behind the page before it: vector loads that the compiler does not check fault
 * there, and a build with AddressSanitizer also reports every ordinary access to the rest of the arena.
 */
#ifndef METANODE_GUARDED_H
#define METANODE_GUARDED_H

#include <stddef.h>
#include <stdint.h>

#define ARENA_BYTES (1u << 21)

typedef struct {
    uint8_t *start; /* ARENA_BYTES of pseudo-random content between the two pages */
    uint8_t *at;    /* the buffer placed last */
    size_t len;
} arena;

/* Make an arena whose content follows from `seed`. */
void arena_make(arena *made, uint32_t seed);

/* Place a buffer of len bytes: against the page behind where `shift` is 0, shift - 1 bytes after the
 * page before otherwise.  What it holds is what lies there. */
uint8_t *arena_place(arena *in, size_t len, unsigned shift);

/* The same, filled with a pattern that `output_untouched` knows again. */
uint8_t *arena_output(arena *in, size_t len, unsigned shift);

/* Whether the buffer of arena_output holds the pattern still. */
int arena_untouched(const arena *in);

#endif
