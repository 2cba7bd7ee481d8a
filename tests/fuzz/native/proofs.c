/* proofs.c - inclusion paths of a list, and the check of many at once. */
#include "lists.h"

#include <string.h>

#define PROOFS_MAX 300

typedef struct {
    const uint8_t *nodes, *root, *paths;
    size_t nodes_len, n, paths_len;
    uint64_t count;
    const uint64_t *indexes, *path_offsets;
    const list *items;
} proofs;

static int call_paths(const void *arguments, uint8_t *out)
{
    const proofs *with = arguments;
    uint64_t *places = (uint64_t *)(void *)arena_output(&output2, (with->n + 1) * sizeof *places, 0);
    int status = mn_blake3_merkle_paths(with->nodes, with->nodes_len, with->count, with->indexes, with->n, out,
                                        with->paths_len, places);

    must(status == MN_OK || arena_untouched(&output2), "a refused call wrote path offsets");
    return status;
}

static int call_verify(const void *arguments, uint8_t *out)
{
    const proofs *with = arguments;
    const list *items = with->items;

    return mn_blake3_merkle_verify(items->keys, items->keys_len, with->root, DIGEST_BYTES, with->count, items->in,
                                   items->len, items->offsets, with->indexes, with->paths, with->paths_len,
                                   with->path_offsets, with->n, out, with->n);
}

static uint64_t *numbers(arena *in)
{
    return (uint64_t *)(void *)in->at;
}

static uint64_t *numbers_placed(arena *in, const uint64_t *from, size_t count)
{
    return memcpy(arena_place(in, count * sizeof *from, 0), from, count * sizeof *from);
}

/* Paths of the items at `indexes`, packed in `paths`, where each begins in `begins`. */
static void make_paths(feed *from, proofs *with, const uint8_t *nodes, uint8_t *paths, uint64_t *begins)
{
    static uint8_t tree[ARENA_BYTES];
    size_t middle = with->n / 2;

    memcpy(tree, nodes, with->nodes_len); /* `nodes` may be `answer` */
    with->nodes = memcpy(arena_place(&work, with->nodes_len, feed_shift(from)), tree, with->nodes_len);
    with->paths_len = DIGEST_BYTES * MN_MERKLE_PATH_MAX * with->n;
    must(on_every_path(call_paths, with, with->paths_len, 0) == MN_OK, "paths of a tree are refused");
    memcpy(begins, output2.at, (with->n + 1) * sizeof *begins);
    with->paths_len = (size_t)begins[with->n] * DIGEST_BYTES;
    memcpy(paths, answer, with->paths_len);
    must(on_every_path(call_paths, with, with->paths_len, 0) == MN_OK, "paths are refused the room they need");
    if (with->paths_len > 0) {
        with->paths_len--;
        must(on_every_path(call_paths, with, with->paths_len, 0) == MN_RANGE, "paths are written without room");
        with->paths_len++;
    }
    if (with->n > 0) {
        uint64_t kept = with->indexes[middle];
        numbers(&array2)[middle] = with->count + (feed_byte(from) & 1);
        must(on_every_path(call_paths, with, with->paths_len, 0) == MN_RANGE, "a path of an item that is not there");
        numbers(&array2)[middle] = kept;
    }
}

/* The items at `indexes` end to end, as the check takes them.  Whether they fit a buffer. */
static int gather(feed *from, const proofs *with, const list *items, list *chosen)
{
    uint64_t places[PROOFS_MAX + 1], place = 0;
    size_t i;

    for (i = 0; i < with->n; i++) {
        uint64_t begin = items->offsets[with->indexes[i]], len = items->offsets[with->indexes[i] + 1] - begin;
        if (place + len > ARENA_BYTES / 2)
            return 0;
        memcpy(answer + place, items->in + (size_t)begin, (size_t)len);
        places[i] = place;
        place += len;
    }
    places[with->n] = place;
    *chosen = *items;
    chosen->len = (size_t)place;
    chosen->in = memcpy(arena_place(&data, chosen->len, feed_shift(from)), answer, chosen->len);
    chosen->offsets = numbers_placed(&array, places, with->n + 1);
    return 1;
}

/* Change one thing that a check is given; what it then answers must at least be the same on every path. */
static void damage(feed *from, proofs *with, uint8_t *paths, unsigned change)
{
    size_t bad = feed_number(from, 2) % with->n, sum = 0, i;
    int bit = (change & 7) == 0 && with->paths_len > 0, accepted;

    switch (change & 7) {
    case 0:
        if (bit)
            paths[feed_number(from, 3) % with->paths_len] ^= (uint8_t)(1u << (change >> 5));
        break;
    case 1: numbers(&array2)[bad] = feed_chance(from) % (2 * with->count); break;
    case 2: numbers(&array2)[bad] = UINT64_MAX - change; break;
    case 3: numbers(&output2)[bad] += feed_byte(from); break;
    case 4: numbers(&output2)[bad + 1] = UINT64_MAX >> (change >> 3); break;
    case 5: with->count = feed_chance(from); break;
    case 6: with->count = UINT64_MAX >> (change >> 3); break;
    default: numbers(&array)[bad] = (uint64_t)1 << (change >> 2); break;
    }
    accepted = on_every_path(call_verify, with, with->n, 0) == MN_OK;
    for (i = 0; i < with->n; i++)
        sum += answer[i];
    must(!bit || (accepted && sum == with->n - 1), "one bit of one path does not make one proof false");
}

void fuzz_proofs(feed *from, const list *items, const uint8_t *nodes, size_t nodes_len, const uint8_t *root)
{
    static uint8_t paths[ARENA_BYTES];
    static uint64_t begins[PROOFS_MAX + 1];
    proofs with;
    list chosen;
    size_t i, n = feed_number(from, 1) + (feed_byte(from) % 8 == 0 ? 40 : 0);
    unsigned change = feed_byte(from);

    with.n = n;
    with.count = items->count;
    with.nodes_len = nodes_len;
    with.indexes = (uint64_t *)(void *)arena_place(&array2, n * sizeof *with.indexes, 0);
    from->chance = feed_byte(from);
    for (i = 0; i < n; i++)
        numbers(&array2)[i] = feed_chance(from) % items->count;
    make_paths(from, &with, nodes, paths, begins);
    if (!gather(from, &with, items, &chosen))
        return;
    with.items = &chosen;
    with.root = root;
    with.path_offsets = numbers_placed(&output2, begins, n + 1);
    with.paths = memcpy(arena_place(&work, with.paths_len, feed_shift(from)), paths, with.paths_len);
    must(on_every_path(call_verify, &with, n, feed_shift(from)) == MN_OK, "proofs are refused");
    for (i = 0; i < n; i++)
        must(answer[i] == 1, "an honest proof is false");
    if (n == 0)
        return;
    numbers(&output2)[n]++;
    with.paths = memcpy(arena_place(&work, with.paths_len + DIGEST_BYTES, 0), paths, with.paths_len + DIGEST_BYTES);
    with.paths_len += DIGEST_BYTES;
    must(on_every_path(call_verify, &with, n, 0) == MN_OK && answer[n - 1] == 0, "a path with one hash more is true");
    numbers(&output2)[n]--;
    with.paths_len -= DIGEST_BYTES;
    damage(from, &with, work.at, change);
}
