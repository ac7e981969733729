/* long code: where LINE events cost the more the longer their code object is (compat.h), code whose lines are dear (far.h) goes by
 * INSTRUCTION events from the first one on.
 *
 * Not beside another tool: where that one disables a LINE location, CPython skips our INSTRUCTION event of that moment; and one that
 * joins later makes CPython drop our INSTRUCTION events (gh-157900), unless at that time two tools had an event in common already, as
 * D and M here have PY_START.  So LINE is given back before a newcomer has its first callback, which an audit hook tells of.  Hooks can't be
 * removed, and make id() and sys._getframe() 15 ns slower: there is none before there is long code. */
#include "tracer.h"

#include <stdatomic.h>
#include <string.h>

#include "compat.h"
#include "opcodes.h"

/* The tracer of the main interpreter that has armed long code without LINE since a newcomer came last, or NULL. */
static _Atomic(Tracer *) exposed; /* is looked at without the lock */
static bool hooked;

/* Arms what goes by INSTRUCTION with LINE in its place.  What was silenced for INSTRUCTION would tell must be heard again. */
static void
give_lines_back(Tracer *self)
{
    const event_masks *events = &self->monitoring.events;
    code_state *state = NULL;
    PyCodeObject *held = NULL;
    while (!self->failed && (state = registry_next(self->registry, state, &held)) != NULL) {
        if (!(state->armed & events->instruction) || state->armed & events->line) {
            continue;
        }
        const uint32_t mask = self->full_mask | (state->shape.has_eventless_arms ? events->instruction : 0);
        if (tracer_arm(self, state, 0) < 0 || tracer_arm(self, state, mask) < 0) {
            tracer_fail(self);
        }
    }
    Py_XDECREF(held);
}

/* Called for every audited event of every interpreter, without the lock. */
static int
on_audit(const char *event, PyObject *args, void *Py_UNUSED(data))
{
    if (atomic_load_explicit(&exposed, memory_order_relaxed) == NULL
        || strcmp(event, "sys.monitoring.register_callback") != 0
        || PyInterpreterState_Get() != PyInterpreterState_Main() || PyTuple_GET_ITEM(args, 0) == Py_None) {
        return 0;
    }
    lock_take();
    Tracer *self = exposed;
    if (self != NULL && !Py_IS_TYPE(PyTuple_GET_ITEM(args, 0), Py_TYPE(PyList_GET_ITEM(self->callbacks, 0)))) {
        exposed = NULL;
        give_lines_back(self);
    }
    lock_give();
    return 0;
}

/* Whether newcomers will be heard of; then they are from now on. */
static bool
listen(Tracer *self)
{
    if (PyInterpreterState_Get() != PyInterpreterState_Main()) {
        return false;
    }
    if (!hooked) {
        const unsigned depth = lock_let_go();
        hooked = PySys_AddAuditHook(on_audit, NULL) == 0;
        lock_take_back(depth);
        PyErr_Clear();  // another hook will have none
    }
    exposed = hooked ? self : NULL;
    return hooked;
}

void
long_code_unwatch(Tracer *self)
{
    if (exposed == self) {
        exposed = NULL;
    }
}

/* Whether code waits for other code: on 3.12 what it goes on with after an `await` or a `yield from` begins the line again for
 * INSTRUCTION, in whatever context it goes on.  A plain `yield` does not. */
static bool
waits(const PyCodeObject *code)
{
    if (!(code->co_flags & CO_GENERATOR)) {
        return code->co_flags & (CO_COROUTINE | CO_ASYNC_GENERATOR);
    }
    PyObject *bytecode = PyCode_GetCode((PyCodeObject *)code);
    if (bytecode == NULL) {
        PyErr_Clear();
        return true;
    }
    const char *units = PyBytes_AS_STRING(bytecode);
    Py_ssize_t i = 0, n = PyBytes_GET_SIZE(bytecode);
    while (i < n && (uint8_t)units[i] != SEND) {
        i += 2;
    }
    Py_DECREF(bytecode);
    return i < n;
}

static line_cost
look_at(const PyCodeObject *code)
{
    if (!lines_cost_by_length()) {
        return LINES_NEAR;
    }
    const PyObject *table = code->co_linetable;
    const line_cost cost = far_lines((const uint8_t *)PyBytes_AS_STRING(table), (size_t)PyBytes_GET_SIZE(table),
                                     code->co_firstlineno, (uint32_t)Py_SIZE(code));
    return cost != LINES_NEAR && waits(code) ? LINES_KEPT : cost;
}

uint32_t
long_code_spare(const Tracer *self, const code_state *state, uint32_t usual)
{
    return state->line_cost <= LINES_NEAR ? usual : state->armed & self->monitoring.events.line ? 0 : 2 * usual;
}

uint32_t
long_code_events(Tracer *self, code_state *state)
{
    if (state->line_cost == LINES_UNKNOWN) {
        state->line_cost = (uint8_t)look_at(state->code);
    }
    const uint8_t cost = state->line_cost;
    if (cost == LINES_NEAR || cost == LINES_KEPT || (cost == LINES_FAR && !self->by_task)
        || self->discovery == self->measuring) {
        return self->full_mask;
    }
    int alone = monitoring_is_alone(&self->monitoring);
    if (alone < 0) {
        PyErr_Clear();
    }
    return alone > 0 && listen(self) ? self->instruction_mask | self->monitoring.events.py_start : self->full_mask;
}
