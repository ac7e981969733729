/* sites: see sites.h.
 *
 * A code object is read in time linear in its length, since this happens once for each within the measured process:
 *
 *   1. its location table gives each code unit its line;
 *   2. its jumps give units their marks: where blocks begin, where jumps land and whether from another line;
 *   3. marks and lines give blocks, sites and starts;
 *   4. places in the code become numbers of blocks, and a second look at the table gives the sites their positions;
 *   5. before 3.14, marks give the instructions that prove an arm.
 *
 * Within this file a place in the code is a unit (two bytes).  A prefix EXTENDED_ARG is an instruction of its own, as
 * it is to CPython when it places LINE and INSTRUCTION.
 *
 * Where LINE fires was found by holding this file against the instrumented bytecode of every code object of the
 * standard libraries; tests/test_sites.py still does.  LINE is *placed* at an instruction with a line, after the first
 * RESUME, that
 *   - has another line than the instruction written before it, or
 *   - is where a jump lands, or follows the END_SEND that a SEND jumps to, or
 *   - is an exception handler: handlers, and nothing else that no jump leads to, follow an instruction that never
 *     falls through;
 * END_FOR, POP_ITER, END_SEND, END_ASYNC_FOR and RESUME are passed over.  It *fires* when the instruction executed
 * before is on another line, or is a RESUME.
 */
#include "sites.h"
#include "locations.h"
#include "opcodes.h"
#include "proofs.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* ---- instructions ---- */

/* What an instruction does to the flow. */
enum {
    PLAIN = 0,
    TEST,       /* POP_JUMP_IF_*: a site */
    ITERATE,    /* FOR_ITER: a site */
    ITERATED,   /* END_ASYNC_FOR: its site is the END_SEND that it points back to */
    SUSPEND,    /* SEND */
    LEAP,       /* jumps forward, always */
    LEAP_BACK,  /* jumps backward, always; JUMP_BACKWARD_NO_INTERRUPT goes from a RESUME to its SEND */
    LEAVE,      /* returns */
    THROW,      /* raises */
    FLOW = 0x0f /* mask of the above */
};

/* Two more things about it, as bits beside those. */
enum {
    SILENT = 0x10, /* LINE is not placed here, and the line does not count as the current one */
    HIDDEN = 0x20, /* the arms of a site go around it: no block of its own begins here */
};

static const uint8_t traits[N_OPCODES] = {
    [POP_JUMP_IF_FALSE] = TEST,
    [POP_JUMP_IF_TRUE] = TEST,
    [POP_JUMP_IF_NONE] = TEST,
    [POP_JUMP_IF_NOT_NONE] = TEST,
    [NOT_TAKEN] = PLAIN | HIDDEN,
    [FOR_ITER] = ITERATE,
    [END_FOR] = PLAIN | SILENT | HIDDEN,
    [POP_ITER] = PLAIN | SILENT | HIDDEN,
    [SEND] = SUSPEND,
    [END_SEND] = PLAIN | SILENT,
    [END_ASYNC_FOR] = ITERATED | SILENT | HIDDEN,
    [RESUME] = PLAIN | SILENT,
    [JUMP_FORWARD] = LEAP,
    [JUMP_BACKWARD] = LEAP_BACK,
    [JUMP_BACKWARD_NO_INTERRUPT] = LEAP_BACK,
    [RETURN_VALUE] = LEAVE,
    [RETURN_CONST] = LEAVE,
    [RAISE_VARARGS] = THROW,
    [RERAISE] = THROW,
};

static uint8_t
site_kind_of(unsigned opcode)
{
    switch (opcode) {
    case POP_JUMP_IF_FALSE:
        return SITE_IF_FALSE;
    case POP_JUMP_IF_TRUE:
        return SITE_IF_TRUE;
    case POP_JUMP_IF_NONE:
        return SITE_IF_NONE;
    case POP_JUMP_IF_NOT_NONE:
        return SITE_IF_NOT_NONE;
    case FOR_ITER:
        return LOOPS_HAVE_ITERATORS_POSITION ? SITE_FOR : SITE_FOR_WHOLE;
    default:
        return SITE_ASYNC_FOR;
    }
}

/* Bits of a mark, one mark a unit. */
enum {
    LEADER = 0x01,     /* a block begins here */
    FROM_OTHER = 0x02, /* a jump lands here, from another line */
    FROM_OWN = 0x04,   /* a jump lands here, from this line */
    FROM_BELOW = 0x08, /* of those, a JUMP_BACKWARD: a loop within one line */
    ASYNC_SITE = 0x10, /* an END_SEND that an END_ASYNC_FOR points to */
    /* and those of proofs.h */
};

