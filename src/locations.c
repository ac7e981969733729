/* locations: see locations.h. */
#include "locations.h"

/* The form of an entry, in its first byte. */
enum {
    FIRST_ONE_LINE_FORM = 10, /* below: the line of the entry before; up to 12: a line further, or two */
    NO_COLUMN_FORM = 13,
    LONG_FORM = 14,
    NO_LINE_FORM = 15,
};

/* Six bits a byte, the lowest first; 0x40: there is more. */
static bool
read_varint(location *l, uint32_t *out)
{
    uint64_t value = 0;

    for (unsigned shift = 0; shift <= 30; shift += 6) {
        if (l->at == l->end) {
            return false;
        }
        const uint8_t byte = *l->at++;
        value |= (uint64_t)(byte & 0x3f) << shift;
        if (!(byte & 0x40)) {
            *out = (uint32_t)value;
            return value <= UINT32_MAX;
        }
    }
    return false;
}

/* The sign is the lowest bit. */
static bool
add_signed_varint(location *l, int64_t *to)
{
    uint32_t value;

    if (!read_varint(l, &value)) {
        return false;
    }
    *to += value & 1 ? -(int64_t)(value >> 1) : (int64_t)(value >> 1);
    return true;
}

static bool
read_long_form(location *l)
{
    uint32_t n_more_lines, col, end_col;

    if (!add_signed_varint(l, &l->line) || !read_varint(l, &n_more_lines) || !read_varint(l, &col)
        || !read_varint(l, &end_col) || col > INT32_MAX || end_col > INT32_MAX) {
        return false;
    }
    l->end_line = l->line + n_more_lines;
    l->col = (int32_t)col - 1;
    l->end_col = (int32_t)end_col - 1;
    return true;
}

/* Forms 0 to 12: one line, columns below 256. */
static bool
read_short_form(location *l, unsigned form)
{
    const bool in_one_byte = form < FIRST_ONE_LINE_FORM;

    if (l->end - l->at < (in_one_byte ? 1 : 2)) {
        return false;
    }
    const uint8_t byte = *l->at++;
    if (in_one_byte) {
        l->col = (int32_t)(form << 3 | byte >> 4);
        l->end_col = l->col + (byte & 15);
    }
    else {
        l->line += form - FIRST_ONE_LINE_FORM;
        l->col = byte;
        l->end_col = *l->at++;
    }
    l->end_line = l->line;
    return true;
}

int
location_next(location *l)
{
    if (l->at == l->end) {
        return 0;
    }
    const uint8_t head = *l->at++;
    const unsigned form = head >> 3 & 15;
    l->n_units = (head & 7U) + 1;
    l->has_line = form != NO_LINE_FORM;
    bool good = head & 0x80;
    if (form < NO_COLUMN_FORM) {
        good = good && read_short_form(l, form);
    }
    else if (form == LONG_FORM) {
        good = good && read_long_form(l);
    }
    else if (form == NO_COLUMN_FORM) {
        good = good && add_signed_varint(l, &l->line);
        l->end_line = l->line;
        l->col = l->end_col = -1;
    }
    return good && l->line >= INT32_MIN && l->end_line <= INT32_MAX ? 1 : -1;
}

location
location_table(const uint8_t *table, size_t n_bytes, int32_t first_line)
{
    return (location){.at = table, .end = table + n_bytes, .line = first_line};
}

/* Reads on after the head of an entry, for its line alone: from columns nothing is made. */
static inline bool
pass_columns(location *l, unsigned form)
{
    static const uint8_t n_bytes[NO_COLUMN_FORM] = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 2, 2, 2};

    if (form < NO_COLUMN_FORM) {
        if (l->end - l->at < n_bytes[form]) {
            return false;
        }
        l->at += n_bytes[form];
        l->line += form > FIRST_ONE_LINE_FORM ? form - FIRST_ONE_LINE_FORM : 0;
        return true;
    }
    return form == LONG_FORM ? read_long_form(l) : form == NO_LINE_FORM || add_signed_varint(l, &l->line);
}

int64_t
location_lines(const uint8_t *table, size_t n_bytes, int32_t first_line, int32_t *lines, uint32_t n_units)
{
    location l = location_table(table, n_bytes, first_line);
    int64_t n_rows = 0;
    int32_t last = NO_LINE;
    uint32_t unit = 0;

    while (unit < n_units && l.at < l.end) {
        const uint8_t head = *l.at++;
        const unsigned form = head >> 3 & 15;
        if (!(head & 0x80) || !pass_columns(&l, form) || l.line < INT32_MIN || l.line > INT32_MAX) {
            return -1;
        }
        const int32_t line = form == NO_LINE_FORM || l.line < 0 ? NO_LINE : (int32_t)l.line;
        for (unsigned i = 0; i < LINES_SPARE; i++) { /* as many as can be, which is quicker than as many as there are */
            lines[unit + i] = line;
        }
        unit += (head & 7U) + 1;
        n_rows += line != last;
        last = line;
    }
    for (; unit < n_units; unit++) {
        lines[unit] = NO_LINE;
    }
    return n_rows + 1;
}
