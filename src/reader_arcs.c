/* reader_arcs: the table of arcs in coverage.py's data file, made of what contexts have run: see covcore_coverage/arctable.py. */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "btree.h"
#include "reader_arcs.h"

enum { MOST_PAGES_BYTES = 1 << 30 }; /* the page that begins there is SQLite's own */

/* An arc as Python gives it, in the order of the machine. */
typedef struct {
    int32_t line, to;
} arc;

typedef struct {
    btree table, index;
    arc *arcs; /* those of one file in one context */
    size_t n_arcs, room;
    long long file, context; /* the last */
} filling;

static int
compare_arcs(const void *a, const void *b)
{
    const arc *one = a, *other = b;

    if (one->line != other->line) {
        return one->line < other->line ? -1 : 1;
    }
    return (one->to > other->to) - (one->to < other->to);
}

/* Appends the arcs that some bytes hold. */
static int
take_part(filling *f, PyObject *part)
{
    if (!PyBytes_Check(part) || PyBytes_GET_SIZE(part) % (Py_ssize_t)sizeof(arc) != 0) {
        PyErr_SetString(PyExc_ValueError, "arcs are pairs of 32-bit numbers, as bytes");
        return -1;
    }
    const size_t n = (size_t)PyBytes_GET_SIZE(part) / sizeof(arc);
    if (f->n_arcs + n > f->room) {
        const size_t room = 2 * (f->n_arcs + n);
        arc *arcs = PyMem_Realloc(f->arcs, room * sizeof(arc));
        if (arcs == NULL) {
            PyErr_NoMemory();
            return -1;
        }
        f->arcs = arcs;
        f->room = room;
    }
    if (n > 0) {
        memcpy(f->arcs + f->n_arcs, PyBytes_AS_STRING(part), n * sizeof(arc));
        f->n_arcs += n;
    }
    return 0;
}

/* Adds a row for each arc that was taken; arcs of several code objects may be the same. */
static int
add_rows(filling *f)
{
    qsort(f->arcs, f->n_arcs, sizeof(arc), compare_arcs);
    for (size_t i = 0; i < f->n_arcs; i++) {
        if (i > 0 && compare_arcs(&f->arcs[i - 1], &f->arcs[i]) == 0) {
            continue;
        }
        const int64_t values[] = {f->file, f->context, f->arcs[i].line, f->arcs[i].to, (int64_t)f->table.rowid + 1};
        if (!btree_add(&f->table, values, 4) || !btree_add(&f->index, values, 5)) {
            PyErr_NoMemory();
            return -1;
        }
    }
    return 0;
}

/* Adds what one file has run in one context: (file, context, parts). */
static int
take_row(filling *f, PyObject *row)
{
    long long file, context;
    PyObject *parts;

    if (!PyTuple_Check(row)) {
        PyErr_Format(PyExc_TypeError, "a row is a tuple, not %.200s", Py_TYPE(row)->tp_name);
        return -1;
    }
    if (!PyArg_ParseTuple(row, "LLO!:arc_pages", &file, &context, &PyList_Type, &parts)) {
        return -1;
    }
    if (file < f->file || (file == f->file && context <= f->context)) {
        PyErr_SetString(PyExc_ValueError, "rows have to ascend");
        return -1;
    }
    f->file = file;
    f->context = context;
    f->n_arcs = 0;
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(parts); i++) {
        if (take_part(f, PyList_GET_ITEM(parts, i)) < 0) {
            return -1;
        }
    }
    return add_rows(f);
}

static PyObject *
filled(filling *f, PyObject *rows)
{
    const btree_pages *pages = f->table.pages;

    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(rows); i++) {
        if (take_row(f, PyList_GET_ITEM(rows, i)) < 0) {
            return NULL;
        }
    }
    const uint8_t *table = btree_finish(&f->table);
    const uint8_t *index = table == NULL ? NULL : btree_finish(&f->index);
    if (index == NULL) {
        return PyErr_NoMemory();
    }
    return Py_BuildValue("(y#y#y#)", table, (Py_ssize_t)pages->page_bytes, index, (Py_ssize_t)pages->page_bytes,
                         pages->n_bytes == 0 ? "" : (const char *)pages->bytes, (Py_ssize_t)pages->n_bytes);
}

PyObject *
reader_arc_pages(PyObject *Py_UNUSED(module), PyObject *args)
{
    PyObject *rows;
    unsigned int page_bytes, usable, n_pages;
    btree_pages pages;
    filling f = {.file = LLONG_MIN};

    if (!PyArg_ParseTuple(args, "O!III:arc_pages", &PyList_Type, &rows, &page_bytes, &usable, &n_pages)) {
        return NULL;
    }
    if (page_bytes == 0 || !btree_pages_init(&pages, page_bytes, usable, n_pages, MOST_PAGES_BYTES / page_bytes)) {
        PyErr_SetString(PyExc_ValueError, "SQLite has no such pages");
        return NULL;
    }
    btree_init(&f.table, &pages, true);
    btree_init(&f.index, &pages, false);
    PyObject *result = filled(&f, rows);
    btree_clear(&f.table);
    btree_clear(&f.index);
    btree_pages_clear(&pages);
    PyMem_Free(f.arcs);
    return result;
}
