/* Shapes as Python objects, and numbers as the database keeps them: part of the module _reader. */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "reader_shapes.h"

#include "columns.h"
#include "compat.h"
#include "sites.h"

/* ---- shapes ---- */

typedef PyObject *(*item_maker)(const void *source, uint32_t index);

/* A tuple of n items, each made of the source: NULL with an exception if one cannot be made. */
static PyObject *
tuple_of(uint32_t n, item_maker make, const void *source)
{
    PyObject *tuple = PyTuple_New((Py_ssize_t)n);

    for (uint32_t i = 0; tuple != NULL && i < n; i++) {
        PyObject *item = make(source, i);
        if (item == NULL) {
            Py_CLEAR(tuple);
            break;
        }
        PyTuple_SET_ITEM(tuple, (Py_ssize_t)i, item);
    }
    return tuple;
}

static PyObject *
make_line(const void *source, uint32_t index)
{
    return PyLong_FromLong(((const int32_t *)source)[index]);
}

static PyObject *
make_site(const void *source, uint32_t index)
{
    const site *it = &((const shape *)source)->sites[index];

    return Py_BuildValue("IIIIIiiiii", it->source, it->left, it->right, it->left_block, it->right_block, (int)it->kind,
                         it->line, it->end_line, it->col, it->end_col);
}

static PyObject *
make_block(const void *source, uint32_t index)
{
    const shape *s = source;
    const block *it = &s->blocks[index];
    PyObject *lines = tuple_of(it->n_lines, make_line, s->flow_lines + it->first_line_index);

    return lines == NULL ? NULL : Py_BuildValue("iIN", (int)it->end, it->target, lines);
}

static PyObject *
shape_error(const char *reason)
{
    if (strcmp(reason, "no memory") == 0) {
        return PyErr_NoMemory();
    }
    return PyErr_Format(PyExc_ValueError, "malformed: %s", reason);
}

PyObject *
reader_decode_shape(PyObject *Py_UNUSED(module), PyObject *bytes)
{
    shape s;
    const char *reason;

    if (!PyBytes_Check(bytes)) {
        return PyErr_Format(PyExc_TypeError, "a shape is bytes, not %.200s", Py_TYPE(bytes)->tp_name);
    }
    if (shape_decode(&s, (const uint8_t *)PyBytes_AS_STRING(bytes), (size_t)PyBytes_GET_SIZE(bytes), &reason) < 0) {
        return shape_error(reason);
    }
    PyObject *lines = tuple_of(s.n_lines, make_line, s.lines);
    PyObject *sites = lines == NULL ? NULL : tuple_of(s.n_sites, make_site, &s);
    PyObject *blocks = sites == NULL ? NULL : tuple_of(s.n_blocks, make_block, &s);
    PyObject *result = blocks == NULL ? NULL : PyTuple_Pack(3, lines, sites, blocks);
    Py_XDECREF(lines);
    Py_XDECREF(sites);
    Py_XDECREF(blocks);
    shape_free(&s);
    return result;
}

PyObject *
reader_shape_columns(PyObject *Py_UNUSED(module), PyObject *bytes)
{
    shape s;
    const char *reason;
    PyObject *result = NULL;

    if (!PyBytes_Check(bytes)) {
        return PyErr_Format(PyExc_TypeError, "a shape is bytes, not %.200s", Py_TYPE(bytes)->tp_name);
    }
    if (shape_decode(&s, (const uint8_t *)PyBytes_AS_STRING(bytes), (size_t)PyBytes_GET_SIZE(bytes), &reason) < 0) {
        return shape_error(reason);
    }
    char *lines = PyMem_Malloc((size_t)s.n_lines * COLUMN_NUMBER + COLUMN_ENDS);
    char *sites = PyMem_Malloc((size_t)s.n_sites * COLUMN_SITE + COLUMN_ENDS);
    if (lines != NULL && sites != NULL) {
        result = Py_BuildValue("s#s#", lines, (Py_ssize_t)columns_lines(lines, &s), sites,
                               (Py_ssize_t)columns_sites(sites, &s));
    }
    else {
        PyErr_NoMemory();
    }
    PyMem_Free(lines);
    PyMem_Free(sites);
    shape_free(&s);
    return result;
}

static PyObject *
encoded(const shape *s)
{
    PyObject *bytes = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)shape_encode(s, NULL, 0));

    if (bytes != NULL) {
        (void)shape_encode(s, (uint8_t *)PyBytes_AS_STRING(bytes), (size_t)PyBytes_GET_SIZE(bytes));
    }
    return bytes;
}

