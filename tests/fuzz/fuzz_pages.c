/* Feeds the check of pages with files.  First comes how many roots there are, less one, then each in a byte, then the file.
 * A file that is fine gives no more than it has to who follows all its pages. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "pages.h"
#include "pages_follow.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes);

enum { MOST_ROOTS = 16 };

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes)
{
    uint32_t roots[MOST_ROOTS];
    const size_t n_roots = n_bytes == 0 ? 0 : bytes[0] % MOST_ROOTS + 1u;

    if (n_bytes < 1 + n_roots) {
        return 0;
    }
    for (size_t i = 0; i < n_roots; i++) {
        roots[i] = bytes[1 + i] == UINT8_MAX ? UINT32_MAX : bytes[1 + i];
    }
    const size_t n_file = n_bytes - 1 - n_roots;
    unsigned char *const file = malloc(n_file + 1); /* by itself, so that a byte too far is seen */
    if (file == NULL) {
        return 0;
    }
    unsigned char *const at = file + 1;
    memcpy(at, bytes + 1 + n_roots, n_file);
    if (pages_check(at, n_file, roots, n_roots) == PAGES_FINE && !follow_all(at, n_file, roots, n_roots)) {
        abort();
    }
    free(file);
    return 0;
}
