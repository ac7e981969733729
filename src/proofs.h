/* proofs: what a shape needs to know before 3.14, where one event tells of both arms of a site and none of those of an
 * `async for`: which instruction only an arm leads to, so that executing it proves the arm.
 *
 * A part of sites.c, which see; a unit is two bytes of code.  No Python.h here.
 */
#ifndef COVCORE_PROOFS_H
#define COVCORE_PROOFS_H

#include "sites.h"

/* Bits of a mark, one mark a unit, beside those of sites.c. */
enum {
    ENTERED = 0x20,   /* the RIGHT of a site leads here */
    SHARED = 0x40,    /* and so does another arm */
    OTHERWISE = 0x80, /* something that is no arm leads here: a jump, the instruction before, an exception */
};

/* Marks where handlers begin. */
void proofs_mark_handlers(const shape_source *source, uint8_t *marks, uint32_t n_units);

/* The END_SEND within what the END_ASYNC_FOR at a unit handles, the waiting for the next item; or -1. */
int64_t proofs_end_send(const shape_source *source, uint32_t unit);

/* Finds out which sites of an `async for` are those of comprehensions.  Sites must have their positions. */
void proofs_tell_comprehensions(const shape_source *source, shape *s);

/* Fills in the proofs and what the sites say of them, for which there must be room: two for each site.  The marks are spent. */
void proofs_find(shape *s, uint8_t *marks);

#endif
