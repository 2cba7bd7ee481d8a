/* ed25519_batch.c - the loop of ed25519_batch.h, and the search for libsodium's verify. */

#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* RTLD_NOLOAD of glibc */
#endif

#include "ed25519_batch.h"

#include <string.h>

#if defined(__unix__) || defined(__APPLE__)
#define MN_HAVE_DLOPEN 1
#include <dlfcn.h>
#endif

#define KEY_BYTES 32
#define SIGNATURE_BYTES 64

/* crypto_sign_ed25519_verify_detached: 0 where the signature holds. */
typedef int (*verify_fn)(const unsigned char *signature, const unsigned char *message, unsigned long long len,
                         const unsigned char *key);

uintptr_t mn_ed25519_find(const char *path)
{
#ifdef MN_HAVE_DLOPEN
    void *object = NULL;
    void *found;

    if (path == NULL)
        return 0;
#ifdef RTLD_NOLOAD
    object = dlopen(path, RTLD_NOW | RTLD_LOCAL | RTLD_NOLOAD);
#endif
    if (object == NULL)
        object = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (object == NULL)
        return 0;
    found = dlsym(object, "crypto_sign_ed25519_verify_detached");
    if (found == NULL)
        dlclose(object);
    return (uintptr_t)found;
#else
    (void)path;
    return 0;
#endif
}

int mn_ed25519_verify_many(uintptr_t verify, const uint8_t *keys, size_t keys_len, const uint8_t *signatures,
                           size_t signatures_len, const uint8_t *messages, size_t len, const uint64_t *offsets,
                           size_t count, uint8_t *ok, size_t ok_len)
{
    /* Volatile: each offset is loaded once where it is checked, and used as it was then. */
    const volatile uint64_t *offset = offsets;
    verify_fn call = (verify_fn)verify;
    uint64_t start, end;
    size_t i;

    if (verify == 0 || offsets == NULL || (messages == NULL && len > 0))
        return MN_NULL;
    if ((keys == NULL && keys_len > 0) || (signatures == NULL && signatures_len > 0) || (ok == NULL && ok_len > 0))
        return MN_NULL;
    if (ok_len != count || keys_len % KEY_BYTES != 0 || keys_len / KEY_BYTES != count)
        return MN_RANGE;
    if (signatures_len % SIGNATURE_BYTES != 0 || signatures_len / SIGNATURE_BYTES != count)
        return MN_RANGE;
    start = offset[0];
    for (i = 0; i < count; i++) {
        end = offset[i + 1];
        if (end < start)
            return MN_RANGE;
        start = end;
    }
    if (start > (uint64_t)len)
        return MN_RANGE;

    start = offset[0];
    for (i = 0; i < count; i++) {
        end = offset[i + 1];
        if (end < start || end > (uint64_t)len) {
            memset(ok, 0, count);
            return MN_RANGE;
        }
        /* An empty message may come without a buffer, and null plus 0 is undefined. */
        ok[i] = call(signatures + i * SIGNATURE_BYTES, start < end ? messages + (size_t)start : keys,
                     (unsigned long long)(end - start), keys + i * KEY_BYTES) == 0;
        start = end;
    }
    return MN_OK;
}
