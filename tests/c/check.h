/* check: all that a C test of covcore needs.
 *
 *      static void test_of_something(void) { CHECK(1 + 1 == 2); }
 *
 *      static const test TESTS[] = {TEST(test_of_something)};
 *
 *      int main(void) { return RUN(TESTS); }
 *
 * The first check that fails ends the program with status 1. */
#ifndef COVCORE_CHECK_H
#define COVCORE_CHECK_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#define CHECK(condition) ((condition) ? (void)0 : check_failed(__FILE__, __LINE__, #condition))

#define TEST(function) {#function, function}
#define RUN(tests)     run_tests(tests, sizeof(tests) / sizeof((tests)[0]))

typedef struct {
    const char *name;
    void (*run)(void);
} test;

_Noreturn static inline void
check_failed(const char *file, int line, const char *condition)
{
    fflush(stdout);
    fprintf(stderr, "%s:%d: not so: %s\n", file, line, condition);
    exit(1);
}

static inline int
run_tests(const test tests[], size_t n_tests)
{
    for (size_t i = 0; i < n_tests; i++) {
        printf("%s\n", tests[i].name);
        fflush(stdout); /* or a forked child would print it again */
        tests[i].run();
    }
    printf("%zu passed, 0 failed\n", n_tests);
    return 0;
}

/* The next number of a row that is the same in every run (splitmix64).  Begin with any state. */
static inline uint64_t
next_random(uint64_t *state)
{
    uint64_t x = *state += UINT64_C(0x9E3779B97F4A7C15);

    x = (x ^ x >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
    x = (x ^ x >> 27) * UINT64_C(0x94D049BB133111EB);
    return x ^ x >> 31;
}

#endif
