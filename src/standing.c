/* standing: see standing.h. */
#include "standing.h"

#include "compat.h"

/* Frames to be looked at, of all threads together: some 0.1 us each. */
enum { MOST_FRAMES = 2000 };

/* Whether the process may have greenlets.  Raises nothing. */
static bool
has_greenlets(void)
{
    PyObject *modules = PyImport_GetModuleDict();  // borrowed
    PyObject *name = PyUnicode_FromString("greenlet");
    const int known = name == NULL ? -1 : PyDict_Contains(modules, name);
    Py_XDECREF(name);
    if (known < 0) {
        PyErr_Clear();
    }
    return known != 0;
}

static bool
is_in_test(PyFrameObject *frame, PyCodeObject *code, const shape *s)
{
    PyCodeObject *own = PyFrame_GetCode(frame);
    Py_DECREF(own);
    const int at = own == code ? PyFrame_GetLasti(frame) : -1;
    const int64_t index = at < 0 ? -1 : shape_site(s, (uint32_t)at);
    return index >= 0 && site_is_test(&s->sites[index]);
}

/* The same of a frame, which is let go of, and of its callers.  *left: how many may still be looked at. */
static bool
is_below(PyFrameObject *frame, PyCodeObject *code, const shape *s, int *left)
{
    bool found = false;

    while (frame != NULL && !found) {
        found = --*left < 0 || is_in_test(frame, code, s);
        Py_SETREF(frame, found ? NULL : PyFrame_GetBack(frame));
    }
    if (PyErr_Occurred()) {
        PyErr_Clear();  // no memory for the caller's frame object
        return true;
    }
    return found;
}

bool
standing_in_test(PyCodeObject *code, const shape *s)
{
    if (TESTS_ARE_OF_BOOLS) {
        return false;
    }
    bool found = has_greenlets();
    int left = MOST_FRAMES;
    PyThreadState *thread = PyInterpreterState_ThreadHead(PyInterpreterState_Get());

    for (; thread != NULL && !found; thread = PyThreadState_Next(thread)) {
        PyFrameObject *frame = PyThreadState_GetFrame(thread);
        if (frame != NULL && thread == PyThreadState_Get()) {
            Py_SETREF(frame, PyFrame_GetBack(frame));
        }
        found = is_below(frame, code, s, &left);
    }
    return found;
}
