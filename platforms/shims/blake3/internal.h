/* internal.h - what the files of this folder share; no part of the interface.
 *
 * A path (one instruction set) offers one kernel: hash, for `lanes` messages of equal block count
 * side by side.  A message alone is always hashed by the portable mn_compress: one message cannot
 * fill vectors, and the four-row form was slower than scalar code where it was measured.
 */
#ifndef METANODE_BLAKE3_INTERNAL_H
#define METANODE_BLAKE3_INTERNAL_H

#include "blake3.h"

#include <string.h>

enum {
    MN_WORDS = 8,
    MN_BLOCK = 64,
    MN_CHUNK = 1024,
    MN_CHUNK_BLOCKS = MN_CHUNK / MN_BLOCK,
    MN_DIGEST = 32,
    MN_LANES_MAX = 32
};

/* Flags of a compression: "BLAKE3: one function, fast everywhere" (2020), section 2.1, table 3. */
enum {
    MN_CHUNK_START = 1,
    MN_CHUNK_END = 2,
    MN_PARENT = 4,
    MN_ROOT = 8,
    MN_KEYED_HASH = 16,
    MN_DERIVE_KEY_CONTEXT = 32,
    MN_DERIVE_KEY_MATERIAL = 64
};

/* Section 2.2, table 1. */
#define MN_IV0 0x6A09E667U
#define MN_IV1 0xBB67AE85U
#define MN_IV2 0x3C6EF372U
#define MN_IV3 0xA54FF53AU
#define MN_IV4 0x510E527FU
#define MN_IV5 0x9B05688CU
#define MN_IV6 0x1F83D9ABU
#define MN_IV7 0x5BE0CD19U

/* Section 2.2, table 2, applied 0 to 6 times: ROUND(r, words...) for each round, each word of the
 * message at the place where that round uses it. */
#define MN_ROUNDS(ROUND)                                              \
    ROUND(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15)       \
    ROUND(2, 6, 3, 10, 7, 0, 4, 13, 1, 11, 12, 5, 9, 14, 15, 8)       \
    ROUND(3, 4, 10, 12, 13, 2, 7, 14, 6, 5, 9, 0, 11, 15, 8, 1)       \
    ROUND(10, 7, 12, 9, 14, 3, 13, 15, 4, 0, 11, 2, 5, 8, 1, 6)       \
    ROUND(12, 13, 9, 11, 15, 10, 14, 8, 7, 2, 5, 3, 0, 1, 6, 4)       \
    ROUND(9, 14, 11, 5, 8, 12, 15, 1, 13, 3, 0, 10, 2, 6, 4, 7)       \
    ROUND(11, 15, 5, 0, 1, 9, 8, 6, 14, 10, 2, 12, 3, 4, 7, 13)

/* A mode with its key: what every compression of a hash starts from. */
typedef struct {
    uint32_t words[MN_WORDS];
    uint32_t flags;
} mn_key;

/* What the messages hashed side by side have in common. */
typedef struct {
    const uint32_t *key;
    size_t blocks;        /* of each message, at least 1 */
    uint32_t flags;       /* on every block */
    uint32_t first, last; /* added on the first and on the last block */
    uint64_t counter;     /* of lane 0 */
    uint32_t step;        /* added to the counter per lane: 1 for the chunks of one input, or 0 */
    const uint8_t *limit; /* bytes before it may be read past a message's end; null: all blocks are whole */
} mn_batch;

/* Where the messages are and where their digests go.  tail is the length of the last block. */
typedef struct {
    const uint8_t *in[MN_LANES_MAX];
    uint8_t *out[MN_LANES_MAX];
    uint32_t tail[MN_LANES_MAX];
} mn_lanes;

typedef struct {
    uint32_t number;
    size_t lanes;
    size_t fewest; /* from this many messages on, `hash` with idle lanes beats one by one */
    /* Every message is read before the first digest is written.  `used` lanes count, at least one; the
     * others, up to `lanes`, repeat one of them. */
    void (*hash)(const mn_batch *batch, const mn_lanes *lanes, size_t used);
} mn_path;

/* The last compression of a subtree, not yet done: as the root it takes another flag. */
typedef struct {
    uint32_t chain[MN_WORDS];
    uint8_t block[MN_BLOCK];
    uint64_t counter;
    uint32_t length;
    uint32_t flags;
} mn_node;

