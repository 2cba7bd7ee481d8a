/* proofs.c - inclusion paths of a list tree, and the check of many proofs at once.
 *
 * Proofs of one tree have the same levels, so they climb side by side: on each level the nodes of
 * those that have a sibling are hashed as one row.
 */
#include "internal.h"

enum {
    /* Proofs checked side by side: as many as the widest path has lanes. */
    PROOFS = 32
};

static unsigned path_hashes(uint64_t index, uint64_t width)
{
    unsigned hashes = 0;
    for (; width > 1; index >>= 1, width -= width / 2)
        hashes += (index ^ 1) < width;
    return hashes;
}

int mn_blake3_merkle_paths(const uint8_t *nodes, size_t nodes_len, uint64_t count, const uint64_t *indexes, size_t n,
                           uint8_t *out, size_t out_len, uint64_t *path_offsets)
{
    uint64_t room = out_len / MN_DIGEST, used = 0;
    size_t i;

    if ((nodes == NULL && nodes_len > 0) || (indexes == NULL && n > 0) || (out == NULL && out_len > 0) ||
        path_offsets == NULL)
        return MN_NULL;
    if (count > MN_MERKLE_LEAVES_MAX || nodes_len % MN_DIGEST != 0 ||
        nodes_len / MN_DIGEST != mn_blake3_merkle_nodes(count) || n >= SIZE_MAX / sizeof *indexes ||
        !mn_aligned(indexes) || !mn_aligned(path_offsets))
        return MN_RANGE;
    if (mn_overlap(out, out_len, nodes, nodes_len) || mn_overlap(out, out_len, indexes, n * sizeof *indexes) ||
        mn_overlap(path_offsets, (n + 1) * sizeof *path_offsets, out, out_len) ||
        mn_overlap(path_offsets, (n + 1) * sizeof *path_offsets, nodes, nodes_len) ||
        mn_overlap(path_offsets, (n + 1) * sizeof *path_offsets, indexes, n * sizeof *indexes))
        return MN_OVERLAP;
    for (i = 0; i < n; i++) {
        uint64_t index = mn_read_once(indexes + i);
        if (index >= count)
            return MN_RANGE;
        used += path_hashes(index, count);
        if (used > room)
            return MN_RANGE;
    }
    used = 0;
    for (i = 0; i < n; i++) {
        uint64_t index = mn_read_once(indexes + i), width;
        const uint8_t *level = nodes;
        if (index >= count || path_hashes(index, count) > room - used)
            return MN_RANGE;
        path_offsets[i] = used;
        for (width = count; width > 1; width -= width / 2) {
            if ((index ^ 1) < width)
                memcpy(out + MN_DIGEST * (size_t)used++, level + MN_DIGEST * (size_t)(index ^ 1), MN_DIGEST);
            level += MN_DIGEST * (size_t)width;
            index >>= 1;
        }
    }
    path_offsets[n] = used;
    return MN_OK;
}

/* One proof on its way up. */
typedef struct {
    uint64_t index;
    const uint8_t *next, *end; /* siblings left */
    int failed;
} climb;

