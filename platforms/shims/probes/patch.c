/* patch.c - what it costs to change code and run it.
 *
 * A processor drops what it fetched ahead: about a hundred cycles.  A program that translates code has to notice the
 * write and translate anew: tens of thousands.
 */
#include "kernels.h"

enum { PAGE = 4096, CODE_MASK = 0x7FFF };

static uint32_t calls(const mn_work *work, uint8_t *code)
{
    uint32_t x = work->start, i;

    for (i = 0; i < work->steps; i++)
        x = mn_code_call(code, x);
    return x;
}

static uint32_t patched(const mn_work *work, uint8_t *code)
{
    uint64_t state = work->wide_start, words;
    uint32_t x = work->start, i;

    for (i = 0; i < work->steps; i++) {
        words = mn_next(&state);
        mn_code_flush(code, mn_code_write(code, (uint32_t)words & CODE_MASK, (uint32_t)(words >> 32) & CODE_MASK));
        x = mn_code_call(code, x);
    }
    return x;
}

int mn_run_code(const mn_work *work, int patch, uint32_t repeat, int64_t *ns, size_t count, uint64_t *raw)
{
    uint8_t *code = mn_pages(PAGE, 1);
    int64_t begin;
    uint32_t r, x = 0;
    size_t i;

    if (code == NULL)
        return MN_REFUSED;
    mn_code_flush(code, mn_code_write(code, work->a & CODE_MASK, work->b & CODE_MASK));
    for (i = 0; i < count; i++) {
        begin = mn_clock();
        for (r = 0; r < repeat; r++)
            x = patch ? patched(work, code) : calls(work, code);
        ns[i] = mn_clock() - begin;
    }
    mn_pages_back(code, PAGE);
    *raw = x;
    return MN_OK;
}
