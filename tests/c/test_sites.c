// needs: shape.c locations.c handlers.c proofs.c
/* Shapes of hand-made code (with the made-up opcodes of opcode_ids.h), and what hostile bytes become: code, location
 * tables, encoded shapes that are cut, flipped, random. */
#include <stdbool.h>

#include <opcode_ids.h>

#include "check.h"
#include "locations.h"
#include "sites.h"
#include "sound.h"

/* ---- an assembler ---- */

typedef struct {
    uint8_t code[4096], table[4096];
    size_t n_code, n_table;
    int line; /* of the last entry */
} assembly;

static void
begin(assembly *a, int first_line)
{
    *a = (assembly){.line = first_line};
}

/* One instruction and its caches; no_line: the compiler's own.  The entry has a line and no columns. */
enum { OWN = -100 };

static void
emit(assembly *a, int line, uint8_t opcode, uint8_t argument, unsigned n_caches)
{
    CHECK(n_caches < 8 && a->n_code + 2 * (n_caches + 1) <= sizeof(a->code) && a->n_table + 8 < sizeof(a->table));
    a->code[a->n_code++] = opcode;
    a->code[a->n_code++] = argument;
    memset(a->code + a->n_code, 0, 2 * n_caches);
    a->n_code += 2 * n_caches;
    if (line == OWN) {
        a->table[a->n_table++] = (uint8_t)(0x80 | 15 << 3 | n_caches);
        return;
    }
    a->table[a->n_table++] = (uint8_t)(0x80 | 13 << 3 | n_caches);
    unsigned delta = line < a->line ? (unsigned)(a->line - line) << 1 | 1 : (unsigned)(line - a->line) << 1;
    for (; delta >= 0x40; delta >>= 6) {
        a->table[a->n_table++] = (uint8_t)(0x40 | (delta & 0x3f));
    }
    a->table[a->n_table++] = (uint8_t)delta;
    a->line = line;
}

static shape_source
source_of(const assembly *a, int first_line)
{
    return (shape_source){a->code, a->n_code, a->table, a->n_table, first_line, NULL, 0};
}

static shape
built(const assembly *a, int first_line)
{
    const shape_source source = source_of(a, first_line);
    const char *reason = "";
    shape s;

    if (shape_build(&s, &source, &reason) < 0) {
        fprintf(stderr, "shape_build: %s\n", reason);
        CHECK(!"built");
    }
    check_sound(&s);
    size_t n_bytes;
    free(check_encoding(&s, &n_bytes));
    return s;
}

static void
check_refused(const shape_source *source, const char *wanted)
{
    const char *reason = "";
    shape s;

    CHECK(shape_build(&s, source, &reason) == -1);
    CHECK(strcmp(reason, wanted) == 0);
    CHECK(s.sites == NULL && s.n_lines == 0);
}

static void
check_lines(const int32_t *lines, uint32_t n_lines, const int32_t *wanted, uint32_t n_wanted)
{
    CHECK(n_lines == n_wanted);
    CHECK(memcmp(lines, wanted, n_wanted * sizeof(*wanted)) == 0);
}

#define CHECK_LINES(lines, n_lines, ...)                                                                               \
    check_lines(lines, n_lines, (const int32_t[]){__VA_ARGS__}, sizeof((int32_t[]){__VA_ARGS__}) / sizeof(int32_t))

static void
check_block(const shape *s, uint32_t number, block_end end, uint32_t target, uint32_t n_lines, int32_t line)
{
    CHECK(number < s->n_blocks);
    const block *it = &s->blocks[number];
    CHECK(it->end == end && it->target == target && it->n_lines == n_lines);
    CHECK(n_lines == 0 || s->flow_lines[it->first_line_index] == line);
}

/* ---- shapes ---- */

