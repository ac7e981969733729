/* far: see far.h. */
#include "far.h"

#include <stdbool.h>

#include "locations.h"

/* Entries of the table that may be read for each code unit.  An event reads them for the line that it leaves, too: 4 to 5 ns an entry; and
 * about half the code units are instructions, of which an event costs 20 ns. */
enum { ENTRIES_PER_UNIT = 2 };

/* Code of fewer units costs a few microseconds at most. */
enum { SHORT = 128 };

static bool
is_far(int64_t line, int32_t first_line, uint32_t unit)
{
    const int64_t distance = line - first_line - unit / 16;

    return distance < -125 || distance > INT8_MAX;
}

line_cost
far_lines(const uint8_t *table, size_t n_bytes, int32_t first_line, uint32_t n_units)
{
    location l = location_table(table, n_bytes, first_line);
    const uint64_t most = (uint64_t)ENTRIES_PER_UNIT * n_units;
    uint64_t n_entries = 0, n_read = 0;
    int64_t last = NO_LINE;

    for (uint32_t unit = 0; n_units >= SHORT && unit < n_units && n_read <= most && location_next(&l) > 0;
         unit += l.n_units) {
        n_entries++;
        if (l.has_line && l.line != last) {
            n_read += is_far(l.line, first_line, unit) ? n_entries : 0;
            last = l.line;
        }
    }
    return n_read == 0 ? LINES_NEAR : n_read <= most ? LINES_FAR : LINES_DEAR;
}
