/* api.c - the functions of probes.h: what is asked is checked, drawn from the challenge and timed. */
#include "kernels.h"

static int known(uint32_t probe)
{
    return (probe >= MN_INT_ADD && probe <= MN_TIMER) || (probe >= MN_CHASE && probe <= MN_CHASE_LAST);
}

static mn_kernel kernel_of(uint32_t probe)
{
    switch (probe) {
    case MN_INT_ADD:
        return mn_int_add;
    case MN_INT_MUL:
        return mn_int_mul;
    case MN_INT_DIV:
        return mn_int_div;
    case MN_FP_ADD:
        return mn_fp_add;
    case MN_FP_MUL:
        return mn_fp_mul;
    case MN_FP_DIV:
        return mn_fp_div;
    case MN_SCALAR:
        return mn_scalar;
    case MN_SIMD:
        return mn_simd();
    default:
        return NULL;
    }
}

static int run_kernel(mn_kernel kernel, const mn_work *work, uint32_t repeat, int64_t *ns, size_t count, uint64_t *raw)
{
    uint64_t found, first = 0;
    uint32_t r;
    int64_t begin;
    size_t i;

    for (i = 0; i < count; i++) {
        begin = mn_clock();
        for (r = 0; r < repeat; r++) {
            found = kernel(work);
            if (i == 0 && r == 0)
                first = found;
            else if (found != first)
                return MN_WRONG;
        }
        ns[i] = mn_clock() - begin;
    }
    *raw = first;
    return MN_OK;
}

/* All readings are taken whatever the count: the waits between them are the keyed workload. */
static void run_timer(const mn_work *work, int64_t *ns, size_t count, uint64_t *raw)
{
    uint32_t x = work->start, i;
    int64_t before = mn_clock(), now;

    for (i = 0; i < MN_TIMER_READS; i++) {
        x += work->a;
        MN_KEEP(x);
        x += work->b;
        MN_KEEP(x);
        now = mn_clock();
        if (i < count)
            ns[i] = now - before;
        before = now;
    }
    *raw = x;
}

int mn_probe_supported(uint32_t probe)
{
    if (!known(probe))
        return MN_RANGE;
    if (probe <= MN_SIMD)
        return kernel_of(probe) != NULL ? MN_OK : MN_UNSUPPORTED;
    if (probe == MN_CALL || probe == MN_PATCH)
        return mn_code_known() ? MN_OK : MN_UNSUPPORTED;
    return MN_OK;
}

int mn_probe_size(uint32_t probe, const uint8_t *challenge, size_t challenge_len, uint32_t *steps, uint32_t *bytes)
{
    mn_work work;

    if (challenge == NULL || steps == NULL || bytes == NULL)
        return MN_NULL;
    if (!known(probe) || challenge_len != MN_CHALLENGE)
        return MN_RANGE;
    mn_work_draw(&work, probe, challenge);
    *steps = work.steps;
    *bytes = mn_work_bytes(&work, probe);
    return MN_OK;
}

int mn_probe_run(uint32_t probe, const uint8_t *challenge, size_t challenge_len, uint32_t repeat, int64_t *ns,
                 size_t count, uint64_t *result)
{
    mn_work work;
    uint64_t raw = 0;
    int status = MN_OK;

    if (challenge == NULL || ns == NULL || result == NULL)
        return MN_NULL;
    if (!known(probe) || challenge_len != MN_CHALLENGE || repeat < 1 || repeat > MN_REPEAT_MAX || count < 1 ||
        count > (probe == MN_TIMER ? (size_t)MN_TIMER_READS : (size_t)MN_SAMPLES_MAX))
        return MN_RANGE;
    status = mn_probe_supported(probe);
    if (status != MN_OK)
        return status;
    mn_work_draw(&work, probe, challenge);
    if (probe == MN_TIMER)
        run_timer(&work, ns, count, &raw);
    else if (probe == MN_STREAM)
        status = mn_run_stream(&work, repeat, ns, count, &raw);
    else if (probe >= MN_CHASE)
        status = mn_run_chase(&work, repeat, ns, count, &raw);
    else if (probe == MN_CALL || probe == MN_PATCH)
        status = mn_run_code(&work, probe == MN_PATCH, repeat, ns, count, &raw);
    else
        status = run_kernel(kernel_of(probe), &work, repeat, ns, count, &raw);
    if (status == MN_OK)
        *result = mn_fold(probe, raw);
    return status;
}

int mn_probe_recompute(uint32_t probe, const uint8_t *challenge, size_t challenge_len, uint64_t *result)
{
    mn_work work;

    if (challenge == NULL || result == NULL)
        return MN_NULL;
    if (!known(probe) || challenge_len != MN_CHALLENGE)
        return MN_RANGE;
    mn_work_draw(&work, probe, challenge);
    *result = mn_fold(probe, mn_recompute(probe, &work));
    return MN_OK;
}
