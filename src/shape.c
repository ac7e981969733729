/* shape: what is asked of a shape once it is built, and its bytes.  See sites.h. */
#include "sites.h"

#include <stdlib.h>
#include <string.h>

/* All arrays are one piece of memory, which begins with the sites. */
int
shape_allocate(shape *s)
{
    const uint64_t n_bytes = (uint64_t)s->n_sites * sizeof(*s->sites) + (uint64_t)s->n_starts * sizeof(*s->starts)
                             + (uint64_t)s->n_proofs * sizeof(*s->proofs)
                             + (uint64_t)s->n_blocks * sizeof(*s->blocks) + (uint64_t)s->n_lines * sizeof(*s->lines)
                             + (uint64_t)s->n_flow_lines * sizeof(*s->flow_lines);

    s->sites = n_bytes < SIZE_MAX ? malloc((size_t)n_bytes + 1) : NULL; /* malloc(0) may be NULL */
    if (s->sites == NULL) {
        *s = (shape){0};
        return -1;
    }
    s->starts = (line_start *)(s->sites + s->n_sites);
    s->proofs = (arm_proof *)(s->starts + s->n_starts);
    s->blocks = (block *)(s->proofs + s->n_proofs);
    s->lines = (int32_t *)(s->blocks + s->n_blocks);
    s->flow_lines = s->lines + s->n_lines;
    return 0;
}

int
shape_copy(shape *out, const shape *s)
{
    *out = *s;
    if (shape_allocate(out) < 0) {
        return -1;
    }
    memcpy(out->sites, s->sites, s->n_sites * sizeof(*s->sites));
    memcpy(out->starts, s->starts, s->n_starts * sizeof(*s->starts));
    memcpy(out->proofs, s->proofs, s->n_proofs * sizeof(*s->proofs));
    memcpy(out->blocks, s->blocks, s->n_blocks * sizeof(*s->blocks));
    memcpy(out->lines, s->lines, s->n_lines * sizeof(*s->lines));
    memcpy(out->flow_lines, s->flow_lines, s->n_flow_lines * sizeof(*s->flow_lines));
    return 0;
}

void
shape_free(shape *s)
{
    free(s->sites);
    *s = (shape){0};
}

/* ---- slots ---- */

int64_t
shape_line_slot(const shape *s, int32_t line)
{
    uint32_t low = 0, high = s->n_lines;

    if (high == 0 || line < s->lines[0]) {
        return -1;
    }
    const int64_t most = (int64_t)line - s->lines[0]; /* slots before it, if there is no gap */
    if (most < high) {
        if (s->lines[most] == line) {
            return most;
        }
        high = (uint32_t)most;
    }
    while (low < high) {
        const uint32_t middle = low + (high - low) / 2;
        if (s->lines[middle] < line) {
            low = middle + 1;
        }
        else {
            high = middle;
        }
    }
    return low < s->n_lines && s->lines[low] == line ? (int64_t)low : -1;
}

/* Which of n items is the first from an offset on; n: none.  Items have so many bytes, begin with their offset, and ascend by it.  Code runs
 * on, so mostly it is the one that is guessed. */
static inline uint32_t
first_from(const void *items, size_t size, uint32_t n, uint32_t offset, uint32_t guess)
{
#define OFFSET_OF(i) (*(const uint32_t *)(const void *)((const char *)items + (size_t)(i) * size))
    uint32_t low = guess, high = guess;

    if (low > n || (low > 0 && OFFSET_OF(low - 1) >= offset) || (low < n && OFFSET_OF(low) < offset)) {
        low = 0;
        high = n;
    }
    while (low < high) {
        const uint32_t middle = low + (high - low) / 2;
        if (OFFSET_OF(middle) < offset) {
            low = middle + 1;
        }
        else {
            high = middle;
        }
    }
    return low;
#undef OFFSET_OF
}

int64_t
shape_start_slot(const shape *s, uint32_t offset, uint32_t *next)
{
    const uint32_t first = first_from(s->starts, sizeof(*s->starts), s->n_starts, offset, *next);
    const bool is_start = first < s->n_starts && s->starts[first].offset == offset;

    *next = first + is_start;
    return is_start ? (int64_t)s->starts[first].slot : -1;
}

const arm_proof *
shape_proofs(const shape *s, uint32_t offset, uint32_t *next, uint32_t *n)
{
    const uint32_t first = first_from(s->proofs, sizeof(*s->proofs), s->n_proofs, offset, *next);

    for (*next = first; *next < s->n_proofs && s->proofs[*next].offset == offset;) {
        ++*next;
    }
    *n = *next - first;
    return s->proofs + first;
}

