/* dispatch.c - which paths are built, which this machine can run, and which one runs. */
#include "internal.h"

/* The only variable of the library: a pointer to a constant, so a call sees the old path or the new. */
static const mn_path *selected;

static const mn_path *built(uint32_t number)
{
    switch (number) {
    case MN_PATH_PORTABLE:
        return mn_path_portable;
    case MN_PATH_SSE41:
        return mn_path_sse41;
    case MN_PATH_AVX2:
        return mn_path_avx2;
    case MN_PATH_AVX512:
        return mn_path_avx512;
    case MN_PATH_NEON:
        return mn_path_neon;
    case MN_PATH_ALTIVEC:
        return mn_path_altivec;
    default:
        return NULL;
    }
}

const mn_path *mn_path_now(void)
{
    const mn_path *path = selected;
    return path != NULL ? path : mn_path_portable;
}

uint32_t mn_blake3_paths_built(void)
{
    uint32_t number, set = 0;

    for (number = 0; number < MN_PATHS; number++)
        if (built(number) != NULL)
            set |= (uint32_t)1 << number;
    return set;
}

uint32_t mn_blake3_paths_supported(void)
{
    return (uint32_t)1 << MN_PATH_PORTABLE | mn_features_x86() | mn_features_arm() | mn_features_ppc();
}

int mn_blake3_select(uint32_t path)
{
    const mn_path *found = built(path);

    if (found == NULL || (mn_blake3_paths_supported() >> path & 1) == 0)
        return MN_RANGE;
    selected = found;
    return MN_OK;
}

uint32_t mn_blake3_selected(void)
{
    return mn_path_now()->number;
}
