/* tracer: which events are taken, what they mean, when they are silenced.
 *
 * Two tools.  D, discovery, has PY_START and PY_RESUME everywhere and silences each after its first event: that is how a
 * code object is met, decided on and armed.  M, measuring, has local events on measured code only:
 *
 *      LINE                       a line ran
 *      JUMP                       back to the start of its own line: LINE does not fire there again (where there is such a loop)
 *      BRANCH_LEFT, BRANCH_RIGHT  an arm of a site was taken
 *      PY_START, PY_RESUME        how busy the code is; and with them LINE fires for code that starts on its def line
 *                                 (gh-155992); armed again only where either matters
 *      INSTRUCTION                in place of LINE, where LINE would cost on, or costs too much (long_code.c)
 *
 * With one id only, D and M are one tool: PY_START and PY_RESUME are then never silenced on measured code.
 *
 * Before 3.14 an event BRANCH tells of both arms, and can only be silenced for both: it is once both were taken, and goes on
 * for as long as one was not.
 *
 * Every location is silenced (DISABLE) by its first event, so the steady state costs nothing, but for one thing: CPython skips the LINE
 * callback where a jump lands within its own line, so it can't be silenced there and costs 7 ns a pass, and up to a third of the speed
 * under 3.15's JIT.  Code with such places gives LINE up once all its lines are hit; and if that does not come about in PATIENCE starts and
 * jumps back, it changes over to INSTRUCTION events, which are silenced one by one and leave nothing behind.  (Not from the start: another
 * tool that asks for INSTRUCTION events later makes CPython drop ours, gh-157900.)
 *
 * A switch of context arms again what the last context touched, and nothing else.  So whatever silences a location must have touched its
 * code object first.
 *
 * Identity of an arc: LEFT by its destination alone, since its source shifts when LINE or INSTRUCTION is on the code and goes stale under
 * the JIT, while no two sites share a LEFT destination.  RIGHT by source and destination, see shape_right_slot.  (tracer-cases 1 and 2:
 * 2,716 shared RIGHT destinations in 19,562 code objects.)
 *
 * A callback never raises: what goes wrong is kept, recording stops, and `error` tells.
 */
#include "tracer.h"

#include <errno.h>
#include <string.h>

#include "compat.h"
#include "joins.h"
#include "standing.h"

/* An arc of the set.  Ends are chosen such that arcs which come one after the other have first ends that are equal and
 * last ends that are close together, as the set likes it (arcs.h):
 *
 *     a line       FROM_LINE                      the line
 *     LEFT         FROM_LEFT                      its destination, packed
 *     RIGHT        how far it is to its destination, in code units     its source, packed
 */
#define FROM_LINE  UINT32_MAX
#define FROM_LEFT  (UINT32_MAX - 1)
#define UNITS_MASK (UINT32_MAX >> 2) /* a code object has fewer code units */

/* A code unit (byte offset / 2) as an end: between two sites there are three or more units, so every fourth one makes
 * numbers without large gaps; the rest goes to the top. */
static inline uint32_t
pack(uint32_t unit)
{
    return unit >> 2 | unit << 30;
}

static inline uint32_t
unpack(uint32_t end)
{
    return end << 2 | end >> 30;
}

/* Starts, resumes and jumps back of code with places that LINE can't leave, before it changes over to INSTRUCTION, in one
 * context.  Changing over costs an arming and an event for each instruction, some 3 us for a function of 60 instructions:
 * about as much as so many events, so code that is not hot never pays for it, and hot code at most twice the least. */
enum { PATIENCE = 128 };

#define NOT_COUNTED UINT32_MAX

/* Most code that a test runs it runs once or twice, and arming it again for the next costs as much as hearing it several
 * times more: 18.5 ns a code unit, and an event that is known 20 to 30.  So once contexts are switched, a code object has an
 * event to spare for every second of its code units, and is left as it is if it stays below.  If not, it is hot: in the next HOT contexts
 * that it runs in, it is silenced at once, and in twice as many each time that it turns out to be hot again.
 *
 * Of 107,970 pairs of test and code object in jinja2's suite 52 % have up to 10 events, 90 % up to 100, 0.3 % over 10,000.
 * What arming and events cost there, in ms, with an event for each unit: 384 if each is silenced at once, 362 if none is, 117 so,
 * 96 at best.  Counted in instructions, 213 tests of that suite cost 595 million over bare with an event for each unit, 551 with
 * one for two, 544 with one for four and 556 with one for eight. */
