/* handlers: the exception table of a code object (co_exceptiontable, CPython 3.11 and later; documented in CPython's
 * InternalDocs/exception_handling.md), read entry by entry.  The bytes may be any: nothing is read outside of them.
 *
 * No Python.h here.
 */
#ifndef COVCORE_HANDLERS_H
#define COVCORE_HANDLERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* One entry: an exception in the code units from begin to end - 1 goes to the handler. */
typedef struct {
    const uint8_t *at, *last; /* what is still to be read */
    uint32_t begin, end, handler;
} handled;

/* Before the first entry. */
handled handler_table(const uint8_t *table, size_t n_bytes);

/* The next entry; false at the end, and where what follows is malformed. */
bool handler_next(handled *h);

#endif
