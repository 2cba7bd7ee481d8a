/* blake3_portable.c - the reference of blake3.h in portable C99.
 *
 * After "BLAKE3: one function, fast everywhere" (O'Connor, Aumasson, Neves, Wilcox-O'Hearn, 2020);
 * section numbers are those of the paper.
 */
#include "blake3.h"

#include <string.h>

enum {
    WORDS = 8,
    BLOCK = 64,
    CHUNK = 1024,
    DIGEST = 32,
    /* Subtrees waiting for a right neighbour: one per bit of the chunk counter, 2^64 bytes in all. */
    STACK = 54
};

/* Section 2.1, table 3. */
enum {
    CHUNK_START = 1,
    CHUNK_END = 2,
    PARENT = 4,
    ROOT = 8,
    KEYED_HASH = 16,
    DERIVE_KEY_CONTEXT = 32,
    DERIVE_KEY_MATERIAL = 64
};

/* Section 2.2, table 1. */
static const uint32_t IV[WORDS] = {
    0x6A09E667U, 0xBB67AE85U, 0x3C6EF372U, 0xA54FF53AU, 0x510E527FU, 0x9B05688CU, 0x1F83D9ABU, 0x5BE0CD19U,
};

/* Section 2.2, table 2, applied 0 to 6 times: the message word at each place of each round. */
static const uint8_t SCHEDULE[7][16] = {
    {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15},
    {2, 6, 3, 10, 7, 0, 4, 13, 1, 11, 12, 5, 9, 14, 15, 8},
    {3, 4, 10, 12, 13, 2, 7, 14, 6, 5, 9, 0, 11, 15, 8, 1},
    {10, 7, 12, 9, 14, 3, 13, 15, 4, 0, 11, 2, 5, 8, 1, 6},
    {12, 13, 9, 11, 15, 10, 14, 8, 7, 2, 5, 3, 0, 1, 6, 4},
    {9, 14, 11, 5, 8, 12, 15, 1, 13, 3, 0, 10, 2, 6, 4, 7},
    {11, 15, 5, 0, 1, 9, 8, 6, 14, 10, 2, 12, 3, 4, 7, 13},
};

/* The last compression of a subtree, not yet done: as the root it takes another flag. */
typedef struct {
    uint32_t chain[WORDS];
    uint8_t block[BLOCK];
    uint64_t counter;
    uint32_t length;
    uint32_t flags;
} node;

static uint32_t load32(const uint8_t *from)
{
    return (uint32_t)from[0] | (uint32_t)from[1] << 8 | (uint32_t)from[2] << 16 | (uint32_t)from[3] << 24;
}

static void store32(uint8_t *to, uint32_t word)
{
    to[0] = (uint8_t)word;
    to[1] = (uint8_t)(word >> 8);
    to[2] = (uint8_t)(word >> 16);
    to[3] = (uint8_t)(word >> 24);
}

static void load_words(uint32_t words[WORDS], const uint8_t bytes[DIGEST])
{
    int i;
    for (i = 0; i < WORDS; i++)
        words[i] = load32(bytes + 4 * i);
}

static uint32_t rotr(uint32_t word, int by)
{
    return word >> by | word << (32 - by);
}

static void mix(uint32_t v[16], int a, int b, int c, int d, uint32_t x, uint32_t y)
{
    v[a] += v[b] + x;
    v[d] = rotr(v[d] ^ v[a], 16);
    v[c] += v[d];
    v[b] = rotr(v[b] ^ v[c], 12);
    v[a] += v[b] + y;
    v[d] = rotr(v[d] ^ v[a], 8);
    v[c] += v[d];
    v[b] = rotr(v[b] ^ v[c], 7);
}

/* Section 2.2: all 16 words of output, before truncation. */
static void compress(uint32_t out[16], const uint32_t chain[WORDS], const uint8_t block[BLOCK], uint64_t counter,
                     uint32_t length, uint32_t flags)
{
    uint32_t m[16], v[16];
    int i, round;

    for (i = 0; i < 16; i++)
        m[i] = load32(block + 4 * i);
    for (i = 0; i < WORDS; i++)
        v[i] = chain[i];
    for (i = 0; i < 4; i++)
        v[8 + i] = IV[i];
    v[12] = (uint32_t)counter;
    v[13] = (uint32_t)(counter >> 32);
    v[14] = length;
    v[15] = flags;
    for (round = 0; round < 7; round++) {
        const uint8_t *s = SCHEDULE[round];
        mix(v, 0, 4, 8, 12, m[s[0]], m[s[1]]);
        mix(v, 1, 5, 9, 13, m[s[2]], m[s[3]]);
        mix(v, 2, 6, 10, 14, m[s[4]], m[s[5]]);
        mix(v, 3, 7, 11, 15, m[s[6]], m[s[7]]);
        mix(v, 0, 5, 10, 15, m[s[8]], m[s[9]]);
        mix(v, 1, 6, 11, 12, m[s[10]], m[s[11]]);
        mix(v, 2, 7, 8, 13, m[s[12]], m[s[13]]);
        mix(v, 3, 4, 9, 14, m[s[14]], m[s[15]]);
    }
    for (i = 0; i < WORDS; i++) {
        out[i] = v[i] ^ v[i + 8];
        out[i + 8] = v[i + 8] ^ chain[i];
    }
}

static void chaining_value(uint32_t out[WORDS], const node *from)
{
    uint32_t full[16];
    compress(full, from->chain, from->block, from->counter, from->length, from->flags);
    memcpy(out, full, WORDS * sizeof *out);
}

