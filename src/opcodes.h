/* opcodes: the opcode numbers of the interpreter that this is built for, as its own headers have them at compile time.
 *
 *                     3.12          3.13                  3.14, 3.15
 *     a loop ends     END_FOR       END_FOR POP_TOP       END_FOR POP_ITER
 *     a test          no cache      one cache             one cache and NOT_TAKEN
 *     returning       RETURN_VALUE, RETURN_CONST          RETURN_VALUE
 *
 * Opcodes that a version lacks have numbers here that no byte has, so that sites.c can name those of all versions.
 *
 * No Python.h here: opcode_ids.h and, before 3.13, opcode.h are nothing but macros.
 */
#ifndef COVCORE_OPCODES_H
#define COVCORE_OPCODES_H

#include <stdbool.h>

#if __has_include(<opcode_ids.h>)
#    include <opcode_ids.h>
enum { LOOP_END_UNITS = 2 }; /* what a FOR_ITER that is exhausted passes over where it jumps to, in code units */
#else
#    include <opcode.h>
enum { LOOP_END_UNITS = 1 };
#endif

/* Whether each arm of a site has an event of its own, and END_ASYNC_FOR names its END_SEND.  Before 3.14 one event tells of
 * both arms, none of those of an `async for`, and which END_SEND is meant is in the exception table. */
#ifdef NOT_TAKEN
enum { ARMS_HAVE_EVENTS = true };
#else
enum { ARMS_HAVE_EVENTS = false };
#endif

/* Whether a FOR_ITER has the position of what it iterates over. */
enum { LOOPS_HAVE_ITERATORS_POSITION = LOOP_END_UNITS == 2 };

enum { LOOP_ENDS_WITH_POP_TOP = LOOP_END_UNITS == 2 && !ARMS_HAVE_EVENTS };

enum { N_OPCODES = 256 + 3 };

#ifndef NOT_TAKEN
#    define NOT_TAKEN 256
#endif
#ifndef POP_ITER
#    define POP_ITER 257
#endif
#ifndef RETURN_CONST
#    define RETURN_CONST 258
#endif

#endif
