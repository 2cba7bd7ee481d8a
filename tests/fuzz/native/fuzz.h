/* fuzz.h - an input of the fuzzer as a sequence of calls, each made on every path of this machine.
 *
 * target.c reads inputs and compares paths; single.c, lists.c and signatures.c know the calls.
 */
#ifndef METANODE_FUZZ_H
#define METANODE_FUZZ_H

#include "blake3.h"
#include "guarded.h"

#define DIGEST_BYTES 32
#define LEN_MAX 1000000u /* longest message or batch */

/* Bytes of an input, each used once; after the last one comes 0 for ever. */
typedef struct {
    const uint8_t *at;
    size_t left;
    uint32_t chance; /* state of feed_chance */
} feed;

unsigned feed_byte(feed *from);
uint32_t feed_number(feed *from, unsigned bytes);
/* A number that costs no input: it follows from the byte that seeded it. */
uint32_t feed_chance(feed *from);
/* A length up to max, often one at the border of a block, a chunk or a group of lanes. */
size_t feed_length(feed *from, size_t max);
/* Where a buffer begins: see arena_place. */
unsigned feed_shift(feed *from);

/* Buffers of a call.  `answer` holds what the portable path wrote. */
extern arena keys, data, array, array2, work, output, output2;
extern uint8_t answer[ARENA_BYTES];

/* Offsets of `count` messages, in `array`, over a buffer of *len bytes, placed in `data`.  Returns whether they are
 * valid: what comes next in the input may break one. */
int messages_make(feed *from, size_t count, size_t len_max, const uint64_t **offsets, size_t *len);

/* Make a call on the portable path, then on every other one: the statuses and the outputs are the same, and
 * a refused call writes nothing.  Its output comes with `out`.  Returns the status, the output in `answer`. */
typedef int (*call_fn)(const void *arguments, uint8_t *out);
int on_every_path(call_fn call, const void *arguments, size_t out_len, unsigned shift);

/* End the program, as the sanitizers do, unless what must hold does. */
void must(int holds, const char *what);

void fuzz_single(feed *from);
void fuzz_many(feed *from);
void fuzz_lists(feed *from);
void fuzz_signatures(feed *from);

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size);

#endif
