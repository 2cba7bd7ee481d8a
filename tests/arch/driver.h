/* driver.h - what the parts of the cross-architecture driver share.
 *
 * The driver proves, on the machine or emulated processor where it runs, that every built path of
 * platforms/shims/blake3 is refused where the processor lacks it and right where it has it: it gives
 * the published vectors and the same bytes as the portable path.  C99, nothing newer than GCC 4.0.
 */
#ifndef METANODE_ARCH_DRIVER_H
#define METANODE_ARCH_DRIVER_H

#include "blake3.h"

#define PATHS MN_PATHS
#define PORTABLE MN_PATH_PORTABLE
#define DIGEST 32
/* Longest input, and most messages of one call. */
#define INPUT_MAX 80000
#define MESSAGES_MAX 1200

/* Names of the paths, by bit number. */
extern const char *const path_names[PATHS];
/* Comparisons of bytes that were right so far. */
extern unsigned long cases;

/* When something is wrong, say what and end the program with code 1. */
void check(int right, const char *what, unsigned long first, unsigned long second);
/* The same for bytes, and count it. */
void check_same(const uint8_t *ours, const uint8_t *expected, size_t len, const char *what, unsigned long first,
                unsigned long second);

/* Make a path the selected one. */
void use(uint32_t path);

/* Return `len` bytes of input i = i mod 251, or of a fixed pseudo-random sequence, which end exactly before memory that
 * may not be touched: one byte read too far is a segmentation fault. */
const uint8_t *counting_input(size_t len);
const uint8_t *random_input(size_t len);

/* Write the context keys of leaves, nodes and roots. */
void list_keys(uint8_t keys[3 * DIGEST]);

/* The tables of vectors.h against the path in use. */
void check_vectors(void);
/* Every length and lane boundary of the path against the portable one. */
void check_inputs(uint32_t path);
void check_batches(uint32_t path);
void check_trees(uint32_t path);
/* What must be refused, with nothing written. */
void check_refusals(void);

#endif