enum { HOT = 4, HOTTEST = 64 };

/* As many events to spare as there are: nothing is silenced, see tasks.c. */
#define ENDLESS UINT32_MAX

void
tracer_fail(Tracer *self)
{
    if (!PyErr_Occurred()) {
        if (self->recording.error != 0) {
            errno = self->recording.error;
            PyErr_SetFromErrno(PyExc_OSError);
        }
        else {
            PyErr_NoMemory();
        }
    }
    PyObject *exception = PyErr_GetRaisedException();
    if (!self->failed) {
        self->failed = true;
        Py_XSETREF(self->error, PyUnicode_FromFormat("%s: %S", Py_TYPE(exception)->tp_name, exception));
        PyErr_Clear();  // no memory even for that: `failed` is enough
    }
    Py_DECREF(exception);
}

/* ---- hits ---- */

/* The first event of a code object in a context. */
static void
enter(Tracer *self, code_state *state)
{
    state->serial = self->serial;
    state->lines_left = NOT_COUNTED;  // until the first hit, when the shape is known
    heard_clear(&state->heard);
    if (!HAS_EVENT_PER_ARM && state->arms_taken != NULL) {
        memset(state->arms_taken, 0, state->shape.n_sites);
    }
    state->patience = 0;
    if (state->spare > 0) {
        state->hot_for = 0;
    }
    state->spare = 0;
    if (self->by_task) {
        state->spare = ENDLESS;
    }
    else if (state->n_hot > 0) {
        state->n_hot--;
    }
    else if (self->has_spare && self->switching && state->has_shape) {
        state->spare = long_code_spare(self, state, (uint32_t)Py_SIZE(state->code) / 2 + 1);
    }
}

/* What comes first with each event.  Puts a code object without events to spare on the list of those that the next switch arms
 * again: that must come before any DISABLE on it. */
static inline void
begin(Tracer *self, code_state *state)
{
    if (state->serial != self->serial) {
        enter(self, state);
    }
    if (state->spare == 0 && state->touched.next == NULL) {
        (void)registry_touch(state);
    }
}

static uint32_t
slot_of(const shape *s, uint32_t from, uint32_t to)
{
    int64_t slot = from == FROM_LINE   ? shape_line_slot(s, (int32_t)to)
                   : from == FROM_LEFT ? shape_left_slot(s, 2 * unpack(to))
                                       : shape_right_slot(s, 2 * unpack(to), 2 * ((unpack(to) + from) & UNITS_MASK));
    return slot < 0 ? NO_SLOT : (uint32_t)slot;
}

/* Before the first hit of a code object in a context, or in a recording. */
static int
prepare(Tracer *self, code_state *state)
{
    if (self->failed) {
        return -1;
    }
    if (keeping_code(self, state) < 0) {
        tracer_fail(self);
        return -1;
    }
    if (!HAS_EVENT_PER_ARM && state->arms_taken == NULL
        && (state->arms_taken = PyMem_RawCalloc(state->shape.n_sites + 1, 1)) == NULL) {
        tracer_fail(self);
        return -1;
    }
    if (state->shape.has_eventless_arms && !(state->armed & self->monitoring.events.instruction) && !self->lines_only
        && tracer_arm_with_proofs(self, state) < 0) {
        tracer_fail(self);
        return -1;
    }
    if (state->lines_left == NOT_COUNTED) {
        state->lines_left = state->shape.n_lines;
        state->patience =
            state->shape.has_inline_targets && (state->armed & self->monitoring.events.line) ? PATIENCE : 0;
        state->arm_patience = state->shape.n_proofs != 0 ? PATIENCE : 0;
    }
    return 0;
}