/* The example of sites.h; each test is a load, a test with a cache and a NOT_TAKEN. */
static void
assemble_if_and(assembly *a)
{
    begin(a, 1);
    emit(a, 1, RESUME, 0, 0);             /* 0 */
    emit(a, 2, PLAIN_OP, 0, 0);           /* 2 */
    emit(a, 2, POP_JUMP_IF_FALSE, 6, 1);  /* 4, to 20 */
    emit(a, 2, NOT_TAKEN, 0, 0);          /* 8 */
    emit(a, 2, PLAIN_OP, 0, 0);           /* 10 */
    emit(a, 2, POP_JUMP_IF_FALSE, 2, 1);  /* 12, to 20 */
    emit(a, 2, NOT_TAKEN, 0, 0);          /* 16 */
    emit(a, 3, PLAIN_OP, 0, 0);           /* 18 */
    emit(a, 4, RETURN_VALUE, 0, 0);       /* 20 */
}

static void
test_if_and(void)
{
    assembly a;
    assemble_if_and(&a);
    shape s = built(&a, 1);

    CHECK_LINES(s.lines, s.n_lines, 2, 3, 4);
    CHECK(s.n_sites == 2 && s.n_blocks == 4 && !s.has_inline_targets);
    CHECK(s.sites[0].source == 4 && s.sites[0].left == 10 && s.sites[0].right == 20);
    CHECK(s.sites[1].source == 12 && s.sites[1].left == 18 && s.sites[1].right == 20);
    CHECK(s.sites[0].left_block == 1 && s.sites[0].right_block == 3);
    CHECK(s.sites[1].left_block == 2 && s.sites[1].right_block == 3);
    CHECK(s.sites[0].line == 2 && s.sites[0].end_line == 2 && s.sites[0].col == -1 && s.sites[0].end_col == -1);
    check_block(&s, 0, END_SITE, 0, 1, 2);
    check_block(&s, 1, END_SITE, 1, 1, 2);
    check_block(&s, 2, END_GOTO, 3, 1, 3);
    check_block(&s, 3, END_RETURN, 0, 1, 4);
    CHECK(s.n_starts == 3 && s.starts[0].offset == 2 && s.starts[1].offset == 18 && s.starts[2].offset == 20);
    shape_free(&s);
    shape_free(&s);
}

static void
test_slots(void)
{
    assembly a;
    assemble_if_and(&a);
    shape s = built(&a, 1);

    CHECK(shape_line_slot(&s, 2) == 0 && shape_line_slot(&s, 4) == 2);
    CHECK(shape_line_slot(&s, 1) == -1 && shape_line_slot(&s, 5) == -1);
    uint32_t next = 0;
    CHECK(shape_start_slot(&s, 18, &next) == 1 && next != 0 && shape_start_slot(&s, 10, &next) == -1);
    CHECK(shape_left_slot(&s, 10) == 3 && shape_left_slot(&s, 18) == 5 && shape_left_slot(&s, 20) == -1);
    CHECK(shape_right_slot(&s, 4, 20) == 4 && shape_right_slot(&s, 12, 20) == 6); /* shared: never by destination */
    CHECK(shape_right_slot(&s, 8, 20) == -1 && shape_right_slot(&s, 4, 18) == -1);
    CHECK(shape_site(&s, 12) == 1 && shape_site(&s, 10) == -1 && shape_site(&s, UINT32_MAX) == -1);
    shape_free(&s);
}

/* for x in y:        # line 1
 *     if x: z        # line 2
 * w                  # line 3 */
static void
assemble_loop(assembly *a)
{
    begin(a, 1);
    emit(a, 0, RESUME, 0, 0);            /* 0 */
    emit(a, 1, PLAIN_OP, 0, 0);          /* 2 */
    emit(a, 1, FOR_ITER, 7, 1);          /* 4, to 22 */
    emit(a, 1, PLAIN_OP, 0, 0);          /* 8 */
    emit(a, 2, POP_JUMP_IF_TRUE, 2, 0);  /* 10, to 16 */
    emit(a, 2, NOT_TAKEN, 0, 0);         /* 12 */
    emit(a, 2, JUMP_BACKWARD, 6, 0);     /* 14, to 4 */
    emit(a, 2, PLAIN_OP, 0, 0);          /* 16 */
    emit(a, 2, JUMP_BACKWARD, 9, 1);     /* 18, to 4 */
    emit(a, 1, END_FOR, 0, 0);           /* 22 */
    emit(a, 1, POP_ITER, 0, 0);          /* 24 */
    emit(a, 3, RETURN_VALUE, 0, 0);      /* 26 */
}

