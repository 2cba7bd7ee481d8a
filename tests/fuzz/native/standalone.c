/* standalone.c - the fuzzer's target without a fuzzer: `native SEED COUNT` runs so many random inputs. */
#include "fuzz.h"

#include <stdio.h>
#include <stdlib.h>

#define INPUT_MAX 96

int main(int argc, char **argv)
{
    uint8_t input[INPUT_MAX];
    unsigned long seed = argc > 1 ? strtoul(argv[1], NULL, 10) : 0, count = argc > 2 ? strtoul(argv[2], NULL, 10) : 1000;
    uint64_t state = seed * 0x9E3779B97F4A7C15u + 1;
    unsigned long done;

    for (done = 0; done < count; done++) {
        size_t size, i;
        for (size = i = 0; i <= size; i++) {
            state = state * 6364136223846793005u + 1442695040888963407u;
            if (i == 0)
                size = 1 + (size_t)(state >> 40) % INPUT_MAX;
            else
                input[i - 1] = (uint8_t)(state >> 56);
        }
        LLVMFuzzerTestOneInput(input, size);
    }
    printf("%lu inputs of seed %lu; paths %u of those built, %u\n", count, seed,
           (unsigned)(mn_blake3_paths_built() & mn_blake3_paths_supported()), (unsigned)mn_blake3_paths_built());
    return 0;
}
