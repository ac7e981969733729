/* pages: whether an SQLite file is no more than it seems.
 *
 * SQLite follows whatever page numbers stand in a file.  A few pages that lead to each other make as many rows as their
 * author likes, and cells or overflow pages that are used twice make rows that are together larger than the file.  Here
 * each page is looked at once; PRAGMA quick_check, which finds the same, looks at each value too and takes ten times as long.
 *
 * Plain C, no Python; tests/test_pages.py has real files for it, tests/c/pages_follow.h counts what they give.
 */
#ifndef COVCORE_PAGES_H
#define COVCORE_PAGES_H

#include <stddef.h>
#include <stdint.h>

typedef enum {
    PAGES_FINE,
    PAGES_MALFORMED,
    PAGES_NO_MEMORY,
} pages_status;

/* Whether the b-trees with these roots, and their overflow pages, use each page of the file once, and have no more in a
 * page than fits into it.  The file may be hostile. */
pages_status pages_check(const unsigned char *file, size_t n_bytes, const uint32_t *roots, size_t n_roots);

#endif
