/* launch: the program that is measured, run as the interpreter itself runs one.
 *
 * Nothing may tell the program that covcore runs it: no frame of ours below its own (inspect.stack, warnings'
 * stacklevel, pdb's `up`, the depth of a RecursionError), no line of ours in a traceback, no other exit status.  The interpreter
 * has one place where code runs on an empty stack with its own error handling still to come: sys.excepthook,
 * called for an exception that left the outermost frame.  So covcore's frames are left by an exception whose hook
 * is the program:
 *
 *      python -m covcore run script.py
 *        C: pymain_run_python
 *          covcore.cli.main: defer(run_script, "script.py"); raise     -> the Python frames are gone
 *          C: PyErr_Print -> excepthook                                <- here, with the user's excepthook back in place
 *            C: run_script -> the program
 *
 * What the program raises is printed by PyErr_Print as ever, which ends the process on SystemExit.  When the hook
 * returns, the interpreter ends with status 1, or by SIGINT after a KeyboardInterrupt; any other status is Py_Exit's.
 */
#include <Python.h>

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "compat.h"
#include "platform.h"

static const PyCompilerFlags no_flags = {.cf_flags = 0, .cf_feature_version = PY_MINOR_VERSION};

/* Has the interpreter die by SIGINT once it is finalized, as it does when a KeyboardInterrupt ends a program.  Its flag for
 * that is private, but running any source that ends so sets it. */
static void
mark_interrupted(void)
{
    PyObject *globals = PyDict_New();
    if (globals != NULL) {
        Py_XDECREF(PyRun_String("raise KeyboardInterrupt", Py_file_input, globals, globals));
        Py_DECREF(globals);
    }
    PyErr_Clear();
}

static PyObject *
launch_mark_interrupted(PyObject *Py_UNUSED(module), PyObject *Py_UNUSED(ignored))
{
    mark_interrupted();
    Py_RETURN_NONE;
}

/* Turns a result (a new reference, or NULL with the program's exception) into its exit status. */
static PyObject *
status_of(PyObject *result)
{
    if (result != NULL) {
        Py_DECREF(result);
        return PyLong_FromLong(0);
    }
    bool interrupted = PyErr_ExceptionMatches(PyExc_KeyboardInterrupt);
    PyErr_Print();  // does not return from SystemExit
    if (interrupted) {
        mark_interrupted();
    }
    return PyLong_FromLong(1);
}

static PyObject *
launch_script(PyObject *Py_UNUSED(module), PyObject *path)
{
    if (PySys_Audit("cpython.run_file", "O", path) < 0) {
        return status_of(NULL);
    }
    PyObject *encoded;
    if (!PyUnicode_FSConverter(path, &encoded)) {
        return NULL;
    }
    FILE *file = platform_open(PyBytes_AS_STRING(encoded));
    int failed = 1;
    if (file == NULL) {
        PyErr_SetFromErrnoWithFilenameObject(PyExc_OSError, path);
        PyErr_Print();
    }
    else {
        PyCompilerFlags flags = no_flags;
        failed = PyRun_AnyFileExFlags(file, PyBytes_AS_STRING(encoded), 1, &flags);
    }
    Py_DECREF(encoded);
    return PyLong_FromLong(failed != 0);
}

static PyObject *
launch_stdin(PyObject *Py_UNUSED(module), PyObject *Py_UNUSED(ignored))
{
    if (PySys_Audit("cpython.run_stdin", NULL) < 0) {
        return status_of(NULL);
    }
    PyCompilerFlags flags = no_flags;
    return PyLong_FromLong(PyRun_AnyFileExFlags(stdin, "<stdin>", 0, &flags) != 0);
}

/* Runs the module of this name, or with "" the __main__ module at sys.path[0]. */
static PyObject *
launch_module(PyObject *Py_UNUSED(module), PyObject *name)
{
    bool is_path = PyUnicode_GetLength(name) == 0;
    PyObject *function = NULL, *result = NULL;
    if (PySys_Audit("cpython.run_module", "O", name) == 0) {
        function = PyImport_ImportModuleAttrString("runpy", "_run_module_as_main");
    }
    if (function != NULL) {
        result = is_path ? PyObject_CallFunction(function, "sO", "__main__", Py_False) : PyObject_CallOneArg(function, name);
        Py_DECREF(function);
    }
    return status_of(result);
}

/* Compiles source and has linecache know it, so that tracebacks show its lines (from 3.13 on). */
static PyObject *
compile_command(PyObject *source)
{
    const char *text = PyUnicode_AsUTF8(source);
    PyObject *name = PyUnicode_FromString("<string>");
    PyObject *code = NULL, *keep = NULL, *kept = NULL;
    if (text == NULL) {
        PySys_WriteStderr("Unable to decode the command from the command line:\n");
    }
    else if (name != NULL) {
        PyCompilerFlags flags = no_flags;
        flags.cf_flags = PyCF_IGNORE_COOKIE;
        code = Py_CompileStringObject(text, name, Py_file_input, &flags, -1);
    }
    if (code != NULL && TRACEBACKS_SHOW_COMMANDS) {
        // The first versions of 3.13 know the text by the name of its file, not by the code.
        PyObject *by_code = PyImport_ImportModuleAttrString("linecache", "_interactive_cache");
        if (by_code == NULL) {
            PyErr_Clear();
        }
        keep = PyImport_ImportModuleAttrString("linecache", "_register_code");
        if (keep != NULL) {
            kept = PyObject_CallFunctionObjArgs(keep, by_code == NULL ? name : code, source, name, NULL);
        }
        Py_XDECREF(by_code);
        if (kept == NULL) {
            Py_CLEAR(code);
        }
    }
    Py_XDECREF(kept);
    Py_XDECREF(keep);
    Py_XDECREF(name);
    return code;
}

