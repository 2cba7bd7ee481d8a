/* plain_memset.c - memset without cache instructions, for emulated 64-bit PowerPC.
 *
 * glibc clears memory there with dcbz, which on a 970 clears a line of 128 bytes.  QEMU's user mode makes it clear 32, as
 * Apple's compatibility mode of that processor does (HID5 = 0x80), and leaves the rest as it was.  A real 970 under
 * Linux does not.  A static program takes this function in the place of glibc's.
 */
#include <stddef.h>

void *memset(void *to, int byte, size_t len);

void *memset(void *to, int byte, size_t len)
{
    volatile unsigned char *at = to; /* or the compiler would call memset for this loop */

    while (len--)
        *at++ = (unsigned char)byte;
    return to;
}