/* The number of sites whose source is below the offset.  Sites are spread over code more or less evenly, so the search
 * begins where the offset would then be, and widens from there (1,000 sites in a row: 25 ns less each than by halving all). */
static uint32_t
n_sites_before(const shape *s, uint32_t offset)
{
    uint32_t low = 0, high = s->n_sites;

    if (high == 0 || offset > s->sites[high - 1].source) {
        return high;
    }
    uint32_t middle = (uint32_t)((uint64_t)offset * (high - 1) / (s->sites[high - 1].source + UINT64_C(1)));
    for (uint32_t step = 1; low < high; step *= 2) {
        if (s->sites[middle].source < offset) {
            low = middle + 1;
            middle = high - low >= step ? low + step - 1 : low + (high - low) / 2;
        }
        else {
            high = middle;
            middle = high - low >= step ? high - step : low + (high - low) / 2;
        }
    }
    return low;
}

int64_t
shape_site(const shape *s, uint32_t source)
{
    const uint32_t i = n_sites_before(s, source);
    return i < s->n_sites && s->sites[i].source == source ? (int64_t)i : -1;
}

static int64_t
arm_slot(const shape *s, uint32_t index, unsigned arm)
{
    return (int64_t)s->n_lines + 2 * (int64_t)index + arm;
}

int64_t
shape_left_slot(const shape *s, uint32_t destination)
{
    /* The left arm goes to the next instruction but NOT_TAKEN: there is no site between it and its source. */
    const uint32_t n = n_sites_before(s, destination);
    return n > 0 && s->sites[n - 1].left == destination ? arm_slot(s, n - 1, 0) : -1;
}

int64_t
shape_right_slot(const shape *s, uint32_t source, uint32_t destination)
{
    const int64_t exact = shape_site(s, source);
    if (exact >= 0 && s->sites[exact].right == destination) {
        return arm_slot(s, (uint32_t)exact, 1);
    }
    /* Past the end of a loop: what lies between is the loop's body.  Rare, and each place of it once in a context. */
    for (uint32_t n = n_sites_before(s, destination); n > 0; n--) {
        if (s->sites[n - 1].kind == SITE_FOR && s->sites[n - 1].right == destination) {
            return arm_slot(s, n - 1, 1);
        }
    }
    return -1;
}

/* ---- bytes ----
 *
 * Numbers are varints of seven bits a byte, lowest first, as short as can be; differences that may be negative have
 * their sign in the lowest bit.  Most numbers are said relative to one that is near, and take one byte.
 *
 *   n_lines, n_sites, n_blocks, n_flow_lines
 *   lines       distance from the line after the one before (the first: from 0)
 *   sites       source - the source before (the first: from 0), kind + 8 * (left - source), right - left,
 *               left_block - that of the site before, right_block - left_block,
 *               line - that of the site before, end_line - line, col + 1, end_col - col      (offsets in code units)
 *   blocks      4 * n_lines + end; then, GOTO: target - this block, SITE: target - the last block's site - 1
 *   flow_lines  as indices into lines: distance from the line after the one before
 */

enum { SITE_FIELDS = 9, COUNTS = 4 };

typedef struct {
    uint8_t *out;
    size_t room, n; /* n goes on counting where room ends */
} writer;

static inline void
put(writer *w, uint64_t value)
{
    while (value >= 0x80) {
        if (w->n < w->room) {
            w->out[w->n] = (uint8_t)(value | 0x80);
        }
        w->n++;
        value >>= 7;
    }
    if (w->n < w->room) {
        w->out[w->n] = (uint8_t)value;
    }
    w->n++;
}

static inline void
put_signed(writer *w, int64_t value)
{
    put(w, (uint64_t)value << 1 ^ (value < 0 ? UINT64_MAX : 0));
}

static void
put_sites(writer *w, const shape *s)
{
    site last = {0};

    for (uint32_t i = 0; i < s->n_sites; i++) {
        const site it = s->sites[i];
        put(w, (it.source - last.source) / 2);
        put(w, (uint64_t)(it.left - it.source) / 2 * 8 + it.kind);
        put_signed(w, (int64_t)(it.right / 2) - it.left / 2);
        put_signed(w, (int64_t)it.left_block - last.left_block);
        put_signed(w, (int64_t)it.right_block - it.left_block);
        put_signed(w, (int64_t)it.line - last.line);
        put_signed(w, (int64_t)it.end_line - it.line);
        put(w, (uint64_t)((int64_t)it.col + 1));
        put_signed(w, (int64_t)it.end_col - it.col);
        last = it;
    }
}