/* ---- one build ---- */

typedef struct {
    const uint8_t *code;
    const shape_source *source;
    uint32_t n_units;
    int32_t *lines;     /* of each unit, or NO_LINE; and LINES_SPARE more */
    uint32_t *block_at; /* of each LEADER, once its block is open */
    uint8_t *marks;
    shape most;         /* how many there can be at most; its arrays are filled first */
    const char *reason; /* why it failed */
} builder;

static int
fail(builder *b, const char *reason)
{
    b->reason = reason;
    return -1;
}

static int
builder_open(builder *b, const shape_source *source)
{
    *b = (builder){.code = source->code, .source = source};
    if (source->n_code == 0 || source->n_code % 2 != 0 || source->n_code > INT32_MAX) {
        return fail(b, "the length of the bytecode");
    }
    b->n_units = (uint32_t)(source->n_code / 2);
    const size_t n_lines = (size_t)b->n_units + LINES_SPARE;
    b->lines = malloc(n_lines * sizeof(*b->lines) + b->n_units * (sizeof(*b->block_at) + sizeof(*b->marks)));
    if (b->lines == NULL) {
        return fail(b, "no memory");
    }
    b->block_at = (uint32_t *)(b->lines + n_lines);
    b->marks = (uint8_t *)(b->block_at + b->n_units);
    memset(b->marks, 0, b->n_units);
    const int64_t n_rows =
        location_lines(source->linetable, source->n_linetable, source->first_line, b->lines, b->n_units);
    if (n_rows < 0) {
        return fail(b, "the location table");
    }
    b->most.n_lines = b->most.n_starts = b->most.n_flow_lines = (uint32_t)n_rows;
    return 0;
}

static void
builder_close(builder *b)
{
    shape_free(&b->most);
    free(b->lines);
}

static unsigned
opcode_at(const builder *b, uint32_t unit)
{
    return b->code[2 * (size_t)unit];
}

/* Whether an instruction begins here, and not one of the inline caches that follow it. */
static bool
is_instruction(const builder *b, uint32_t unit)
{
    return opcode_at(b, unit) != CACHE || unit == 0;
}

/* The argument of an instruction, with what EXTENDED_ARG puts before it. */
static uint32_t
argument_at(const builder *b, uint32_t unit)
{
    uint32_t argument = b->code[2 * (size_t)unit + 1];

    for (unsigned shift = 8; shift < 32 && unit > 0 && opcode_at(b, unit - 1) == EXTENDED_ARG; shift += 8) {
        argument |= (uint32_t)b->code[2 * (size_t)--unit + 1] << shift;
    }
    return argument;
}

/* The unit after an instruction and its caches; jumps are relative to it. */
static uint32_t
unit_after(const builder *b, uint32_t unit)
{
    do {
        unit++;
    } while (unit < b->n_units && opcode_at(b, unit) == CACHE);
    return unit;
}

/* ---- marks ---- */

/* A block begins at the unit. */
static int
mark_leader(builder *b, int64_t unit)
{
    if (unit < 0 || unit >= b->n_units || !is_instruction(b, (uint32_t)unit)) {
        return fail(b, "a jump to where there is no instruction");
    }
    b->most.n_blocks += !(b->marks[unit] & LEADER);
    b->marks[unit] |= LEADER;
    return 0;
}

/* Control comes from one unit to another one that is not written after it: LINE is placed there. */
static int
mark_landing(builder *b, int64_t from, int64_t to, uint8_t if_own)
{
    if (to < 0 || to >= b->n_units || !is_instruction(b, (uint32_t)to)) {
        return fail(b, "a jump to where there is no instruction");
    }
    const bool is_new = !(b->marks[to] & (FROM_OTHER | FROM_OWN));
    b->most.n_starts += is_new;
    b->most.n_lines += is_new;
    b->marks[to] |= b->lines[from] == b->lines[to] ? if_own : FROM_OTHER;
    return 0;
}

/* Where a site's LEFT goes: a NOT_TAKEN is part of the site. */
static uint32_t
left_of(const builder *b, uint32_t unit)
{
    const uint32_t after = unit_after(b, unit);
    return after < b->n_units && opcode_at(b, after) == NOT_TAKEN ? after + 1 : after;
}

