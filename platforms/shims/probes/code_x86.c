/* code_x86.c - code words for x86, 32 and 64 bit; the processor sees by itself that they were written. */
#include "kernels.h"

#if defined(__x86_64__) || defined(__i386__)

#include <string.h>

enum { ADD_EAX = 0x05, XOR_EAX = 0x35, RET = 0xC3, ROOM = 16 };

static size_t put(uint8_t *at, size_t size, uint8_t opcode, uint32_t constant)
{
    int i;

    at[size++] = opcode;
    for (i = 0; i < 32; i += 8)
        at[size++] = (uint8_t)(constant >> i);
    return size;
}

int mn_code_known(void)
{
    return 1;
}

size_t mn_code_write(uint8_t *at, uint32_t a, uint32_t b)
{
    /* The argument into eax. */
#if defined(_WIN64)
    static const uint8_t load[] = {0x89, 0xC8}; /* mov eax, ecx */
#elif defined(__x86_64__)
    static const uint8_t load[] = {0x89, 0xF8}; /* mov eax, edi */
#else
    static const uint8_t load[] = {0x8B, 0x44, 0x24, 0x04}; /* mov eax, [esp + 4] */
#endif
    uint8_t code[ROOM] = {0};
    size_t size = sizeof load;

    memcpy(code, load, sizeof load);
    size = put(code, size, ADD_EAX, b);
    size = put(code, size, XOR_EAX, a);
    code[size] = RET;
    /* In few stores: each may cost the processor what it fetched ahead. */
    memcpy(at, code, sizeof code);
    return sizeof code;
}

void mn_code_flush(uint8_t *at, size_t size)
{
    (void)size;
    /* The compiler must have written by now what it was told to write. */
#if defined(__GNUC__)
    __asm__ volatile("" : : "r"(at) : "memory");
#else
    (void)at;
#endif
}

uint32_t mn_code_call(uint8_t *at, uint32_t x)
{
    uint32_t (*function)(uint32_t);
    memcpy(&function, &at, sizeof function);
    return function(x);
}

#endif
