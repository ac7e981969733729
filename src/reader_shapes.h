/* reader_shapes: functions of the module _reader; covcore/_reader.pyi tells of them. */
#ifndef COVCORE_READER_SHAPES_H
#define COVCORE_READER_SHAPES_H

#include <Python.h>

PyObject *reader_decode_shape(PyObject *module, PyObject *bytes);
PyObject *reader_shape_columns(PyObject *module, PyObject *bytes);
PyObject *reader_describe(PyObject *module, PyObject *code);
PyObject *reader_starts(PyObject *module, PyObject *code);
PyObject *reader_encode_numbers(PyObject *module, PyObject *list);
PyObject *reader_decode_numbers(PyObject *module, PyObject *str);

#endif
