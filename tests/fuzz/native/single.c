/* single.c - hash, keyed, context key, derive, and many messages at once. */
#include "fuzz.h"

#include <string.h>

enum { HASH, KEYED, CONTEXT, DERIVE };

typedef struct {
    unsigned kind;
    const uint8_t *key, *in;
    size_t key_len, len, out_len;
    int no_output;
} single;

static int call_single(const void *arguments, uint8_t *out)
{
    const single *with = arguments;

    if (with->no_output)
        out = NULL;
    switch (with->kind) {
    case HASH: return mn_blake3_hash(with->in, with->len, out, with->out_len);
    case KEYED: return mn_blake3_keyed(with->key, with->key_len, with->in, with->len, out, with->out_len);
    case CONTEXT: return mn_blake3_context_key(with->in, with->len, out, with->out_len);
    default: return mn_blake3_derive(with->key, with->key_len, with->in, with->len, out, with->out_len);
    }
}

/* The same with input and output in one place. */
static int call_in_place(const void *arguments, uint8_t *out)
{
    single with = *(const single *)arguments;

    memcpy(out, with.in, with.len);
    with.in = out;
    return call_single(&with, out);
}

void fuzz_single(feed *from)
{
    static uint8_t before[ARENA_BYTES];
    unsigned shape = feed_byte(from), nulls = feed_byte(from), shift;
    single with;
    int keyed, fits, status;

    with.kind = shape & 3;
    keyed = with.kind == KEYED || with.kind == DERIVE;
    with.key_len = shape & 0x1C ? DIGEST_BYTES : feed_byte(from) % 70;
    with.out_len = with.kind == CONTEXT && shape & 0x60 ? DIGEST_BYTES : feed_length(from, 20000);
    with.len = feed_length(from, LEN_MAX);
    with.no_output = nulls % 16 == 1;
    with.key = nulls % 16 == 2 ? NULL : arena_place(&keys, with.key_len, feed_shift(from));
    with.in = arena_place(&data, with.len, feed_shift(from));
    if (nulls % 16 == 3)
        with.in = NULL;
    fits = (!keyed || (with.key != NULL && with.key_len == DIGEST_BYTES)) && (with.in != NULL || with.len == 0) &&
           (!with.no_output || with.out_len == 0) && (with.kind != CONTEXT || with.out_len == DIGEST_BYTES);
    shift = feed_shift(from);
    status = on_every_path(call_single, &with, with.out_len, shift);
    must((status == MN_OK) == fits, "accepts what it must refuse, or refuses what it must accept");
    if (status != MN_OK || with.in == NULL || with.no_output || with.len + with.out_len > 100000)
        return;
    memcpy(before, answer, with.out_len);
    on_every_path(call_in_place, &with, with.len > with.out_len ? with.len : with.out_len, shift);
    must(memcmp(before, answer, with.out_len) == 0, "another output where it lies on the input");
}

typedef struct {
    uint32_t mode;
    const uint8_t *key, *in;
    size_t key_len, len, count, out_len;
    const uint64_t *offsets;
    int no_output;
} many;

static int call_many(const void *arguments, uint8_t *out)
{
    const many *with = arguments;

    return mn_blake3_many(with->mode, with->key, with->key_len, with->in, with->len, with->offsets, with->count,
                          with->no_output ? NULL : out, with->out_len);
}

static void must_equal_one_by_one(const many *with)
{
    single one;
    uint8_t digest[DIGEST_BYTES];
    size_t i, step = with->count / 64 + 1;

    one.kind = with->mode == MN_MODE_HASH ? HASH : with->mode == MN_MODE_KEYED ? KEYED : DERIVE;
    one.key = with->key;
    one.key_len = with->key_len;
    one.out_len = DIGEST_BYTES;
    one.no_output = 0;
    for (i = 0; i < with->count; i += step) {
        one.in = with->in + (size_t)with->offsets[i];
        one.len = (size_t)(with->offsets[i + 1] - with->offsets[i]);
        must(call_single(&one, digest) == MN_OK && memcmp(digest, answer + DIGEST_BYTES * i, DIGEST_BYTES) == 0,
             "a batch differs from its messages one by one");
    }
}

void fuzz_many(feed *from)
{
    unsigned shape = feed_byte(from), nulls = feed_byte(from);
    many with;
    int fits, status;

    with.mode = shape % 16 == 3 ? feed_number(from, 4) : shape % 3;
    with.count = feed_number(from, shape & 0x30 ? 1 : 2) % 3000;
    with.key_len = shape & 0xC0 ? DIGEST_BYTES : feed_byte(from) % 70;
    with.key = nulls % 16 == 2 ? NULL : arena_place(&keys, with.key_len, feed_shift(from));
    fits = messages_make(from, with.count, LEN_MAX, &with.offsets, &with.len);
    with.in = nulls % 16 == 3 ? NULL : data.at;
    with.no_output = nulls % 16 == 1;
    with.out_len = DIGEST_BYTES * with.count;
    if (nulls % 16 == 4)
        with.out_len = feed_length(from, with.out_len + 64);
    if (nulls % 16 == 5)
        with.count += SIZE_MAX / DIGEST_BYTES + 1; /* 32 * count comes round to the same number */
    if (nulls % 16 == 6)
        with.offsets = NULL;
    fits = fits && with.offsets != NULL && (with.in != NULL || with.len == 0) &&
           (!with.no_output || with.out_len == 0) && with.count <= SIZE_MAX / DIGEST_BYTES &&
           with.out_len == DIGEST_BYTES * with.count && with.mode <= MN_MODE_DERIVE &&
           (with.mode == MN_MODE_HASH || (with.key != NULL && with.key_len == DIGEST_BYTES));
    status = on_every_path(call_many, &with, with.out_len, feed_shift(from));
    must((status == MN_OK) == fits, "accepts what it must refuse, or refuses what it must accept");
    if (status == MN_OK && with.in != NULL)
        must_equal_one_by_one(&with);
    if (nulls % 16 == 7 && with.out_len > 0 && with.len > 0) { /* on its own input: refused before a byte is read */
        with.in = arena_place(&output, with.len, 1);
        must(mn_blake3_many(with.mode, with.key, with.key_len, with.in, with.len, with.offsets, with.count,
                            output.at, with.out_len) != MN_OK, "accepts an output that lies on the input");
    }
}
