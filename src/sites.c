/* sites: see sites.h.
 *
 * A code object is read three times, in time linear in its length:
 *
 *   1. its location table gives each code unit its line;
 *   2. its instructions give each unit its marks: where instructions begin, where blocks do, where jumps land and
 *      whether from another line;
 *   3. the marks and the lines give blocks, sites and starts; places in the code become numbers of blocks, and a
 *      second look at the location table gives the sites their positions.
 *
 * Within this file a place in the code is a unit (two bytes); a prefix EXTENDED_ARG is an instruction of its own here, as
 * it is to CPython when it places LINE and INSTRUCTION events.
 *
 * Where LINE fires was found by holding this file against the instrumented bytecode of every code object of the standard
 * libraries (tests/test_sites.py does).  LINE is *placed* at an instruction with a line, after the first RESUME, that
 *   - has another line than the instruction written before it, or
 *   - is where a jump lands, or follows the END_SEND that a SEND jumps to, or
 *   - is an exception handler: those follow an instruction that never falls through, and nothing else does that no
 *     jump leads to;
 * END_FOR, POP_ITER, END_SEND, END_ASYNC_FOR and RESUME are passed over.  It *fires* when the instruction executed before is on
 * another line, or is a RESUME.
 */
#include "sites.h"
#include "locations.h"

#include <stdlib.h>
#include <string.h>

#include <opcode_ids.h> /* the interpreter's opcode numbers, all of them macros; nothing of Python.h */

enum { NO_LINE = -1 };

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

static const uint8_t traits[256] = {
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
    [RAISE_VARARGS] = THROW,
    [RERAISE] = THROW,
};

static uint8_t
site_kind_of(uint8_t opcode)
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
        return SITE_FOR;
    default:
        return SITE_ASYNC_FOR;
    }
}

typedef struct {
    uint32_t unit; /* where it is */
    uint32_t next; /* after its inline caches */
    uint32_t arg;  /* with what EXTENDED_ARG put before it */
    uint8_t opcode;
} instruction;

/* Bits of a mark, one mark a unit. */
enum {
    BEGINS = 0x01,      /* an instruction begins here */
    LEADER = 0x02,      /* and with it a block */
    FROM_OTHER = 0x04,  /* a jump lands here, from another line */
    FROM_OWN = 0x08,    /* a jump lands here, from this line */
    FROM_BELOW = 0x10,  /* of those, a JUMP_BACKWARD: a loop within one line */
    ASYNC_SITE = 0x20,  /* an END_SEND that an END_ASYNC_FOR points to */
};

/* The instruction at i->next; false at the end.  Start from {0}. */
static inline bool
next_instruction(const uint8_t *code, uint32_t n_units, instruction *i)
{
    if (i->next >= n_units) {
        return false;
    }
    const uint32_t before = i->opcode == EXTENDED_ARG ? i->arg << 8 : 0;

    i->unit = i->next;
    i->opcode = code[2 * (size_t)i->unit];
    i->arg = before | code[2 * (size_t)i->unit + 1];
    do {
        i->next++;
    } while (i->next < n_units && code[2 * (size_t)i->next] == CACHE);
    return true;
}

/* ---- one build ---- */

typedef struct {
    const shape_source *source;
    uint32_t n_units;
    int32_t *lines;     /* of each unit, or NO_LINE */
    uint32_t *block_at; /* of each LEADER */
    uint8_t *marks;
    uint32_t n_runs;     /* of units in a row with the same line */
    uint32_t n_leaders;
    uint32_t n_landings; /* units where jumps land */
    uint32_t n_ends;     /* instructions that end a block */
    uint32_t n_sites;
    const char *reason;  /* why it failed */
} builder;

static int
fail(builder *b, const char *reason)
{
    b->reason = reason;
    return -1;
}

/* Lines and block numbers need no initial value, marks do. */
static int
builder_open(builder *b, const shape_source *source)
{
    *b = (builder){.source = source};
    if (source->n_code == 0 || source->n_code % 2 != 0 || source->n_code > INT32_MAX) {
        return fail(b, "the length of the bytecode");
    }
    b->n_units = (uint32_t)(source->n_code / 2);
    b->lines = malloc(b->n_units * (sizeof(*b->lines) + sizeof(*b->block_at) + sizeof(*b->marks)));
    if (b->lines == NULL) {
        return fail(b, "no memory");
    }
    b->block_at = (uint32_t *)(b->lines + b->n_units);
    b->marks = (uint8_t *)(b->block_at + b->n_units);
    memset(b->marks, 0, b->n_units);
    return 0;
}

