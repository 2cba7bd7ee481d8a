/* api.c - the entry points for one input, and the checks that all entry points share. */
#include "internal.h"

static const mn_key UNKEYED = {{MN_IV0, MN_IV1, MN_IV2, MN_IV3, MN_IV4, MN_IV5, MN_IV6, MN_IV7}, 0};

void mn_key_load(mn_key *key, const uint8_t bytes[MN_DIGEST], uint32_t flags)
{
    int i;
    for (i = 0; i < MN_WORDS; i++)
        key->words[i] = mn_load32(bytes + 4 * i);
    key->flags = flags;
}

int mn_overlap(const void *a, size_t a_len, const void *b, size_t b_len)
{
    uintptr_t x = (uintptr_t)a, y = (uintptr_t)b;
    if (a_len == 0 || b_len == 0)
        return 0;
    return x <= y ? y - x < a_len : x - y < b_len;
}

int mn_aligned(const uint64_t *array)
{
    struct probe {
        char before;
        uint64_t word;
    };
    return (uintptr_t)array % offsetof(struct probe, word) == 0;
}

/* All of the input is read before the first byte of output, so the two may overlap. */
static int run(const mn_key *key, const uint8_t *data, size_t len, uint8_t *out, size_t out_len)
{
    const mn_path *path = mn_path_now();
    mn_node root;

    if ((data == NULL && len > 0) || (out == NULL && out_len > 0))
        return MN_NULL;
    mn_tree(path, &root, key, data, len);
    mn_squeeze(&root, out, out_len);
    return MN_OK;
}

static int run_with_key(const uint8_t *bytes, size_t key_len, uint32_t flags, const uint8_t *data, size_t len,
                        uint8_t *out, size_t out_len)
{
    mn_key key;

    if (bytes == NULL)
        return MN_NULL;
    if (key_len != MN_DIGEST)
        return MN_RANGE;
    mn_key_load(&key, bytes, flags);
    return run(&key, data, len, out, out_len);
}

int mn_blake3_hash(const uint8_t *data, size_t len, uint8_t *out, size_t out_len)
{
    return run(&UNKEYED, data, len, out, out_len);
}

int mn_blake3_keyed(const uint8_t *key, size_t key_len, const uint8_t *data, size_t len, uint8_t *out, size_t out_len)
{
    return run_with_key(key, key_len, MN_KEYED_HASH, data, len, out, out_len);
}

int mn_blake3_context_key(const uint8_t *context, size_t len, uint8_t *key_out, size_t out_len)
{
    mn_key key = UNKEYED;

    if (out_len != MN_DIGEST)
        return MN_RANGE;
    key.flags = MN_DERIVE_KEY_CONTEXT;
    return run(&key, context, len, key_out, out_len);
}

int mn_blake3_derive(const uint8_t *context_key, size_t key_len, const uint8_t *data, size_t len, uint8_t *out,
                     size_t out_len)
{
    return run_with_key(context_key, key_len, MN_DERIVE_KEY_MATERIAL, data, len, out, out_len);
}

int mn_blake3_many(uint32_t mode, const uint8_t *key, size_t key_len, const uint8_t *data, size_t len,
                   const uint64_t *offsets, size_t count, uint8_t *out, size_t out_len)
{
    mn_key words = UNKEYED;

    if (offsets == NULL || (data == NULL && len > 0) || (out == NULL && out_len > 0))
        return MN_NULL;
    if (mode != MN_MODE_HASH) {
        if (key == NULL)
            return MN_NULL;
        if (mode > MN_MODE_DERIVE || key_len != MN_DIGEST)
            return MN_RANGE;
        mn_key_load(&words, key, mode == MN_MODE_KEYED ? MN_KEYED_HASH : MN_DERIVE_KEY_MATERIAL);
    }
    if (count > SIZE_MAX / MN_DIGEST || out_len != count * MN_DIGEST || !mn_aligned(offsets) ||
        !mn_check_offsets(offsets, count, len))
        return MN_RANGE;
    /* count + 1 offsets exist, so their size cannot overflow. */
    if (mn_overlap(out, out_len, data, len) || mn_overlap(out, out_len, offsets, (count + 1) * sizeof *offsets))
        return MN_OVERLAP;
    return mn_many(mn_path_now(), &words, data, len, offsets, count, out);
}
