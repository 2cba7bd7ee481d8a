/* memory.c - how long a load takes that needs the load before, and how fast memory is read in order. */
#include "kernels.h"

/* One place of the ring; pages are aligned for it. */
typedef struct place {
    struct place *next;
} place;

static place *place_at(uint8_t *ring, uint32_t line)
{
    return (place *)(void *)(ring + (size_t)line * MN_LINE);
}

#define NEXT       \
    at = at->next; \
    MN_KEEP(at);

int mn_run_chase(const mn_work *work, uint32_t repeat, int64_t *ns, size_t count, uint64_t *raw)
{
    const uint32_t n = work->lanes[0];
    const size_t size = (size_t)n * MN_LINE;
    uint8_t *ring = mn_pages(size, 0);
    place *at;
    uint32_t to = work->b, left, r, i;
    int64_t begin;
    size_t sample;

    if (ring == NULL)
        return MN_REFUSED;
    for (i = 0; i < n; i++) {
        place_at(ring, i)->next = place_at(ring, to);
        to += work->a;
        if (to >= n)
            to -= n;
    }
    at = place_at(ring, work->start);
    /* From where the last sample ended: repeating one part would keep it in a cache smaller than the ring. */
    for (sample = 0; sample < count; sample++) {
        begin = mn_clock();
        for (r = 0; r < repeat; r++) {
            for (left = work->steps; left != 0; left -= 8) {
                MN_EIGHT(NEXT)
            }
            if (sample == 0 && r == 0)
                *raw = (uint64_t)n << 32 | (uint32_t)((size_t)((uint8_t *)at - ring) / MN_LINE);
        }
        ns[sample] = mn_clock() - begin;
    }
    mn_pages_back(ring, size);
    return MN_OK;
}

int mn_run_stream(const mn_work *work, uint32_t repeat, int64_t *ns, size_t count, uint64_t *raw)
{
    const size_t size = (size_t)work->steps * 4;
    uint8_t *pages = mn_pages(size, 0);
    uint32_t *words, value = work->a, i, r, w, x, y, z;
    int64_t begin;
    size_t sample;

    if (pages == NULL)
        return MN_REFUSED;
    words = (uint32_t *)(void *)pages; /* pages are aligned for anything */
    for (i = 0; i < work->steps; i++) {
        words[i] = value;
        value += work->b;
    }
    for (sample = 0; sample < count; sample++) {
        begin = mn_clock();
        for (r = 0; r < repeat; r++) {
            w = x = y = z = 0;
            for (i = 0; i < work->steps; i += 4) {
                w += words[i];
                x += words[i + 1];
                y += words[i + 2];
                z += words[i + 3];
            }
            MN_KEEP(w);
            *raw = (uint32_t)(w + x + y + z);
        }
        ns[sample] = mn_clock() - begin;
    }
    mn_pages_back(pages, size);
    return MN_OK;
}
