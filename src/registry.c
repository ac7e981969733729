#include "registry.h"

#include <string.h>

#include "compat.h"
#include "lock.h"
#include "quiet.h"

static void
list_init(list_link *head)
{
    head->prev = head->next = head;
}

static void
list_append(list_link *head, list_link *node)
{
    node->prev = head->prev;
    node->next = head;
    head->prev->next = node;
    head->prev = node;
}

static void
list_remove(list_link *node)
{
    if (node->next == NULL) {
        return;
    }
    node->prev->next = node->next;
    node->next->prev = node->prev;
    node->prev = node->next = NULL;
}

static void
registry_free(registry *reg)
{
    file_state *file = reg->files;
    while (file != NULL) {
        file_state *next = file->next;
        PyMem_RawFree(file->path);
        PyMem_RawFree(file);
        file = next;
    }
    PyMem_RawFree(reg);
}

/* The co_extra free function.  CPython calls it for each code object on which any user of co_extra set
 * something, so with NULL too; and after the module is gone (3,376 of 3,824 calls in one measured run). */
static void
state_free(void *extra)
{
    code_state *state = extra;
    if (state == NULL) {
        return;
    }
    registry *reg = state->registry;
    lock_take();
    if (reg->last == state) {
        reg->last_code = NULL;
        reg->last = NULL;
    }
    quiet_forget();
    list_remove(&state->all);
    list_remove(&state->touched);
    Py_XDECREF(state->name);
    shape_free(&state->shape);
    PyMem_RawFree(state->arms_taken);
    heard_free(&state->heard);
    free_handle(state->handle);
    PyMem_RawFree(state);
    reg->n_states--;
    if (reg->n_holders == 0 && reg->n_states == 0) {
        registry_free(reg);
    }
    lock_give();
}

registry *
registry_new(void)
{
    registry *reg = PyMem_RawCalloc(1, sizeof(*reg));
    if (reg == NULL) {
        PyErr_NoMemory();
        return NULL;
    }
    list_init(&reg->all);
    list_init(&reg->touched);
    reg->n_holders = 1;
    reg->extra_index = PyUnstable_Eval_RequestCodeExtraIndex(state_free);
    if (reg->extra_index < 0) {
        PyMem_RawFree(reg);
        PyErr_SetString(PyExc_RuntimeError, "no co_extra index is free: too many tools in this process attach data to code");
        return NULL;
    }
    return reg;
}

registry *
registry_hold(registry *reg)
{
    reg->n_holders++;
    return reg;
}

void
registry_release(registry *reg)
{
    reg->n_holders--;
    if (reg->n_holders == 0 && reg->n_states == 0) {
        registry_free(reg);
    }
}

/* Without a GIL CPython 3.13 does not see to it that two users of a code object's extras get along. */

static void *
get_extra(const registry *reg, PyObject *code)
{
    void *extra = NULL;
    Py_BEGIN_CRITICAL_SECTION(code);
    if (PyUnstable_Code_GetExtra(code, reg->extra_index, &extra) < 0) {
        PyErr_Clear();
    }
    Py_END_CRITICAL_SECTION();
    return extra;
}

static int
set_extra(const registry *reg, PyCodeObject *code, code_state *state)
{
    int failed;
    Py_BEGIN_CRITICAL_SECTION(code);
    failed = PyUnstable_Code_SetExtra((PyObject *)code, reg->extra_index, state);
    Py_END_CRITICAL_SECTION();
    if (failed && !PyErr_Occurred()) {
        PyErr_NoMemory();  // which CPython 3.13 does not say
    }
    return failed;
}

code_state *
registry_find_slow(registry *reg, PyObject *code)
{
    if (!PyCode_Check(code)) {
        return NULL;
    }
    void *extra = get_extra(reg, code);
    if (extra != NULL) {
        reg->last_code = code;
        reg->last = extra;
    }
    return extra;
}

code_state *
registry_add(registry *reg, PyCodeObject *code)
{
    code_state *state = PyMem_RawCalloc(1, sizeof(*state));
    if (state == NULL) {
        PyErr_NoMemory();
        return NULL;
    }
    state->registry = reg;
    state->code = code;
    state->handle = new_handle((PyObject *)code);
    if (state->handle == NULL || set_extra(reg, code, state) < 0) {
        free_handle(state->handle);
        PyMem_RawFree(state);
        return NULL;
    }
    list_append(&reg->all, &state->all);
    reg->n_states++;
    return state;
}

PyCodeObject *
registry_hold_code(const code_state *state)
{
    return (PyCodeObject *)from_handle(state->handle);
}

code_state *
registry_next(registry *reg, const code_state *state, PyCodeObject **held)
{
    list_link *node = state == NULL ? reg->all.next : state->all.next;
    PyCodeObject *code = NULL;
    while (node != &reg->all && (code = registry_hold_code(STATE_OF_ALL(node))) == NULL) {
        node = node->next;
    }
    code_state *next = code == NULL ? NULL : STATE_OF_ALL(node);
    Py_XSETREF(*held, code);
    return next;
}

file_state *
registry_add_file(registry *reg, PyObject *path)
{
    PyObject *encoded = PyUnicode_EncodeFSDefault(path);
    if (encoded == NULL) {
        return NULL;
    }
    size_t n_path = (size_t)PyBytes_GET_SIZE(encoded);
    file_state *file = PyMem_RawCalloc(1, sizeof(*file));
    char *copy = PyMem_RawMalloc(n_path + 1);
    if (file == NULL || copy == NULL) {
        PyMem_RawFree(file);
        PyMem_RawFree(copy);
        Py_DECREF(encoded);
        PyErr_NoMemory();
        return NULL;
    }
    memcpy(copy, PyBytes_AS_STRING(encoded), n_path + 1);
    Py_DECREF(encoded);
    file->path = copy;
    file->n_path = n_path;
    file->next = reg->files;
    reg->files = file;
    return file;
}

bool
registry_touch(code_state *state)
{
    if (state->touched.next != NULL) {
        return false;
    }
    list_append(&state->registry->touched, &state->touched);
    return true;
}

void
registry_untouch(code_state *state)
{
    list_remove(&state->touched);
}

int
registry_read_shape(const code_state *state, shape *out)
{
    PyObject *code = PyCode_GetCode(state->code);
    if (code == NULL) {
        return -1;
    }
    PyObject *linetable = state->code->co_linetable, *handlers = state->code->co_exceptiontable;  // borrowed
    shape_source source = {
        .code = (const uint8_t *)PyBytes_AS_STRING(code),
        .n_code = (size_t)PyBytes_GET_SIZE(code),
        .linetable = (const uint8_t *)PyBytes_AS_STRING(linetable),
        .n_linetable = (size_t)PyBytes_GET_SIZE(linetable),
        .first_line = state->code->co_firstlineno,
        .handlers = (const uint8_t *)PyBytes_AS_STRING(handlers),
        .n_handlers = (size_t)PyBytes_GET_SIZE(handlers),
    };
    const char *reason = NULL;
    int failed = shape_build(out, &source, &reason);
    Py_DECREF(code);
    if (failed) {
        PyErr_Format(PyExc_ValueError, "the bytecode of %U can't be read: %s", state->code->co_qualname, reason);
    }
    return failed;
}
