/* joins: see joins.h. */
#include "joins.h"

/* The arms that lead where this one does, itself among them: the first of n, or of none. */
static const arm_proof *
join_of(const shape *s, const site *it, uint8_t arm, uint32_t *n)
{
    uint32_t next = 0;

    *n = 0;
    return it->provable & PROVED_JOINED * arm ? shape_proofs(s, arm == LEFT_TAKEN ? it->left : it->right, &next, n) : NULL;
}

bool
joins_tell(const shape *s, const uint8_t *known, const site *it, uint8_t missing)
{
    uint32_t n;
    const arm_proof *first = join_of(s, it, missing, &n);

    for (uint32_t i = 0; i < n; i++) {
        if (known[first[i].site] & (LEFT_TAKEN << first[i].arm | TOLD_BY_JOIN)) {
            return false;
        }
    }
    return n != 0;
}

int64_t
joins_silent(const shape *s, const uint8_t *known, const site *it, uint8_t arm)
{
    uint32_t n;
    const arm_proof *first = join_of(s, it, arm, &n);

    for (uint32_t i = 0; i < n; i++) {
        const uint8_t other = known[first[i].site];
        if (other & TOLD_BY_JOIN && !(other & (LEFT_TAKEN << first[i].arm))) {
            return first[i].site;
        }
    }
    return -1;
}

bool
joins_need(const shape *s, const uint8_t *known, uint32_t index)
{
    const site *it = &s->sites[index];
    return (known[index] & LEFT_TAKEN && joins_silent(s, known, it, LEFT_TAKEN) >= 0)
           || (known[index] & RIGHT_TAKEN && joins_silent(s, known, it, RIGHT_TAKEN) >= 0);
}

bool
joins_are_open(const uint8_t *known, const arm_proof *first, uint32_t n)
{
    bool open = n != 0;

    for (uint32_t i = 0; i < n; i++) {
        const bool taken = known[first[i].site] & (LEFT_TAKEN << first[i].arm);
        if (known[first[i].site] & TOLD_BY_JOIN && !taken) {
            return true;
        }
        open = open && !taken;
    }
    return open;
}