static void
test_loop(void)
{
    assembly a;
    assemble_loop(&a);
    shape s = built(&a, 1);

    CHECK_LINES(s.lines, s.n_lines, 1, 2, 3);
    CHECK(s.n_sites == 2 && s.sites[0].kind == SITE_FOR && s.sites[1].kind == SITE_IF_TRUE);
    CHECK(s.sites[0].source == 4 && s.sites[0].left == 8 && s.sites[0].right == 26);
    CHECK(shape_right_slot(&s, 4, 26) == 4);
    CHECK(shape_right_slot(&s, 24, 26) == 4 && shape_right_slot(&s, 18, 26) == 4); /* a stale source */
    CHECK(shape_right_slot(&s, 4, 16) == -1);
    check_block(&s, 0, END_GOTO, 1, 1, 1);
    check_block(&s, 1, END_SITE, 0, 1, 1);
    check_block(&s, 2, END_SITE, 1, 2, 1);
    check_block(&s, 3, END_GOTO, 1, 1, 2);
    check_block(&s, 4, END_GOTO, 1, 1, 2);
    check_block(&s, 5, END_RETURN, 0, 1, 3);
    CHECK(s.n_blocks == 6);
    CHECK(s.has_inline_targets); /* 10 jumps to 16 */
    uint32_t next = 1000;  /* no guess can be so wrong that the start is not found */
    CHECK(shape_start_slot(&s, 4, &next) == 0 && shape_start_slot(&s, 16, &next) == -1 && shape_start_slot(&s, 24, &next) == -1);
    shape_free(&s);
}

/* while a: b   all on line 1: the loop begins where it comes back to, though LINE is never told of that */
static void
test_loop_in_a_line(void)
{
    assembly a;
    begin(&a, 1);
    emit(&a, 1, RESUME, 0, 0);             /* 0 */
    emit(&a, 1, PLAIN_OP, 0, 0);           /* 2 */
    emit(&a, 1, POP_JUMP_IF_FALSE, 3, 0);  /* 4, to 12 */
    emit(&a, 1, NOT_TAKEN, 0, 0);          /* 6 */
    emit(&a, 1, PLAIN_OP, 0, 0);           /* 8 */
    emit(&a, 1, JUMP_BACKWARD, 5, 0);      /* 10, to 2 */
    emit(&a, 1, RETURN_VALUE, 0, 0);       /* 12 */
    shape s = built(&a, 1);

    CHECK_LINES(s.lines, s.n_lines, 1);
    CHECK(s.n_starts == 1 && s.starts[0].offset == 2);
    CHECK(s.has_inline_targets);
    shape_free(&s);
}