/* The shape of a code object: 0, or -1 with an exception. */
static int
build_shape(shape *out, PyObject *code)
{
    int result = -1;
    PyObject *bytecode = PyCode_GetCode((PyCodeObject *)code);
    PyObject *linetable = PyObject_GetAttrString(code, "co_linetable");
    PyObject *handlers = PyObject_GetAttrString(code, "co_exceptiontable");

    if (bytecode != NULL && linetable != NULL && handlers != NULL) {
        const char *reason;
        const shape_source source = {
            .code = (const uint8_t *)PyBytes_AS_STRING(bytecode),
            .n_code = (size_t)PyBytes_GET_SIZE(bytecode),
            .linetable = (const uint8_t *)PyBytes_AS_STRING(linetable),
            .n_linetable = (size_t)PyBytes_GET_SIZE(linetable),
            .first_line = ((PyCodeObject *)code)->co_firstlineno,
            .handlers = (const uint8_t *)PyBytes_AS_STRING(handlers),
            .n_handlers = (size_t)PyBytes_GET_SIZE(handlers),
        };
        result = shape_build(out, &source, &reason);
        if (result < 0) {
            (void)shape_error(reason);
        }
    }
    Py_XDECREF(bytecode);
    Py_XDECREF(linetable);
    Py_XDECREF(handlers);
    return result;
}

PyObject *
reader_describe(PyObject *Py_UNUSED(module), PyObject *code)
{
    shape s;

    if (!PyCode_Check(code)) {
        return PyErr_Format(PyExc_TypeError, "not a code object but %.200s", Py_TYPE(code)->tp_name);
    }
    if (build_shape(&s, code) < 0) {
        return NULL;
    }
    PyObject *bytes = encoded(&s);
    shape_free(&s);
    return bytes;
}

PyObject *
reader_starts(PyObject *Py_UNUSED(module), PyObject *code)
{
    shape s;

    if (!PyCode_Check(code)) {
        return PyErr_Format(PyExc_TypeError, "not a code object but %.200s", Py_TYPE(code)->tp_name);
    }
    if (build_shape(&s, code) < 0) {
        return NULL;
    }
    PyObject *tuple = PyTuple_New((Py_ssize_t)s.n_starts);
    for (uint32_t i = 0; tuple != NULL && i < s.n_starts; i++) {
        PyObject *item = Py_BuildValue("Ii", s.starts[i].offset, s.lines[s.starts[i].slot]);
        if (item == NULL) {
            Py_CLEAR(tuple);
            break;
        }
        PyTuple_SET_ITEM(tuple, (Py_ssize_t)i, item);
    }
    PyObject *result = tuple == NULL ? NULL : Py_BuildValue("NO", tuple, s.has_inline_targets ? Py_True : Py_False);
    shape_free(&s);
    return result;
}

/* ---- numbers ---- */

static int
compare_numbers(const void *one, const void *other)
{
    const uint32_t a = *(const uint32_t *)one, b = *(const uint32_t *)other;

    return (a > b) - (a < b);
}

/* Reads a list's numbers, and sorts them.  0, or -1 with an exception. */
static int
sorted_numbers(uint32_t *out, PyObject *list, Py_ssize_t n)
{
    bool ascend = true;

    for (Py_ssize_t i = 0; i < n; i++) {
        if (PyLong_AsUInt32(PyList_GET_ITEM(list, i), &out[i]) < 0) {
            return -1;
        }
        ascend = ascend && (i == 0 || out[i - 1] < out[i]);
    }
    if (!ascend) {
        qsort(out, (size_t)n, sizeof(*out), compare_numbers);
    }
    return 0;
}

PyObject *
reader_encode_numbers(PyObject *Py_UNUSED(module), PyObject *list)
{
    PyObject *str = NULL;

    if (!PyList_Check(list)) {
        return PyErr_Format(PyExc_TypeError, "not a list but %.200s", Py_TYPE(list)->tp_name);
    }
    const Py_ssize_t n = PyList_GET_SIZE(list);
    uint32_t *numbers = PyMem_New(uint32_t, (size_t)n);
    char *text = PyMem_Malloc((size_t)n * COLUMN_NUMBER + COLUMN_ENDS);
    if (numbers == NULL || text == NULL) {
        PyErr_NoMemory();
    }
    else if (sorted_numbers(numbers, list, n) == 0) {
        str = PyUnicode_FromStringAndSize(text, (Py_ssize_t)columns_numbers(text, numbers, (size_t)n));
    }
    PyMem_Free(numbers);
    PyMem_Free(text);
    return str;
}

PyObject *
reader_decode_numbers(PyObject *Py_UNUSED(module), PyObject *str)
{
    Py_ssize_t n_text;
    const char *text = PyUnicode_AsUTF8AndSize(str, &n_text);
    uint32_t *numbers = text == NULL ? NULL : PyMem_New(uint32_t, (size_t)n_text / 2 + 1);

    if (numbers == NULL) {
        return text == NULL ? NULL : PyErr_NoMemory();
    }
    const int64_t n = columns_read(numbers, text, (size_t)n_text);
    PyObject *list =
        n < 0 ? PyErr_Format(PyExc_ValueError, "malformed: not a list of ascending numbers") : PyList_New(n);
    for (Py_ssize_t i = 0; list != NULL && i < n; i++) {
        PyObject *number = PyLong_FromUInt32(numbers[i]);
        if (number == NULL) {
            Py_CLEAR(list);
            break;
        }
        PyList_SET_ITEM(list, i, number);
    }
    PyMem_Free(numbers);
    return list;
}
