/* merkle.c - list trees of docs/wire_format.md, section 8: the root, and all levels.
 *
 * A node is derived from left || right, which is exactly one block, so a level is one row of
 * single-block messages, and it may be written over the level below it.
 */
#include "internal.h"

void mn_list_keys_load(mn_list_keys *keys, const uint8_t bytes[MN_MERKLE_KEYS])
{
    mn_key_load(&keys->leaf, bytes, MN_DERIVE_KEY_MATERIAL);
    mn_key_load(&keys->node, bytes + MN_DIGEST, MN_DERIVE_KEY_MATERIAL);
    mn_key_load(&keys->root, bytes + 2 * MN_DIGEST, MN_DERIVE_KEY_MATERIAL);
}

int mn_too_many(uint64_t count)
{
    return count > MN_MERKLE_LEAVES_MAX;
}

void mn_node_batch(mn_batch *batch, const mn_key *node)
{
    batch->key = node->words;
    batch->blocks = 1;
    batch->flags = node->flags;
    batch->first = MN_CHUNK_START;
    batch->last = MN_CHUNK_END | MN_ROOT;
    batch->counter = 0;
    batch->step = 0;
    batch->limit = NULL;
}

void mn_put_count(uint8_t to[MN_COUNT_BYTES], uint64_t count)
{
    int i;
    for (i = MN_COUNT_BYTES - 1; i >= 0; i--, count >>= 8)
        to[i] = (uint8_t)count;
}

int mn_check_items(const uint8_t *keys, size_t keys_len, const uint8_t *data, size_t len, const uint64_t *offsets,
                   size_t count)
{
    if (keys == NULL || offsets == NULL || (data == NULL && len > 0))
        return MN_NULL;
    if (keys_len != MN_MERKLE_KEYS || count > SIZE_MAX / MN_DIGEST || !mn_aligned(offsets) ||
        !mn_check_offsets(offsets, count, len))
        return MN_RANGE;
    return MN_OK;
}

int mn_blake3_merkle_root(const uint8_t *keys, size_t keys_len, const uint8_t *data, size_t len,
                          const uint64_t *offsets, size_t count, uint8_t *work, size_t work_len, uint8_t *root,
                          size_t root_len)
{
    const mn_path *path = mn_path_now();
    mn_list_keys three;
    mn_node last;
    uint8_t top[MN_TOP_BYTES];
    int status = mn_check_items(keys, keys_len, data, len, offsets, count);

    if (status != MN_OK)
        return status;
    if (root == NULL || (work == NULL && work_len > 0))
        return MN_NULL;
    if (root_len != MN_DIGEST || mn_too_many(count) || work_len / MN_DIGEST < count)
        return MN_RANGE;
    if (mn_overlap(work, work_len, data, len) || mn_overlap(work, work_len, root, root_len) ||
        mn_overlap(work, work_len, offsets, (count + 1) * sizeof *offsets))
        return MN_OVERLAP;
    mn_list_keys_load(&three, keys);
    mn_put_count(top, count);
    if (count > 0) {
        mn_batch batch;
        size_t width = count;
        status = mn_many(path, &three.leaf, data, len, offsets, count, work);
        if (status != MN_OK)
            return status;
        mn_node_batch(&batch, &three.node);
        while (width > 1)
            width = mn_level(path, &batch, work, width, work);
        memcpy(top + MN_COUNT_BYTES, work, MN_DIGEST);
    }
    mn_tree(path, &last, &three.root, top, count > 0 ? MN_TOP_BYTES : MN_COUNT_BYTES);
    mn_squeeze(&last, root, MN_DIGEST);
    return MN_OK;
}

uint64_t mn_blake3_merkle_nodes(uint64_t count)
{
    uint64_t nodes = count;

    if (count > MN_MERKLE_LEAVES_MAX)
        return 0;
    while (count > 1) {
        count -= count / 2;
        nodes += count;
    }
    return nodes;
}

int mn_blake3_merkle_tree(const uint8_t *keys, size_t keys_len, const uint8_t *data, size_t len,
                          const uint64_t *offsets, size_t count, uint8_t *nodes, size_t nodes_len)
{
    const mn_path *path = mn_path_now();
    mn_list_keys three;
    mn_batch batch;
    size_t width = count;
    uint8_t *level = nodes;
    int status = mn_check_items(keys, keys_len, data, len, offsets, count);

    if (status != MN_OK)
        return status;
    if (nodes == NULL && nodes_len > 0)
        return MN_NULL;
    if (mn_too_many(count) || nodes_len % MN_DIGEST != 0 ||
        nodes_len / MN_DIGEST != mn_blake3_merkle_nodes(count))
        return MN_RANGE;
    if (mn_overlap(nodes, nodes_len, data, len) ||
        mn_overlap(nodes, nodes_len, offsets, (count + 1) * sizeof *offsets))
        return MN_OVERLAP;
    mn_list_keys_load(&three, keys);
    status = mn_many(path, &three.leaf, data, len, offsets, count, nodes);
    if (status != MN_OK)
        return status;
    mn_node_batch(&batch, &three.node);
    while (width > 1) {
        uint8_t *above = level + MN_DIGEST * width;
        width = mn_level(path, &batch, level, width, above);
        level = above;
    }
    return MN_OK;
}
