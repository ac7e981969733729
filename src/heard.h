/* heard: which lines and LEFT arms of a code object were heard of in the current context, so that one that comes again costs no
 * more than a look at its bit.
 *
 *      bits   0 .. n_lines                      its lines, from the first that has events to the last
 *             n_lines .. n_lines + n_units      LEFT arms, by the code units that they lead to
 *
 * Nothing depends on what is remembered: a line that is not is looked up among the arcs.
 *
 * No Python.h here. */
#ifndef COVCORE_HEARD_H
#define COVCORE_HEARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sites.h"

enum { HEARD_MOST = 1 << 20 }; /* lines, and code units: of code with more nothing is remembered */

/* Zeroed: nothing is remembered. */
typedef struct {
    uint8_t *bits;
    uint32_t first_line;
    uint32_t n_lines;
    uint32_t n_units;
} heard;

/* Begins to remember.  Without memory, or for want of it, nothing is. */
void heard_init(heard *h, const shape *s, size_t n_units);
void heard_free(heard *h);

/* Forgets: a new context. */
void heard_clear(heard *h);

/* Whether the bit was set; it is from now on. */
static inline bool
heard_bit(heard *h, uint32_t number)
{
    uint8_t *byte = &h->bits[number / 8];
    const uint8_t bit = (uint8_t)(1 << number % 8);
    const bool was_set = (*byte & bit) != 0;

    *byte |= bit;
    return was_set;
}

/* Whether the line, or the arm, is remembered; it is from now on, if it is one of the code object's. */
static inline bool
heard_line(heard *h, uint32_t line)
{
    const uint32_t number = line - h->first_line;

    return number < h->n_lines && heard_bit(h, number);
}

static inline bool
heard_left(heard *h, uint32_t unit)
{
    return unit < h->n_units && heard_bit(h, h->n_lines + unit);
}

#endif
