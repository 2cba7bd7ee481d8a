/* lists.c - list trees: the root and all levels. */
#include "lists.h"

#include <string.h>

#define LEAVES_MAX 2500

static int call_root(const void *arguments, uint8_t *out)
{
    const list *with = arguments;
    uint8_t *scratch = arena_place(&work, with->work_len, 0);

    return mn_blake3_merkle_root(with->keys, with->keys_len, with->in, with->len, with->offsets, with->count, scratch,
                                 with->work_len, out, with->root_len);
}

static int call_tree(const void *arguments, uint8_t *out)
{
    const list *with = arguments;

    return mn_blake3_merkle_tree(with->keys, with->keys_len, with->in, with->len, with->offsets, with->count, out,
                                 (size_t)(DIGEST_BYTES * mn_blake3_merkle_nodes(with->count)));
}

static void derive(const uint8_t *key, const uint8_t *in, size_t len, uint8_t *out)
{
    must(mn_blake3_derive(key, DIGEST_BYTES, in, len, out, DIGEST_BYTES) == MN_OK, "derive refuses");
}

/* The root by the words of docs/wire_format.md section 8, node after node. */
static void root_by_hand(const list *with, uint8_t *root)
{
    static uint8_t level[LEAVES_MAX * DIGEST_BYTES];
    uint8_t top[8 + DIGEST_BYTES];
    size_t width = with->count, i;

    for (i = 0; i < width; i++)
        derive(with->keys, with->in + (size_t)with->offsets[i], (size_t)(with->offsets[i + 1] - with->offsets[i]),
               level + DIGEST_BYTES * i);
    while (width > 1) {
        for (i = 0; 2 * i + 1 < width; i++)
            derive(with->keys + DIGEST_BYTES, level + 2 * DIGEST_BYTES * i, 2 * DIGEST_BYTES, level + DIGEST_BYTES * i);
        if (width & 1)
            memmove(level + DIGEST_BYTES * i, level + 2 * DIGEST_BYTES * i, DIGEST_BYTES);
        width -= width / 2;
    }
    for (i = 0; i < 8; i++)
        top[i] = (uint8_t)((uint64_t)with->count >> (56 - 8 * i));
    memcpy(top + 8, level, DIGEST_BYTES);
    derive(with->keys + 2 * DIGEST_BYTES, top, with->count > 0 ? sizeof top : 8, root);
}

void fuzz_lists(feed *from)
{
    unsigned shape = feed_byte(from);
    uint8_t root[DIGEST_BYTES], expected[DIGEST_BYTES];
    list with;
    size_t nodes_len;
    int fits;

    with.count = feed_number(from, shape & 3 ? 1 : 2) % LEAVES_MAX;
    fits = messages_make(from, with.count, LEN_MAX / 2, &with.offsets, &with.len);
    with.keys_len = shape & 0x1C ? MN_MERKLE_KEYS : feed_byte(from);
    with.keys = arena_place(&keys, with.keys_len, feed_shift(from));
    with.in = data.at;
    with.work_len = DIGEST_BYTES * with.count + (shape & 0x20 ? 0 : feed_byte(from));
    with.root_len = DIGEST_BYTES;
    if (shape >= 250)
        with.work_len -= with.work_len > 0;
    if (shape == 249)
        with.root_len = 31;
    fits = fits && with.keys_len == MN_MERKLE_KEYS;
    must((on_every_path(call_root, &with, with.root_len, feed_shift(from)) == MN_OK) ==
             (fits && with.work_len >= DIGEST_BYTES * with.count && with.root_len == DIGEST_BYTES),
         "a root where none may be, or none where one must be");
    memcpy(root, answer, with.root_len);
    nodes_len = (size_t)(DIGEST_BYTES * mn_blake3_merkle_nodes(with.count));
    must((on_every_path(call_tree, &with, nodes_len, feed_shift(from)) == MN_OK) == fits,
         "a tree where none may be, or none where one must be");
    if (!fits || with.root_len != DIGEST_BYTES || with.work_len < DIGEST_BYTES * with.count)
        return;
    if (nodes_len > 0 && with.len > 0 && shape & 0x40) { /* on its own items: refused before a byte is written */
        size_t room = nodes_len > with.len ? nodes_len : with.len;
        uint8_t *one = arena_place(&output, room, 1);
        must(mn_blake3_merkle_tree(with.keys, with.keys_len, one, with.len, with.offsets, with.count,
                                   one + room - nodes_len, nodes_len) == MN_OVERLAP,
             "accepts nodes that lie on the items");
    }
    root_by_hand(&with, expected);
    must(memcmp(root, expected, DIGEST_BYTES) == 0, "another root than node after node");
    if (with.count > 0)
        fuzz_proofs(from, &with, answer, nodes_len, expected);
}