/* An `async for` (to_cleanup: its END_ASYNC_FOR points to the CLEANUP_THROW), or without NOT_TAKEN a comprehension. */
static void
check_async_loop(bool to_cleanup, bool is_comprehension)
{
    assembly a;
    begin(&a, 1);
    emit(&a, 1, RESUME, 0, 0);                          /* 0 */
    emit(&a, 2, SEND, 4, 1);                            /* 2, to 14 */
    emit(&a, 2, PLAIN_OP, 0, 0);                        /* 6: YIELD_VALUE */
    emit(&a, 2, RESUME, 3, 0);                          /* 8 */
    emit(&a, 2, JUMP_BACKWARD_NO_INTERRUPT, 5, 0);      /* 10, to 2 */
    emit(&a, 2, CLEANUP_THROW, 0, 0);                   /* 12 */
    emit(&a, 2, END_SEND, 0, 0);                        /* 14 */
    emit(&a, 2, is_comprehension ? PLAIN_OP : NOT_TAKEN, 0, 0); /* 16 */
    emit(&a, 3, PLAIN_OP, 0, 0);                        /* 18 */
    emit(&a, 3, JUMP_BACKWARD, 10, 0);                  /* 20, to 2 */
    emit(&a, 2, END_ASYNC_FOR, to_cleanup ? 6 : 5, 0);  /* 22 */
    emit(&a, 4, RETURN_VALUE, 0, 0);                    /* 24 */
    shape s = built(&a, 1);

    CHECK_LINES(s.lines, s.n_lines, 2, 3, 4);
    CHECK(s.n_sites == 1);
    CHECK(s.sites[0].kind == (is_comprehension ? SITE_ASYNC_COMPREHENSION : SITE_ASYNC_FOR));
    CHECK(s.sites[0].source == (to_cleanup ? 12 : 14));
    CHECK(s.sites[0].left == (is_comprehension ? 16 : 18) && s.sites[0].right == 24);
    CHECK(shape_left_slot(&s, s.sites[0].left) == 3);
    CHECK(s.blocks[s.sites[0].right_block].end == END_RETURN);
    shape_free(&s);
}

static void
test_async_loops(void)
{
    check_async_loop(false, false);
    check_async_loop(true, false);
    check_async_loop(false, true);
    check_async_loop(true, true);
}

static void
test_two_ends_of_one_async_loop(void)
{
    assembly a;
    begin(&a, 1);
    emit(&a, 1, RESUME, 0, 0);
    emit(&a, 1, END_SEND, 0, 0);       /* 2 */
    emit(&a, 1, NOT_TAKEN, 0, 0);      /* 4 */
    emit(&a, 2, RETURN_VALUE, 0, 0);   /* 6 */
    emit(&a, 1, END_ASYNC_FOR, 4, 0);  /* 8 */
    emit(&a, 3, RETURN_VALUE, 0, 0);   /* 10 */
    emit(&a, 1, END_ASYNC_FOR, 6, 0);  /* 12: has none left */
    emit(&a, 4, RETURN_VALUE, 0, 0);   /* 14 */
    emit(&a, 1, END_ASYNC_FOR, 99, 0); /* 16: never had one */
    shape s = built(&a, 1);

    CHECK(s.n_sites == 1 && s.sites[0].right == 10);
    shape_free(&s);
}

static void
test_prefixes(void)
{
    assembly a;
    begin(&a, 1);
    emit(&a, 1, RESUME, 0, 0);                    /* 0 */
    emit(&a, 2, EXTENDED_ARG, 1, 0);              /* 2 */
    emit(&a, 2, POP_JUMP_IF_NONE, 2, 1);          /* 4, to 8 + 2 * 258 */
    emit(&a, 2, NOT_TAKEN, 0, 0);                 /* 8 */
    for (int i = 0; i < 257; i++) {
        emit(&a, 3, PLAIN_OP, 7, 0);
    }
    emit(&a, 4, EXTENDED_ARG, 1, 0);              /* 524 */
    emit(&a, 4, JUMP_BACKWARD, 7, 0);             /* 526, to 528 - 2 * 263 */
    shape s = built(&a, 1);

    CHECK(s.n_sites == 1 && s.sites[0].kind == SITE_IF_NONE);
    CHECK(s.sites[0].source == 4 && s.sites[0].left == 10 && s.sites[0].right == 524);
    CHECK(s.n_starts == 3 && s.starts[0].offset == 2 && s.starts[2].offset == 524);
    check_block(&s, s.sites[0].right_block, END_GOTO, 1, 1, 4);
    CHECK(s.blocks[0].n_lines == 0 && s.blocks[0].target == 1); /* before the prefix */
    shape_free(&s);
}