/* All lines that can fire have: LINE (and JUMP with it) is not needed until the next switch, which must know of it. */
static int
give_up_lines(Tracer *self, code_state *state)
{
    const event_masks *events = &self->monitoring.events;
    if (state->spare != 0) {
        return 0;  // when it is used up
    }
    state->patience = 0;
    if (!state->shape.has_inline_targets || !(state->armed & events->line)) {
        return 0;
    }
    return tracer_arm(self, state, state->armed & ~(events->line | events->jump));
}

static void hit(Tracer *self, code_state *state, uint32_t from, uint32_t to);

/* An arc's first hit in this context goes into the recording.  An arc that fits no slot (the jump onto POP_ITER of an inlined
 * any(), say) is counted and keeps its id. */
static void
record_hit(Tracer *self, code_state *state, uint32_t from, uint32_t to, uint32_t id, bool is_new)
{
    if (self->failed) {
        return;
    }
    if (!keeping_ready(self)) {  // a forked child: it begins a recording of its own
        if (prepare(self, state) == 0) {
            begin(self, state);
            hit(self, state, from, to);
        }
        return;
    }
    int64_t recorded;
    if (is_new) {
        uint32_t slot = slot_of(&state->shape, from, to);
        self->n_unknown += slot == NO_SLOT;
        recorded = keeping_arc(self, state, slot);
    }
    else {
        recorded = keeping_hit(self, id);
    }
    arcs_at(&self->arcs, id)->serial = self->serial;
    if (recorded < 0 || (from == FROM_LINE && --state->lines_left == 0 && give_up_lines(self, state) < 0)) {
        tracer_fail(self);
    }
}

/* Records that an arc of code that has begun was hit. */
static void
hit(Tracer *self, code_state *state, uint32_t from, uint32_t to)
{
    if ((state->generation != self->generation || state->lines_left == NOT_COUNTED) && prepare(self, state) < 0) {
        return;
    }
    // Code runs on: mostly what comes after an arc is what came after it the first time.
    uint32_t id = state->next_arc;
    int is_new = 0;
    if (!arcs_is(&self->arcs, id, state->id, from, to)) {
        is_new = arcs_intern(&self->arcs, state->id, from, to, &id);
        if (is_new < 0) {
            tracer_fail(self);
            return;
        }
    }
    state->next_arc = id + 1;
    if (arcs_at(&self->arcs, id)->serial != self->serial) {
        record_hit(self, state, from, to, id, is_new);
    }
}

/* ---- callbacks: (code, ...) -> DISABLE ---- */

/* The state of the code object of an event that M should measure, which has begun; or NULL: the event is silenced.  In a pause
 * that, too, is for the next switch to take back. */
static inline code_state *
measured(Tracer *self, PyObject *code)
{
    if (self->by_task && tasks_moved(self)) {
        tasks_follow(self);
    }
    code_state *state = registry_find(self->registry, code);
    if (state == NULL || state->file == NULL || !self->started) {
        return NULL;
    }
    if (self->paused) {
        (void)registry_touch(state);
        return NULL;
    }
    begin(self, state);
    return state;
}

/* An int from CPython, which can't fail to be one. */
static inline uint32_t
number_of(PyObject *arg)
{
    return (uint32_t)(PyUnstable_Long_IsCompact((PyLongObject *)arg) ? PyUnstable_Long_CompactValue((PyLongObject *)arg)
                                                                     : PyLong_AsLong(arg));
}

static inline uint32_t
unit_of(PyObject *offset)
{
    return number_of(offset) / 2;
}

/* Code with places that LINE can't leave has been busy long enough.  Beside another tool it goes by LINE all the same: where
 * that one has LINE too and disables a location, CPython skips the INSTRUCTION event that was to come with it. */
static void
change_over(Tracer *self, code_state *state)
{
    int alone = monitoring_is_alone(&self->monitoring);
    if (alone == 0) {
        return;
    }
    if (alone < 0 || tracer_arm(self, state, (state->armed & self->instruction_mask) | self->monitoring.events.instruction) < 0) {
        tracer_fail(self);
    }
}

/* The last event that was to spare: from now on the code object is silenced. */
static void
use_up(Tracer *self, code_state *state)
{
    state->hot_for = state->hot_for == 0 ? HOT : state->hot_for < HOTTEST ? 2 * state->hot_for : HOTTEST;
    state->n_hot = state->hot_for;
    (void)registry_touch(state);
    if (state->lines_left == 0 && give_up_lines(self, state) < 0) {
        tracer_fail(self);
    }
}

