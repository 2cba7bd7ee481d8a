/* signatures.c - the batch of Ed25519 signatures, around a verify that looks at every byte it is given. */
#include "ed25519_batch.h"
#include "fuzz.h"

#define KEY_BYTES 32
#define SIGNATURE_BYTES 64

static unsigned sum(const uint8_t *bytes, uint64_t len)
{
    unsigned total = 0;

    while (len-- > 0)
        total += bytes[len];
    return total;
}

/* The verdict depends on all that is passed. */
static int verify(const unsigned char *signature, const unsigned char *message, unsigned long long len,
                  const unsigned char *key)
{
    return (sum(signature, SIGNATURE_BYTES) + sum(message, len) + sum(key, KEY_BYTES) + (unsigned)len) % 3 ? -1 : 0;
}

void fuzz_signatures(feed *from)
{
    unsigned wrong = feed_byte(from);
    size_t count = feed_number(from, 2) % 1000, keys_len = KEY_BYTES * count, signatures_len = SIGNATURE_BYTES * count;
    size_t ok_len = count, len, i;
    const uint64_t *offsets;
    const uint8_t *key, *signature, *message;
    uint8_t *ok;
    uintptr_t address = (uintptr_t)verify;
    int fits = messages_make(from, count, LEN_MAX / 4, &offsets, &len), status;

    switch (wrong) {
    case 1: keys_len = feed_length(from, 40000); break;
    case 2: signatures_len = feed_length(from, 70000); break;
    case 3: ok_len = feed_length(from, 2000); break;
    case 4: address = 0; break;
    case 5: offsets = NULL; break;
    case 6: count += SIZE_MAX / KEY_BYTES + 1; break;
    default: break;
    }
    fits = fits && keys_len / KEY_BYTES == count && keys_len % KEY_BYTES == 0 && address != 0 && offsets != NULL &&
           signatures_len / SIGNATURE_BYTES == count && signatures_len % SIGNATURE_BYTES == 0 && ok_len == count;
    key = arena_place(&keys, keys_len, feed_shift(from));
    signature = arena_place(&work, signatures_len, feed_shift(from));
    message = data.at;
    if (wrong == 7 && len > 0) {
        message = NULL;
        fits = 0;
    }
    ok = arena_output(&output, ok_len, feed_shift(from));
    status = mn_ed25519_verify_many(address, key, keys_len, signature, signatures_len, message, len, offsets, count, ok,
                                    ok_len);
    must((status == MN_OK) == fits, "signatures are accepted that must be refused, or the other way round");
    must(fits || arena_untouched(&output), "a refused batch of signatures wrote verdicts");
    for (i = 0; fits && i < count; i++)
        must(ok[i] == (verify(signature + SIGNATURE_BYTES * i, message + (size_t)offsets[i], offsets[i + 1] - offsets[i],
                              key + KEY_BYTES * i) == 0), "another verdict than one by one");
}
