/* blake3.h - BLAKE3 for metanode: hash, keyed hash, key derivation, and derivation in batches.
 *
 * Portable C99.  No allocation, no globals, no hidden state: safe from any thread.  Words are
 * loaded and stored byte by byte, so byte order and alignment do not matter.  Every call is
 * one-shot, bounded by the sizes it is given, and uses less than 4 KiB of stack.
 *
 * blake3_portable.c is the reference of this interface; a faster file for one instruction set
 * must give the same bytes and pass tests/vectors/blake3.json.
 *
 * Pointers may be null only where the matching length is 0.  Output never overlaps input.
 * On any status but MN_OK the output is left untouched.
 */
#ifndef METANODE_BLAKE3_H
#define METANODE_BLAKE3_H

#include <stddef.h>
#include <stdint.h>

/* Declarations between the two marks are read by build_blake3.py: plain C, no directives but
 * #define NAME NUMBER. */
/* cffi: begin */

/* Status codes. */
#define MN_OK 0
#define MN_NULL 1   /* a pointer is null although its length is not 0 */
#define MN_RANGE 2  /* a length or offset is outside what it refers to */

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

/* Derive 32 bytes from each of `count` messages: message i is data[offsets[i]..offsets[i+1]), its
 * digest goes to out[32*i..32*i+32).  offsets has count + 1 entries that never fall and end within
 * len; out_len must be exactly 32 * count.  Offsets are checked before anything is written. */
int mn_blake3_derive_many(const uint8_t *context_key, size_t key_len, const uint8_t *data, size_t len,
                          const uint64_t *offsets, size_t count, uint8_t *out, size_t out_len);

/* cffi: end */

#endif
