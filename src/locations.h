/* locations: the location table of a code object (co_linetable, CPython 3.11 to 3.15; documented in CPython's
 * InternalDocs/code_objects.md), read for its lines alone or entry by entry.  The bytes may be any: nothing is read
 * outside of them.
 *
 * No Python.h here.
 */
#ifndef COVCORE_LOCATIONS_H
#define COVCORE_LOCATIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* One entry: where a row of code units comes from. */
typedef struct {
    const uint8_t *at, *end; /* what is still to be read */
    uint32_t n_units;        /* code units (two bytes) that it is about */
    bool has_line;           /* otherwise the code is the compiler's own */
    int64_t line, end_line;  /* 1-based; where has_line is false, those of the last entry that had one */
    int32_t col, end_col;    /* 0-based UTF-8 columns, or -1 */
} location;

/* The line of each of the code units from 0 to n_units - 1, or NO_LINE.  Writes LINES_SPARE items more than that: there
 * must be room.  A table that is too short leaves the rest without a line; what it has too much is not read.  Returns
 * the number of rows of units with one line, or -1: malformed. */
int64_t location_lines(const uint8_t *table, size_t n_bytes, int32_t first_line, int32_t *lines, uint32_t n_units);

enum { NO_LINE = -1, LINES_SPARE = 8 };

/* Before the first entry. */
location location_table(const uint8_t *table, size_t n_bytes, int32_t first_line);

/* The next entry: 1, 0 at the end, -1 if it is malformed.  Lines are within int32_t. */
int location_next(location *l);

#endif