/* What each callback returns for code that is measured: DISABLE, or None while there are events to spare. */
static inline PyObject *
silence(Tracer *self, code_state *state)
{
    if (state->spare == 0) {
        return Py_NewRef(self->monitoring.disable);
    }
    if (state->spare != ENDLESS && --state->spare == 0) {
        use_up(self, state);
    }
    return Py_NewRef(Py_None);
}

/* As silence; but None while the code object's patience lasts, too, so that we hear how busy it is. */
static inline PyObject *
lose_patience(Tracer *self, code_state *state)
{
    if (state->patience != 0 && state->spare == 0) {
        if (--state->patience != 0) {
            return Py_NewRef(Py_None);
        }
        change_over(self, state);
    }
    return silence(self, state);
}

static PyObject *
on_line(CALLBACK_ARGS)  /* (code, line) */
{
    UNUSED_CALLBACK_ARGS;
    Tracer *self = ((Callback *)callable)->tracer;
    code_state *state = measured(self, args[0]);
    if (state == NULL) {
        return Py_NewRef(self->monitoring.disable);
    }
    const uint32_t line = number_of(args[1]);
    if (!heard_line(&state->heard, line)) {
        hit(self, state, FROM_LINE, line);
    }
    return silence(self, state);
}

/* Before 3.14: records an arm of a site once in a context. */
static inline void
hit_arm(Tracer *self, code_state *state, uint32_t index, uint8_t arm)
{
    const site *it = &state->shape.sites[index];
    if (state->arms_taken[index] & arm) {
        return;
    }
    if (arm == LEFT_TAKEN) {
        hit(self, state, FROM_LEFT, pack(it->left / 2));
    }
    else {
        hit(self, state, (it->right - it->source) / 2 & UNITS_MASK, pack(it->source / 2));
    }
    state->arms_taken[index] = (uint8_t)((state->arms_taken[index] | arm) & ~WAITING);
}

/* Before 3.14: an arm was heard.  If it leads to the join that is to tell of a silenced test, that one is heard again; but not while it
 * has begun somewhere, and would end unheard of: until then whoever is heard to lead to the join is not who it is to tell of. */
static void
part(Tracer *self, code_state *state, const site *it, uint8_t arm)
{
    const int64_t silent = joins_silent(&state->shape, state->arms_taken, it, arm);
    state->is_led_to_join = silent >= 0 && standing_in_test(state->code, &state->shape);
    if (silent < 0 || state->is_led_to_join) {
        return;
    }
    state->arms_taken[silent] &= (uint8_t)~TOLD_BY_JOIN;
    const uint32_t armed = state->armed;
    if (tracer_arm(self, state, armed & ~self->monitoring.events.branch_left) < 0 || tracer_arm(self, state, armed) < 0) {
        tracer_fail(self);
    }
}

/* The number of the site with this source, or -1.  Code runs on: mostly it is the one after the last. */
static inline int64_t
site_of(code_state *state, uint32_t source)
{
    const shape *s = &state->shape;
    int64_t index = state->next_site;
    if (index >= s->n_sites || s->sites[index].source != source) {
        index = shape_site(s, source);
    }
    state->next_site = index + 1 < s->n_sites ? (uint32_t)(index + 1) : 0;
    return index;
}

/* Whether the event of a site may be silenced although an arm was not taken yet: executing what only that arm leads to, or a join
 * (joins.h), will prove it.  That takes INSTRUCTION events, to which busy code changes over. */
static bool
is_proved_elsewhere(Tracer *self, code_state *state, uint32_t index)
{
    const site *it = &state->shape.sites[index];
    uint8_t *known = &state->arms_taken[index];
    const uint8_t missing = BOTH_TAKEN & ~*known;
    if (!(it->provable & (PROVED_ALONE | PROVED_JOINED) * missing)) {
        *known |= WAITING;
        return false;
    }
    if (state->arm_patience != 0 && --state->arm_patience == 0) {
        change_over(self, state);
    }
    if (!(state->armed & self->monitoring.events.instruction)) {
        return false;
    }
    if (it->provable & PROVED_ALONE * missing) {
        return true;
    }
    // Between a jump and where it leads another thread may take an arm without a GIL, and another tool where there is LINE.
    const bool told = HAS_GIL && !(state->armed & self->monitoring.events.line) && joins_tell(&state->shape, state->arms_taken, it, missing)
                      && !standing_in_test(state->code, &state->shape);
    *known |= told ? TOLD_BY_JOIN : WAITING;
    return told;
}

