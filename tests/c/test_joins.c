// needs: shape.c
/* Joins: three tests, two of which fail to the same instruction, and what may be concluded from it. */
#include "check.h"
#include "joins.h"

enum { OWN = 40, JOIN = 60 };

/* The RIGHT of sites 0 and 2 is the join; that of site 1 has an instruction of its own. */
static site sites[] = {
    {.source = 10, .left = 12, .right = JOIN, .provable = PROVED_ALONE | PROVED_JOINED << 1},
    {.source = 20, .left = 22, .right = OWN, .provable = PROVED_ALONE | PROVED_ALONE << 1},
    {.source = 30, .left = 32, .right = JOIN, .provable = PROVED_ALONE | PROVED_JOINED << 1},
};
static arm_proof proofs[] = {{12, 0, 0}, {22, 1, 0}, {32, 2, 0}, {OWN, 1, 1}, {JOIN, 0, 1}, {JOIN, 2, 1}};
static const shape S = {.n_sites = 3, .sites = sites, .n_proofs = 6, .proofs = proofs};

/* Whether an instruction is an open join. */
static bool
is_open(const uint8_t *known, uint32_t offset)
{
    uint32_t n, next = 0;
    const arm_proof *first = shape_proofs(&S, offset, &next, &n);

    return joins_are_open(known, first, n);
}

/* Whether an instruction is so many proofs, the first of which is this one, whatever is guessed. */
static bool
proves(uint32_t offset, uint32_t first, uint32_t n_proofs)
{
    bool found = true;

    for (uint32_t guess = 0; guess <= S.n_proofs + 1; guess++) {
        uint32_t n, next = guess;
        found = found && shape_proofs(&S, offset, &next, &n) == &proofs[first] && n == n_proofs && next == first + n;
    }
    return found;
}

static void
test_proofs_by_instruction(void)
{
    CHECK(proves(OWN, 3, 1) && proves(JOIN, 4, 2));
    CHECK(proves(OWN + 2, 4, 0) && proves(JOIN + 2, 6, 0) && proves(0, 0, 0));
}

static void
test_one_of_those_that_share_it_is_told(void)
{
    uint8_t known[3] = {LEFT_TAKEN, LEFT_TAKEN, LEFT_TAKEN};

    CHECK(joins_tell(&S, known, &sites[0], RIGHT_TAKEN) && joins_tell(&S, known, &sites[2], RIGHT_TAKEN));
    known[2] |= TOLD_BY_JOIN;
    CHECK(!joins_tell(&S, known, &sites[0], RIGHT_TAKEN) && !joins_tell(&S, known, &sites[2], RIGHT_TAKEN));
}

static void
test_none_once_another_was_taken(void)
{
    uint8_t known[3] = {LEFT_TAKEN, LEFT_TAKEN, RIGHT_TAKEN};

    CHECK(!joins_tell(&S, known, &sites[0], RIGHT_TAKEN));
    known[1] |= RIGHT_TAKEN; /* which goes elsewhere */
    known[2] = 0;
    CHECK(joins_tell(&S, known, &sites[0], RIGHT_TAKEN));
}

static void
test_what_has_no_join_is_not_told(void)
{
    const uint8_t known[3] = {RIGHT_TAKEN, LEFT_TAKEN, LEFT_TAKEN};

    CHECK(!joins_tell(&S, known, &sites[0], LEFT_TAKEN) && !joins_tell(&S, known, &sites[1], RIGHT_TAKEN));
}

static void
test_the_silent_one_of_those_that_lead_to_a_join(void)
{
    uint8_t known[3] = {LEFT_TAKEN | TOLD_BY_JOIN, BOTH_TAKEN, BOTH_TAKEN};

    CHECK(joins_silent(&S, known, &sites[1], RIGHT_TAKEN) == -1 && joins_silent(&S, known, &sites[2], LEFT_TAKEN) == -1);
    CHECK(joins_silent(&S, known, &sites[2], RIGHT_TAKEN) == 0);
    known[0] = LEFT_TAKEN;
    CHECK(joins_silent(&S, known, &sites[2], RIGHT_TAKEN) == -1);
}

static void
test_none_is_silent_when_it_was_told(void)
{
    const uint8_t known[3] = {BOTH_TAKEN | TOLD_BY_JOIN, 0, LEFT_TAKEN};

    CHECK(joins_silent(&S, known, &sites[2], RIGHT_TAKEN) == -1 && joins_silent(&S, known, &sites[0], RIGHT_TAKEN) == -1);
}

static void
test_who_led_there_is_needed_while_one_is_silent(void)
{
    uint8_t known[3] = {LEFT_TAKEN | TOLD_BY_JOIN, BOTH_TAKEN, BOTH_TAKEN};

    CHECK(joins_need(&S, known, 2) && !joins_need(&S, known, 1) && !joins_need(&S, known, 0));
    known[2] = LEFT_TAKEN;
    CHECK(!joins_need(&S, known, 2));
    known[2] = RIGHT_TAKEN;
    known[0] |= RIGHT_TAKEN;
    CHECK(!joins_need(&S, known, 2));
}

static void
test_a_join_is_open_until_it_is_known_who_led_there(void)
{
    uint8_t known[3] = {LEFT_TAKEN, 0, LEFT_TAKEN};

    CHECK(is_open(known, JOIN) && is_open(known, OWN) && !is_open(known, JOIN + 2));
    known[2] |= RIGHT_TAKEN;
    CHECK(!is_open(known, JOIN));
    known[0] |= TOLD_BY_JOIN;
    CHECK(is_open(known, JOIN));
    known[0] |= RIGHT_TAKEN;
    CHECK(!is_open(known, JOIN));
}

static const test TESTS[] = {
    TEST(test_proofs_by_instruction),
    TEST(test_one_of_those_that_share_it_is_told),
    TEST(test_none_once_another_was_taken),
    TEST(test_what_has_no_join_is_not_told),
    TEST(test_the_silent_one_of_those_that_lead_to_a_join),
    TEST(test_none_is_silent_when_it_was_told),
    TEST(test_who_led_there_is_needed_while_one_is_silent),
    TEST(test_a_join_is_open_until_it_is_known_who_led_there),
};

int
main(void)
{
    return RUN(TESTS);
}
