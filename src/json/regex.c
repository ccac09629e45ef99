#include "json/regex.h"
#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

/* PCRE2 counts its match limit anew for each position where a match may begin, so that 20,000 would be no
 * bound for a long text. A pattern that is not anchored is therefore compiled as one that is, with "anything,
 * as little as possible" in front: then one count holds for all positions. Each character of text may cost
 * one step on top. */
enum {
    QUICK_STEPS = 512,  /* enough for nearly every match; what needs more is charged more */
    MOST_STEPS = 20000, /* 0.35 ms */
    PER_BYTE = 4,       /* on top */
    HEAP_KIB = 8192,    /* of the stack of positions to go back to */
    GROUPS_DEEP = 100,
};

struct px_regex {
    pcre2_code *code;
};

/* One thread, so one work area. It keeps what it has grown to, at most HEAP_KIB. */
static struct {
    pcre2_compile_context *compile;
    pcre2_match_context *match;
    pcre2_match_data *data;
} work_area;

static bool work_area_ready(void) {
    if (!work_area.compile && (work_area.compile = pcre2_compile_context_create(NULL))) {
        pcre2_set_newline(work_area.compile, PCRE2_NEWLINE_LF);
        pcre2_set_parens_nest_limit(work_area.compile, GROUPS_DEEP);
    }
    if (!work_area.match && (work_area.match = pcre2_match_context_create(NULL)))
        pcre2_set_heap_limit(work_area.match, HEAP_KIB);
    if (!work_area.data)
        work_area.data = pcre2_match_data_create(1, NULL);
    return work_area.compile && work_area.match && work_area.data;
}

static int compile(px_str translated, uint32_t more_options, pcre2_code **ret, struct px_err *err) {
    uint32_t options = PCRE2_UTF | PCRE2_DOLLAR_ENDONLY | PCRE2_ALLOW_EMPTY_CLASS |
                       PCRE2_MATCH_UNSET_BACKREF | PCRE2_NEVER_BACKSLASH_C | PCRE2_NEVER_UCP |
                       PCRE2_NO_UTF_CHECK | more_options;
    int code;
    size_t at;
    *ret = pcre2_compile((PCRE2_SPTR)translated.p, translated.n, options, &code, &at, work_area.compile);
    if (*ret)
        return 0;
    unsigned char words[160];
    pcre2_get_error_message(code, words, sizeof words);
    if (code == PCRE2_ERROR_HEAP_FAILED)
        return px_err_set(err, -ENOMEM, "out of memory while compiling a regular expression");
    if (code == PCRE2_ERROR_PATTERN_TOO_LARGE || code == PCRE2_ERROR_PARENTHESES_NEST_TOO_DEEP ||
        code == PCRE2_ERROR_QUANTIFIER_TOO_BIG)
        return px_err_set(err, -EMSGSIZE, "%s", (const char *)words);
    return px_err_set(err, -EINVAL, "%s", (const char *)words);
}

static bool is_anchored(const pcre2_code *code) {
    uint32_t options = 0;
    pcre2_pattern_info(code, PCRE2_INFO_ALLOPTIONS, &options);
    return (options & PCRE2_ANCHORED) != 0;
}

/* Compile, and compile again with the front part when matches may begin anywhere. */
static int compile_bounded(px_str translated, pcre2_code **ret, struct px_err *err) {
    pcre2_code *code;
    int r = compile(translated, 0, &code, err);
    if (r)
        return r;
    if (!is_anchored(code)) {
        struct px_buf wrapped;
        px_buf_init(&wrapped, translated.n + 32);
        px_buf_text(&wrapped, "(?s:.*?)(?:");
        px_buf_str(&wrapped, translated);
        px_buf_text(&wrapped, ")");
        pcre2_code_free(code);
        r = wrapped.failed ? px_err_errno(err, wrapped.failed, "regular expression")
                           : compile(px_buf_view(&wrapped), PCRE2_ANCHORED, &code, err);
        px_buf_finish(&wrapped);
    }
    if (!r)
        *ret = code;
    return r;
}

int px_regex_compile(px_str pattern, struct px_regex **ret, struct px_err *err) {
    if (pattern.n > PX_REGEX_MAX_BYTES)
        return px_err_set(err, -EMSGSIZE, "a regular expression of %zu bytes is too long: %d are allowed",
                          (size_t)pattern.n, PX_REGEX_MAX_BYTES);
    PX_AUTOFREE struct px_regex *regex = calloc(1, sizeof *regex);
    if (!regex || !work_area_ready())
        return px_err_set(err, -ENOMEM, "out of memory while compiling a regular expression");
    struct px_buf translated;
    px_buf_init(&translated, (size_t)PX_REGEX_MAX_BYTES * 64);
    int r = px_regex_translate(&translated, pattern, err);
    if (!r)
        r = compile_bounded(px_buf_view(&translated), &regex->code, err);
    px_buf_finish(&translated);
    if (!r)
        *ret = px_take(&regex);
    return r;
}

void px_regex_destroy(struct px_regex *regex) {
    if (!regex)
        return;
    pcre2_code_free(regex->code);
    free(regex);
}

size_t px_regex_size(const struct px_regex *regex) {
    size_t size = 0;
    pcre2_pattern_info(regex->code, PCRE2_INFO_SIZE, &size);
    return sizeof *regex + size;
}

static int match_within(const struct px_regex *regex, px_str text, uint32_t limit) {
    pcre2_set_match_limit(work_area.match, limit);
    pcre2_set_depth_limit(work_area.match, limit);
    return pcre2_match(regex->code, (PCRE2_SPTR)text.p, text.n, 0, 0, work_area.data, work_area.match);
}

enum px_regex_verdict px_regex_search(const struct px_regex *regex, px_str text, uint64_t *work) {
    uint32_t length = (uint32_t)PX_MIN(text.n, (uint64_t)INT32_MAX / 8);
    uint64_t steps = 10 + text.n / 4;
    text.p = text.p ? text.p : "";
    int r = match_within(regex, text, QUICK_STEPS + PER_BYTE * length);
    if (r == PCRE2_ERROR_MATCHLIMIT || r == PCRE2_ERROR_DEPTHLIMIT) {
        r = match_within(regex, text, MOST_STEPS + PER_BYTE * length);
        steps += MOST_STEPS / 4 + 2 * text.n;
    }
    if (work)
        *work += steps;
    if (r >= 0)
        return PX_REGEX_YES;
    return r == PCRE2_ERROR_MATCHLIMIT || r == PCRE2_ERROR_DEPTHLIMIT || r == PCRE2_ERROR_HEAPLIMIT ||
                   r == PCRE2_ERROR_NOMEMORY
               ? PX_REGEX_GAVE_UP
               : PX_REGEX_NO;
}