/* ---- 1: lines ---- */

/* Fills the lines.  A table that is too short leaves the rest without; what is too much of it is not read. */
static int
read_lines(builder *b)
{
    location l = location_table(b->source->linetable, b->source->n_linetable, b->source->first_line);
    uint32_t unit = 0;
    int32_t last = NO_LINE;

    while (unit < b->n_units) {
        const int more = location_next(&l);
        if (more < 0) {
            return fail(b, "the location table");
        }
        const int32_t line = more && l.has_line && l.line >= 0 ? (int32_t)l.line : NO_LINE;
        const uint32_t n_left = b->n_units - unit;
        const uint32_t n = more && l.n_units < n_left ? l.n_units : n_left;
        for (uint32_t i = 0; i < n; i++) {
            b->lines[unit + i] = line;
        }
        unit += n;
        b->n_runs += line != last;
        last = line;
    }
    return 0;
}

/* The positions of what the sites test.  What is malformed, read_lines has seen. */
static void
locate_sites(const builder *b, shape *s)
{
    location l = location_table(b->source->linetable, b->source->n_linetable, b->source->first_line);
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

/* ---- 2: marks ---- */

/* A block begins at the unit. */
static int
mark_leader(builder *b, int64_t unit)
{
    if (unit < 0 || unit >= b->n_units) {
        return fail(b, "a jump out of the bytecode");
    }
    b->n_leaders += !(b->marks[unit] & LEADER);
    b->marks[unit] |= LEADER;
    return 0;
}

/* Control comes from one unit to another one that is not written after it: LINE is placed there. */
static int
mark_landing(builder *b, int64_t from, int64_t to, uint8_t if_own)
{
    if (to < 0 || to >= b->n_units) {
        return fail(b, "a jump out of the bytecode");
    }
    b->n_landings += !(b->marks[to] & (FROM_OTHER | FROM_OWN));
    if (b->lines[from] != b->lines[to]) {
        b->marks[to] |= FROM_OTHER;
    }
    else {
        b->marks[to] |= if_own;
    }
    return 0;
}

/* Where a site's LEFT goes: its NOT_TAKEN is part of the site. */
static uint32_t
left_of(const builder *b, uint32_t unit, uint32_t next)
{
    const bool is_test = traits[b->source->code[2 * (size_t)unit]] != ITERATE;
    return is_test && next < b->n_units && b->source->code[2 * (size_t)next] == NOT_TAKEN ? next + 1 : next;
}

/* An END_ASYNC_FOR is the right end of a site that is elsewhere: at the END_SEND. */
static int
mark_async_site(builder *b, const instruction *i)
{
    const int64_t end_send = (int64_t)i->next - i->arg;
    if (end_send < 0 || end_send >= i->unit || b->source->code[2 * end_send] != END_SEND ||
        !(b->marks[end_send] & BEGINS)) {
        return fail(b, "an END_ASYNC_FOR without its END_SEND");
    }
    const bool is_new = !(b->marks[end_send] & ASYNC_SITE);
    b->n_ends += is_new;
    b->n_sites += is_new;
    b->marks[end_send] |= ASYNC_SITE;
    return mark_leader(b, left_of(b, (uint32_t)end_send, (uint32_t)end_send + 1)) < 0 ? -1 : mark_leader(b, i->next);
}

static int
mark_flow(builder *b, const instruction *i, uint8_t flow)
{
    const int64_t target = (int64_t)i->next + (flow == LEAP_BACK ? -(int64_t)i->arg : (int64_t)i->arg);
    int failed = 0;

    b->n_ends += flow != ITERATED;
    b->n_sites += flow == TEST || flow == ITERATE;
    switch (flow) {
    case TEST:
        failed = mark_leader(b, left_of(b, i->unit, i->next)) || mark_leader(b, target) ||
                 mark_landing(b, i->unit, target, FROM_OWN);
        break;
    case ITERATE: /* its target is an END_FOR, and then a POP_ITER */
        failed = mark_leader(b, i->next) || mark_leader(b, target + 2);
        break;
    case ITERATED:
        failed = mark_async_site(b, i);
        break;
    case SUSPEND: /* its target is an END_SEND, from which control goes on */
        failed = mark_leader(b, target) || mark_landing(b, target, target + 1, FROM_OWN);
        break;
    case LEAP:
    case LEAP_BACK:
        failed = mark_leader(b, target) ||
                 mark_landing(b, i->unit, target, i->opcode == JUMP_BACKWARD ? FROM_OWN | FROM_BELOW : FROM_OWN);
        break;
    default:
        break;
    }
    return failed ? -1 : 0;
}

static int
mark_units(builder *b)
{
    instruction i = {0};

    while (next_instruction(b->source->code, b->n_units, &i)) {
        b->marks[i.unit] |= BEGINS;
        const uint8_t flow = traits[i.opcode] & FLOW;
        if (flow != PLAIN && mark_flow(b, &i, flow) < 0) {
            return -1;
        }
    }
    return 0;
}

/* ---- 3: blocks, sites, starts ---- */

/* The walk over the marked instructions.  Until all blocks are known, the targets of blocks and sites are units. */
typedef struct {
    builder *b;
    shape *s;
    bool traced;         /* past the RESUME from which events come */
    int32_t placed_line; /* the line that LINE was last placed for */
    bool falls_through;  /* the instruction before goes on here */
    bool resumed;        /* it is a RESUME */
    int32_t last_line;   /* its line */
    block *open;         /* the block that is being filled, or NULL */
} walk;

static int
allocate_arrays(builder *b, shape *s)
{
    /* Bounds from above: a block begins at a leader or after the end of one, a start is where the line changes, a jump
     * lands or a block has ended, and flow lines change with the line or the block.  The one byte: malloc(0) may be NULL. */
    const size_t most_blocks = (size_t)b->n_leaders + b->n_ends + 1;
    const size_t most_starts = (size_t)b->n_runs + b->n_landings + b->n_ends;

    s->lines = malloc(b->n_runs * sizeof(*s->lines) + 1);
    s->sites = malloc(b->n_sites * sizeof(*s->sites) + 1);
    s->starts = malloc(most_starts * sizeof(*s->starts) + 1);
    s->blocks = malloc(most_blocks * sizeof(*s->blocks) + 1);
    s->flow_lines = malloc((b->n_runs + most_blocks) * sizeof(*s->flow_lines) + 1);
    const bool all = s->lines && s->sites && s->starts && s->blocks && s->flow_lines;
    return all ? 0 : fail(b, "no memory");
}

/* Gives back what the bounds had too much. */
static void *
shrink(void *array, size_t n_bytes)
{
    void *smaller = realloc(array, n_bytes + 1);
    return smaller != NULL ? smaller : array;
}

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

/* Where LINE is placed, whether it can fire there, and whether it may also be passed in silence. */
static void
see_line(walk *w, const instruction *i, uint8_t marks, int32_t line)
{
    shape *s = w->s;
    const bool silent = traits[i->opcode] & SILENT;
    const bool new_line = !silent && line != w->placed_line;
    const bool landing = marks & (FROM_OTHER | FROM_OWN) && i->opcode != POP_ITER;

    if (!silent) {
        w->placed_line = line;
    }
    if (line == NO_LINE || !(new_line || landing || (!silent && !w->falls_through))) {
        return;
    }
    if (new_line && (s->n_lines == 0 || s->lines[s->n_lines - 1] != line)) {
        s->lines[s->n_lines++] = line;
    }
    const bool from_before = w->falls_through && (w->resumed || w->last_line != line);
    const bool from_handling = !w->falls_through && !(marks & FROM_OWN);
    if (from_before || from_handling || marks & (FROM_OTHER | FROM_BELOW)) {
        s->starts[s->n_starts++] = (line_start){.offset = 2 * i->unit, .slot = (uint32_t)line};
    }
    if (marks & FROM_OWN || (w->falls_through && !from_before)) {
        s->has_inline_targets = true;
    }
}

static void
see_flow_line(walk *w, const instruction *i, int32_t line)
{
    shape *s = w->s;

    if (w->traced && !(traits[i->opcode] & SILENT) && line != NO_LINE &&
        (w->open->n_lines == 0 || s->flow_lines[s->n_flow_lines - 1] != line)) {
        s->flow_lines[s->n_flow_lines++] = line;
        w->open->n_lines++;
    }
}

/* Ends the block at a site.  The right arm of an `async for` becomes known at its END_ASYNC_FOR. */
static void
add_site(walk *w, const instruction *i)
{
    const uint32_t beyond = i->opcode == FOR_ITER ? 2 : 0; /* END_FOR, POP_ITER */

    w->s->sites[w->s->n_sites] = (site){
        .source = 2 * i->unit,
        .left = 2 * left_of(w->b, i->unit, i->next),
        .right = i->opcode == END_SEND ? 0 : 2 * (i->next + i->arg + beyond),
        .kind = site_kind_of(i->opcode),
    };
    end_block(w, END_SITE, w->s->n_sites++);
}

static void
see_flow(walk *w, const instruction *i, uint8_t marks)
{
    switch (traits[i->opcode] & FLOW) {
    case TEST:
    case ITERATE:
        add_site(w, i);
        break;
    case ITERATED:
        w->s->sites[shape_site(w->s, 2 * (i->next - i->arg))].right = 2 * i->next;
        break;
    case SUSPEND:
    case LEAP:
        end_block(w, END_GOTO, i->next + i->arg);
        break;
    case LEAP_BACK:
        end_block(w, END_GOTO, i->next - i->arg);
        break;
    case LEAVE:
        end_block(w, END_RETURN, 0);
        break;
    case THROW:
        end_block(w, END_RAISE, 0);
        break;
    default:
        if (marks & ASYNC_SITE) {
            add_site(w, i);
        }
    }
}

static void
see_instruction(walk *w, const instruction *i)
{
    const uint8_t marks = w->b->marks[i->unit];
    const int32_t line = w->b->lines[i->unit];
    const uint8_t flow = traits[i->opcode] & FLOW;

    /* In a 3.15 generator expression a RESUME of another kind comes before this one. */
    w->traced = w->traced || (i->opcode == RESUME && i->arg == 0);
    if (w->traced) {
        see_line(w, i, marks, line);
    }
    if (marks & LEADER || (w->open == NULL && !(traits[i->opcode] & HIDDEN))) {
        open_block(w, i->unit);
    }
    if (w->open != NULL) {
        see_flow_line(w, i, line);
    }
    see_flow(w, i, marks);
    w->falls_through = flow < LEAP;
    w->resumed = i->opcode == RESUME;
    w->last_line = line;
}

static int
walk_units(builder *b, shape *s)
{
    walk w = {.b = b, .s = s, .placed_line = NO_LINE, .falls_through = true, .last_line = NO_LINE};
    instruction i = {0};

    while (next_instruction(b->source->code, b->n_units, &i)) {
        for (uint32_t unit = i.unit + 1; unit < i.next; unit++) {
            if (b->marks[unit] != 0) {
                return fail(b, "a jump into the middle of an instruction");
            }
        }
        see_instruction(&w, &i);
    }
    if (w.open != NULL) {
        end_block(&w, END_RAISE, 0);
    }
    return 0;
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
sort_lines(builder *b, shape *s)
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
            s->lines[n] = first + (int32_t)i; /* stays if it was seen; n is never beyond the distinct ones */
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
    for (uint32_t i = 0; i < s->n_starts; i++) {
        s->starts[i].slot = (uint32_t)shape_line_slot(s, (int32_t)s->starts[i].slot);
    }
}

int
shape_build(shape *out, const shape_source *source, const char **reason)
{
    builder b;

    *out = (shape){0};
    int failed = builder_open(&b, source) || read_lines(&b) || mark_units(&b) || allocate_arrays(&b, out) ||
                 walk_units(&b, out);
    if (!failed) {
        sort_lines(&b, out);
        resolve(&b, out);
        locate_sites(&b, out);
        out->lines = shrink(out->lines, out->n_lines * sizeof(*out->lines));
        out->starts = shrink(out->starts, out->n_starts * sizeof(*out->starts));
        out->blocks = shrink(out->blocks, out->n_blocks * sizeof(*out->blocks));
        out->flow_lines = shrink(out->flow_lines, out->n_flow_lines * sizeof(*out->flow_lines));
    }
    else {
        *reason = b.reason;
        shape_free(out);
    }
    free(b.lines);
    return failed ? -1 : 0;
}
