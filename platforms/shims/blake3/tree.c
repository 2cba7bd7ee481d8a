/* tree.c - one input of any length: its chunks and the tree over them, lanes filled where they can be.
 *
 * Section numbers are those of "BLAKE3: one function, fast everywhere" (2020).
 */
#include "internal.h"

enum {
    /* Chunks hashed before their subtree is closed: a power of two, so that every run but the last
     * is one whole subtree, and many times the widest path, so that lanes stay full near its top. */
    RUN = 128,
    RUN_BITS = 7,
    /* Runs waiting for a right neighbour: one per bit of the count of runs in 2^64 bytes. */
    STACK = 64 - 10 - RUN_BITS
};

static void store_words(uint8_t to[MN_DIGEST], const uint32_t words[MN_WORDS])
{
    int i;
    for (i = 0; i < MN_WORDS; i++)
        mn_store32(to + 4 * i, words[i]);
}

void mn_one(const mn_batch *batch, const uint8_t *in, uint32_t tail, uint8_t *out)
{
    uint32_t words[16];
    uint32_t flags = batch->flags | batch->first;
    size_t left = batch->blocks;

    memcpy(words, batch->key, MN_DIGEST);
    for (; left > 1; left--) {
        mn_compress(words, words, in, batch->counter, MN_BLOCK, flags);
        flags = batch->flags;
        in += MN_BLOCK;
    }
    flags |= batch->last;
    if (tail == MN_BLOCK) {
        mn_compress(words, words, in, batch->counter, MN_BLOCK, flags);
    } else {
        uint8_t block[MN_BLOCK] = {0};
        if (tail > 0)
            memcpy(block, in, tail);
        mn_compress(words, words, block, batch->counter, tail, flags);
    }
    store_words(out, words);
}

void mn_row(const mn_path *path, mn_batch *batch, const uint8_t *in, size_t n, uint8_t *out)
{
    size_t stride = batch->blocks * MN_BLOCK;
    uint8_t unused[MN_DIGEST];
    mn_lanes lanes;
    size_t i;

    for (i = 0; i < MN_LANES_MAX; i++)
        lanes.tail[i] = MN_BLOCK;
    while (n >= path->fewest) {
        size_t take = n < path->lanes ? n : path->lanes;
        for (i = 0; i < take; i++) {
            lanes.in[i] = in + stride * i;
            lanes.out[i] = out + MN_DIGEST * i;
        }
        for (; i < path->lanes; i++) {
            lanes.in[i] = in;
            lanes.out[i] = unused;
        }
        path->hash(batch, &lanes, take);
        batch->counter += take * batch->step;
        in += stride * take;
        out += MN_DIGEST * take;
        n -= take;
    }
    for (; n > 0; n--) {
        mn_one(batch, in, MN_BLOCK, out);
        batch->counter += batch->step;
        in += stride;
        out += MN_DIGEST;
    }
}

size_t mn_level(const mn_path *path, mn_batch *batch, const uint8_t *in, size_t n, uint8_t *out)
{
    size_t pairs = n / 2;

    mn_row(path, batch, in, pairs, out);
    if (n % 2 != 0)
        memmove(out + MN_DIGEST * pairs, in + MN_BLOCK * pairs, MN_DIGEST);
    return n - pairs;
}

static void parents(const mn_path *path, const mn_key *key, uint8_t *nodes, size_t n, size_t until)
{
    mn_batch batch = {NULL, 1, 0, 0, 0, 0, 0, NULL};

    batch.key = key->words;
    batch.flags = key->flags | MN_PARENT;
    while (n > until)
        n = mn_level(path, &batch, nodes, n, nodes);
}

static void parent(mn_node *to, const mn_key *key, const uint8_t left[MN_DIGEST], const uint8_t right[MN_DIGEST])
{
    memcpy(to->chain, key->words, sizeof to->chain);
    memcpy(to->block, left, MN_DIGEST);
    memcpy(to->block + MN_DIGEST, right, MN_DIGEST);
    to->counter = 0;
    to->length = MN_BLOCK;
    to->flags = key->flags | MN_PARENT;
}