/* Where a site's RIGHT goes; that of an `async for` is said by the END_ASYNC_FOR. */
static int64_t
right_of(const builder *b, uint32_t unit)
{
    const uint32_t beyond = opcode_at(b, unit) == FOR_ITER ? LOOP_END_UNITS : 0;
    return (int64_t)unit_after(b, unit) + argument_at(b, unit) + beyond;
}

/* Only before 3.14: the RIGHT of a site leads to the unit, or a jump. */
static void
mark_entry(builder *b, int64_t unit, bool is_arm)
{
    if (!ARMS_HAVE_EVENTS && unit >= 0 && unit < b->n_units) {
        b->marks[unit] |= !is_arm ? OTHERWISE : b->marks[unit] & ENTERED ? SHARED : ENTERED;
    }
}

/* Before 3.14 a test may jump to where it goes on anyway: nothing tells one arm from the other, and it is none. */
static bool
is_site(const builder *b, uint32_t unit, uint8_t flow)
{
    return (flow == TEST || flow == ITERATE) && (ARMS_HAVE_EVENTS || argument_at(b, unit) != 0);
}

static int
mark_site(builder *b, uint32_t unit, int64_t right)
{
    b->most.n_sites++;
    mark_entry(b, right, true);
    return mark_leader(b, left_of(b, unit)) || mark_leader(b, right) ? -1 : 0;
}

/* The END_SEND that an END_ASYNC_FOR belongs to, after which the loop has its next item; or -1.  It is pointed to, or
 * stands after the CLEANUP_THROW that is. */
static int64_t
end_send_of(const builder *b, uint32_t unit)
{
    if (!ARMS_HAVE_EVENTS) {
        return proofs_end_send(b->source, unit);
    }
    int64_t end_send = (int64_t)unit_after(b, unit) - argument_at(b, unit);

    if (end_send < 0 || end_send >= unit) {
        return -1;
    }
    end_send += opcode_at(b, (uint32_t)end_send) == CLEANUP_THROW;
    return opcode_at(b, (uint32_t)end_send) == END_SEND ? end_send : -1;
}

static int
mark_async_site(builder *b, uint32_t unit)
{
    const int64_t end_send = end_send_of(b, unit);

    if (end_send < 0 || b->marks[end_send] & ASYNC_SITE) {
        return 0; /* no compiler does this */
    }
    b->marks[end_send] |= ASYNC_SITE;
    b->most.n_blocks++;
    return mark_site(b, (uint32_t)end_send, unit_after(b, unit));
}

/* Where an instruction that jumps leads. */
static int
mark_jump(builder *b, uint32_t unit, uint8_t flow)
{
    const int64_t distance = argument_at(b, unit);
    const int64_t target = (int64_t)unit_after(b, unit) + (flow == LEAP_BACK ? -distance : distance);

    if (mark_leader(b, target) < 0) {
        return -1;
    }
    if (flow != TEST) {
        mark_entry(b, target, false);
    }
    switch (flow) {
    case SUSPEND: /* the target is an END_SEND, on which no line begins, but one may after it */
        return mark_landing(b, target, target + 1, FROM_OWN);
    case LEAP_BACK:
        return mark_landing(b, unit, target, opcode_at(b, unit) == JUMP_BACKWARD ? FROM_OWN | FROM_BELOW : FROM_OWN);
    default:
        return mark_landing(b, unit, target, FROM_OWN);
    }
}

static int
mark_flow(builder *b, uint32_t unit, uint8_t flow)
{
    if (flow == ITERATED) {
        return mark_async_site(b, unit);
    }
    b->most.n_blocks++; /* after this one; and a handler's line may begin there */
    b->most.n_starts++;
    if (is_site(b, unit, flow) && mark_site(b, unit, right_of(b, unit)) < 0) {
        return -1;
    }
    switch (flow) {
    case ITERATE: /* LINE is placed after the END_FOR, but there is nothing that is executed where more is passed over */
        return LOOP_END_UNITS > 1 ? 0 : mark_landing(b, unit, right_of(b, unit), FROM_OWN);
    case LEAVE:
    case THROW:
        return 0;
    default:
        return mark_jump(b, unit, flow);
    }
}

static int
mark_units(builder *b)
{
    if (!ARMS_HAVE_EVENTS) {
        proofs_mark_handlers(b->source, b->marks, b->n_units);
    }
    (void)mark_leader(b, 0); /* the entry, even where an instruction is that hides */
    for (uint32_t unit = 0; unit < b->n_units; unit++) {
        const uint8_t flow = traits[opcode_at(b, unit)] & FLOW;
        if (flow != PLAIN && mark_flow(b, unit, flow) < 0) {
            return -1;
        }
    }
    return 0;
}