static PyObject *
on_branch(CALLBACK_ARGS)  /* (code, source, destination): before 3.14, of both arms */
{
    UNUSED_CALLBACK_ARGS;
    Tracer *self = ((Callback *)callable)->tracer;
    code_state *state = measured(self, args[0]);
    if (state == NULL) {
        return Py_NewRef(self->monitoring.disable);
    }
    if (state->arms_taken == NULL && prepare(self, state) < 0) {
        return silence(self, state);
    }
    const int64_t index = site_of(state, number_of(args[1]));
    if (index < 0) {
        self->n_unknown++;
        return silence(self, state);
    }
    const uint8_t arm = state->shape.sites[index].left == number_of(args[2]) ? LEFT_TAKEN : RIGHT_TAKEN;
    const uint8_t *known = &state->arms_taken[index];
    if (state->spare != 0) {  // whatever has events to spare has no test that is silenced
        hit_arm(self, state, (uint32_t)index, arm);
        return silence(self, state);
    }
    if (*known == (arm | WAITING)) {
        return Py_NewRef(Py_None);
    }
    hit_arm(self, state, (uint32_t)index, arm);
    part(self, state, &state->shape.sites[index], arm);
    PyObject *result = silence(self, state);
    const bool may_end =
        !joins_need(&state->shape, state->arms_taken, (uint32_t)index)
        && ((*known & BOTH_TAKEN) == BOTH_TAKEN || self->failed || is_proved_elsewhere(self, state, (uint32_t)index));
    if (!may_end && (state->arm_patience == 0 || *known & WAITING)) {
        quiet_remember(args[0], number_of(args[1]), number_of(args[2]));
    }
    return may_end ? result : Py_NewRef(Py_None);  // both are immortal
}

static PyObject *
on_left(CALLBACK_ARGS)  /* (code, source, destination) */
{
    UNUSED_CALLBACK_ARGS;
    Tracer *self = ((Callback *)callable)->tracer;
    code_state *state = measured(self, args[0]);
    if (state == NULL) {
        return Py_NewRef(self->monitoring.disable);
    }
    const uint32_t unit = unit_of(args[2]);
    if (!heard_left(&state->heard, unit)) {
        hit(self, state, FROM_LEFT, pack(unit));
    }
    return silence(self, state);
}

static PyObject *
on_right(CALLBACK_ARGS)  /* (code, source, destination) */
{
    UNUSED_CALLBACK_ARGS;
    Tracer *self = ((Callback *)callable)->tracer;
    code_state *state = measured(self, args[0]);
    if (state == NULL) {
        return Py_NewRef(self->monitoring.disable);
    }
    const uint32_t source = unit_of(args[1]);
    hit(self, state, (unit_of(args[2]) - source) & UNITS_MASK, pack(source));
    return silence(self, state);
}

/* An instruction ran, or will next: if a line starts there, the line did. */
static void
hit_start(Tracer *self, code_state *state, uint32_t offset)
{
    if (!state->has_shape && prepare(self, state) < 0) {
        return;
    }
    int64_t slot = shape_start_slot(&state->shape, offset, &state->next_start);
    if (slot >= 0 && !heard_line(&state->heard, (uint32_t)state->shape.lines[slot])) {
        hit(self, state, FROM_LINE, (uint32_t)state->shape.lines[slot]);
    }
}

static PyObject *
on_jump(CALLBACK_ARGS)  /* (code, source, destination) */
{
    UNUSED_CALLBACK_ARGS;
    Tracer *self = ((Callback *)callable)->tracer;
    code_state *state = measured(self, args[0]);
    if (state == NULL) {
        return Py_NewRef(self->monitoring.disable);
    }
    uint32_t source = number_of(args[1]), destination = number_of(args[2]);
    if (destination > source) {
        return silence(self, state);
    }
    hit_start(self, state, destination);
    return lose_patience(self, state);
}