/* A generator expression of 3.15: what is before the second RESUME is no part of the body. */
static void
test_the_body_begins_at_its_resume(void)
{
    assembly a;
    begin(&a, 1);
    emit(&a, OWN, RESUME, 4, 0);
    emit(&a, 1, PLAIN_OP, 0, 0);
    emit(&a, 2, RESUME, 0, 0);
    emit(&a, 3, PLAIN_OP, 0, 0);
    emit(&a, OWN, PLAIN_OP, 0, 0);
    emit(&a, 3, RERAISE, 0, 0);
    emit(&a, OWN, PLAIN_OP, 0, 0); /* a handler of the compiler's own */
    shape s = built(&a, 1);

    CHECK_LINES(s.lines, s.n_lines, 3);
    CHECK(s.n_starts == 2 && s.starts[0].offset == 6 && s.starts[1].offset == 10);
    CHECK(s.n_blocks == 2);
    check_block(&s, 0, END_RAISE, 0, 1, 3);
    check_block(&s, 1, END_RAISE, 0, 0, 0); /* runs off the end */
    shape_free(&s);
}

/* Loops all over: lines come back, and out of order, near and far. */
static void
test_lines_in_any_order(void)
{
    static const int NEAR[] = {5, 4, 9, 5, 4, 3, 9}, FAR[] = {7, 2000000000, 3, 1000000000, 7};
    assembly a;
    begin(&a, 1);
    emit(&a, 1, RESUME, 0, 0);
    for (size_t i = 0; i < sizeof(NEAR) / sizeof(*NEAR); i++) {
        emit(&a, NEAR[i], PLAIN_OP, 0, 0);
    }
    shape s = built(&a, 1);
    CHECK_LINES(s.lines, s.n_lines, 3, 4, 5, 9);
    CHECK_LINES(s.flow_lines, s.n_flow_lines, 5, 4, 9, 5, 4, 3, 9);
    shape_free(&s);

    begin(&a, 1);
    emit(&a, 1, RESUME, 0, 0);
    for (size_t i = 0; i < sizeof(FAR) / sizeof(*FAR); i++) {
        emit(&a, FAR[i], PLAIN_OP, 0, 0);
    }
    s = built(&a, 1);
    CHECK_LINES(s.lines, s.n_lines, 3, 7, 1000000000, 2000000000);
    shape_free(&s);
}

/* ---- the location table ---- */

static void
test_forms_of_locations(void)
{
    static const uint8_t TABLE[] = {
        0x80 | 2 << 3 | 1,  0x35,                                 /* two units, columns 19 to 24 */
        0x80 | 11 << 3,     100,  127,                                /* a line further */
        0x80 | 12 << 3 | 7, 3,    4,                                /* two lines further, eight units */
        0x80 | 13 << 3,     0x43, 0x01,                              /* 33 lines back: no columns */
        0x80 | 14 << 3,     0x02, 0x03, 0x41, 0x04, 0x00, /* a line further, to 3 lines on, from 256 to nowhere */
        0x80 | 15 << 3, /* nowhere */
        0x80 | 10 << 3,     1,    2, /* the line before that */
    };
    static const int32_t WANTED[][6] = {
        /* n_units, has_line, line, end_line, col, end_col */
        {2, 1, 50, 50, 19, 24},  {1, 1, 51, 51, 100, 127}, {8, 1, 53, 53, 3, 4}, {1, 1, 20, 20, -1, -1},
        {1, 1, 21, 24, 256, -1}, {1, 0, 21, 24, 256, -1},  {1, 1, 21, 21, 1, 2},
    };
    location l = location_table(TABLE, sizeof(TABLE), 50);

    for (size_t i = 0; i < sizeof(WANTED) / sizeof(*WANTED); i++) {
        CHECK(location_next(&l) == 1);
        CHECK(l.n_units == (uint32_t)WANTED[i][0] && l.has_line == WANTED[i][1]);
        CHECK(l.line == WANTED[i][2] && l.end_line == WANTED[i][3]);
        CHECK(l.col == WANTED[i][4] && l.end_col == WANTED[i][5]);
    }
    CHECK(location_next(&l) == 0);

    int32_t lines[17 + LINES_SPARE];
    CHECK(location_lines(TABLE, sizeof(TABLE), 50, lines, 17) >= 0);
    CHECK_LINES(lines, 17, 50, 50, 51, 53, 53, 53, 53, 53, 53, 53, 53, 20, 21, -1, 21, -1, -1);

    for (size_t n = 1; n < sizeof(TABLE); n++) { /* cut anywhere: an entry fails, or it ends */
        int more;
        for (l = location_table(TABLE, n, 50); (more = location_next(&l)) > 0;) {
            CHECK(l.at <= TABLE + n);
        }
        CHECK((more < 0) == (location_lines(TABLE, n, 50, lines, 17) < 0));
    }
}