static void
put_blocks(writer *w, const shape *s)
{
    int64_t next_site = 0;

    for (uint32_t i = 0; i < s->n_blocks; i++) {
        const block it = s->blocks[i];
        put(w, (uint64_t)it.n_lines * 4 + it.end);
        if (it.end == END_GOTO) {
            put_signed(w, (int64_t)it.target - i);
        }
        else if (it.end == END_SITE) {
            put_signed(w, (int64_t)it.target - next_site);
            next_site = (int64_t)it.target + 1;
        }
    }
}

static void
put_lines(writer *w, const shape *s)
{
    int64_t next = 0;

    for (uint32_t i = 0; i < s->n_lines; i++) {
        put(w, (uint64_t)(s->lines[i] - next));
        next = (int64_t)s->lines[i] + 1;
    }
}

static void
put_flow_lines(writer *w, const shape *s)
{
    int64_t next = 0;

    for (uint32_t i = 0; i < s->n_flow_lines; i++) {
        const int32_t line = s->flow_lines[i];
        const int64_t index = next < s->n_lines && s->lines[next] == line ? next : shape_line_slot(s, line);
        put_signed(w, index - next);
        next = index + 1;
    }
}

size_t
shape_encode(const shape *s, uint8_t *out, size_t room)
{
    writer w = {.out = out, .room = room};

    put(&w, s->n_lines);
    put(&w, s->n_sites);
    put(&w, s->n_blocks);
    put(&w, s->n_flow_lines);
    put_lines(&w, s);
    put_sites(&w, s);
    put_blocks(&w, s);
    put_flow_lines(&w, s);
    return w.n;
}

/* ---- and back: the bytes may be hostile ---- */

typedef struct {
    const uint8_t *at, *end;
    const char *reason; /* the first thing that was wrong; what is read after it is zeros */
} reader;

static void
refuse(reader *r, const char *reason)
{
    if (r->reason == NULL) {
        r->reason = reason;
    }
    r->at = r->end;
}

/* A number of at most 35 bits: any uint32_t, and any difference of two int32_t. */
static uint64_t
get(reader *r)
{
    uint64_t value = 0;

    for (unsigned shift = 0; shift < 35; shift += 7) {
        if (r->at == r->end) {
            refuse(r, "cut short");
            return 0;
        }
        const uint8_t byte = *r->at++;
        value |= (uint64_t)(byte & 0x7f) << shift;
        if (!(byte & 0x80)) {
            if (byte == 0 && shift > 0) {
                refuse(r, "a number that could be shorter"); /* equal shapes have equal bytes */
            }
            return value;
        }
    }
    refuse(r, "a number that is too long");
    return 0;
}

/* base + a difference, if that is from low to high. */
static int64_t
get_near(reader *r, int64_t base, int64_t low, int64_t high)
{
    const uint64_t coded = get(r);
    const int64_t value = base + (coded & 1 ? -(int64_t)(coded >> 1) - 1 : (int64_t)(coded >> 1));

    if (value < low || value > high) {
        refuse(r, "a number out of its range");
        return low;
    }
    return value;
}

/* base + a distance, if that is at most high. */
static int64_t
get_beyond(reader *r, int64_t base, int64_t high)
{
    const int64_t value = base + (int64_t)get(r);

    if (value > high) {
        refuse(r, "a number out of its range");
        return 0;
    }
    return value;
}

static void
get_site(reader *r, const shape *s, const site *last, site *it)
{
    const int64_t last_unit = UINT32_MAX / 2, last_block = (int64_t)s->n_blocks - 1;
    const int64_t source = get_beyond(r, last->source / 2, last_unit);
    const uint64_t kind_and_left = get(r);
    const int64_t left = source + (int64_t)(kind_and_left / 8);

    if (left > last_unit) {
        refuse(r, "a site");
        return;
    }
    it->kind = (uint8_t)(kind_and_left & 7);
    it->source = (uint32_t)(2 * source);
    it->left = (uint32_t)(2 * left);
    it->right = (uint32_t)(2 * get_near(r, left, 0, last_unit));
    it->left_block = (uint32_t)get_near(r, last->left_block, 0, last_block);
    it->right_block = (uint32_t)get_near(r, it->left_block, 0, last_block);
    it->line = (int32_t)get_near(r, last->line, 0, INT32_MAX);
    it->end_line = (int32_t)get_near(r, it->line, 0, INT32_MAX);
    it->col = (int32_t)get_beyond(r, -1, INT32_MAX);
    it->end_col = (int32_t)get_near(r, it->col, -1, INT32_MAX);
}