static void chaining_value(uint8_t to[MN_DIGEST], const mn_node *from)
{
    uint32_t words[16];
    mn_compress(words, from->chain, from->block, from->counter, from->length, from->flags);
    store_words(to, words);
}

/* Section 2.1: one chunk of at most MN_CHUNK bytes; only the chunk of empty input is empty. */
static void chunk(mn_node *to, const mn_key *key, const uint8_t *data, size_t len, uint64_t number)
{
    uint32_t words[16];

    memcpy(words, key->words, sizeof key->words);
    to->counter = number;
    to->flags = key->flags | MN_CHUNK_START;
    while (len > MN_BLOCK) {
        mn_compress(words, words, data, number, MN_BLOCK, to->flags);
        to->flags = key->flags;
        data += MN_BLOCK;
        len -= MN_BLOCK;
    }
    memcpy(to->chain, words, sizeof to->chain);
    memset(to->block, 0, MN_BLOCK);
    if (len > 0)
        memcpy(to->block, data, len);
    to->length = (uint32_t)len;
    to->flags |= MN_CHUNK_END;
}

/* The chaining values of all chunks of data, at most RUN, none of them the root.  Returns their number. */
static size_t chunks(const mn_path *path, const mn_key *key, const uint8_t *data, size_t len, uint64_t number,
                     uint8_t *values)
{
    mn_batch batch = {NULL, MN_CHUNK_BLOCKS, 0, MN_CHUNK_START, MN_CHUNK_END, 0, 1, NULL};
    size_t whole = len / MN_CHUNK;
    mn_node rest;

    batch.key = key->words;
    batch.flags = key->flags;
    batch.counter = number;
    mn_row(path, &batch, data, whole, values);
    if (len % MN_CHUNK == 0)
        return whole;
    chunk(&rest, key, data + MN_CHUNK * whole, len % MN_CHUNK, number + whole);
    chaining_value(values + MN_DIGEST * whole, &rest);
    return whole + 1;
}

/* Section 2.1 and 5.1.2: the tree over data, its root left uncompressed.  Joining neighbours level by
 * level, an odd last one moving up, gives the same tree as splitting at the largest power of two. */
void mn_tree(const mn_path *path, mn_node *root, const mn_key *key, const uint8_t *data, size_t len)
{
    uint8_t stack[STACK][MN_DIGEST];
    uint8_t values[RUN * MN_DIGEST];
    size_t depth = 0, width;
    uint64_t runs = 0;

    if (len <= MN_CHUNK) {
        chunk(root, key, data, len, 0);
        return;
    }
    while (len > RUN * MN_CHUNK) {
        uint64_t done;
        chunks(path, key, data, RUN * MN_CHUNK, runs * RUN, values);
        parents(path, key, values, RUN, 1);
        data += RUN * MN_CHUNK;
        len -= RUN * MN_CHUNK;
        runs++;
        /* Each trailing zero of the count closes a subtree whose left half waits on the stack. */
        for (done = runs; (done & 1) == 0; done >>= 1) {
            parent(root, key, stack[--depth], values);
            chaining_value(values, root);
        }
        memcpy(stack[depth++], values, MN_DIGEST);
    }
    width = chunks(path, key, data, len, runs * RUN, values);
    if (depth == 0) {
        parents(path, key, values, width, 2);
        parent(root, key, values, values + MN_DIGEST);
        return;
    }
    parents(path, key, values, width, 1);
    parent(root, key, stack[--depth], values);
    while (depth > 0) {
        chaining_value(values, root);
        parent(root, key, stack[--depth], values);
    }
}

/* Section 2.6: output of any length, the block counter counting output blocks. */
void mn_squeeze(const mn_node *root, uint8_t *out, size_t out_len)
{
    uint64_t counter = 0;

    while (out_len > 0) {
        uint32_t words[16];
        uint8_t bytes[MN_BLOCK];
        size_t take = out_len < MN_BLOCK ? out_len : MN_BLOCK;
        mn_compress(words, root->chain, root->block, counter++, root->length, root->flags | MN_ROOT);
        store_words(bytes, words);
        store_words(bytes + MN_DIGEST, words + MN_WORDS);
        memcpy(out, bytes, take);
        out += take;
        out_len -= take;
    }
}
