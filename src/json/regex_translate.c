/* regex_translate.c: from ECMA-262 (with the u flag, and lenient where the u flag only forbids) to PCRE2.
 * Every character is looked at, and nothing is passed on that PCRE2 might read as more than ECMA-262 says. */
#include "json/regex.h"
#include "json/scan.h"
#include <stdio.h>

/* What JavaScript calls white space, and everything else; PCRE2's \s knows only ASCII. */
#define SPACES                                                                                               \
    "\\x{9}-\\x{d}\\x{20}\\x{a0}\\x{1680}\\x{2000}-\\x{200a}\\x{2028}\\x{2029}\\x{202f}\\x{205f}\\x{3000}\\x{feff}"
#define NO_SPACES                                                                                            \
    "\\x{0}-\\x{8}\\x{e}-\\x{1f}\\x{21}-\\x{9f}\\x{a1}-\\x{167f}\\x{1681}-\\x{1fff}\\x{200b}-\\x{2027}"      \
    "\\x{202a}-\\x{202e}\\x{2030}-\\x{205e}\\x{2060}-\\x{2fff}\\x{3001}-\\x{fefe}\\x{ff00}-\\x{10ffff}"

struct translation {
    const char *start, *p, *end;
    struct px_buf *to;
    struct px_err *err;
    bool repeatable; /* what was just read may have a quantifier */
};

/* One escape or character: a code point, or (code < 0) a set, already as PCRE2 writes it inside a class. */
struct atom {
    int32_t code;
    char set[sizeof NO_SPACES];
};

static int refuse(const struct translation *t, const char *words) {
    return px_err_set(t->err, -EINVAL, "%s, at byte %zu of the regular expression", words,
                      (size_t)(t->p - t->start));
}

