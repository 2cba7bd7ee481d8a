/* sse41.c - four lanes on x86 from 2008 on. */
#include "internal.h"

#if defined(__SSE4_1__)

#include <smmintrin.h>

typedef __m128i V;

/* Byte orders that turn each word right by 16 and by 8 bits.  The instruction is written out so that
 * it takes them from memory: the compilers keep them in registers, which the state needs. */
typedef union {
    uint8_t raw[16];
    __m128i v;
} byte_order;

static const byte_order TURN16 = {{2, 3, 0, 1, 6, 7, 4, 5, 10, 11, 8, 9, 14, 15, 12, 13}};
static const byte_order TURN8 = {{1, 2, 3, 0, 5, 6, 7, 4, 9, 10, 11, 8, 13, 14, 15, 12}};

static inline __m128i shuffle(__m128i v, const byte_order *order)
{
    __asm__("pshufb %1, %0" : "+x"(v) : "m"(order->v));
    return v;
}

#define V_PATH MN_PATH_SSE41
#define V_CONSTANTS
#define V_LOAD(from) _mm_loadu_si128((const __m128i *)(const void *)(from))
#define V_STORE(to, v) _mm_storeu_si128((__m128i *)(void *)(to), v)
#define V_SPLAT(word) _mm_set1_epi32((int)(uint32_t)(word))
#define V_WORDS(array) V_LOAD(array)
#define V_ADD(a, b) _mm_add_epi32(a, b)
#define V_XOR(a, b) _mm_xor_si128(a, b)
#define V_AND(a, b) _mm_and_si128(a, b)
#define V_ROTR16(v) shuffle(v, &TURN16)
#define V_ROTR12(v) _mm_or_si128(_mm_srli_epi32(v, 12), _mm_slli_epi32(v, 20))
#define V_ROTR8(v) shuffle(v, &TURN8)
#define V_ROTR7(v) _mm_or_si128(_mm_srli_epi32(v, 7), _mm_slli_epi32(v, 25))
#define V_TRANSPOSE(a, b, c, d)                                                                       \
    do {                                                                                              \
        __m128i ab = _mm_unpacklo_epi32(a, b), ab2 = _mm_unpackhi_epi32(a, b);                         \
        __m128i cd = _mm_unpacklo_epi32(c, d), cd2 = _mm_unpackhi_epi32(c, d);                         \
        a = _mm_unpacklo_epi64(ab, cd);                                                               \
        b = _mm_unpackhi_epi64(ab, cd);                                                               \
        c = _mm_unpacklo_epi64(ab2, cd2);                                                             \
        d = _mm_unpackhi_epi64(ab2, cd2);                                                             \
    } while (0)

#include "lanes4.h"

const mn_path *const mn_path_sse41 = &path;

#else

const mn_path *const mn_path_sse41 = NULL;

#endif
