/* standing: whether a test of some code has begun and not ended, which only takes time before 3.13.
 *
 * There a conditional jump asks for the truth of its object by itself, so whatever that object's __bool__ runs, in this thread or in
 * another one meanwhile, runs within the instruction.  Which events it has was settled when it began. */
#ifndef COVCORE_STANDING_H
#define COVCORE_STANDING_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdbool.h>

#include "sites.h"

/* Whether a frame of the code object may be in the middle of a test.  False from 3.13 on.  The one that runs in this thread is not: it has an
 * event.  True also where that is not to be known: in a process with greenlets, which are on no thread's stack while another one runs, and
 * on deep stacks. */
bool standing_in_test(PyCodeObject *code, const shape *s);

#endif
