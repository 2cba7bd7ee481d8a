/* vectors.c - the published vectors of tests/vectors against the path in use. */
#include "vectors.h" /* written by contrib/arch/header.py */

#include "driver.h"

#include <stdio.h>
#include <string.h>

#define ITEM_MAX 16

static void check_blake3(void)
{
    uint8_t out[BLAKE3_OUTPUT], key[DIGEST];
    const uint8_t *context = (const uint8_t *)BLAKE3_CONTEXT;
    unsigned i;

    check(mn_blake3_context_key(context, sizeof BLAKE3_CONTEXT - 1, key, DIGEST) == MN_OK, "context key", 0, 0);
    for (i = 0; i < BLAKE3_CASES; i++) {
        const size_t len = BLAKE3_LENGTHS[i];
        const uint8_t *data = counting_input(len);

        check(mn_blake3_hash(data, len, out, sizeof out) == MN_OK, "hash", len, 0);
        check_same(out, BLAKE3_HASH[i], sizeof out, "hash vector", len, 0);
        check(mn_blake3_keyed(BLAKE3_KEY, sizeof BLAKE3_KEY, data, len, out, sizeof out) == MN_OK, "keyed", len, 0);
        check_same(out, BLAKE3_KEYED_HASH[i], sizeof out, "keyed vector", len, 0);
        check(mn_blake3_derive(key, DIGEST, data, len, out, sizeof out) == MN_OK, "derive", len, 0);
        check_same(out, BLAKE3_DERIVE_KEY[i], sizeof out, "derive vector", len, 0);
    }
}

static void check_hashing(void)
{
    uint8_t out[DIGEST], key[DIGEST];
    unsigned i;

    for (i = 0; i < HASHING_CASES; i++) {
        const uint8_t *context = (const uint8_t *)HASHING[i].context;
        uint64_t offsets[2];

        offsets[0] = 0;
        offsets[1] = HASHING[i].len;
        check(mn_blake3_context_key(context, strlen(HASHING[i].context), key, DIGEST) == MN_OK, "context key", i, 1);
        check(mn_blake3_derive(key, DIGEST, HASHING[i].data, HASHING[i].len, out, DIGEST) == MN_OK, "derive", i, 1);
        check_same(out, HASHING[i].digest, DIGEST, "vector of hashing.json", i, 0);
        check(mn_blake3_many(MN_MODE_DERIVE, key, DIGEST, HASHING[i].data, HASHING[i].len, offsets, 1, out, DIGEST) == MN_OK,
              "many", i, 1);
        check_same(out, HASHING[i].digest, DIGEST, "vector of hashing.json in a batch", i, 0);
    }
}

void list_keys(uint8_t keys[3 * DIGEST])
{
    static const char *const names[3] = {"metanode/v1/leaf", "metanode/v1/node", "metanode/v1/root"};
    unsigned i;

    for (i = 0; i < 3; i++)
        check(mn_blake3_context_key((const uint8_t *)names[i], strlen(names[i]), keys + DIGEST * i, DIGEST) == MN_OK,
              "context key", i, 2);
}

/* The items of merkle.json are the texts "item 0", "item 1", ...; return their bytes. */
static size_t list_items(uint32_t count, uint8_t *data, uint64_t *offsets)
{
    uint32_t i;

    offsets[0] = 0;
    for (i = 0; i < count; i++)
        offsets[i + 1] = offsets[i] + (uint64_t)sprintf((char *)data + offsets[i], "item %u", (unsigned)i);
    return (size_t)offsets[count];
}

static void check_merkle(void)
{
    static uint8_t data[MERKLE_ITEMS * ITEM_MAX], nodes[MERKLE_ITEMS * 3 * DIGEST], work[MERKLE_ITEMS * DIGEST];
    static uint64_t offsets[MERKLE_ITEMS + 1];
    uint8_t keys[3 * DIGEST], root[DIGEST], path[33 * DIGEST];
    unsigned i, j;

    list_keys(keys);
    for (i = 0; i < MERKLE_LISTS; i++) {
        const uint32_t count = MERKLE[i].count;
        const size_t len = list_items(count, data, offsets), nodes_len = (size_t)mn_blake3_merkle_nodes(count) * DIGEST;

        check(nodes_len <= sizeof nodes, "nodes of a list", count, (unsigned long)nodes_len);
        check(mn_blake3_merkle_root(keys, sizeof keys, data, len, offsets, count, work, sizeof work, root, DIGEST) == MN_OK,
              "list root", count, 0);
        check_same(root, MERKLE[i].root, DIGEST, "list root vector", count, 0);
        check(mn_blake3_merkle_tree(keys, sizeof keys, data, len, offsets, count, nodes, nodes_len) == MN_OK, "tree", count, 0);
        for (j = MERKLE[i].first_path; j < MERKLE[i].first_path + MERKLE[i].paths; j++) {
            const uint64_t index = MERKLE_PATHS[j].index;
            const uint8_t *expected = MERKLE_HASHES + DIGEST * MERKLE_PATHS[j].first_hash;
            const size_t path_len = DIGEST * (size_t)MERKLE_PATHS[j].hashes;
            const uint64_t item_offset[2] = {0, offsets[index + 1] - offsets[index]};
            uint64_t path_offsets[2];
            uint8_t ok = 2;

            check(mn_blake3_merkle_paths(nodes, nodes_len, count, &index, 1, path, path_len, path_offsets) == MN_OK, "path",
                  count, (unsigned long)index);
            check(path_offsets[0] == 0 && path_offsets[1] * DIGEST == path_len, "path length", count, (unsigned long)index);
            check_same(path, expected, path_len, "path vector", count, (unsigned long)index);
            check(mn_blake3_merkle_verify(keys, sizeof keys, MERKLE[i].root, DIGEST, count, data + offsets[index],
                                          (size_t)item_offset[1], item_offset, &index, expected, path_len, path_offsets, 1,
                                          &ok, 1) == MN_OK && ok == 1,
                  "verify of a vector", count, (unsigned long)index);
        }
    }
}

void check_vectors(void)
{
    check_blake3();
    check_hashing();
    check_merkle();
}