static bool is_word(char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static void put_code(struct translation *t, int32_t code) {
    if (code < 0x80 && is_word((char)code))
        px_buf_char(t->to, (char)code);
    else
        px_buf_addf(t->to, "\\x{%x}", (unsigned)code);
}

/* The next character, decoded; the pattern is valid UTF-8. */
static int32_t take_char(struct translation *t) {
    unsigned char c = (unsigned char)*t->p++;
    if (c < 0x80)
        return c;
    int more = c < 0xe0 ? 1 : c < 0xf0 ? 2 : 3;
    int32_t code = c & (0x3f >> more);
    for (; more > 0; more--)
        code = code << 6 | ((unsigned char)*t->p++ & 0x3f);
    return code;
}

static int hex_digit(char c) {
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

/* Exactly n hexadecimal digits; -1: they are not there, and nothing is taken. */
static int32_t take_hex(struct translation *t, int n) {
    int32_t value = 0;
    if (t->end - t->p < n)
        return -1;
    for (int i = 0; i < n; i++) {
        int digit = hex_digit(t->p[i]);
        if (digit < 0)
            return -1;
        value = value << 4 | digit;
    }
    t->p += n;
    return value;
}

/* Behind "\u": XXXX, a pair of surrogates, or {X…}. */
static int take_unicode(struct translation *t, int32_t *ret) {
    if (t->p < t->end && *t->p == '{') {
        int32_t code = 0;
        const char *p = t->p + 1;
        for (; p < t->end && hex_digit(*p) >= 0 && code <= 0x10ffff; p++)
            code = code << 4 | hex_digit(*p);
        if (p == t->end || *p != '}' || p == t->p + 1 || code > 0x10ffff)
            return refuse(t, "\\u{…} needs hexadecimal digits up to 10FFFF");
        t->p = p + 1;
        *ret = code;
    } else {
        *ret = take_hex(t, 4);
        if (*ret < 0)
            return refuse(t, "\\u needs four hexadecimal digits");
        if (*ret >= 0xd800 && *ret < 0xdc00 && t->end - t->p >= 6 && t->p[0] == '\\' && t->p[1] == 'u') {
            t->p += 2;
            int32_t low = take_hex(t, 4);
            if (low >= 0xdc00 && low <= 0xdfff)
                *ret = 0x10000 + ((*ret - 0xd800) << 10) + (low - 0xdc00);
        }
    }
    if (*ret >= 0xd800 && *ret <= 0xdfff)
        return refuse(t, "half of a surrogate pair");
    return 0;
}

/* PCRE2 10.42 knows the general categories by their short names only. */
static const char *short_category(px_str name) {
    static const struct {
        const char *longer, *shorter;
    } names[] = {
        {"Cased_Letter", "L&"},
        {"LC", "L&"},
        {"Close_Punctuation", "Pe"},
        {"Combining_Mark", "M"},
        {"Connector_Punctuation", "Pc"},
        {"Control", "Cc"},
        {"Currency_Symbol", "Sc"},
        {"Dash_Punctuation", "Pd"},
        {"Decimal_Number", "Nd"},
        {"Enclosing_Mark", "Me"},
        {"Final_Punctuation", "Pf"},
        {"Format", "Cf"},
        {"Initial_Punctuation", "Pi"},
        {"Letter", "L"},
        {"Letter_Number", "Nl"},
        {"Line_Separator", "Zl"},
        {"Lowercase_Letter", "Ll"},
        {"Mark", "M"},
        {"Math_Symbol", "Sm"},
        {"Modifier_Letter", "Lm"},
        {"Modifier_Symbol", "Sk"},
        {"Nonspacing_Mark", "Mn"},
        {"Number", "N"},
        {"Open_Punctuation", "Ps"},
        {"Other", "C"},
        {"Other_Letter", "Lo"},
        {"Other_Number", "No"},
        {"Other_Punctuation", "Po"},
        {"Other_Symbol", "So"},
        {"Paragraph_Separator", "Zp"},
        {"Private_Use", "Co"},
        {"Punctuation", "P"},
        {"Separator", "Z"},
        {"Space_Separator", "Zs"},
        {"Spacing_Mark", "Mc"},
        {"Surrogate", "Cs"},
        {"Symbol", "S"},
        {"Titlecase_Letter", "Lt"},
        {"Unassigned", "Cn"},
        {"Uppercase_Letter", "Lu"},
        {"cntrl", "Cc"},
        {"digit", "Nd"},
        {"punct", "P"},
    };
    for (size_t i = 0; i < PX_COUNT(names); i++) {
        if (px_str_is(name, names[i].longer))
            return names[i].shorter;
    }
    return NULL;
}

/* Behind "\p" or "\P". */
static int take_property(struct translation *t, bool negated, struct atom *atom) {
    const char *p = t->p, *equals = NULL;
    if (p == t->end || *p != '{')
        return refuse(t, "\\p needs a property in braces");
    for (p++; p < t->end && (is_word(*p) || (*p == '=' && !equals)); p++) {
        if (*p == '=')
            equals = p;
    }
    if (p == t->end || *p != '}' || p == t->p + 1 || p - t->p > 48)
        return refuse(t, "\\p{…} needs the name of a property");
    px_str key = px_str_n(t->p + 1, (size_t)((equals ? equals : p) - t->p - 1));
    px_str value = equals ? px_str_n(equals + 1, (size_t)(p - equals - 1)) : key;
    const char *category = short_category(value), *prefix = "";
    if (!equals && px_str_is(key, "Assigned")) {
        category = "Cn";
        negated = !negated;
    } else if (equals && (px_str_is(key, "Script") || px_str_is(key, "sc"))) {
        prefix = "sc:";
        category = NULL;
    } else if (equals && (px_str_is(key, "Script_Extensions") || px_str_is(key, "scx"))) {
        prefix = "scx:";
        category = NULL;
    } else if (equals && !px_str_is(key, "General_Category") && !px_str_is(key, "gc")) {
        return refuse(t, "\\p{…=…} is for General_Category, Script and Script_Extensions");
    }
    if (category)
        value = px_str_of(category);
    atom->code = -1;
    snprintf(atom->set, sizeof atom->set, "\\%c{%s" PX_FMT "}", negated ? 'P' : 'p', prefix, PX_ARG(value));
    t->p = p + 1;
    return 0;
}

static int set_atom(struct atom *atom, const char *set) {
    atom->code = -1;
    px_str_copy(atom->set, sizeof atom->set, px_str_of(set));
    return 0;
}

/* Behind a backslash: what means the same inside and outside of a class. */
static int take_escape(struct translation *t, struct atom *atom) {
    if (t->p == t->end)
        return refuse(t, "a backslash at the end");
    char c = *t->p;
    switch (c) {
    case 'd': t->p++; return set_atom(atom, "\\d");
    case 'D': t->p++; return set_atom(atom, "\\D");
    case 'w': t->p++; return set_atom(atom, "\\w");
    case 'W': t->p++; return set_atom(atom, "\\W");
    case 's': t->p++; return set_atom(atom, SPACES);
    case 'S': t->p++; return set_atom(atom, NO_SPACES);
    case 'p':
    case 'P': t->p++; return take_property(t, c == 'P', atom);
    case 't': atom->code = '\t'; break;
    case 'n': atom->code = '\n'; break;
    case 'v': atom->code = '\v'; break;
    case 'f': atom->code = '\f'; break;
    case 'r': atom->code = '\r'; break;
    case 'u': t->p++; return take_unicode(t, &atom->code);
    case 'x':
        t->p++;
        atom->code = take_hex(t, 2);
        return atom->code < 0 ? refuse(t, "\\x needs two hexadecimal digits") : 0;
    case 'c':
        if (t->end - t->p < 2 || (t->p[1] | 32) < 'a' || (t->p[1] | 32) > 'z')
            return refuse(t, "\\c needs a letter");
        atom->code = *++t->p & 31;
        break;
    case '0':
        if (t->end - t->p >= 2 && t->p[1] >= '0' && t->p[1] <= '9')
            return refuse(t, "octal escapes are not allowed");
        atom->code = 0;
        break;
    default:
        if (is_word(c) && c != '_')
            return refuse(t, "this letter or digit has no meaning behind a backslash");
        atom->code = take_char(t);
        return 0;
    }
    t->p++;
    return 0;
}

/* ---- classes ---- */

static int take_class_atom(struct translation *t, struct atom *atom) {
    if (t->p == t->end)
        return refuse(t, "a class without its closing bracket");
    if (*t->p != '\\') {
        atom->code = take_char(t);
        return 0;
    }
    t->p++;
    if (t->p < t->end && *t->p == 'b') {
        t->p++;
        atom->code = '\b';
        return 0;
    }
    return take_escape(t, atom);
}

static void put_class_atom(struct translation *t, const struct atom *atom) {
    if (atom->code < 0)
        px_buf_text(t->to, atom->set);
    else
        put_code(t, atom->code);
}

/* Behind "[". An empty class (nothing, or with ^ anything) means the same to PCRE2, by an option. */
static int take_class(struct translation *t) {
    px_buf_char(t->to, '[');
    if (t->p < t->end && *t->p == '^') {
        px_buf_char(t->to, '^');
        t->p++;
    }
    for (;;) {
        struct atom from, to;
        if (t->p < t->end && *t->p == ']')
            break;
        int r = take_class_atom(t, &from);
        if (r)
            return r;
        put_class_atom(t, &from);
        if (t->end - t->p < 2 || t->p[0] != '-' || t->p[1] == ']')
            continue;
        t->p++;
        r = take_class_atom(t, &to);
        if (r)
            return r;
        if (from.code >= 0 && to.code >= 0 && to.code < from.code)
            return refuse(t, "a range whose end comes before its beginning");
        /* With a set on either side the hyphen stands for itself. */
        px_buf_text(t->to, from.code < 0 || to.code < 0 ? "\\x{2d}" : "-");
        put_class_atom(t, &to);
    }
    t->p++;
    t->repeatable = true;
    return px_buf_char(t->to, ']');
}

/* ---- outside of classes ---- */

static int take_back_reference(struct translation *t) {
    const char *p = t->p;
    if (*p == 'k') {
        for (p++; p < t->end && *p != '>'; p++) {
            if (!is_word(*p) && !(*p == '<' && p == t->p + 1))
                break;
        }
        if (p == t->end || *p != '>' || t->p[1] != '<' || p < t->p + 3)
            return refuse(t, "\\k needs the <name> of a group");
        px_buf_char(t->to, '\\');
        px_buf_add(t->to, t->p, (size_t)(p + 1 - t->p));
        t->p = p + 1;
        return t->to->failed;
    }
    while (p < t->end && *p >= '0' && *p <= '9')
        p++;
    if (p - t->p > 3)
        return refuse(t, "there is no such group");
    px_buf_addf(t->to, "\\g{%.*s}", (int)(p - t->p), t->p);
    t->p = p;
    return t->to->failed;
}

/* Behind a backslash. */
static int take_outer_escape(struct translation *t) {
    char c = t->p < t->end ? *t->p : 0;
    t->repeatable = true;
    if (c == 'b' || c == 'B') {
        t->p++;
        t->repeatable = false;
        return px_buf_addf(t->to, "\\%c", c);
    }
    if ((c >= '1' && c <= '9') || c == 'k')
        return take_back_reference(t);
    struct atom atom;
    int r = take_escape(t, &atom);
    if (r)
        return r;
    if (atom.code >= 0)
        put_code(t, atom.code);
    else
        px_buf_addf(t->to, atom.set[1] == 'x' ? "[%s]" : "%s", atom.set);
    return t->to->failed;
}

/* Behind "(". */
static int take_group(struct translation *t) {
    static const char *const heads[] = {"?:", "?=", "?!", "?<=", "?<!", "?i:", "?-i:"};
    px_str rest = px_str_n(t->p, (size_t)(t->end - t->p));
    px_buf_char(t->to, '(');
    t->repeatable = false;
    if (!rest.n || rest.p[0] != '?')
        return t->to->failed;
    for (size_t i = 0; i < PX_COUNT(heads); i++) {
        if (px_str_starts(rest, px_str_of(heads[i]))) {
            t->p += strlen(heads[i]);
            return px_buf_text(t->to, heads[i]);
        }
    }
    const char *p = t->p + 2;
    while (p < t->end && is_word(*p))
        p++;
    if (rest.n < 2 || rest.p[1] != '<' || p == t->end || *p != '>' || p == t->p + 2)
        return refuse(
            t, "not a group that ECMA-262 has (it has (…), (?:…), (?<name>…), (?=…), (?!…), (?<=…), (?<!…))");
    px_buf_add(t->to, t->p, (size_t)(p + 1 - t->p));
    t->p = p + 1;
    return t->to->failed;
}

/* The length of a quantifier in braces at p; 0: there is none. */
static size_t braces(const char *p, const char *end) {
    const char *at = p + 1, *digits = at;
    while (at < end && *at >= '0' && *at <= '9')
        at++;
    if (at == digits)
        return 0;
    if (at < end && *at == ',') {
        for (at++; at < end && *at >= '0' && *at <= '9';)
            at++;
    }
    return at < end && *at == '}' ? (size_t)(at + 1 - p) : 0;
}

static int take_quantifier(struct translation *t, size_t n) {
    if (!t->repeatable)
        return refuse(t, "nothing to repeat");
    px_buf_add(t->to, t->p, n);
    t->p += n;
    if (t->p < t->end && *t->p == '?') {
        px_buf_char(t->to, '?');
        t->p++;
    }
    t->repeatable = false;
    return t->to->failed;
}

static int take_term(struct translation *t) {
    char c = *t->p;
    size_t n;
    switch (c) {
    case '\\': t->p++; return take_outer_escape(t);
    case '[': t->p++; return take_class(t);
    case '(': t->p++; return take_group(t);
    case '*':
    case '+':
    case '?': return take_quantifier(t, 1);
    case '{':
        n = braces(t->p, t->end);
        if (n)
            return take_quantifier(t, n);
        break;
    case '.':
        t->p++;
        t->repeatable = true;
        return px_buf_text(t->to, "[^\\n\\r\\x{2028}\\x{2029}]");
    case '^':
    case '$':
    case '|':
    case ')':
        t->p++;
        t->repeatable = c == ')';
        return px_buf_char(t->to, c);
    default: break;
    }
    put_code(t, take_char(t));
    t->repeatable = true;
    return t->to->failed;
}

/* Whether an alternative stands outside of all groups. An escape may hold no bar, and a class is skipped
 * whole. */
static bool has_outer_alternative(px_str pattern) {
    size_t groups = 0;
    bool class = false;
    for (size_t i = 0; i < pattern.n; i++) {
        char c = pattern.p[i];
        if (c == '\\')
            i++;
        else if (class)
            class = c != ']';
        else if (c == '[')
            class = true;
        else if (c == '(')
            groups++;
        else if (c == ')')
            groups -= groups > 0;
        else if (c == '|' && !groups)
            return true;
    }
    return false;
}

/* "Anything, then X" is found where X is found. Without its first part the search is linear instead of
 * quadratic. */
static px_str without_leading_anything(px_str pattern) {
    if (has_outer_alternative(pattern))
        return pattern;
    while (px_str_starts(pattern, PX_LIT(".*"))) {
        size_t n = pattern.n > 2 && pattern.p[2] == '?' ? 3 : 2;
        if (pattern.n > n && strchr("*+?{", pattern.p[n]))
            break; /* an error, which is to be found */
        pattern = px_str_n(pattern.p + n, pattern.n - n);
    }
    return pattern;
}

int px_regex_translate(struct px_buf *to, px_str pattern, struct px_err *err) {
    if (!px_utf8_valid(pattern))
        return px_err_set(err, -EINVAL, "a regular expression must be UTF-8");
    struct translation t = {.start = pattern.p,
                            .p = without_leading_anything(pattern).p,
                            .end = pattern.p + pattern.n,
                            .to = to,
                            .err = err};
    while (t.p < t.end) {
        int r = take_term(&t);
        if (r)
            return to->failed ? px_err_errno(err, r, "regular expression") : r;
    }
    return 0;
}
