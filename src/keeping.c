#include "tracer.h"

#include <errno.h>
#include <string.h>

/* A string as UTF-8, which *held keeps alive if it is not NULL; or NULL with an exception. */
static const char *
as_utf8(PyObject *text, PyObject **held, size_t *n_bytes)
{
    if (PyUnicode_IS_COMPACT_ASCII(text)) {
        *n_bytes = (size_t)PyUnicode_GET_LENGTH(text);
        return PyUnicode_DATA(text);
    }
    *held = PyUnicode_AsEncodedString(text, "utf-8", "surrogatepass");
    *n_bytes = *held == NULL ? 0 : (size_t)PyBytes_GET_SIZE(*held);
    return *held == NULL ? NULL : PyBytes_AS_STRING(*held);
}

static int
begin_context(Tracer *self)
{
    PyObject *known = PyDict_GetItemWithError(self->contexts, self->context);  // borrowed
    if (known != NULL) {
        return recording_switch(&self->recording, (uint32_t)PyLong_AsUnsignedLong(known)) < 0 ? -1 : 0;
    }
    const char *parts[3];
    size_t n_parts[3];
    PyObject *held[3] = {NULL};
    int64_t id = PyErr_Occurred() ? -1 : 0;
    for (int i = 0; i < 3 && id == 0; i++) {
        parts[i] = as_utf8(PyTuple_GET_ITEM(self->context, i), &held[i], &n_parts[i]);
        id = parts[i] == NULL ? -1 : 0;
    }
    if (id == 0) {
        id = recording_context(&self->recording, parts, n_parts);
    }
    for (int i = 0; i < 3; i++) {
        Py_XDECREF(held[i]);
    }
    PyObject *number = id < 0 ? NULL : PyLong_FromLongLong(id);
    int failed = number == NULL || PyDict_SetItem(self->contexts, self->context, number) < 0;
    Py_XDECREF(number);
    return failed ? -1 : 0;
}

int
keeping_context(Tracer *self)
{
    if (begin_context(self) < 0) {
        return -1;
    }
    children_mark(self);
    return 0;
}

static bool
in_empty_context(Tracer *self)
{
    for (int i = 0; i < 3; i++) {
        if (PyUnicode_GET_LENGTH(PyTuple_GET_ITEM(self->context, i)) != 0) {
            return false;
        }
    }
    return true;
}

/* Begins a generation of ids in a recording that was just opened.  0, or -1 with an exception. */
static int
begin_generation(Tracer *self)
{
    arcs_clear(&self->arcs);
    if (PyDict_GET_SIZE(self->contexts) > 0) {
        PyDict_Clear(self->contexts);
    }
    self->generation = ++self->registry->n_recordings;
    tracer_begin_serial(self);
    if (recording_run(&self->recording, PyBytes_AS_STRING(self->settings), (size_t)PyBytes_GET_SIZE(self->settings)) < 0
        || (!in_empty_context(self) && keeping_context(self) < 0)) {
        if (!PyErr_Occurred()) {
            errno = self->recording.error;
            PyErr_SetFromErrno(PyExc_OSError);
        }
        return -1;
    }
    return 0;
}

/* Opens a recording for this process and begins a generation: ids of an earlier recording mean nothing in it.
 * Returns the index of the directory that took it, or -1 with an exception. */
