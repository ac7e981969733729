/* sites: what a code object can do, read from its bytecode and tables.
 *
 * shape_build decodes the bytecode and the location table of one code object (CPython 3.12 to 3.15; the
 * opcode numbers come from the interpreter's own headers at compile time, see opcodes.h) into its *shape*: the
 * lines whose LINE event can fire, the sites (conditional jumps, as code.co_branches() gives them, each with
 * the position of the expression it tests), and a control-flow graph at the level of lines.  The shape is
 * what the recording keeps, what the database stores and what the analysis reads: nobody after us needs
 * bytecode.  sites.c builds shapes (locations.c reads the location table for it), shape.c answers questions
 * about them and turns them into bytes and back.
 *
 * Slots number what can be hit: slot i < n_lines is lines[i]; slot n_lines + 2 * s + arm is arm `arm`
 * (0 LEFT, 1 RIGHT) of sites[s].
 *
 *      if a and b:     # line 2          blocks (lines, how it ends)
 *          f()         # line 3          0: [2]    SITE 0   (left -> 1, right -> 3)
 *      g()             # line 4          1: [2]    SITE 1   (left -> 2, right -> 3)
 *                                        2: [3]    GOTO 3
 *                                        3: [4]    RETURN
 *
 * No Python.h here.
 */
#ifndef COVCORE_SITES_H
#define COVCORE_SITES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What a site tests, and what its two arms mean: LEFT is "the jump is not taken" (the loop's next
 * item, for a FOR_ITER or END_ASYNC_FOR), RIGHT is "it is". */
typedef enum {
    SITE_IF_FALSE = 0,   /* POP_JUMP_IF_FALSE: LEFT true, RIGHT false */
    SITE_IF_TRUE = 1,    /* POP_JUMP_IF_TRUE: LEFT false, RIGHT true */
    SITE_IF_NONE = 2,    /* POP_JUMP_IF_NONE: LEFT not None, RIGHT None */
    SITE_IF_NOT_NONE = 3,/* POP_JUMP_IF_NOT_NONE: LEFT None, RIGHT not None */
    SITE_FOR = 4,        /* FOR_ITER: LEFT next item, RIGHT exhausted */
    SITE_ASYNC_FOR = 5,  /* END_ASYNC_FOR, its source the END_SEND: LEFT next item, RIGHT exhausted */
    SITE_ASYNC_COMPREHENSION = 6, /* the same, but from 3.14 on there is no NOT_TAKEN, and so no event tells of LEFT */
    SITE_FOR_WHOLE = 7,  /* as SITE_FOR, with the position not of the iterator, but of the whole statement or comprehension: 3.12 */
} site_kind;

typedef struct {
    uint32_t source;                 /* byte offsets, as BRANCH_RIGHT reports them, and BRANCH_LEFT ... */
    uint32_t left;                   /* ... does this one; its source may be another */
    uint32_t right;
    uint32_t left_block;             /* where the arms go in the flow graph */
    uint32_t right_block;
    int32_t line, end_line;          /* 1-based position of the tested expression; 0: the table has none */
    int32_t col, end_col;            /* 0-based UTF-8 columns; -1: none */
    uint8_t kind;                    /* site_kind */
    uint8_t provable;                /* arms that have a proof: PROVED_* << arm (not encoded) */
} site;

/* Whether a site tests the truth of an object. */
static inline bool
site_is_test(const site *it)
{
    return it->kind == SITE_IF_FALSE || it->kind == SITE_IF_TRUE;
}

/* An instruction at which a line begins: LINE can fire there, since it is reached from another line (or
 * from nowhere known), so that executing it is executing that line.  A jump target reached only from its
 * own line begins nothing, unless a JUMP_BACKWARD leads there (a loop within one line: the JUMP event).
 * INSTRUCTION events report these offsets: a prefix EXTENDED_ARG is an instruction to them. */
typedef struct {
    uint32_t offset;                 /* byte offset */
    uint32_t slot;                   /* index into lines */
} line_start;

/* An instruction that only arms lead to.  If it is one, executing it proves the arm; if there are more, one that was taken, and which
 * is plain where all others have events.  That is what there is before 3.14 for the arms of an `async for`, which have no event, and
 * spares waiting for the other arm of a site that only ever takes one. */
typedef struct {
    uint32_t offset;                 /* byte offset, as INSTRUCTION reports it */
    uint32_t site;                   /* index into sites */
    uint32_t arm;                    /* 0 LEFT, 1 RIGHT */
} arm_proof;

enum {
    PROVED_ALONE = 1,                /* nothing else leads to its instruction */
    PROVED_JOINED = 4,               /* other arms do: each has a proof with this offset */
};

typedef enum { END_GOTO = 0, END_SITE = 1, END_RETURN = 2, END_RAISE = 3 } block_end;