/* ---- blocks, sites, starts ---- */

enum { UNQUIET = INT32_MIN }; /* no line */

/* The walk over the marked instructions.  Until all blocks are known, the targets of blocks and sites are units, and
 * the slots of starts are lines. */
typedef struct {
    builder *b;
    shape *s;
    bool traced; /* past the RESUME from which events come */
    bool falls_through; /* the instruction before goes on here */
    bool resumed; /* it is a RESUME */
    bool loop_ended; /* it is what an exhausted FOR_ITER passes over */
    bool tested; /* it is a site, which goes on here by its LEFT */
    int32_t last_line; /* its line */
    int32_t placed_line; /* the line that LINE was last placed for */
    int32_t quiet_line; /* an unmarked and plain instruction on this line adds nothing */
    block *open; /* the block that is being filled, or NULL */
} walk;

static void
end_block(walk *w, block_end end, uint32_t target)
{
    w->open->end = (uint8_t)end;
    w->open->target = target;
    w->open = NULL;
}

static void
open_block(walk *w, uint32_t unit)
{
    if (w->open != NULL) {
        end_block(w, END_GOTO, unit);
    }
    w->b->block_at[unit] = w->s->n_blocks;
    w->open = &w->s->blocks[w->s->n_blocks++];
    *w->open = (block){.first_line_index = w->s->n_flow_lines};
}

static void
add_line(shape *s, int32_t line)
{
    if (line != NO_LINE && (s->n_lines == 0 || s->lines[s->n_lines - 1] != line)) {
        s->lines[s->n_lines++] = line;
    }
}

/* Where LINE is placed, and whether it can fire there: a place that is only ever reached from its own line is an in-line
 * target. */
static void
see_line(walk *w, uint32_t unit, unsigned opcode, int32_t line)
{
    shape *s = w->s;
    const uint8_t marks = w->b->marks[unit];
    const bool silent = traits[opcode] & SILENT;
    const bool new_line = !silent && line != w->placed_line;
    const bool landing = marks & (FROM_OTHER | FROM_OWN) && opcode != POP_ITER;
    const bool pops_iterator = LOOP_ENDS_WITH_POP_TOP && opcode == POP_ITER;

    if (pops_iterator && line != w->placed_line) {
        add_line(s, line); /* no compiler gives it a line of its own, but what follows may be on that line and have no LINE */
    }
    if (!silent || pops_iterator) {
        w->placed_line = line;
    }
    if (line == NO_LINE || !(new_line || landing || (!silent && !w->falls_through))) {
        return;
    }
    if (new_line || silent) {
        add_line(s, line);
    }
    const bool from_before = w->falls_through && (w->resumed || w->last_line != line);
    const bool from_handling = !w->falls_through && !(marks & FROM_OWN);
    const bool fires = from_before || from_handling || marks & FROM_OTHER;
    if (fires || marks & FROM_BELOW) {
        s->starts[s->n_starts++] = (line_start){.offset = 2 * unit, .slot = (uint32_t)line};
    }
    s->has_inline_targets = s->has_inline_targets || !fires;
    s->has_inline_loops = s->has_inline_loops || marks & FROM_BELOW;
    s->has_lines_by_resume = s->has_lines_by_resume || (from_before && w->last_line == line);
}

static void
see_flow_line(walk *w, int32_t line)
{
    shape *s = w->s;

    if (line != NO_LINE && (w->open->n_lines == 0 || s->flow_lines[s->n_flow_lines - 1] != line)) {
        s->flow_lines[s->n_flow_lines++] = line;
        w->open->n_lines++;
    }
}

/* Ends the block at a site.  Of an `async for` the END_ASYNC_FOR tells the rest. */
static void
add_site(walk *w, uint32_t unit, unsigned opcode)
{
    const uint32_t left = left_of(w->b, unit);
    const bool is_async = opcode == END_SEND;

    w->s->sites[w->s->n_sites] = (site){
        .source = 2 * unit,
        .left = 2 * left,
        .right = is_async ? 0 : 2 * (uint32_t)right_of(w->b, unit),
        .kind = is_async && ARMS_HAVE_EVENTS && left == unit + 1 ? SITE_ASYNC_COMPREHENSION : site_kind_of(opcode),
    };
    end_block(w, END_SITE, w->s->n_sites++);
}

