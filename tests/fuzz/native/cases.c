/* cases.c - runs cases from standard input through the BLAKE3 shim, for a build with sanitizers.
 *
 * `cases PATH` runs them on that path; `cases` prints the set of paths that this machine can run.
 * Every buffer has exactly the size that is announced, so a step beyond it is reported; a canary byte pattern
 * shows that a refused call left its output untouched.  Case, integers little-endian:
 *   u8 operation (0 hash, 1 keyed, 2 context key, 3 derive, 4 many, 5 a fault, 6 root of a list), u8 null pointers
 *   (bit 0 key, 1 data, 2 output, 3 offsets), u32 mode, u32 key length, u32 data length, u32 output length, u32 count,
 *   then key, data, and for operations 4 and 6 count + 1 offsets of u64, stored as this machine does.
 * Answer: u8 status, output.
 */
#include "blake3.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void need(void *to, size_t size)
{
    if (size > 0 && fread(to, 1, size, stdin) != size) {
        fprintf(stderr, "the case is cut short\n");
        exit(2);
    }
}

static uint32_t number(void)
{
    uint8_t bytes[4];
    need(bytes, sizeof bytes);
    return (uint32_t)bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 | (uint32_t)bytes[3] << 24;
}

/* A block of exactly this size; malloc(0) gives one whose first byte is already out of bounds. */
static uint8_t *block(size_t size)
{
    uint8_t *made = malloc(size);
    if (made == NULL)
        exit(3);
    return made;
}

static void run(int operation)
{
    int nulls = getchar(), status = 255;
    uint32_t mode = number(), key_len = number(), len = number(), out_len = number(), count = number();
    uint8_t *key = block(key_len), *data = block(len), *out = block(out_len), *scratch;
    const uint8_t *k = nulls & 1 ? NULL : key, *d = nulls & 2 ? NULL : data;
    uint8_t *o = nulls & 4 ? NULL : out;
    uint64_t *offsets = NULL;

    need(key, key_len);
    need(data, len);
    memset(out, 0xA5, out_len);
    if (operation == 4 || operation == 6) {
        offsets = (uint64_t *)(void *)block(((size_t)count + 1) * sizeof *offsets);
        need(offsets, ((size_t)count + 1) * sizeof *offsets);
    }
    switch (operation) {
    case 0: status = mn_blake3_hash(d, len, o, out_len); break;
    case 1: status = mn_blake3_keyed(k, key_len, d, len, o, out_len); break;
    case 2: status = mn_blake3_context_key(d, len, o, out_len); break;
    case 3: status = mn_blake3_derive(k, key_len, d, len, o, out_len); break;
    case 4:
        status = mn_blake3_many(mode, k, key_len, d, len, nulls & 8 ? NULL : offsets, count, o, out_len);
        break;
    case 5: status = d[len]; break; /* one byte too far, to show that a sanitizer watches */
    case 6:
        scratch = block(32 * (size_t)count);
        status = mn_blake3_merkle_root(k, key_len, d, len, nulls & 8 ? NULL : offsets, count, scratch,
                                       32 * (size_t)count, o, out_len);
        free(scratch);
        break;
    default: exit(4);
    }
    putchar(status);
    fwrite(out, 1, out_len, stdout);
    free(key);
    free(data);
    free(out);
    free(offsets);
}

int main(int argc, char **argv)
{
    int operation;

    if (argc < 2) {
        printf("%u\n", (unsigned)(mn_blake3_paths_built() & mn_blake3_paths_supported()));
        return 0;
    }
    if (mn_blake3_select((uint32_t)strtoul(argv[1], NULL, 10)) != MN_OK) {
        fprintf(stderr, "path %s does not run here\n", argv[1]);
        return 5;
    }
    while ((operation = getchar()) != EOF)
        run(operation);
    return 0;
}
