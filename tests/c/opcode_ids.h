/* An interpreter's opcode numbers, made up: the C tests need no Python, and src/sites.c takes any. */
#ifndef COVCORE_MADE_UP_OPCODE_IDS_H
#define COVCORE_MADE_UP_OPCODE_IDS_H

#define CACHE                      0
#define CLEANUP_THROW              1
#define END_ASYNC_FOR              2
#define END_FOR                    3
#define END_SEND                   4
#define EXTENDED_ARG               5
#define FOR_ITER                   6
#define JUMP_BACKWARD              7
#define JUMP_BACKWARD_NO_INTERRUPT 8
#define JUMP_FORWARD               9
#define NOT_TAKEN                  10
#define POP_ITER                   11
#define POP_JUMP_IF_FALSE          12
#define POP_JUMP_IF_NONE           13
#define POP_JUMP_IF_NOT_NONE       14
#define POP_JUMP_IF_TRUE           15
#define POP_TOP                    16
#define RAISE_VARARGS              17
#define RERAISE                    18
#define RESUME                     19
#define RETURN_VALUE               20
#define SEND                       21

#define PLAIN_OP    22 /* something that does nothing to the flow */
#define N_KNOWN_OPS 23

#endif
