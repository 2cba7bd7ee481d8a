/* lists.h - what lists.c and proofs.c share. */
#ifndef METANODE_FUZZ_LISTS_H
#define METANODE_FUZZ_LISTS_H

#include "fuzz.h"

typedef struct {
    const uint8_t *keys, *in;
    size_t keys_len, len, count, work_len, root_len;
    const uint64_t *offsets;
} list;

/* Paths of some items of a list, their check, and the check again with something changed. */
void fuzz_proofs(feed *from, const list *items, const uint8_t *nodes, size_t nodes_len, const uint8_t *root);

#endif