Py_ssize_t
keeping_begin(Tracer *self)
{
    Py_ssize_t n = PyTuple_GET_SIZE(self->directories);
    const char **directories = PyMem_RawMalloc((size_t)n * sizeof(*directories));
    const char *run_id = PyUnicode_AsUTF8(self->run_id);
    if (directories == NULL || run_id == NULL) {
        PyMem_RawFree(directories);
        return PyErr_Occurred() ? -1 : ((void)PyErr_NoMemory(), -1);
    }
    for (Py_ssize_t i = 0; i < n; i++) {
        directories[i] = PyBytes_AS_STRING(PyTuple_GET_ITEM(self->directories, i));
    }
    recording_owner owner = {.hexversion = PY_VERSION_HEX};
    recording_owner_fill(&owner);
    strncpy(owner.run_id, run_id, sizeof(owner.run_id) - 1);
    PyObject *flags = PySys_GetObject("flags");  // borrowed
    PyObject *optimize = flags == NULL ? NULL : PyObject_GetAttrString(flags, "optimize");
    owner.optimize = optimize == NULL ? 0 : (uint32_t)PyLong_AsUnsignedLong(optimize);
    Py_XDECREF(optimize);
    PyErr_Clear();
    size_t used = 0;
    int failed = recording_open(&self->recording, directories, (size_t)n, &owner, &used);
    PyMem_RawFree(directories);
    if (failed) {
        PyErr_SetFromErrnoWithFilenameObject(PyExc_OSError, PyTuple_GET_ITEM(self->directories, 0));
        return -1;
    }
    return begin_generation(self) < 0 ? -1 : (Py_ssize_t)used;
}

static int
keep_file(Tracer *self, file_state *file)
{
    if (file->generation == self->generation) {
        return 0;
    }
    if (!file->hashed) {
        if (sha256_source_file(file->path, file->hash) < 0) {
            memset(file->hash, 0, sizeof(file->hash));  // gone, or inside an archive: reported as unreadable
        }
        file->hashed = true;
    }
    int64_t id = recording_file(&self->recording, file->hash, file->path, file->n_path);
    if (id < 0) {
        return -1;
    }
    file->id = (uint32_t)id;
    file->generation = self->generation;
    return 0;
}

size_t
keeping_encode(Tracer *self, const shape *full)
{
    size_t n_shape = shape_encode(full, self->buffer, self->buffer_room);
    if (n_shape > self->buffer_room) {
        uint8_t *buffer = PyMem_RawRealloc(self->buffer, n_shape * 2);
        if (buffer == NULL) {
            return 0;
        }
        self->buffer = buffer;
        self->buffer_room = n_shape * 2;
        n_shape = shape_encode(full, self->buffer, self->buffer_room);
    }
    return n_shape;
}

static int
keep_shape(Tracer *self, code_state *state, const shape *full)
{
    const size_t n_shape = keeping_encode(self, full);
    if (n_shape == 0) {
        return -1;
    }
    PyObject *held = NULL;
    size_t n_qualname;
    const char *qualname = as_utf8(state->code->co_qualname, &held, &n_qualname);
    if (qualname == NULL) {
        return -1;
    }
    int64_t id = recording_code(&self->recording, state->file->id, state->code->co_firstlineno,
                                (uint32_t)state->code->co_flags, qualname, n_qualname, self->buffer, n_shape);
    Py_XDECREF(held);
    if (id < 0) {
        return -1;
    }
    state->id = (uint32_t)id;
    state->generation = self->generation;
    return 0;
}

int
keeping_begin_own(Tracer *self)
{
    if (keeping_ready(self)) {
        return 0;
    }
    char *mark = children_find_mark(self);
    if (!recording_born(&self->recording)) {
        children_born(self, &self->recording.owner);
    }
    if (recording_follow(&self->recording) < 0) {
        PyErr_SetFromErrno(PyExc_OSError);
        return -1;
    }
    if (begin_generation(self) < 0) {
        return -1;
    }
    children_inherit_mark(self, mark);
    return 0;
}

/* Makes sure that the recording is this process's own and knows the code object, and that we know its shape. */
int
keeping_code(Tracer *self, code_state *state)
{
    if (keeping_begin_own(self) < 0) {
        return -1;
    }
    if (state->generation == self->generation) {
        return 0;
    }
    if (!self->is_tallying && keep_file(self, state->file) < 0) {
        return -1;
    }
    shape full = state->shape;
    if (!state->has_shape && registry_read_shape(state, &full) < 0) {
        return -1;
    }
    int failed = self->is_tallying ? tallying_code(self, state, &full) : keep_shape(self, state, &full);
    if (state->has_shape) {
        return failed;
    }
    if (failed) {
        shape_free(&full);
    }
    else {
        state->shape = full;
        state->has_shape = true;
        heard_init(&state->heard, &state->shape, (size_t)Py_SIZE(state->code));
    }
    return failed;
}

