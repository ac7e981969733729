/* joins: before 3.14, which sites may be silenced although one of their arms was not taken yet, since an instruction that other arms lead
 * to as well (a *join*) will tell of it.
 *
 *      def within(x, y, w):
 *          if 0 <= x < w and 0 <= y < w:       # x < w and y < w fail to the same instruction
 *              return x
 *          raise IndexError
 *
 * While none of the arms that lead there was taken, one of them needs no event: if the instruction runs, and none of the others was
 * heard before it, it was that one.  Once another one is taken, this is over.
 *
 * `known` has a byte for each site.  No Python.h here. */
#ifndef COVCORE_JOINS_H
#define COVCORE_JOINS_H

#include "sites.h"

/* What is known of a site in this context. */
enum {
    LEFT_TAKEN = 1,
    RIGHT_TAKEN = 2,
    BOTH_TAKEN = 3,
    TOLD_BY_JOIN = 4, /* it is silenced, and its missing arm will be told by its join */
    WAITING = 8,      /* nothing but an event will tell of its missing arm */
};

/* Whether the missing arm of a site will be told by its join from now on.  All sites of the join must have had their events from when they
 * were last not running. */
bool joins_tell(const shape *s, const uint8_t *known, const site *it, uint8_t missing);

/* The number of the site that is silenced until the join that an arm leads to will tell, or -1.  If the arm was taken, the site is to lose
 * TOLD_BY_JOIN and to be heard again; or all sites of the join stay heard until that is done, and when one of them leads there, the join
 * does not tell. */
int64_t joins_silent(const shape *s, const uint8_t *known, const site *it, uint8_t arm);

/* Whether a site must be heard for the sake of one that is silenced, though an arm that leads to their join was taken. */
bool joins_need(const shape *s, const uint8_t *known, uint32_t index);

/* Whether an instruction, which is n proofs, is a join that has yet to tell, or that none of its arms is known to have led to. */
bool joins_are_open(const uint8_t *known, const arm_proof *first, uint32_t n);

#endif
