/* blake3.h - BLAKE3 for metanode: one input, many messages at once, and list trees.
 *
 * Portable C99 that GCC 4.0 understands.  No allocation and no hidden state but one pointer, the
 * selected path, so every call is safe from any thread.  Every call is one-shot, bounded by the
 * sizes it is given, and uses less than 32 KiB of stack.
 *
 * portable.c is the reference.  A path is a file for one instruction set; every path gives the
 * same bytes and passes tests/vectors/blake3.json.  The portable path runs until another is selected.
 *
 * Pointers may be null only where the matching length is 0.  Arrays of uint64_t are aligned as such.
 * On any status but MN_OK the outputs are left untouched, unless another thread changed an input
 * array between its check and its use: then the status is MN_RANGE and outputs are undefined.
 * Digests, keys and nodes are DIGEST = 32 bytes, packed one after another.
 */
#ifndef METANODE_BLAKE3_H
#define METANODE_BLAKE3_H

#include <stddef.h>
#include <stdint.h>

/* Declarations between the two marks are read by build_native.py: plain C, no directives but
 * #define NAME NUMBER. */
/* cffi: begin */

/* Status codes. */
#define MN_OK 0
#define MN_NULL 1    /* a pointer is null although its length is not 0 */
#define MN_RANGE 2   /* a length, offset, index or array alignment is wrong */
#define MN_OVERLAP 3 /* an output overlaps an input or another output */

/* One input.  Output may overlap the input. */

/* Write out_len bytes (any number) of the unkeyed hash of data[0..len) to out. */
int mn_blake3_hash(const uint8_t *data, size_t len, uint8_t *out, size_t out_len);

/* The same under a key of 32 bytes.  Any other key_len is MN_RANGE. */
int mn_blake3_keyed(const uint8_t *key, size_t key_len, const uint8_t *data, size_t len, uint8_t *out,
                    size_t out_len);

/* Write the 32-byte key of a derive-key context to key_out; out_len must be 32.
 * Compute it once per context and pass it to mn_blake3_derive. */
int mn_blake3_context_key(const uint8_t *context, size_t len, uint8_t *key_out, size_t out_len);

/* Write out_len bytes derived from data[0..len) under a 32-byte context key. */
int mn_blake3_derive(const uint8_t *context_key, size_t key_len, const uint8_t *data, size_t len, uint8_t *out,
                     size_t out_len);

/* Many messages.  Outputs must not overlap inputs. */

/* Modes. */
#define MN_MODE_HASH 0   /* unkeyed; key is ignored */
#define MN_MODE_KEYED 1  /* key is the key */
#define MN_MODE_DERIVE 2 /* key is a context key */

/* Hash `count` messages: message i is data[offsets[i]..offsets[i+1]), its digest goes to
 * out[32*i..32*i+32).  offsets has count + 1 entries that never fall and end within len; out_len
 * must be exactly 32 * count.  Any other mode is MN_RANGE. */
int mn_blake3_many(uint32_t mode, const uint8_t *key, size_t key_len, const uint8_t *data, size_t len,
                   const uint64_t *offsets, size_t count, uint8_t *out, size_t out_len);

/* List trees (docs/wire_format.md, section 8).  `keys` is 96 bytes: the context keys of leaf, node
 * and root.  Items are given like the messages above. */
#define MN_MERKLE_KEYS 96
#define MN_MERKLE_LEAVES_MAX 4294967296 /* 2^32; more is MN_RANGE */
#define MN_MERKLE_PATH_MAX 32           /* hashes in the longest path */

/* Write the 32-byte root of a list of `count` items.  `work` is scratch of at least 32 * count bytes. */
int mn_blake3_merkle_root(const uint8_t *keys, size_t keys_len, const uint8_t *data, size_t len,
                          const uint64_t *offsets, size_t count, uint8_t *work, size_t work_len, uint8_t *root,
                          size_t root_len);

/* Nodes on all levels of a tree of `count` leaves; level k + 1 has half the nodes of level k,
 * rounded up, and repeats an odd last one.  0 where count is 0 or above MN_MERKLE_LEAVES_MAX. */
uint64_t mn_blake3_merkle_nodes(uint64_t count);

/* Write all levels, leaves first, the top last; nodes_len must be exactly 32 * nodes(count). */
int mn_blake3_merkle_tree(const uint8_t *keys, size_t keys_len, const uint8_t *data, size_t len,
                          const uint64_t *offsets, size_t count, uint8_t *nodes, size_t nodes_len);

/* Write the inclusion paths of `n` items of a tree made by mn_blake3_merkle_tree, one after another.
 * The path of indexes[i] is hashes path_offsets[i]..path_offsets[i+1] of `out`; path_offsets has
 * n + 1 entries.  out_len is room: 32 * MN_MERKLE_PATH_MAX * n is always enough, too little is MN_RANGE. */
int mn_blake3_merkle_paths(const uint8_t *nodes, size_t nodes_len, uint64_t count, const uint64_t *indexes, size_t n,
                           uint8_t *out, size_t out_len, uint64_t *path_offsets);

/* Check `n` inclusion proofs against one root of `count` items: ok[i] becomes 1 when item i, given
 * like a message above, stands at indexes[i] by its path, and 0 when it does not.  A path of the
 * wrong length, an index outside the list and a count above the limit give 0; path_offsets that
 * fall or pass the end of paths are MN_RANGE, and so is an ok_len that is not n. */
int mn_blake3_merkle_verify(const uint8_t *keys, size_t keys_len, const uint8_t *root, size_t root_len, uint64_t count,
                            const uint8_t *data, size_t len, const uint64_t *offsets, const uint64_t *indexes,
                            const uint8_t *paths, size_t paths_len, const uint64_t *path_offsets, size_t n,
                            uint8_t *ok, size_t ok_len);

/* Paths, by number; a set of them has bit 1 << number. */
#define MN_PATH_PORTABLE 0
#define MN_PATH_SSE41 1
#define MN_PATH_AVX2 2
#define MN_PATH_AVX512 3
#define MN_PATH_NEON 4
#define MN_PATH_ALTIVEC 5
#define MN_PATHS 6

/* The set compiled in, and the set this processor and operating system can run. */
uint32_t mn_blake3_paths_built(void);
uint32_t mn_blake3_paths_supported(void);

/* Run every later call on this path.  MN_RANGE when it is not built or not supported. */
int mn_blake3_select(uint32_t path);

/* The number of the path in use. */
uint32_t mn_blake3_selected(void);

/* cffi: end */

#endif
