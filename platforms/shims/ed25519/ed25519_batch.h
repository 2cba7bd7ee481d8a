/* ed25519_batch.h - many Ed25519 signatures in one call, each verified on its own by libsodium.
 *
 * This library holds no cryptography.  It is handed the address of libsodium's own
 * crypto_sign_ed25519_verify_detached, so that the verdicts are libsodium's, and finds that
 * address in a shared object the caller names: PyNaCl's extension exports the function although
 * its table for Python lacks it, and no system libsodium is needed.
 *
 * Portable C99.  No allocation, no globals, no threads: safe from any thread, and a caller that
 * wants two cores splits its batch.
 */
#ifndef METANODE_ED25519_BATCH_H
#define METANODE_ED25519_BATCH_H

#include <stddef.h>
#include <stdint.h>

/* Declarations between the two marks are read by build_native.py: plain C, no directives but
 * #define NAME NUMBER. */
/* cffi: begin */

/* Status codes, as in blake3.h. */
#define MN_OK 0
#define MN_NULL 1   /* a pointer is null although its length is not 0, or there is no verify */
#define MN_RANGE 2  /* a length or offset is outside what it refers to */

/* Return the address of libsodium's verify in the shared object at `path` or in a library it
 * depends on, or 0: no such file, no such function, or a system without dlopen.  The object is
 * taken as it is already loaded, and loaded otherwise; it stays loaded, so the address stays good. */
uintptr_t mn_ed25519_find(const char *path);

/* Verify `count` signatures with the function at address `verify`.  Item i is key keys[32*i..),
 * signature signatures[64*i..) and message messages[offsets[i]..offsets[i+1]); ok[i] becomes 1
 * where the signature holds and 0 where it does not.  keys_len is exactly 32 * count,
 * signatures_len 64 * count, ok_len count; offsets has count + 1 entries that never fall and end
 * within len.  Everything is checked before ok is written.  Should another thread change the
 * offsets meanwhile, nothing is read out of bounds: the answer is MN_RANGE and ok is all 0. */
int mn_ed25519_verify_many(uintptr_t verify, const uint8_t *keys, size_t keys_len, const uint8_t *signatures,
                           size_t signatures_len, const uint8_t *messages, size_t len, const uint64_t *offsets,
                           size_t count, uint8_t *ok, size_t ok_len);

/* cffi: end */

#endif
