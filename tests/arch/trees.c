/* trees.c - list trees of every small size and some large ones: a path against the portable one, and against tampering. */
#include "driver.h"

#include <string.h>

#define EVERY_COUNT_TO 70
#define PROOFS 3
#define LEVELS_MAX 11

static uint64_t offsets[MESSAGES_MAX + 1];
static uint8_t keys[3 * DIGEST];

/* Items of 0 to 100 bytes; return their bytes. */
static size_t items(size_t count)
{
    size_t i;

    offsets[0] = 0;
    for (i = 0; i < count; i++)
        offsets[i + 1] = offsets[i] + (i * 37 + count) % 101;
    return (size_t)offsets[count];
}

/* Prove three items with the path in use; each proof holds, and none does for another item, hash or root. */
static void check_proofs(const uint8_t *nodes, size_t nodes_len, const uint8_t *root, size_t count, const uint8_t *data)
{
    static uint8_t proofs[PROOFS * LEVELS_MAX * DIGEST], texts[PROOFS * 128];
    const uint64_t indexes[PROOFS] = {0, count / 2, count - 1};
    uint64_t starts[PROOFS + 1] = {0}, hashes[PROOFS + 1];
    uint8_t ok[PROOFS], other[DIGEST];
    size_t i, len, proofs_len = 0;

    for (i = 0; i < PROOFS; i++) {
        uint64_t index = indexes[i], width = count;
        const uint64_t from = offsets[indexes[i]], to = offsets[indexes[i] + 1];

        for (; width > 1; index >>= 1, width = (width + 1) >> 1)
            proofs_len += (index ^ 1) < width ? DIGEST : 0;
        memcpy(texts + starts[i], data + from, (size_t)(to - from));
        starts[i + 1] = starts[i] + to - from;
    }
    len = (size_t)starts[PROOFS];
    check(mn_blake3_merkle_paths(nodes, nodes_len, count, indexes, PROOFS, proofs, proofs_len, hashes) == MN_OK, "paths", count, 0);
    check(mn_blake3_merkle_verify(keys, sizeof keys, root, DIGEST, count, texts, len, starts, indexes, proofs, proofs_len, hashes,
                                  PROOFS, ok, PROOFS) == MN_OK && ok[0] == 1 && ok[1] == 1 && ok[2] == 1,
          "proofs hold", count, 0);
    memcpy(other, root, DIGEST);
    other[31] ^= 1;
    check(mn_blake3_merkle_verify(keys, sizeof keys, other, DIGEST, count, texts, len, starts, indexes, proofs, proofs_len, hashes,
                                  PROOFS, ok, PROOFS) == MN_OK && ok[0] == 0 && ok[1] == 0 && ok[2] == 0,
          "no proof for another root", count, 0);
    if (proofs_len) {
        proofs[0] ^= 0x80; /* in the proof of item 0 */
        check(mn_blake3_merkle_verify(keys, sizeof keys, root, DIGEST, count, texts, len, starts, indexes, proofs, proofs_len,
                                      hashes, PROOFS, ok, PROOFS) == MN_OK && ok[0] == 0 && ok[2] == 1,
              "no proof with another hash", count, 0);
    }
}

static void compare_tree(uint32_t path, size_t count)
{
    static uint8_t ours[3 * DIGEST * MESSAGES_MAX], expected[3 * DIGEST * MESSAGES_MAX], work[DIGEST * MESSAGES_MAX];
    const size_t len = items(count), nodes_len = (size_t)mn_blake3_merkle_nodes(count) * DIGEST;
    const uint8_t *data = random_input(len);
    uint8_t root[DIGEST], expected_root[DIGEST];

    check(nodes_len <= sizeof ours, "nodes of a list", (unsigned long)count, (unsigned long)nodes_len);
    use(PORTABLE);
    check(mn_blake3_merkle_tree(keys, sizeof keys, data, len, offsets, count, expected, nodes_len) == MN_OK, "tree", count, 0);
    check(mn_blake3_merkle_root(keys, sizeof keys, data, len, offsets, count, work, DIGEST * count, expected_root, DIGEST) == MN_OK,
          "root", count, 0);
    use(path);
    check(mn_blake3_merkle_tree(keys, sizeof keys, data, len, offsets, count, ours, nodes_len) == MN_OK, "tree", count, 1);
    check(mn_blake3_merkle_root(keys, sizeof keys, data, len, offsets, count, work, DIGEST * count, root, DIGEST) == MN_OK, "root",
          count, 1);
    check_same(ours, expected, nodes_len, "tree against portable", (unsigned long)count, 0);
    check_same(root, expected_root, DIGEST, "root against portable", (unsigned long)count, 0);
    if (count)
        check_proofs(ours, nodes_len, root, count, data);
}

void check_trees(uint32_t path)
{
    static const size_t larger[] = {100, 127, 128, 129, 257, 1000, MESSAGES_MAX};
    size_t i;

    list_keys(keys);
    for (i = 0; i <= EVERY_COUNT_TO; i++)
        compare_tree(path, i);
    for (i = 0; i < sizeof larger / sizeof *larger; i++)
        compare_tree(path, larger[i]);
}
