/* arming: which events a code object has, and its being armed again. */
#include "tracer.h"

int
tracer_arm(Tracer *self, code_state *state, uint32_t events)
{
    if (monitoring_set_local(&self->monitoring, self->measuring, state->code, events) < 0) {
        if (!PyErr_ExceptionMatches(PyExc_TypeError) && !PyErr_ExceptionMatches(PyExc_SystemError)) {
            return -1;
        }
        PyErr_Clear();  // a code-like object, e.g. Cython's
        events = 0;
    }
    state->armed = events;
    return 0;
}

/* The events on code with arms that only INSTRUCTION tells of.  Beside another tool LINE is kept, see change_over. */
static uint32_t
events_with_proofs(Tracer *self)
{
    int alone = monitoring_is_alone(&self->monitoring);
    if (alone < 0) {
        PyErr_Clear();
    }
    return alone > 0 ? self->instruction_mask : self->full_mask | self->monitoring.events.instruction;
}

int
tracer_arm_with_proofs(Tracer *self, code_state *state)
{
    return tracer_arm(self, state, events_with_proofs(self));
}

/* The events that a code object is armed with once its shape is known: JUMP and PY_START only where LINE misses something
 * without them, or we want to know how busy the code is. */
static uint32_t
events_on(Tracer *self, code_state *state)
{
    const event_masks *events = &self->monitoring.events;
    uint32_t mask = long_code_events(self, state);

    if (!state->has_shape || !(mask & events->line)) {
        return mask;
    }
    if (state->shape.has_eventless_arms && !self->lines_only) {
        return events_with_proofs(self);
    }
    if (!state->shape.has_inline_loops) {
        mask &= ~events->jump;
    }
    if (!state->shape.has_lines_by_resume && !state->shape.has_inline_targets) {
        mask &= ~(events->py_start | events->py_resume);
    }
    return mask;
}

int
tracer_rearm(Tracer *self, code_state *state)
{
    PyCodeObject *code = registry_hold_code(state);
    if (code == NULL) {
        return 0;
    }
    int failed = tracer_arm(self, state, 0) < 0 || tracer_arm(self, state, events_on(self, state)) < 0;
    Py_DECREF(code);
    return failed ? -1 : 0;
}

int
tracer_rearm_touched(Tracer *self)
{
    list_link *touched = &self->registry->touched;
    while (touched->next != touched) {
        code_state *state = STATE_OF_TOUCHED(touched->next);
        registry_untouch(state);
        if (state->file != NULL && tracer_rearm(self, state) < 0) {
            return -1;
        }
        self->n_rearmed++;
    }
    return 0;
}
