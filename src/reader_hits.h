/* reader_hits: what was hit, as Python objects. */
#ifndef COVCORE_READER_HITS_H
#define COVCORE_READER_HITS_H

#include <Python.h>

#include "hits.h"

/* A list with a dictionary for each code object: bitmap (bytes) -> contexts (list of int; -1: the empty one) in which just that was hit.
 * NULL with an exception: no memory. */
PyObject *reader_hits_by_code(const hit_table *h);

#endif
