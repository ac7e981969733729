/* columns: numbers as columns of the database hold them, JSON that plain SQL can unfold.
 *
 *      [2,3,4]                                the lines of a shape; the ids of contexts
 *      [[8,14,26,1,2,0,2,2,7,12],...]         its sites
 *
 * No Python.h here.
 */
#ifndef COVCORE_COLUMNS_H
#define COVCORE_COLUMNS_H

#include <stddef.h>
#include <stdint.h>

#include "sites.h"

enum {
    COLUMN_NUMBER = 12, /* bytes that one number takes at most, a comma included */
    COLUMN_SITE = 10 * COLUMN_NUMBER + 2,
    COLUMN_ENDS = 2,    /* the brackets around all */
};

/* Write a column, without a NUL.  Each returns its length. */
size_t columns_numbers(char *out, const uint32_t *numbers, size_t n);
size_t columns_lines(char *out, const shape *s);
size_t columns_sites(char *out, const shape *s);

/* Reads numbers back into an array with room for one in two bytes of the text.  Returns how many there are, or -1: the
 * text is not what columns_numbers writes of some numbers that begin with at least 1 and ascend.  It may be hostile. */
int64_t columns_read(uint32_t *out, const char *text, size_t n_text);

#endif