static PyObject *
launch_command(PyObject *Py_UNUSED(module), PyObject *source)
{
    PyObject *code = NULL, *main_module = NULL, *result = NULL;
    if (PySys_Audit("cpython.run_command", "O", source) == 0) {
        main_module = PyImport_AddModuleRef("__main__");
    }
    if (main_module != NULL) {
        code = compile_command(source);
    }
    if (code != NULL) {
        PyObject *globals = PyModule_GetDict(main_module);  // borrowed
        result = PyEval_EvalCode(code, globals, globals);
        Py_DECREF(code);
    }
    Py_XDECREF(main_module);
    return status_of(result);
}

/* Whether the interpreter goes on interactively (-i, PYTHONINSPECT) when the program has ended. */
static bool
goes_on_interactively(void)
{
    PyObject *flags = PySys_GetObject("flags");  // borrowed
    PyObject *interactive = flags == NULL ? NULL : PyObject_GetAttrString(flags, "interactive");
    PyObject *inspect = flags == NULL ? NULL : PyObject_GetAttrString(flags, "inspect");
    bool is_interactive = interactive != NULL && PyObject_IsTrue(interactive) > 0;
    bool is_inspect = inspect != NULL && PyObject_IsTrue(inspect) > 0;
    Py_XDECREF(interactive);
    Py_XDECREF(inspect);
    PyErr_Clear();
    return is_interactive || ((is_inspect || getenv("PYTHONINSPECT") != NULL) && platform_is_terminal(stdin));
}

/* The excepthook: self is (function, argument, the excepthook before). */
static PyObject *
run_deferred(PyObject *self, PyObject *Py_UNUSED(exception))
{
    static const char *const left_by_us[] = {"last_exc", "last_type", "last_value", "last_traceback"};
    for (size_t i = 0; i < Py_ARRAY_LENGTH(left_by_us); i++) {
        if (PySys_SetObject(left_by_us[i], NULL) < 0) {
            PyErr_Clear();
        }
    }
    if (PySys_SetObject("excepthook", PyTuple_GET_ITEM(self, 2)) < 0) {
        return NULL;
    }
    PyObject *result = PyObject_CallOneArg(PyTuple_GET_ITEM(self, 0), PyTuple_GET_ITEM(self, 1));
    if (result == NULL) {
        return NULL;
    }
    long status = PyLong_AsLong(result);
    Py_DECREF(result);
    if (status == 0 && !goes_on_interactively()) {
        Py_Exit(0);
    }
    Py_RETURN_NONE;
}

static PyMethodDef run_deferred_method = {"excepthook", run_deferred, METH_VARARGS, NULL};

static PyObject *
launch_defer(PyObject *Py_UNUSED(module), PyObject *args)
{
    PyObject *function, *argument;
    if (!PyArg_ParseTuple(args, "OO:defer", &function, &argument)) {
        return NULL;
    }
    PyObject *before = PySys_GetObject("excepthook");  // borrowed
    if (before == NULL) {
        PyErr_SetString(PyExc_RuntimeError, "lost sys.excepthook");
        return NULL;
    }
    PyObject *self = PyTuple_Pack(3, function, argument, before);
    PyObject *hook = self == NULL ? NULL : PyCFunction_New(&run_deferred_method, self);
    Py_XDECREF(self);
    if (hook == NULL || PySys_SetObject("excepthook", hook) < 0) {
        Py_XDECREF(hook);
        return NULL;
    }
    // Our reference is never given back: before 3.14 the interpreter calls the hook by a borrowed one, and the hook takes itself out.
    Py_RETURN_NONE;
}

static PyMethodDef launch_methods[] = {
    {"run_script", launch_script, METH_O, PyDoc_STR("run_script($module, path, /)\n--\n\nRun a script or .pyc file.")},
    {"run_stdin", launch_stdin, METH_O, PyDoc_STR("run_stdin($module, ignored, /)\n--\n\nRun standard input.")},
    {"run_module", launch_module, METH_O, PyDoc_STR("run_module($module, name, /)\n--\n\nRun a module.")},
    {"run_command", launch_command, METH_O, PyDoc_STR("run_command($module, source, /)\n--\n\nRun source text.")},
    {"mark_interrupted", launch_mark_interrupted, METH_NOARGS,
     PyDoc_STR("mark_interrupted($module, /)\n--\n\nHave the interpreter end by SIGINT.")},
    {"defer", launch_defer, METH_VARARGS,
     PyDoc_STR("defer($module, function, argument, /)\n--\n\nHave a program run when the outermost frame is left.")},
    {0},
};

static PyModuleDef_Slot launch_slots[] = {
    {Py_mod_multiple_interpreters, Py_MOD_PER_INTERPRETER_GIL_SUPPORTED},
    NEEDS_NO_GIL
    {0, NULL},
};

static PyModuleDef launch_definition = {
    .m_base = PyModuleDef_HEAD_INIT,
    .m_name = "covcore._launch",
    .m_doc = PyDoc_STR("Runs the program that is measured as the interpreter itself would."),
    .m_methods = launch_methods,
    .m_slots = launch_slots,
};

PyMODINIT_FUNC
PyInit__launch(void)
{
    return PyModuleDef_Init(&launch_definition);
}