static void
complete_async_site(walk *w, uint32_t unit)
{
    const int64_t end_send = end_send_of(w->b, unit);
    const int64_t index = end_send < 0 ? -1 : shape_site(w->s, 2 * (uint32_t)end_send);

    if (index >= 0 && w->s->sites[index].right == 0) {
        const uint32_t after = unit_after(w->b, unit);
        w->s->sites[index].source = 2 * (ARMS_HAVE_EVENTS ? after - argument_at(w->b, unit) : (uint32_t)end_send);
        w->s->sites[index].right = 2 * after;
    }
}

static void
see_flow(walk *w, uint32_t unit, unsigned opcode)
{
    const builder *b = w->b;
    const uint32_t after = unit_after(b, unit), distance = argument_at(b, unit);

    switch (traits[opcode] & FLOW) {
    case TEST:
    case ITERATE:
        if (is_site(b, unit, traits[opcode] & FLOW)) {
            add_site(w, unit, opcode);
        }
        break;
    case ITERATED:
        complete_async_site(w, unit);
        break;
    case SUSPEND:
    case LEAP:
        end_block(w, END_GOTO, after + distance);
        break;
    case LEAP_BACK:
        end_block(w, END_GOTO, after - distance);
        break;
    case LEAVE:
        end_block(w, END_RETURN, 0);
        break;
    default:
        end_block(w, END_RAISE, 0);
        break;
    }
}

static void
see_instruction(walk *w, uint32_t unit)
{
    /* 3.13's POP_TOP after an END_FOR is passed over as later versions' POP_ITER is. */
    const unsigned found = opcode_at(w->b, unit);
    const bool ends_loop = LOOP_ENDS_WITH_POP_TOP && found == POP_TOP && unit > 0 && opcode_at(w->b, unit - 1) == END_FOR;
    const unsigned opcode = ends_loop ? POP_ITER : found;
    const unsigned marks = w->b->marks[unit], trait = traits[opcode];
    const int32_t line = w->b->lines[unit];

    /* In a 3.15 generator expression a RESUME of another kind comes before this one. */
    w->traced = w->traced || (opcode == RESUME && argument_at(w->b, unit) == 0);
    if (marks & ENTERED && w->falls_through && !w->loop_ended) {
        w->b->marks[unit] |= w->tested ? SHARED : OTHERWISE;
    }
    if (w->traced) {
        see_line(w, unit, opcode, line);
    }
    if (marks & LEADER || (w->open == NULL && !(trait & HIDDEN))) {
        open_block(w, unit);
    }
    if (w->traced && w->open != NULL && !(trait & SILENT)) {
        see_flow_line(w, line);
    }
    if (trait & FLOW) {
        see_flow(w, unit, opcode);
    }
    else if (marks & ASYNC_SITE) {
        add_site(w, unit, opcode);
    }
    w->falls_through = (trait & FLOW) < LEAP;
    w->tested = is_site(w->b, unit, trait & FLOW);
    w->resumed = opcode == RESUME;
    w->loop_ended = opcode == END_FOR || opcode == POP_ITER;
    w->last_line = line;
    w->quiet_line = trait == PLAIN && w->open != NULL ? line : UNQUIET;
}

static void
walk_units(builder *b, shape *s)
{
    walk w = {
        .b = b, .s = s, .falls_through = true, .last_line = NO_LINE, .placed_line = NO_LINE, .quiet_line = UNQUIET};

    for (uint32_t unit = 0; unit < b->n_units; unit++) {
        const bool quiet = b->lines[unit] == w.quiet_line && b->marks[unit] == 0 && traits[opcode_at(b, unit)] == PLAIN;
        if (!quiet && is_instruction(b, unit)) {
            see_instruction(&w, unit);
        }
    }
    if (w.open != NULL) {
        end_block(&w, END_RAISE, 0);
    }
}

/* ---- and what needs all of them ---- */

static int
compare_lines(const void *a, const void *b)
{
    const int32_t x = *(const int32_t *)a, y = *(const int32_t *)b;
    return (x > y) - (x < y);
}

