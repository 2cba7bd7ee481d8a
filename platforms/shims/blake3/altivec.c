/* altivec.c - four lanes on PowerPC: G4, G5 and POWER, big-endian and little-endian.
 *
 * Only what altivec.h of GCC 4.0 has.  Memory is reached by memcpy through an aligned union, never by
 * vec_ld at an odd address, which would drop the low bits of the address.
 */
#include "internal.h"

#if defined(__ALTIVEC__)

#include <altivec.h>

typedef vector unsigned int V;

typedef union {
    V v;
    vector unsigned char bytes;
    uint32_t words[4];
    uint8_t raw[16];
} lanes_union;

static inline V load_raw(const void *from)
{
    lanes_union u;
    memcpy(u.raw, from, sizeof u.raw);
    return u.v;
}

static inline void store_raw(uint8_t *to, V v)
{
    lanes_union u;
    u.v = v;
    memcpy(to, u.raw, sizeof u.raw);
}

static inline V splat(uint32_t word)
{
    lanes_union u;
    u.words[0] = word;
    u.words[1] = word;
    u.words[2] = word;
    u.words[3] = word;
    return u.v;
}

/* The order of bytes within words, reversed: the same permutation whichever end numbers start at. */
static inline vector unsigned char byte_swap(void)
{
    static const lanes_union order = {.raw = {3, 2, 1, 0, 7, 6, 5, 4, 11, 10, 9, 8, 15, 14, 13, 12}};
    return order.bytes;
}

#define V_PATH MN_PATH_ALTIVEC
#if defined(__LITTLE_ENDIAN__)
#define V_SWAP(v) (v)
#define V_CONSTANTS_SWAP
#else
#define V_SWAP(v) vec_perm(v, v, swap)
#define V_CONSTANTS_SWAP const vector unsigned char swap = byte_swap();
#endif
/* vec_rl uses the low five bits of each count, so small negative numbers splat any count at once.  The
 * counts are hidden from the compiler: knowing them, GCC 12 builds each anew for every rotation. */
static inline V opaque(V v)
{
    __asm__("" : "+v"(v));
    return v;
}

#define V_CONSTANTS                                        \
    V_CONSTANTS_SWAP                                       \
    const V left16 = opaque(vec_splat_u32(-16));           \
    const V left20 = opaque(vec_splat_u32(-12));           \
    const V left24 = opaque(vec_splat_u32(-8));            \
    const V left25 = opaque(vec_splat_u32(-7));
#define V_LOAD(from) V_SWAP(load_raw(from))
#define V_STORE(to, v) store_raw(to, V_SWAP(v))
#define V_SPLAT(word) splat(word)
#define V_WORDS(array) load_raw(array)
#define V_ADD(a, b) vec_add(a, b)
#define V_XOR(a, b) vec_xor(a, b)
#define V_AND(a, b) vec_and(a, b)
#define V_ROTR16(v) vec_rl(v, left16)
#define V_ROTR12(v) vec_rl(v, left20)
#define V_ROTR8(v) vec_rl(v, left24)
#define V_ROTR7(v) vec_rl(v, left25)
/* Two rounds of merging lane by lane are a transposition, by the numbers of the elements: the same
 * for both byte orders. */
#define V_TRANSPOSE(a, b, c, d)                          \
    do {                                                 \
        V ac = vec_mergeh(a, c), ac2 = vec_mergel(a, c); \
        V bd = vec_mergeh(b, d), bd2 = vec_mergel(b, d); \
        a = vec_mergeh(ac, bd);                          \
        b = vec_mergel(ac, bd);                          \
        c = vec_mergeh(ac2, bd2);                        \
        d = vec_mergel(ac2, bd2);                        \
    } while (0)

#include "lanes4.h"

const mn_path *const mn_path_altivec = &path;

#else

const mn_path *const mn_path_altivec = NULL;

#endif