static void
test_malformed_locations(void)
{
    static const struct {
        uint8_t bytes[10];
        size_t n;
        int32_t first_line;
    } TABLES[] = {
        {{0x00}, 1, 1}, /* no head */
        {{0x80 | 13 << 3, 0x7f, 0x7f, 0x7f, 0x7f, 0x7f, 0x7f}, 7, 1}, /* a number without end */
        {{0x80 | 13 << 3, 0x7e, 0x7f, 0x7f, 0x7f, 0x7f, 0x03}, 7, 1}, /* beyond int32_t */
        {{0x80 | 13 << 3, 0x02}, 2, INT32_MAX},
        {{0x80 | 14 << 3, 0x00, 0x02, 0x00, 0x00}, 5, INT32_MAX},
        {{0x80 | 14 << 3, 0x00, 0x00, 0x7f, 0x7f, 0x7f, 0x7f, 0x7f, 0x03, 0x00}, 10, 1},
    };
    int32_t lines[4 + LINES_SPARE];

    for (size_t i = 0; i < sizeof(TABLES) / sizeof(*TABLES); i++) {
        location l = location_table(TABLES[i].bytes, TABLES[i].n, TABLES[i].first_line);
        CHECK(location_next(&l) == -1);
        if (i != 4) { /* lines alone do not look at where an entry ends */
            CHECK(location_lines(TABLES[i].bytes, TABLES[i].n, TABLES[i].first_line, lines, 4) == -1);
        }
    }
}

/* ---- hostile code ---- */

static void
test_malformed_code(void)
{
    static const uint8_t OPS[][2] = {{POP_JUMP_IF_FALSE, 9}, {FOR_ITER, 0}, {JUMP_FORWARD, 3},
                                     {JUMP_BACKWARD, 9},     {SEND, 2},     {POP_JUMP_IF_TRUE, 2},
                                     {JUMP_FORWARD, 200},    {SEND, 1},     {FOR_ITER, 255}};
    assembly a;
    shape_source source;

    begin(&a, 1);
    source = source_of(&a, 1);
    check_refused(&source, "the length of the bytecode");
    emit(&a, 1, RETURN_VALUE, 0, 0);
    source = source_of(&a, 1);
    source.n_code = 1;
    check_refused(&source, "the length of the bytecode");
    source = source_of(&a, 1);
    a.table[0] = 0x7f;
    check_refused(&source, "the location table");
    for (size_t i = 0; i < sizeof(OPS) / sizeof(*OPS); i++) {
        begin(&a, 1);
        emit(&a, 1, RESUME, 0, 0);
        emit(&a, 1, OPS[i][0], OPS[i][1], 0);
        emit(&a, 1, PLAIN_OP, 0, 2); /* 4, and caches at 6 and 8 */
        source = source_of(&a, 1);
        check_refused(&source, "a jump to where there is no instruction");
    }
}

