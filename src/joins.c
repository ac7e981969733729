/* joins: see joins.h. */
#include "joins.h"

/* The arms that lead where this one does, itself among them: the first of n, or of none. */
static const arm_proof *
join_of(const shape *s, const site *it, uint8_t arm, uint32_t *n)
{
    *n = 0;
    return it->provable & PROVED_JOINED * arm ? shape_proofs(s, arm == LEFT_TAKEN ? it->left : it->right, n) : NULL;
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

bool
joins_part(const shape *s, uint8_t *known, const site *it, uint8_t arm)
{
    uint32_t n;
    const arm_proof *first = join_of(s, it, arm, &n);

    for (uint32_t i = 0; i < n; i++) {
        uint8_t *other = &known[first[i].site];
        if (*other & TOLD_BY_JOIN && !(*other & (LEFT_TAKEN << first[i].arm))) {
            *other &= (uint8_t)~TOLD_BY_JOIN;
            return true;
        }
    }
    return false;
}
