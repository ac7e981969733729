/* The tally against a plain array of what was hit. */
#include <stdbool.h>
#include <string.h>

#include "check.h"
#include "recording.h"
#include "tally.h"

enum { CODES = 50, SLOTS = 77, ROUNDS = 20000 };

static bool expected[CODES][SLOTS];

static void
check_bits(const tally *t)
{
    for (uint32_t code = 0; code < CODES; code++) {
        uint8_t bits[(SLOTS + 7) / 8];
        CHECK(tally_n_bytes(t, code) == sizeof(bits));
        tally_bits(t, code, bits);
        for (uint32_t slot = 0; slot < SLOTS; slot++) {
            CHECK(((bits[slot / 8] & 0x80 >> slot % 8) != 0) == expected[code][slot]);
        }
        CHECK((bits[SLOTS / 8] & 0x07) == 0);  // beyond the last slot
    }
}

static void
test_hits_are_those_since_they_were_forgotten(void)
{
    static int64_t ids[CODES][SLOTS];
    uint32_t random = 1;
    tally t = {0};

    memset(ids, 0xFF, sizeof(ids));
    for (uint32_t code = 0; code < CODES; code++) {
        CHECK(tally_code(&t, SLOTS) == code);
    }
    for (int i = 0; i < ROUNDS; i++) {
        random = random * 1664525 + 1013904223;
        const uint32_t code = (random >> 8) % CODES, slot = (random >> 16) % SLOTS;
        if (ids[code][slot] < 0) {
            ids[code][slot] = tally_arc(&t, code, slot);
            CHECK(ids[code][slot] == t.n_arcs - 1);
        }
        else {
            CHECK(tally_hit(&t, (uint32_t)ids[code][slot]) == 0);
        }
        expected[code][slot] = true;
        if (random % 500 == 0) {
            check_bits(&t);
            tally_forget_hits(&t);
            memset(expected, 0, sizeof(expected));
            check_bits(&t);
        }
    }
    check_bits(&t);
    tally_fini(&t);
    tally_fini(&t);
    CHECK(t.n_codes == 0);
}

static void
test_what_fits_no_slot_is_not_kept(void)
{
    tally t = {0};
    uint8_t bits = 0xFF;

    CHECK(tally_code(&t, 3) == 0);
    CHECK(tally_arc(&t, 0, NO_SLOT) == 0);
    CHECK(tally_hit(&t, 0) == 0);
    CHECK(t.n_dirty == 0);
    CHECK(tally_arc(&t, 0, 2) == 1);
    CHECK(t.n_dirty == 1 && t.dirty[0] == 0);
    tally_bits(&t, 0, &bits);
    CHECK(bits == 0x20);
    tally_fini(&t);
}

int
main(void)
{
    test_hits_are_those_since_they_were_forgotten();
    test_what_fits_no_slot_is_not_kept();
    return 0;
}
