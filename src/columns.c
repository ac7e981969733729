/* columns: see columns.h. */
#include "columns.h"

#include <string.h>

/* ---- writing ---- */

/* Writes a number and what stands behind it.  Returns the place behind that. */
static char *
put(char *out, int64_t number, char after)
{
    char digits[COLUMN_NUMBER];
    char *first = digits + sizeof(digits);
    uint64_t rest = (uint64_t)(number < 0 ? -number : number);

    *--first = after;
    do {
        *--first = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest > 0);
    if (number < 0) {
        *--first = '-';
    }
    const size_t n = (size_t)(digits + sizeof(digits) - first);
    memcpy(out, first, n);
    return out + n;
}

/* Ends a list of which the last comma may stand there.  Returns the place behind it. */
static char *
put_end(char *out, size_t n_items)
{
    if (n_items > 0) {
        out--;
    }
    *out = ']';
    return out + 1;
}

size_t
columns_numbers(char *out, const uint32_t *numbers, size_t n)
{
    char *at = out;

    *at++ = '[';
    for (size_t i = 0; i < n; i++) {
        at = put(at, numbers[i], ',');
    }
    return (size_t)(put_end(at, n) - out);
}

size_t
columns_lines(char *out, const shape *s)
{
    char *at = out;

    *at++ = '[';
    for (uint32_t i = 0; i < s->n_lines; i++) {
        at = put(at, s->lines[i], ',');
    }
    return (size_t)(put_end(at, s->n_lines) - out);
}

size_t
columns_sites(char *out, const shape *s)
{
    char *at = out;

    *at++ = '[';
    for (uint32_t i = 0; i < s->n_sites; i++) {
        const site *it = &s->sites[i];
        const int64_t numbers[] = {it->source, it->left, it->right,    it->left_block, it->right_block,
                                   it->kind,   it->line, it->end_line, it->col,        it->end_col};
        *at++ = '[';
        for (size_t j = 0; j < sizeof(numbers) / sizeof(numbers[0]); j++) {
            at = put(at, numbers[j], ',');
        }
        at[-1] = ']';
        *at++ = ',';
    }
    return (size_t)(put_end(at, s->n_sites) - out);
}

/* ---- reading ---- */

/* The number that begins here, and *at behind it; 0: none does that columns_numbers would write. */
static uint32_t
take(const char **at, const char *end)
{
    uint64_t number = 0;

    while (*at < end && **at >= '0' && **at <= '9') {
        number = number * 10 + (uint64_t)(*(*at)++ - '0');
        if (number == 0 || number > UINT32_MAX) {
            return 0;
        }
    }
    return (uint32_t)number;
}

int64_t
columns_read(uint32_t *out, const char *text, size_t n_text)
{
    const char *at = text, *const end = text + n_text;
    uint32_t last = 0;
    int64_t n = 0;
    char before = '[';

    while (at < end && *at == before) {
        at++;
        const uint32_t number = take(&at, end);
        if (number <= last) {
            return -1;
        }
        out[n++] = last = number;
        before = ',';
    }
    return n > 0 && end - at == 1 && *at == ']' ? n : -1;
}