static void parent(node *to, const uint32_t key[WORDS], const uint32_t left[WORDS], const uint32_t right[WORDS],
                   uint32_t flags)
{
    int i;
    for (i = 0; i < WORDS; i++) {
        store32(to->block + 4 * i, left[i]);
        store32(to->block + DIGEST + 4 * i, right[i]);
    }
    memcpy(to->chain, key, sizeof to->chain);
    to->counter = 0;
    to->length = BLOCK;
    to->flags = flags | PARENT;
}

/* Section 2.1: one chunk of at most CHUNK bytes; only the chunk of empty input is empty. */
static void chunk(node *to, const uint32_t key[WORDS], const uint8_t *data, size_t len, uint64_t number,
                  uint32_t flags)
{
    memcpy(to->chain, key, sizeof to->chain);
    to->counter = number;
    to->flags = flags | CHUNK_START;
    while (len > BLOCK) {
        uint32_t full[16];
        compress(full, to->chain, data, number, BLOCK, to->flags);
        memcpy(to->chain, full, sizeof to->chain);
        to->flags = flags;
        data += BLOCK;
        len -= BLOCK;
    }
    memset(to->block, 0, BLOCK);
    if (len > 0)
        memcpy(to->block, data, len);
    to->length = (uint32_t)len;
    to->flags |= CHUNK_END;
}

/* Section 2.1 and 5.1.2: the tree over data, its root left uncompressed. */
static void tree(node *root, const uint32_t key[WORDS], const uint8_t *data, size_t len, uint32_t flags)
{
    uint32_t stack[STACK][WORDS];
    uint32_t value[WORDS];
    size_t depth = 0;
    uint64_t number = 0;

    while (len > CHUNK) {
        uint64_t done;
        chunk(root, key, data, CHUNK, number, flags);
        chaining_value(value, root);
        data += CHUNK;
        len -= CHUNK;
        number++;
        /* Each trailing zero of the chunk count closes a subtree whose left half waits on the stack. */
        for (done = number; (done & 1) == 0; done >>= 1) {
            parent(root, key, stack[--depth], value, flags);
            chaining_value(value, root);
        }
        memcpy(stack[depth++], value, sizeof value);
    }
    chunk(root, key, data, len, number, flags);
    while (depth > 0) {
        chaining_value(value, root);
        parent(root, key, stack[--depth], value, flags);
    }
}

/* Section 2.6: output of any length, the block counter counting output blocks. */
static void squeeze(const node *root, uint8_t *out, size_t out_len)
{
    uint64_t counter = 0;

    while (out_len > 0) {
        uint32_t full[16];
        uint8_t bytes[BLOCK];
        size_t take = out_len < BLOCK ? out_len : BLOCK;
        int i;
        compress(full, root->chain, root->block, counter++, root->length, root->flags | ROOT);
        for (i = 0; i < 16; i++)
            store32(bytes + 4 * i, full[i]);
        memcpy(out, bytes, take);
        out += take;
        out_len -= take;
    }
}

static int run(const uint32_t key[WORDS], uint32_t flags, const uint8_t *data, size_t len, uint8_t *out,
               size_t out_len)
{
    node root;

    if ((data == NULL && len > 0) || (out == NULL && out_len > 0))
        return MN_NULL;
    tree(&root, key, data, len, flags);
    squeeze(&root, out, out_len);
    return MN_OK;
}

static int run_with_key(const uint8_t *key, size_t key_len, uint32_t flags, const uint8_t *data, size_t len,
                        uint8_t *out, size_t out_len)
{
    uint32_t words[WORDS];

    if (key == NULL)
        return MN_NULL;
    if (key_len != DIGEST)
        return MN_RANGE;
    load_words(words, key);
    return run(words, flags, data, len, out, out_len);
}

int mn_blake3_hash(const uint8_t *data, size_t len, uint8_t *out, size_t out_len)
{
    return run(IV, 0, data, len, out, out_len);
}

int mn_blake3_keyed(const uint8_t *key, size_t key_len, const uint8_t *data, size_t len, uint8_t *out, size_t out_len)
{
    return run_with_key(key, key_len, KEYED_HASH, data, len, out, out_len);
}

int mn_blake3_context_key(const uint8_t *context, size_t len, uint8_t *key_out, size_t out_len)
{
    if (out_len != DIGEST)
        return MN_RANGE;
    return run(IV, DERIVE_KEY_CONTEXT, context, len, key_out, out_len);
}

int mn_blake3_derive(const uint8_t *context_key, size_t key_len, const uint8_t *data, size_t len, uint8_t *out,
                     size_t out_len)
{
    return run_with_key(context_key, key_len, DERIVE_KEY_MATERIAL, data, len, out, out_len);
}

int mn_blake3_derive_many(const uint8_t *context_key, size_t key_len, const uint8_t *data, size_t len,
                          const uint64_t *offsets, size_t count, uint8_t *out, size_t out_len)
{
    uint32_t words[WORDS];
    size_t i;

    if (context_key == NULL || offsets == NULL || (data == NULL && len > 0) || (out == NULL && out_len > 0))
        return MN_NULL;
    if (key_len != DIGEST || count > SIZE_MAX / DIGEST || out_len != count * DIGEST)
        return MN_RANGE;
    for (i = 0; i < count; i++)
        if (offsets[i] > offsets[i + 1])
            return MN_RANGE;
    if (offsets[count] > len)
        return MN_RANGE;
    load_words(words, context_key);
    for (i = 0; i < count; i++) {
        size_t begin = (size_t)offsets[i];
        size_t size = (size_t)(offsets[i + 1] - offsets[i]);
        node root;
        tree(&root, words, size > 0 ? data + begin : NULL, size, DERIVE_KEY_MATERIAL);
        squeeze(&root, out + DIGEST * i, DIGEST);
    }
    return MN_OK;
}