static void
test_random_code(void)
{
    uint64_t state = 1;
    size_t n_good = 0;

    for (int round = 0; round < 60000; round++) {
        uint8_t code[64], table[48];
        const size_t n_code = 2 * (1 + next_random(&state) % (sizeof(code) / 2));
        const size_t n_table = next_random(&state) % sizeof(table);
        for (size_t i = 0; i < n_code; i += 2) {
            const uint64_t random = next_random(&state);
            code[i] = (uint8_t)(random % N_KNOWN_OPS);
            code[i + 1] = (uint8_t)((random >> 8) % (1 + (random >> 16) % 12));
        }
        code[0] = RESUME;
        code[1] = 0;
        for (size_t i = 0; i < n_table; i++) {
            const uint8_t random = (uint8_t)next_random(&state);
            table[i] = i % 3 == 0 || random % 4 ? random | 0x80 : random & 0x3f;
        }
        /* Most of the time a table that is good: no columns, near lines. */
        for (size_t i = 0; round % 4 && i + 1 < n_table; i += 2) {
            table[i] = (uint8_t)(0x80 | 13 << 3 | next_random(&state) % 3);
            table[i + 1] = (uint8_t)(next_random(&state) % 8);
        }
        const shape_source source = {code, n_code, table, round % 4 ? n_table & ~(size_t)1 : n_table, 9, NULL, 0};
        const char *reason = NULL;
        shape s;
        if (shape_build(&s, &source, &reason) < 0) {
            CHECK(reason != NULL && s.sites == NULL);
            continue;
        }
        n_good++;
        check_sound(&s);
        size_t n_bytes;
        free(check_encoding(&s, &n_bytes));
        shape_free(&s);
    }
    CHECK(n_good > 3000);
}

/* Work that is not linear would take minutes here. */
static void
test_long_code(void)
{
    enum { N = 400000 };
    uint8_t *code = malloc(2 * N), *table = malloc(2 * N);
    const char *reason = NULL;
    shape s;

    CHECK(code != NULL && table != NULL);
    for (int kind = 0; kind < 3; kind++) {
        for (size_t i = 0; i < N; i++) {
            static const uint8_t OPS[3] = {PLAIN_OP, POP_JUMP_IF_FALSE, JUMP_FORWARD};
            code[2 * i] = i == 0 ? RESUME : i == N - 1 ? RETURN_VALUE : OPS[kind];
            code[2 * i + 1] = 0;
            table[2 * i] = 0x80 | 13 << 3;
            table[2 * i + 1] = 3; /* a line up */
        }
        const shape_source source = {code, 2 * N, table, 2 * N, N + 7, NULL, 0};
        CHECK(shape_build(&s, &source, &reason) == 0);
        CHECK(s.n_lines == N - 1 && s.lines[0] == 7);
        size_t n_bytes;
        free(check_encoding(&s, &n_bytes));
        CHECK(n_bytes < 16 * N);
        shape_free(&s);
    }
    free(code);
    free(table);
}

/* ---- bytes ---- */

static void
test_room(void)
{
    assembly a;
    uint8_t bytes[200], whole[200];

    assemble_loop(&a);
    shape s = built(&a, 1);
    const size_t n = shape_encode(&s, whole, sizeof(whole));
    CHECK(n < sizeof(whole));
    for (size_t room = 0; room < n; room++) {
        memset(bytes, 0xee, sizeof(bytes));
        CHECK(shape_encode(&s, bytes, room) == n);
        CHECK(memcmp(bytes, whole, room) == 0 && bytes[room] == 0xee);
    }
    shape_free(&s);
}

static void
test_bytes_stay_the_same(void)
{
    /* What is in a database must be read for ever: if this fails, the format has changed. */
    static const uint8_t WANTED[] = {
        3, 2,          4,  4, /* lines, sites, blocks, flow lines */
        2, 0,          0, /* lines 2, 3, 4 */
        2, 0 | 3 << 3, 10, 2, 4, 4, 0, 0, 0, /* site 0: source 4, left 10, right 20, blocks 1 and 3, line 2 */
        4, 0 | 3 << 3, 2,  2, 2, 0, 0, 0, 0, /* site 1: source 12, left 18, right 20, blocks 2 and 3, line 2 */
        5, 0,          5,  0, 4, 2, 6, /* blocks */
        0, 1,          0,  0, /* flow lines 2, 2, 3, 4 */
    };
    assembly a;
    uint8_t bytes[100];

    assemble_if_and(&a);
    shape s = built(&a, 1);
    CHECK(shape_encode(&s, bytes, sizeof(bytes)) == sizeof(WANTED));
    CHECK(memcmp(bytes, WANTED, sizeof(WANTED)) == 0);
    shape_free(&s);
}