/* Before 3.14: an instruction ran that only arms lead to.  Of several it was the one that is not heard.  Whether it may be silenced. */
static bool
hit_proved(Tracer *self, code_state *state, uint32_t offset)
{
    uint32_t n;
    const arm_proof *first = shape_proofs(&state->shape, offset, &state->next_proof, &n);
    const bool is_told = state->is_led_to_join;
    state->is_led_to_join = false;
    for (const arm_proof *it = first; it < first + n; it++) {
        const bool alone = state->shape.sites[it->site].provable & PROVED_ALONE << it->arm;
        if (alone || (state->arms_taken[it->site] & TOLD_BY_JOIN && !is_told)) {
            hit_arm(self, state, it->site, (uint8_t)(LEFT_TAKEN << it->arm));
            quiet_forget();  // the site may be silenced
        }
    }
    return TESTS_ARE_OF_BOOLS || !joins_are_open(state->arms_taken, first, n);
}

static PyObject *
on_instruction(CALLBACK_ARGS)  /* (code, offset) */
{
    UNUSED_CALLBACK_ARGS;
    Tracer *self = ((Callback *)callable)->tracer;
    code_state *state = measured(self, args[0]);
    if (state == NULL) {
        return Py_NewRef(self->monitoring.disable);
    }
    const uint32_t offset = number_of(args[1]);
    hit_start(self, state, offset);
    const bool has_arms = !HAS_EVENT_PER_ARM && state->arms_taken != NULL && !self->lines_only;
    const bool may_end = !has_arms || hit_proved(self, state, offset);
    PyObject *result = silence(self, state);
    return may_end ? result : Py_NewRef(Py_None);  // as on_branch: both are immortal
}

static PyObject *
on_start(CALLBACK_ARGS)  /* (code, offset): M's PY_START and PY_RESUME */
{
    UNUSED_CALLBACK_ARGS;
    Tracer *self = ((Callback *)callable)->tracer;
    code_state *state = registry_find(self->registry, args[0]);
    if (state != NULL && state->is_awaiting) {
        PyObject *result = tracer_discover_starting(self, args[0]);
        if (result == NULL || state->file == NULL) {
            return result;
        }
        Py_DECREF(result);
    }
    state = measured(self, args[0]);
    if (state == NULL) {
        return Py_NewRef(self->monitoring.disable);
    }
    if (state->lines_left == NOT_COUNTED && prepare(self, state) < 0) {
        return silence(self, state);
    }
    return lose_patience(self, state);
}

/* ---- what ids.c registers ---- */

PyObject *
tracer_on_event(CALLBACK_ARGS)
{
    if (!HAS_EVENT_PER_ARM && PyVectorcall_NARGS(nargsf) == 3
        && quiet_knows(args[0], number_of(args[1]), number_of(args[2]))) {
        return Py_NewRef(Py_None);
    }
    PyObject *held = Py_NewRef(callable);  // sys.monitoring has a borrowed reference
    lock_take();
    PyObject *result = ((Callback *)callable)->function(callable, args, nargsf, kwnames);
    lock_give();
    Py_DECREF(held);
    return result;
}

void
tracer_callbacks(const Tracer *self, tracer_callback table[N_CALLBACKS])
{
    const event_masks *events = &self->monitoring.events;
    const tracer_callback all[N_CALLBACKS] = {
        {self->measuring, events->line, on_line},
        {self->measuring, events->branch_left, HAS_EVENT_PER_ARM ? on_left : on_branch},
        {self->measuring, events->branch_right, HAS_EVENT_PER_ARM ? on_right : on_branch},  // before 3.14 the same event
        {self->measuring, events->jump, on_jump},
        {self->measuring, events->instruction, on_instruction},
        {self->measuring, events->py_start, on_start},
        {self->measuring, events->py_resume, on_start},
        {self->discovery, events->py_start, tracer_on_discovery},  // last: with one id it is D's
        {self->discovery, events->py_resume, tracer_on_discovery},
    };
    memcpy(table, all, sizeof(all));
}