static void
get_sites(reader *r, shape *s)
{
    site last = {0};

    for (uint32_t i = 0; i < s->n_sites && r->reason == NULL; i++) {
        s->sites[i] = (site){0};
        get_site(r, s, &last, &s->sites[i]);
        if (i > 0 && s->sites[i].source <= last.source) {
            refuse(r, "sites that do not ascend");
        }
        last = s->sites[i];
    }
}

static void
get_blocks(reader *r, shape *s)
{
    int64_t next_site = 0;
    uint64_t n_lines = 0;

    for (uint32_t i = 0; i < s->n_blocks && r->reason == NULL; i++) {
        const uint64_t lines_and_end = get(r);
        block it = {.first_line_index = (uint32_t)n_lines, .end = lines_and_end & 3};
        n_lines += lines_and_end / 4;
        if (n_lines > s->n_flow_lines) {
            refuse(r, "more lines in the blocks than there are");
            break;
        }
        it.n_lines = (uint32_t)(lines_and_end / 4);
        if (it.end == END_GOTO) {
            it.target = (uint32_t)get_near(r, i, 0, (int64_t)s->n_blocks - 1);
        }
        else if (it.end == END_SITE) {
            it.target = (uint32_t)get_near(r, next_site, 0, (int64_t)s->n_sites - 1);
            next_site = (int64_t)it.target + 1;
        }
        s->blocks[i] = it;
    }
    if (n_lines != s->n_flow_lines) {
        refuse(r, "fewer lines in the blocks than there are");
    }
}

static void
get_lines(reader *r, shape *s)
{
    int64_t next = 0;

    for (uint32_t i = 0; i < s->n_lines && r->reason == NULL; i++) {
        s->lines[i] = (int32_t)get_beyond(r, next, INT32_MAX);
        next = (int64_t)s->lines[i] + 1;
    }
}

static void
get_flow_lines(reader *r, shape *s)
{
    int64_t next = 0;

    for (uint32_t i = 0; i < s->n_flow_lines && r->reason == NULL; i++) {
        const int64_t index = get_near(r, next, 0, (int64_t)s->n_lines - 1);
        if (r->reason == NULL) {
            s->flow_lines[i] = s->lines[index];
        }
        next = index + 1;
    }
}

/* How many there are of each; the bytes that follow can hold as many. */
static void
get_counts(reader *r, shape *s)
{
    uint64_t counts[COUNTS];

    for (int i = 0; i < COUNTS; i++) {
        counts[i] = get(r);
    }
    const uint64_t least = counts[0] + SITE_FIELDS * counts[1] + counts[2] + counts[3];
    if (r->reason == NULL && least > (size_t)(r->end - r->at)) {
        refuse(r, "cut short");
    }
    if (r->reason == NULL && counts[2] == 0) {
        refuse(r, "no blocks");
    }
    if (r->reason == NULL && least > UINT32_MAX) {
        refuse(r, "too long");
    }
    if (r->reason == NULL) {
        s->n_lines = (uint32_t)counts[0];
        s->n_sites = (uint32_t)counts[1];
        s->n_blocks = (uint32_t)counts[2];
        s->n_flow_lines = (uint32_t)counts[3];
    }
}

int64_t
shape_n_slots(const uint8_t *bytes, size_t n_bytes)
{
    reader r = {.at = bytes, .end = bytes + n_bytes};
    shape s = {0};

    get_counts(&r, &s);
    return r.reason == NULL ? (int64_t)s.n_lines + 2 * (int64_t)s.n_sites : -1;
}

int
shape_decode(shape *out, const uint8_t *bytes, size_t n_bytes, const char **reason)
{
    reader r = {.at = bytes, .end = bytes + n_bytes};

    *out = (shape){0};
    get_counts(&r, out);
    if (r.reason == NULL && shape_allocate(out) < 0) {
        refuse(&r, "no memory");
    }
    if (r.reason == NULL) {
        get_lines(&r, out);
        get_sites(&r, out);
        get_blocks(&r, out);
        get_flow_lines(&r, out);
    }
    if (r.at != r.end) {
        refuse(&r, "bytes after the end");
    }
    if (r.reason == NULL) {
        return 0;
    }
    *reason = r.reason;
    shape_free(out);
    return -1;
}
