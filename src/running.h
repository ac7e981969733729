/* running: the code objects that are running or suspended when measuring starts.
 *
 * The discovery tool hears of a code object when it starts or resumes.  A frame that is already on a stack does neither
 * (the calling module, a looping thread), and a generator resumed by throw() fires no PY_RESUME. */
#ifndef COVCORE_RUNNING_H
#define COVCORE_RUNNING_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

/* A new list of the code objects of every frame of every thread of this interpreter, and of every generator,
 * coroutine, asynchronous generator and greenlet that the garbage collector knows.  NULL with an exception. */
PyObject *running_code(void);

#endif