/* portable.c: one block of one message, all 16 words of output, before truncation.  out may be chain. */
void mn_compress(uint32_t out[16], const uint32_t chain[MN_WORDS], const uint8_t block[MN_BLOCK], uint64_t counter,
                 uint32_t length, uint32_t flags);

/* Null where the compiler was not told of the instruction set; portable.c is always there. */
extern const mn_path *const mn_path_portable;
extern const mn_path *const mn_path_sse41;
extern const mn_path *const mn_path_avx2;
extern const mn_path *const mn_path_avx512;
extern const mn_path *const mn_path_neon;
extern const mn_path *const mn_path_altivec;

/* features_*.c: path bits of the instruction sets that the processor has and the system saves. */
uint32_t mn_features_x86(void);
uint32_t mn_features_arm(void);
uint32_t mn_features_ppc(void);
/* features_hwcap.c: AT_HWCAP of the auxiliary vector, on Linux and FreeBSD; 0 where it is not asked. */
unsigned long mn_hwcap(void);

/* dispatch.c: the selected path.  Read once per call. */
const mn_path *mn_path_now(void);

/* tree.c */
void mn_tree(const mn_path *path, mn_node *root, const mn_key *key, const uint8_t *data, size_t len);
void mn_squeeze(const mn_node *root, uint8_t *out, size_t out_len);
void mn_one(const mn_batch *batch, const uint8_t *in, uint32_t tail, uint8_t *out);
/* n messages of whole blocks, one after another; digests likewise.  out may be in, when no digest
 * is longer than its message. */
void mn_row(const mn_path *path, mn_batch *batch, const uint8_t *in, size_t n, uint8_t *out);
/* One level of a binary tree: parents of n nodes; an odd last one moves up.  Returns the new width. */
size_t mn_level(const mn_path *path, mn_batch *batch, const uint8_t *in, size_t n, uint8_t *out);

/* many.c: 64 bytes of ones, then 64 of zeros. */
extern const uint8_t mn_ones_zeros[2 * MN_BLOCK];
/* The checked work of mn_blake3_many. */
int mn_check_offsets(const uint64_t *offsets, size_t count, uint64_t len);
int mn_many(const mn_path *path, const mn_key *key, const uint8_t *data, size_t len, const uint64_t *offsets,
            size_t count, uint8_t *out);

/* merkle.c: what the trees and the proofs share. */
enum { MN_COUNT_BYTES = 8, MN_TOP_BYTES = MN_COUNT_BYTES + MN_DIGEST };

typedef struct {
    mn_key leaf, node, root;
} mn_list_keys;

void mn_list_keys_load(mn_list_keys *keys, const uint8_t bytes[MN_MERKLE_KEYS]);
/* Single blocks under the node key: first and last of their chunk, and root, at once. */
void mn_node_batch(mn_batch *batch, const mn_key *node);
int mn_too_many(uint64_t count);
void mn_put_count(uint8_t to[MN_COUNT_BYTES], uint64_t count);
int mn_check_items(const uint8_t *keys, size_t keys_len, const uint8_t *data, size_t len, const uint64_t *offsets,
                   size_t count);

/* api.c */
void mn_key_load(mn_key *key, const uint8_t bytes[MN_DIGEST], uint32_t flags);
int mn_overlap(const void *a, size_t a_len, const void *b, size_t b_len);
int mn_aligned(const uint64_t *array);

static inline uint32_t mn_load32(const uint8_t *from)
{
    return (uint32_t)from[0] | (uint32_t)from[1] << 8 | (uint32_t)from[2] << 16 | (uint32_t)from[3] << 24;
}

static inline void mn_store32(uint8_t *to, uint32_t word)
{
    to[0] = (uint8_t)word;
    to[1] = (uint8_t)(word >> 8);
    to[2] = (uint8_t)(word >> 16);
    to[3] = (uint8_t)(word >> 24);
}

/* An array entry another thread may be changing: read exactly once, so what is checked is what is used. */
static inline uint64_t mn_read_once(const uint64_t *from)
{
    return *(const volatile uint64_t *)from;
}

/* Where 64 bytes can be read that begin with the `tail` bytes at `in`: there, or in a copy. */
static inline const uint8_t *mn_readable(uint8_t copy[MN_BLOCK], const uint8_t *in, size_t tail, const uint8_t *limit)
{
    if ((size_t)(limit - in) >= MN_BLOCK)
        return in;
    memset(copy, 0, MN_BLOCK);
    memcpy(copy, in, tail);
    return copy;
}

#endif
