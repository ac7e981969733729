/* reader_arcs: a function of the module _reader; covcore/_reader.pyi tells of it. */
#ifndef COVCORE_READER_ARCS_H
#define COVCORE_READER_ARCS_H

#include <Python.h>

PyObject *reader_arc_pages(PyObject *module, PyObject *args);

#endif
