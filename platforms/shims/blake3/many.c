/* many.c - messages of different lengths side by side.
 *
 * Lanes are filled with messages of equal block count, so the flags are the same across a group and
 * only the length of the last block differs.  One short queue per block count is hashed when it is
 * full; nothing is sorted.  A message above one chunk takes the tree.
 */
#include "internal.h"

#if defined(__GNUC__)
#define PREFETCH_READ(address) __builtin_prefetch((const void *)(address), 0)
#define PREFETCH_WRITE(address) __builtin_prefetch((const void *)(address), 1)
#else
#define PREFETCH_READ(address) ((void)(address))
#define PREFETCH_WRITE(address) ((void)(address))
#endif

enum {
    CACHE_LINE = 64,
    /* How far ahead of the message being queued memory is asked for.  Sorting into queues defeats
     * the processor's own prefetching, so this is worth a third of the speed. */
    AHEAD = 2048
};

#define ONES8 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF

const uint8_t mn_ones_zeros[2 * MN_BLOCK] = {ONES8, ONES8, ONES8, ONES8, ONES8, ONES8, ONES8, ONES8};

int mn_check_offsets(const uint64_t *offsets, size_t count, uint64_t len)
{
    size_t i;
    for (i = 0; i < count; i++)
        if (offsets[i] > offsets[i + 1])
            return 0;
    return offsets[count] <= len;
}

/* Hash what waits in one queue; idle lanes repeat its first message into a place that is not read. */
static void drain(const mn_path *path, const mn_batch *batch, mn_lanes *queue, size_t waiting)
{
    uint8_t unused[MN_DIGEST];
    size_t i;

    if (waiting < path->fewest) {
        for (i = 0; i < waiting; i++)
            mn_one(batch, queue->in[i], queue->tail[i], queue->out[i]);
        return;
    }
    for (i = waiting; i < path->lanes; i++) {
        queue->in[i] = queue->in[0];
        queue->tail[i] = queue->tail[0];
        queue->out[i] = unused;
    }
    path->hash(batch, queue, waiting);
}

int mn_many(const mn_path *path, const mn_key *key, const uint8_t *data, size_t len, const uint64_t *offsets,
            size_t count, uint8_t *out)
{
    mn_lanes queues[MN_CHUNK_BLOCKS];
    size_t waiting[MN_CHUNK_BLOCKS] = {0};
    mn_batch batch = {NULL, 0, 0, MN_CHUNK_START, MN_CHUNK_END | MN_ROOT, 0, 0, NULL};
    static const uint8_t nothing[1] = {0};
    uint64_t begin = mn_read_once(offsets);
    size_t i;

    if (data == NULL)
        data = nothing;
    batch.key = key->words;
    batch.flags = key->flags;
    batch.limit = data + len;
    for (i = 0; i < count; i++, out += MN_DIGEST) {
        uint64_t end = mn_read_once(offsets + i + 1);
        const uint8_t *in;
        size_t size, full;
        if (begin > end || end > len)
            return MN_RANGE;
        in = data + (size_t)begin;
        size = (size_t)(end - begin);
        begin = end;
        if (size > MN_CHUNK) {
            mn_node root;
            mn_tree(path, &root, key, in, size);
            mn_squeeze(&root, out, MN_DIGEST);
            continue;
        }
        /* Blocks before the last one. */
        full = size > 0 ? (size - 1) / MN_BLOCK : 0;
        batch.blocks = full + 1;
        if (path->lanes == 1) {
            mn_one(&batch, in, (uint32_t)(size - MN_BLOCK * full), out);
        } else {
            mn_lanes *queue = &queues[full];
            size_t place = waiting[full]++, line;
            for (line = 0; line < size; line += CACHE_LINE)
                PREFETCH_READ((uintptr_t)in + AHEAD + line);
            PREFETCH_WRITE((uintptr_t)out);
            queue->in[place] = in;
            queue->out[place] = out;
            queue->tail[place] = (uint32_t)(size - MN_BLOCK * full);
            if (waiting[full] == path->lanes) {
                path->hash(&batch, queue, path->lanes);
                waiting[full] = 0;
            }
        }
    }
    for (i = 0; i < MN_CHUNK_BLOCKS; i++)
        if (waiting[i] > 0) {
            batch.blocks = i + 1;
            drain(path, &batch, &queues[i], waiting[i]);
        }
    return MN_OK;
}