static void
test_damaged_bytes(void)
{
    static void (*const ASSEMBLE[])(assembly *) = {assemble_if_and, assemble_loop};

    for (size_t which = 0; which < sizeof(ASSEMBLE) / sizeof(*ASSEMBLE); which++) {
        assembly a;
        ASSEMBLE[which](&a);
        shape s = built(&a, 1);
        size_t n;
        uint8_t *bytes = check_encoding(&s, &n);
        shape_free(&s);
        for (size_t cut = 0; cut < n; cut++) {
            uint8_t *piece = malloc(cut + 1); /* so that reading past its end is seen */
            const char *reason = NULL;
            CHECK(piece != NULL);
            memcpy(piece, bytes, cut);
            CHECK(shape_decode(&s, piece, cut, &reason) == -1 && reason != NULL);
            free(piece);
        }
        for (size_t bit = 0; bit < 8 * n; bit++) {
            bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
            check_decoding(bytes, n);
            bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
        }
        for (unsigned value = 0; value < 256 * n; value++) {
            const uint8_t before = bytes[value / 256];
            bytes[value / 256] = (uint8_t)value;
            check_decoding(bytes, n);
            bytes[value / 256] = before;
        }
        free(bytes);
    }
}

static void
test_bytes_that_promise_too_much(void)
{
    static const struct {
        uint8_t bytes[16];
        size_t n;
        const char *reason;
    } SHAPES[] = {
        {{0}, 0, "cut short"},
        {{0, 0, 0, 0}, 4, "no blocks"},
        {{0xff, 0xff, 0xff, 0xff, 0x0f, 0, 1, 0}, 8, "cut short"}, /* four thousand million lines */
        {{0, 0xff, 0xff, 0xff, 0xff, 0x7f, 1, 0}, 8, "cut short"},
        {{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01}, 7, "a number that is too long"},
        {{0x80, 0x00, 0, 1, 0, 2}, 6, "a number that could be shorter"},
        {{0, 0, 1, 0, 2, 0}, 6, "bytes after the end"},
        {{0, 0, 1, 0, 1}, 5, "cut short"}, /* ends at site, whose number is cut */
        {{0, 0, 1, 0, 0, 2}, 6, "a number out of its range"}, /* goes to block 1 of 1 */
        {{1, 0, 1, 1, 5, 2, 0}, 7, "fewer lines in the blocks than there are"},
        {{1, 0, 1, 1, 5, 10, 0}, 7, "more lines in the blocks than there are"},
        {{1, 0, 1, 1, 5, 6, 2}, 7, "a number out of its range"}, /* flow line 1 of 1 */
    };

    for (size_t i = 0; i < sizeof(SHAPES) / sizeof(*SHAPES); i++) {
        const char *reason = NULL;
        shape s;
        CHECK(shape_decode(&s, SHAPES[i].bytes, SHAPES[i].n, &reason) == -1);
        if (strcmp(reason, SHAPES[i].reason) != 0) {
            fprintf(stderr, "shape %zu: %s\n", i, reason);
            CHECK(!"the reason");
        }
    }
    CHECK(shape_n_slots(SHAPES[2].bytes, SHAPES[2].n) == -1);
}

static const test TESTS[] = {
    TEST(test_if_and),
    TEST(test_slots),
    TEST(test_loop),
    TEST(test_loop_in_a_line),
    TEST(test_async_loops),
    TEST(test_two_ends_of_one_async_loop),
    TEST(test_prefixes),
    TEST(test_the_body_begins_at_its_resume),
    TEST(test_lines_in_any_order),
    TEST(test_forms_of_locations),
    TEST(test_malformed_locations),
    TEST(test_malformed_code),
    TEST(test_random_code),
    TEST(test_long_code),
    TEST(test_room),
    TEST(test_bytes_stay_the_same),
    TEST(test_damaged_bytes),
    TEST(test_bytes_that_promise_too_much),
};

int
main(void)
{
    return RUN(TESTS);
}