/* Climb `n` proofs, at most PROOFS, from their leaves in `values` to the digest that must be the root. */
static int climb_all(const mn_path *path, const mn_list_keys *keys, uint64_t count, climb *proofs, size_t n,
                     uint8_t *values)
{
    uint8_t blocks[PROOFS * MN_BLOCK], joined[PROOFS * MN_DIGEST];
    uint64_t bounds[PROOFS + 1], width;
    mn_batch batch;
    size_t i, k;

    mn_node_batch(&batch, &keys->node);
    for (width = count; width > 1; width -= width / 2) {
        k = 0;
        for (i = 0; i < n; i++) {
            climb *proof = &proofs[i];
            uint8_t *block = blocks + MN_BLOCK * k;
            if ((proof->index ^ 1) >= width)
                continue;
            proof->failed |= proof->next == proof->end;
            if (proof->failed)
                continue;
            memcpy(block + (proof->index % 2 != 0 ? MN_DIGEST : 0), values + MN_DIGEST * i, MN_DIGEST);
            memcpy(block + (proof->index % 2 != 0 ? 0 : MN_DIGEST), proof->next, MN_DIGEST);
            proof->next += MN_DIGEST;
            k++;
        }
        mn_row(path, &batch, blocks, k, joined);
        k = 0;
        for (i = 0; i < n; i++) {
            if ((proofs[i].index ^ 1) < width && !proofs[i].failed)
                memcpy(values + MN_DIGEST * i, joined + MN_DIGEST * k++, MN_DIGEST);
            proofs[i].index >>= 1;
        }
    }
    for (i = 0; i < n; i++) {
        proofs[i].failed |= proofs[i].next != proofs[i].end;
        bounds[i] = MN_TOP_BYTES * i;
        mn_put_count(blocks + MN_TOP_BYTES * i, count);
        memcpy(blocks + MN_TOP_BYTES * i + MN_COUNT_BYTES, values + MN_DIGEST * i, MN_DIGEST);
    }
    bounds[n] = MN_TOP_BYTES * n;
    return mn_many(path, &keys->root, blocks, MN_TOP_BYTES * n, bounds, n, values);
}

int mn_blake3_merkle_verify(const uint8_t *keys, size_t keys_len, const uint8_t *root, size_t root_len, uint64_t count,
                            const uint8_t *data, size_t len, const uint64_t *offsets, const uint64_t *indexes,
                            const uint8_t *paths, size_t paths_len, const uint64_t *path_offsets, size_t n,
                            uint8_t *ok, size_t ok_len)
{
    const mn_path *path = mn_path_now();
    static const uint8_t nothing[1] = {0};
    mn_list_keys three;
    size_t done, take, i;
    int status = mn_check_items(keys, keys_len, data, len, offsets, n);

    if (status != MN_OK)
        return status;
    if (root == NULL || (indexes == NULL && n > 0) || (paths == NULL && paths_len > 0) || path_offsets == NULL ||
        (ok == NULL && ok_len > 0))
        return MN_NULL;
    if (root_len != MN_DIGEST || ok_len != n || !mn_aligned(indexes) || !mn_aligned(path_offsets) ||
        !mn_check_offsets(path_offsets, n, paths_len / MN_DIGEST))
        return MN_RANGE;
    if (mn_overlap(ok, n, keys, keys_len) || mn_overlap(ok, n, root, root_len) || mn_overlap(ok, n, data, len) ||
        mn_overlap(ok, n, offsets, (n + 1) * sizeof *offsets) || mn_overlap(ok, n, indexes, n * sizeof *indexes) ||
        mn_overlap(ok, n, paths, paths_len) || mn_overlap(ok, n, path_offsets, (n + 1) * sizeof *path_offsets))
        return MN_OVERLAP;
    if (paths == NULL)
        paths = nothing;
    mn_list_keys_load(&three, keys);
    for (done = 0; done < n; done += take) {
        climb proofs[PROOFS];
        uint8_t values[PROOFS * MN_DIGEST];
        uint64_t from = mn_read_once(path_offsets + done);
        take = n - done < PROOFS ? n - done : PROOFS;
        for (i = 0; i < take; i++) {
            uint64_t to = mn_read_once(path_offsets + done + i + 1), index = mn_read_once(indexes + done + i);
            if (from > to || to > paths_len / MN_DIGEST)
                return MN_RANGE;
            proofs[i].failed = index >= count || count > MN_MERKLE_LEAVES_MAX;
            proofs[i].index = proofs[i].failed ? 0 : index;
            proofs[i].next = paths + MN_DIGEST * (size_t)from;
            proofs[i].end = paths + MN_DIGEST * (size_t)to;
            from = to;
        }
        status = mn_many(path, &three.leaf, data, len, offsets + done, take, values);
        if (status == MN_OK)
            status = climb_all(path, &three, count, proofs, take, values);
        if (status != MN_OK)
            return status;
        for (i = 0; i < take; i++)
            ok[done + i] = !proofs[i].failed && memcmp(values + MN_DIGEST * i, root, MN_DIGEST) == 0;
    }
    return MN_OK;
}