/* A straight run of instructions.  lines: those of its instructions in order, repeats in a row left out;
 * what comes before the function's body, has no line, or is an END_FOR, POP_ITER, END_SEND, END_ASYNC_FOR or
 * RESUME is passed over, so that each of them is one of the shape's lines.  Exceptions have no edges: a
 * handler is a block that nothing leads to, and so is the waiting of an `await` (SEND goes straight on). */
typedef struct {
    uint32_t first_line_index;       /* its lines are flow_lines[first .. first + n) */
    uint32_t n_lines;
    uint32_t target;                 /* END_GOTO: block, END_SITE: site; else 0 */
    uint8_t end;                     /* block_end */
} block;

typedef struct {
    uint32_t n_lines, n_sites, n_starts, n_blocks, n_flow_lines, n_proofs;
    int32_t *lines;                  /* ascending, distinct, from 0: those for which LINE can fire */
    site *sites;                     /* ascending by source */
    line_start *starts;              /* ascending by offset */
    block *blocks;                   /* ascending by offset; block 0 is the entry */
    int32_t *flow_lines;
    arm_proof *proofs;               /* ascending by offset, then site; none where each arm has events of its own (not encoded) */
    bool has_inline_targets;         /* LINE is placed where it can never fire, and so is never disabled: a jump lands
                                        within its own line, or an await goes on (not encoded) */
    bool has_inline_loops;           /* a jump leads back within its own line, where LINE does not fire again (not encoded) */
    bool has_eventless_arms;         /* those of an `async for` before 3.14: proofs alone tell of them (not encoded) */
    bool has_lines_by_resume;        /* LINE fires somewhere for no other reason than that a RESUME comes before, as in code
                                        whose body begins on its def line (not encoded) */
} shape;

typedef struct {
    const uint8_t *code;             /* co_code, de-instrumented */
    size_t n_code;                   /* bytes, even */
    const uint8_t *linetable;        /* co_linetable */
    size_t n_linetable;
    int32_t first_line;              /* co_firstlineno */
    const uint8_t *handlers;         /* co_exceptiontable; only read before 3.14 */
    size_t n_handlers;
} shape_source;

/* Decodes a code object, in time and memory linear in its length.  Returns 0, or -1 with *reason set:
 * "no memory" or what is malformed (the input may be any bytes: every read is bounds-checked).  On -1 the
 * shape is empty. */
int shape_build(shape *out, const shape_source *source, const char **reason);

/* Gives the shape arrays for as many as its counts say, to be filled.  0, or -1: no memory, and the shape empty. */
int shape_allocate(shape *s);

/* A copy that takes no more memory than it needs.  0, or -1: no memory, and it is empty. */
int shape_copy(shape *out, const shape *s);

/* Frees what build, decode, copy or allocate allocated; the shape is empty. */
void shape_free(shape *s);

/* The slot of a line, or -1. */
int64_t shape_line_slot(const shape *s, int32_t line);

/* The slot of the line that begins at this byte offset, or -1.  *next: a guess, where the first start from this offset on is among all; made
 * that of the first one behind it, which is the guess for what runs next. */
int64_t shape_start_slot(const shape *s, uint32_t offset, uint32_t *next);

/* The proofs that executing this instruction is: the first of n.  *next: as above, of proofs. */
const arm_proof *shape_proofs(const shape *s, uint32_t offset, uint32_t *next, uint32_t *n);

/* The number of the site with this source, or -1. */
int64_t shape_site(const shape *s, uint32_t source);

/* The slot of an arm, found as ARCHITECTURE.md ("identity of an arc") tells: LEFT by its destination alone; RIGHT by
 * source and destination, and failing that, if the destination is the exit of a FOR_ITER, by destination
 * among FOR_ITERs.  -1: unknown. */
int64_t shape_left_slot(const shape *s, uint32_t destination);
int64_t shape_right_slot(const shape *s, uint32_t source, uint32_t destination);

/* Writes the shape (without starts) as a compact byte string, the same for equal shapes on every machine.
 * Returns its length; where that is more than room, what is there is the beginning of it. */
size_t shape_encode(const shape *s, uint8_t *out, size_t room);

/* The number of slots of an encoded shape, from its first few bytes; -1: malformed.  It is below twice the
 * number of bytes. */
int64_t shape_n_slots(const uint8_t *bytes, size_t n_bytes);

/* Reads one back; the bytes may be hostile: nothing is read outside of them, and what is allocated is bounded
 * by their number.  0, or -1 with *reason, and the shape empty.  What comes out is sound: lines ascend, sites
 * ascend, block and site numbers exist, and encoding it gives the same bytes. */
int shape_decode(shape *out, const uint8_t *bytes, size_t n_bytes, const char **reason);

#endif
