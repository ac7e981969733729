/* compat: where versions of CPython differ, for the sources that speak to Python.  (Opcodes: opcodes.h.) */
#ifndef COVCORE_COMPAT_H
#define COVCORE_COMPAT_H

#include <Python.h>
#include <stdbool.h>
#include <stdint.h>

/* Whether each arm of a site has an event of its own, BRANCH_LEFT or BRANCH_RIGHT.  Before 3.14 there is one, BRANCH, which
 * tells of both and is silenced for both. */
enum { HAS_EVENT_PER_ARM = PY_VERSION_HEX >= 0x030E0000 };

/* Whether what a conditional jump tests is True or False, so that nothing runs between the jump and where it leads.  Before 3.13 it
 * may be any object, whose __bool__ runs. */
enum { TESTS_ARE_OF_BOOLS = PY_VERSION_HEX >= 0x030D0000 };

/* Whether LINE events cost the more the longer their code object is (gh-127953, mended in 3.13.3): what runs, not what this was built on,
 * tells. */
static inline bool
lines_cost_by_length(void)
{
    return !HAS_EVENT_PER_ARM && Py_Version < 0x030D0300;
}

/* Whether a traceback shows lines of what `python -c` runs. */
enum { TRACEBACKS_SHOW_COMMANDS = PY_VERSION_HEX >= 0x030D0000 };

/* A handle on an object that others may be about to free, from which a reference can be had for as long as it lives: with a GIL
 * whoever can look at the object can have a reference, without one it may be on its way out already. */

#ifdef Py_GIL_DISABLED

enum { HAS_GIL = 0 };

static inline PyObject *
new_handle(PyObject *object)
{
    return PyWeakref_NewRef(object, NULL);
}

static inline void
free_handle(PyObject *handle)
{
    Py_XDECREF(handle);
}

/* A new reference, or NULL without an exception: the object goes. */
static inline PyObject *
from_handle(PyObject *handle)
{
    PyObject *object;
    if (PyWeakref_GetRef(handle, &object) < 0) {
        PyErr_Clear();
        return NULL;
    }
    return object;
}

#else

enum { HAS_GIL = 1 };

static inline PyObject *
new_handle(PyObject *object)
{
    return object;
}

static inline void
free_handle(PyObject *handle)
{
    (void)handle;
}

static inline PyObject *
from_handle(PyObject *handle)
{
    return Py_NewRef(handle);
}

#endif

/* What a module that needs no GIL has among its slots. */
#ifdef Py_MOD_GIL_NOT_USED
#    define NEEDS_NO_GIL {Py_mod_gil, Py_MOD_GIL_NOT_USED},
#else
#    define NEEDS_NO_GIL
#endif

/* Functions that came later than 3.12, as later versions have them. */

#if PY_VERSION_HEX < 0x030D0000

#    define Py_BEGIN_CRITICAL_SECTION(object) {
#    define Py_END_CRITICAL_SECTION() }

static inline int
PyDict_GetItemRef(PyObject *dict, PyObject *key, PyObject **result)
{
    *result = Py_XNewRef(PyDict_GetItemWithError(dict, key));
    return *result != NULL ? 1 : PyErr_Occurred() ? -1 : 0;
}

static inline PyObject *
PyImport_AddModuleRef(const char *name)
{
    return Py_XNewRef(PyImport_AddModule(name));
}

#endif

#if PY_VERSION_HEX < 0x030E0000

static inline PyObject *
PyImport_ImportModuleAttrString(const char *module_name, const char *name)
{
    PyObject *module = PyImport_ImportModule(module_name);
    PyObject *value = module == NULL ? NULL : PyObject_GetAttrString(module, name);
    Py_XDECREF(module);
    return value;
}

static inline int
PyLong_AsUInt32(PyObject *number, uint32_t *value)
{
    const unsigned long wide = PyLong_AsUnsignedLong(number);
    if (wide == (unsigned long)-1 && PyErr_Occurred()) {
        return -1;
    }
    if (wide > UINT32_MAX) {
        PyErr_SetString(PyExc_OverflowError, "Python int too large to convert to C uint32_t");
        return -1;
    }
    *value = (uint32_t)wide;
    return 0;
}

static inline PyObject *
PyLong_FromUInt32(uint32_t value)
{
    return PyLong_FromUnsignedLong(value);
}

#endif

#endif
