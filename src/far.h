/* far: how dear LINE events are where CPython looks up their lines (3.12, and 3.13 before 3.13.3: gh-127953).
 *
 * For each code unit CPython keeps how far its line is from a guess, the code object's first line and one more for every 16 units, in one
 * byte.  Of a line that is farther away each LINE event reads the location table from its beginning, heard or not: events at n such
 * lines cost n * n.  Dense code has none, however long it is; a long literal, or a module of assignments, has some from line 150 on.
 *
 * No Python.h here. */
#ifndef COVCORE_FAR_H
#define COVCORE_FAR_H

#include <stddef.h>
#include <stdint.h>

typedef enum {
    LINES_UNKNOWN = 0,
    LINES_NEAR = 1, /* no line is far */
    LINES_FAR = 2,  /* some are, but hearing each line once costs less than hearing each instruction */
    LINES_DEAR = 3, /* it costs more */
    LINES_KEPT = 4, /* some are, but INSTRUCTION would not tell the same (long_code.c) */
} line_cost;

/* What the lines of a code object cost (never LINES_KEPT), in time linear in its table, which may be any bytes.  n_units: its code units (two bytes). */
line_cost far_lines(const uint8_t *table, size_t n_bytes, int32_t first_line, uint32_t n_units);

#endif
