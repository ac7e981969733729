/* reader_hits: see reader_hits.h.
 *
 * Most tests run a function along one of few ways, so most patterns are one of the last few of their code object: these are compared
 * before a bitmap is made and looked up (click's suite: 149,000 patterns, 1,900 of which differ). */
#define PY_SSIZE_T_CLEAN
#include "reader_hits.h"

#include <string.h>

#include "compat.h"

enum { N_RECENT = 8 };

/* Patterns of one code object that came last, the last one first. */
typedef struct {
    struct {
        size_t first_byte;
        PyObject *contexts; /* borrowed from the dictionary; NULL: no pattern */
    } of[N_RECENT];
} recent;

/* The contexts of a bitmap, a borrowed reference: a new, empty list if there are none.  NULL with an exception. */
static PyObject *
contexts_of_bits(PyObject *contexts_of, PyObject *bits)
{
    PyObject *contexts = NULL;
    const int found = bits == NULL ? -1 : PyDict_GetItemRef(contexts_of, bits, &contexts);

    if (found == 0) {
        contexts = PyList_New(0);
        if (contexts != NULL && PyDict_SetItem(contexts_of, bits, contexts) < 0) {
            Py_CLEAR(contexts);
        }
    }
    Py_XDECREF(contexts);
    Py_XDECREF(bits);
    return contexts;
}

/* The same of a pattern of this code object. */
static PyObject *
contexts_of_pattern(const hit_table *h, const hit_pattern *it, recent *last, PyObject *contexts_of)
{
    const size_t n_bytes = hits_bitmap_bytes(h, it->code);
    const uint8_t *const bits = h->bits + it->first_byte;
    PyObject *contexts = NULL;
    int i = 0;

    while (i < N_RECENT && last->of[i].contexts != NULL
           && memcmp(h->bits + last->of[i].first_byte, bits, n_bytes) != 0) {
        i++;
    }
    if (i < N_RECENT && last->of[i].contexts != NULL) {
        contexts = last->of[i].contexts;
    }
    else {
        contexts = contexts_of_bits(contexts_of, PyBytes_FromStringAndSize((const char *)bits, (Py_ssize_t)n_bytes));
        i = i < N_RECENT ? i : N_RECENT - 1;
    }
    memmove(&last->of[1], &last->of[0], (size_t)i * sizeof(last->of[0]));
    last->of[0].first_byte = it->first_byte;
    last->of[0].contexts = contexts;
    return contexts;
}

/* Fills the dictionaries.  0, or -1 with an exception. */
static int
fill(PyObject *list, const hit_table *h, recent *last)
{
    PyObject *number = NULL; /* of the context of the last pattern: they come context by context */
    int failed = 0;

    for (size_t i = 0; !failed && i < h->n_patterns; i++) {
        const hit_pattern *it = &h->patterns[i];
        if (i == 0 || it->context != h->patterns[i - 1].context) {
            Py_XSETREF(number, PyLong_FromLongLong(it->context == EMPTY_CONTEXT ? -1 : (long long)it->context));
        }
        PyObject *contexts_of = PyList_GET_ITEM(list, (Py_ssize_t)it->code);
        PyObject *contexts = number == NULL ? NULL : contexts_of_pattern(h, it, &last[it->code], contexts_of);
        failed = contexts == NULL || PyList_Append(contexts, number) < 0;
    }
    Py_XDECREF(number);
    return failed ? -1 : 0;
}

PyObject *
reader_hits_by_code(const hit_table *h)
{
    PyObject *list = PyList_New((Py_ssize_t)h->n_codes);
    recent *last = PyMem_Calloc(h->n_codes + 1, sizeof(*last));

    if (last == NULL) {
        PyErr_NoMemory();
        Py_CLEAR(list);
    }
    for (size_t i = 0; list != NULL && i < h->n_codes; i++) {
        PyObject *contexts_of = PyDict_New();
        if (contexts_of == NULL) {
            Py_CLEAR(list);
            break;
        }
        PyList_SET_ITEM(list, (Py_ssize_t)i, contexts_of);
    }
    if (list != NULL && fill(list, h, last) < 0) {
        Py_CLEAR(list);
    }
    PyMem_Free(last);
    return list;
}