/* Makes lines ascending and distinct. */
static void
sort_lines(const builder *b, shape *s)
{
    int32_t first = INT32_MAX, last = INT32_MIN;
    bool ascending = true;

    for (uint32_t i = 0; i < s->n_lines; i++) {
        ascending = ascending && s->lines[i] > last;
        first = s->lines[i] < first ? s->lines[i] : first;
        last = s->lines[i] > last ? s->lines[i] : last;
    }
    if (ascending) {
        return;
    }
    uint32_t n = 0;
    const uint64_t span = (uint64_t)((int64_t)last - first) + 1;
    if (span <= b->n_units * sizeof(*b->lines)) { /* nearly always: a byte a line, where the units' lines were */
        uint8_t *seen = (uint8_t *)b->lines;
        memset(seen, 0, span);
        for (uint32_t i = 0; i < s->n_lines; i++) {
            seen[s->lines[i] - first] = 1;
        }
        for (uint32_t i = 0; i < span; i++) {
            s->lines[n] = first + (int32_t)i; /* stays if it was seen; n is below their number until the last */
            n += seen[i];
        }
    }
    else {
        qsort(s->lines, s->n_lines, sizeof(*s->lines), compare_lines);
        for (uint32_t i = 0; i < s->n_lines; i++) {
            if (n == 0 || s->lines[n - 1] != s->lines[i]) {
                s->lines[n++] = s->lines[i];
            }
        }
    }
    s->n_lines = n;
}

/* Units become blocks, lines become slots. */
static void
resolve(const builder *b, shape *s)
{
    for (uint32_t i = 0; i < s->n_blocks; i++) {
        if (s->blocks[i].end == END_GOTO) {
            s->blocks[i].target = b->block_at[s->blocks[i].target];
        }
    }
    for (uint32_t i = 0; i < s->n_sites; i++) {
        s->sites[i].left_block = b->block_at[s->sites[i].left / 2];
        s->sites[i].right_block = b->block_at[s->sites[i].right / 2];
    }
    uint32_t guess = 0; /* the line after the last one */
    for (uint32_t i = 0; i < s->n_starts; i++) {
        const int32_t line = (int32_t)s->starts[i].slot;
        const bool right = guess < s->n_lines && s->lines[guess] == line;
        s->starts[i].slot = right ? guess : (uint32_t)shape_line_slot(s, line);
        guess = s->starts[i].slot + 1;
    }
}

/* The positions of what the sites test. */
static void
locate_sites(const shape_source *source, shape *s)
{
    location l = location_table(source->linetable, source->n_linetable, source->first_line);
    uint64_t end = 0; /* unit at which the entry ends */
    int more = 1;

    for (uint32_t i = 0; i < s->n_sites; i++) {
        site *it = &s->sites[i];
        while (more > 0 && end <= it->source / 2) {
            more = location_next(&l);
            end += l.n_units;
        }
        const bool known = more > 0 && l.has_line && l.line >= 0;
        it->line = known ? (int32_t)l.line : 0;
        it->end_line = known ? (int32_t)l.end_line : 0;
        it->col = known ? l.col : -1;
        it->end_col = known ? l.end_col : -1;
    }
}

int
shape_build(shape *out, const shape_source *source, const char **reason)
{
    builder b;

    *out = (shape){0};
    int failed = builder_open(&b, source) || mark_units(&b);
    if (!failed) {
        /* A block begins at a leader or after the end of one, and a flow line where the line or the block changes. */
        b.most.n_blocks++;
        b.most.n_flow_lines += b.most.n_blocks;
        b.most.n_proofs = ARMS_HAVE_EVENTS ? 0 : 2 * b.most.n_sites;
        failed = shape_allocate(&b.most) && fail(&b, "no memory");
    }
    if (!failed) {
        shape filled = b.most;
        filled.n_lines = filled.n_sites = filled.n_starts = filled.n_blocks = filled.n_flow_lines = filled.n_proofs = 0;
        walk_units(&b, &filled);
        assert(filled.n_lines <= b.most.n_lines && filled.n_sites <= b.most.n_sites);
        assert(filled.n_starts <= b.most.n_starts && filled.n_blocks <= b.most.n_blocks);
        assert(filled.n_flow_lines <= b.most.n_flow_lines);
        sort_lines(&b, &filled);
        resolve(&b, &filled);
        locate_sites(source, &filled);
        if (!ARMS_HAVE_EVENTS) {
            proofs_tell_comprehensions(source, &filled);
            proofs_find(&filled, b.marks);
        }
        failed = shape_copy(out, &filled) && fail(&b, "no memory");
    }
    if (failed) {
        *reason = b.reason;
    }
    builder_close(&b);
    return failed ? -1 : 0;
}
