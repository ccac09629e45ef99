/* Every shape of pages, through whole calls; and the grammar of Link headers. */
#include "unit/flow_help.h"

/* ---- Link headers ---- */

static void next_is(const char *header, const char *want) {
    struct px_arena arena;
    px_str target = {0};
    size_t n = strlen(header);
    char *exact = malloc(n ? n : 1); /* nothing behind it */
    memcpy(exact, header, n);
    px_arena_init(&arena, 1 << 20);
    int r = px_link_next(&arena, px_str_n(exact, n), &target);
    if (r != (want != NULL) || (want && !px_str_is(target, want)))
        fail_msg("<%s>: %d <" PX_FMT ">, expected <%s>", header, r, PX_ARG(target), want ? want : "none");
    px_arena_finish(&arena);
    free(exact);
}

static void link_headers(void **state) {
    (void)state;
    next_is("<https://a.example/?page=2>; rel=\"next\"", "https://a.example/?page=2");
    next_is("<https://a.example/?page=2>; rel=next", "https://a.example/?page=2");
    next_is("<?page=2>;rel=next", "?page=2");
    next_is("  <?page=2>  ;  rel  =  next  ", "?page=2");
    next_is("<a>; rel=prev, <b>; rel=next, <c>; rel=last", "b");
    next_is("<a>; rel=\"prev\",<b>; rel=\"next\"", "b");
    next_is(", ,<a>; rel=prev,, <b>; rel=next", "b");
    /* several relations, in any case */
    next_is("<b>; rel=\"last NEXT\"", "b");
    next_is("<b>; REL=\"Next\"", "b");
    next_is("<b>; rel=\"prefetch  next\"", "b");
    next_is("<b>; rel=\"nextone xnext https://x.example/next\"", NULL);
    /* commas and semicolons inside */
    next_is("<a,b;c>; rel=next", "a,b;c");
    next_is("<a>; title=\"one, two; rel=next\"; rel=prev, <b>; rel=next", "b");
    next_is("<a>; title=\"say \\\"hi\\\", rel=next\"; rel=last, <b>; rel=\"n\\ext\"", "b");
    next_is("<a>; title*=UTF-8''x%2C; rel=next", "a");
    /* parameters without a value, and unknown ones */
    next_is("<a>; crossorigin; rel=next", "a");
    next_is("<a>; type=\"text/html\"; rel=next; foo=bar", "a");
    /* the first rel counts; an anchor makes it another's link */
    next_is("<a>; rel=prev; rel=next", NULL);
    next_is("<a>; rel=next; rel=prev", "a");
    next_is("<a>; rel=next; anchor=\"#x\", <b>; rel=next", "b");
    /* not this way */
    next_is("", NULL);
    next_is("<a>", NULL);
    next_is("<a>; rel=\"\"", NULL);
    next_is("a; rel=next", NULL);
    next_is("<a; rel=next", NULL);
    next_is("<a>; rev=next", NULL);
    next_is("<a> rel=next", NULL);
    next_is("<a>; rel=\"next", "a"); /* an end that is missing is taken as there (appendix B.4) */
    next_is("<>; rel=next", "");
    next_is("<a>; title=\"\\", NULL);
    next_is("<a>; =; rel=next", "a");
    next_is("<a>;;rel=next", "a"); /* a parameter without a name */
}

/* Whatever comes, it ends, and reads nothing behind the text. */
static void link_headers_of_any_bytes(void **state) {
    uint64_t seed = 88172645463325252ull;
    static const char bytes[] = "<>;,=\"\\ \tnextrel\0a";
    (void)state;
    for (int i = 0; i < 20000; i++) {
        struct px_arena arena;
        px_str target;
        char *text;
        seed ^= seed << 13, seed ^= seed >> 7, seed ^= seed << 17;
        size_t n = seed % 40;
        text = malloc(n ? n : 1);
        for (size_t k = 0; k < n; k++) {
            seed ^= seed << 13, seed ^= seed >> 7, seed ^= seed << 17;
            text[k] = bytes[seed % (sizeof bytes - 1)];
        }
        px_arena_init(&arena, 1 << 20);
        int r = px_link_next(&arena, px_str_n(text, n), &target);
        assert_true(r == 0 || r == 1);
        if (r)
            assert_true(target.p >= text && target.p + target.n <= text + n);
        px_arena_finish(&arena);
        free(text);
    }
}

/* ---- link ---- */

#define LINKED                                                                                               \
    "{\"path\":\"/items\",\"page\":{\"kind\":\"link\",\"size\":{\"query\":\"per_page\",\"max\":100},\"limit\":3}}"
#define AT(url) "GET https://api.example.com" url " "

static void follows_links(void **state) {
    static const struct answer answers[] = {
        {.expect = AT("/items?per_page=3"),
         .body = "[1,2]",
         .headers = {"link: <https://api.example.com/items?c=x&per_page=3>; rel=\"next\""}},
        {.expect = AT("/items?c=x&per_page=3"),
         .body = "[3,4]",
         .headers = {"link: </items?c=y>; rel=\"next\""}},
    };
    struct flow_rig f;
    struct told told = {0};
    (void)state;
    FLOW(&f, API, LINKED, NONE, answers);
    call_run(&f, &told, NULL, NULL);
    assert_non_null(told.structured);
    begins(&told, "{\"items\":[1,2,3],\"next_cursor\":\"");
    assert_int_equal(told.n_progress, 1);
    assert_string_equal(told.progress[0], "page 2: 3 items");
    told_free(&told);
    flow_close(&f);
}

/* The member `name` of a structured result, as an argument: {"name":…}. */
static const char *again_with(const struct told *told, const char *more, char *buf, size_t n) {
    px_str cursor;
    assert_non_null(told->structured);
    assert_int_equal(px_json_slice_get(px_str_of(told->structured), PX_LIT("next_cursor"), &cursor), 0);
    snprintf(buf, n, "{\"cursor\":" PX_FMT "%s}", PX_ARG(cursor), more);
    return buf;
}

/* A cut in the middle of a page: the page is asked for again, what was given is passed over. */
static void goes_on_in_the_middle(void **state) {
    static const struct answer answers[] = {
        {.expect = AT("/items?per_page=3"), .body = "[1,2]", .headers = {"link: </items?c=x>; rel=next"}},
        {.expect = AT("/items?c=x"), .body = "[3,4]", .headers = {"link: </items?c=y>; rel=next"}},
        {.expect = AT("/items?c=x"), .body = "[3,4]", .headers = {"link: </items?c=y>; rel=next"}},
        {.expect = AT("/items?c=y"), .body = "[5]"},
    };
    struct flow_rig f;
    struct told told = {0};
    char args[4096];
    (void)state;
    FLOW(&f, API, LINKED, NONE, answers);
    call_run(&f, &told, NULL, NULL);
    again_with(&told, "", args, sizeof args);
    gives(&f, args, "{\"items\":[4,5]}");
    told_free(&told);
    flow_close(&f);
}

static void links_that_lead_away(void **state) {
    static const struct {
        const char *link, *words;
    } cases[] = {
        {"link: <https://evil.example/items>; rel=next", "leads away"},
        {"link: <http://api.example.com/items?c=2>; rel=next", "leads away"},
        {"link: <https://api.example.com:8443/items?c=2>; rel=next", "leads away"},
        {"link: <//evil.example/x>; rel=next", "leads away"},
        {"link: <https://user@api.example.com/x>; rel=next", "cannot be used"},
        {"link: <ftp://api.example.com/x>; rel=next", "cannot be used"},
        {"link: <?per_page=3>; rel=next", "the same page again"},
    };
    (void)state;
    for (size_t i = 0; i < PX_COUNT(cases); i++) {
        const struct answer answers[] = {{.body = "[1]", .headers = {cases[i].link}}};
        struct flow_rig f;
        struct told told = {0};
        FLOW(&f, API, LINKED, NONE, answers);
        call_run(&f, &told, NULL, NULL);
        assert_non_null(told.structured);
        begins(&told, "{\"items\":[1],\"incomplete\":\"");
        if (!strstr(told.structured, cases[i].words) || strstr(told.structured, "next_cursor"))
            fail_msg("%s: %s", cases[i].link, told.structured);
        told_free(&told);
        flow_close(&f);
    }
}

static void links_in_a_circle(void **state) {
    static const struct answer answers[] = {
        {.body = "[1]", .headers = {"link: </items?c=2>; rel=next"}},
        {.body = "[2]", .headers = {"link: </items?c=3>; rel=next"}},
        {.body = "[3]", .headers = {"link: </items?c=2>; rel=next"}},
    };
    static const struct answer home[] = {
        {.body = "[1]", .headers = {"link: </items?c=2>; rel=next"}},
        {.body = "[2]", .headers = {"link: </items?per_page=50>; rel=next"}},
    };
    struct flow_rig f;
    (void)state;
    FLOW(&f, API, LINKED, NONE, answers);
    gives(&f, "{\"limit\":50}",
          "{\"items\":[1,2,3],\"incomplete\":\"the upstream gave the same page again\"}");
    flow_close(&f);
    FLOW(&f, API, LINKED, NONE, home); /* back to the first, which had no link of its own */
    gives(&f, "{\"limit\":50}", "{\"items\":[1,2],\"incomplete\":\"the upstream gave the same page again\"}");
    flow_close(&f);
}

static void the_same_body_again(void **state) {
    static const struct answer answers[] = {
        {.body = "[1,2]", .headers = {"link: </items?c=2>; rel=next"}},
        {.body = "[1,2]", .headers = {"link: </items?c=3>; rel=next"}},
    };
    struct flow_rig f;
    (void)state;
    FLOW(&f, API, LINKED, NONE, answers);
    gives(&f, "{\"limit\":50}", "{\"items\":[1,2],\"incomplete\":\"the upstream gave the same page again\"}");
    flow_close(&f);
}

/* An empty page is no end, when there is a link. */
static void empty_pages(void **state) {
    static const struct answer answers[] = {
        {.body = "[]", .headers = {"link: </items?c=2>; rel=next"}},
        {.body = "[]", .headers = {"link: </items?c=3>; rel=next"}},
        {.body = "[1]"},
    };
    struct flow_rig f;
    (void)state;
    FLOW(&f, API, LINKED, NONE, answers);
    gives(&f, NULL, "{\"items\":[1]}");
    flow_close(&f);
}

/* Nothing at all is an empty list too. */
static void no_content(void **state) {
    static const struct answer answers[] = {
        {.status = 204, .headers = {"link: </items?c=2>; rel=next"}}, {.body = "[1]"}, {.status = 204}};
    struct flow_rig f;
    (void)state;
    FLOW(&f, API, LINKED, NONE, answers);
    gives(&f, NULL, "{\"items\":[1]}");
    gives(&f, NULL, "{\"items\":[]}");
    flow_close(&f);
}

static void a_page_at_most(void **state) {
    static const struct answer answers[] = {
        {.body = "[]", .headers = {"link: </items?c=2>; rel=next"}},
        {.body = "[]", .headers = {"link: </items?c=3>; rel=next"}},
        {.expect = AT("/items?c=3"), .body = "[1]"},
    };
    struct flow_rig f;
    struct told told = {0};
    char args[4096];
    (void)state;
    FLOW(&f, API, "{\"path\":\"/items\",\"page\":{\"kind\":\"link\",\"max_pages\":2}}", NONE, answers);
    call_run(&f, &told, NULL, NULL);
    again_with(&told, "", args, sizeof args);
    gives(&f, args, "{\"items\":[1]}");
    told_free(&told);
    flow_close(&f);
}

/* ---- cursor ---- */

#define CURSOR                                                                                                                         \
    "{\"path\":\"/items\",\"result\":{\"items\":\"/data\",\"keep\":[\"/total\"]},\"page\":{\"kind\":\"cursor\",\"at\":\"/meta/next\"," \
    "\"query\":\"after\",\"more\":\"/meta/more\",\"size\":{\"query\":\"n\",\"max\":2},\"limit\":3}}"

static void follows_cursors(void **state) {
    static const struct answer answers[] = {
        {.expect = AT("/items?n=2"), .body = "{\"data\":[1,2],\"total\":4,\"meta\":{\"next\":\"a b\"}}"},
        {.expect = AT("/items?n=2&after=a%20b"),
         .body = "{\"data\":[3,4],\"total\":5,\"meta\":{\"next\":12345678901234567890}}"},
        {.expect = AT("/items?n=2&after=12345678901234567890"),
         .body = "{\"data\":[5],\"meta\":{\"next\":\"c\",\"more\":false}}"},
    };
    struct flow_rig f;
    (void)state;
    FLOW(&f, API, CURSOR, NONE, answers);
    gives(&f, "{\"limit\":10}", "{\"items\":[1,2,3,4,5],\"total\":4}");
    flow_close(&f);
}

/* What ends a list. */
static void cursors_that_are_none(void **state) {
    static const char *const ends[] = {"{\"data\":[1]}",
                                       "{\"data\":[1],\"meta\":null}",
                                       "{\"data\":[1],\"meta\":{\"next\":null}}",
                                       "{\"data\":[1],\"meta\":{\"next\":\"\"}}",
                                       "{\"data\":[1],\"meta\":{\"next\":false}}",
                                       "{\"data\":[1],\"meta\":{\"next\":\"x\",\"more\":false}}"};
    (void)state;
    for (size_t i = 0; i < PX_COUNT(ends); i++) {
        const struct answer answers[] = {{.body = ends[i]}};
        struct flow_rig f;
        FLOW(&f, API, CURSOR, NONE, answers);
        gives(&f, NULL, "{\"items\":[1]}");
        flow_close(&f);
    }
}

static void cursors_that_repeat(void **state) {
    static const struct answer answers[] = {
        {.body = "{\"data\":[1],\"meta\":{\"next\":\"a\"}}"},
        {.body = "{\"data\":[2],\"meta\":{\"next\":\"a\"}}"},
    };
    static const struct answer circle[] = {
        {.body = "{\"data\":[1],\"meta\":{\"next\":\"a\"}}"},
        {.body = "{\"data\":[2],\"meta\":{\"next\":\"b\"}}"},
        {.body = "{\"data\":[3],\"meta\":{\"next\":\"a\"}}"},
    };
    static const struct answer strange[] = {{.body = "{\"data\":[1],\"meta\":{\"next\":{}}}"}};
    struct flow_rig f;
    (void)state;
    FLOW(&f, API, CURSOR, NONE, answers);
    gives(&f, "{\"limit\":10}", "{\"items\":[1,2],\"incomplete\":\"the upstream gave the same page again\"}");
    flow_close(&f);
    FLOW(&f, API, CURSOR, NONE, circle);
    gives(&f, "{\"limit\":10}",
          "{\"items\":[1,2,3],\"incomplete\":\"the upstream gave the same page again\"}");
    flow_close(&f);
    FLOW(&f, API, CURSOR, NONE, strange);
    gives(
        &f, NULL,
        "{\"items\":[1],\"incomplete\":\"the upstream's next page at \\\"/meta/next\\\" is neither text nor a number\"}");
    flow_close(&f);
}

static void cursors_in_headers_and_bodies(void **state) {
    static const struct answer headers[] = {
        {.expect = AT("/items"), .body = "[1]", .headers = {"x-next-page: p2"}},
        {.expect = AT("/items?page=p2"), .body = "[2]", .headers = {"x-next-page: "}},
    };
    static const struct answer bodies[] = {
        {.expect = "POST https://api.example.com/search {\"q\":\"x\"}",
         .body = "{\"data\":[1],\"next\":\"n\"}"},
        {.expect = "\"after\":\"n\"", .body = "{\"data\":[2]}"},
    };
    struct flow_rig f;
    (void)state;
    FLOW(&f, API,
         "{\"path\":\"/items\",\"page\":{\"kind\":\"cursor\",\"header\":\"X-Next-Page\",\"query\":\"page\"}}",
         NONE, headers);
    gives(&f, NULL, "{\"items\":[1,2]}");
    flow_close(&f);
    FLOW(
        &f, API,
        "{\"method\":\"POST\",\"safe\":true,\"path\":\"/search\",\"body\":{\"q\":\"x\"},\"result\":{\"items\":\"/data\"},"
        "\"page\":{\"kind\":\"cursor\",\"at\":\"/next\",\"body\":\"/after\"}}",
        NONE, bodies);
    gives(&f, NULL, "{\"items\":[1,2]}");
    flow_close(&f);
}

/* Cursors are positions: each page is asked for what is wanted, and what is to be passed over. */
static void asks_for_what_is_wanted(void **state) {
    static const char route[] =
        "{\"path\":\"/items\",\"result\":{\"items\":\"/data\"},\"page\":{\"kind\":\"cursor\",\"at\":\"/next\","
        "\"query\":\"after\",\"size\":{\"query\":\"n\",\"max\":4}}}";
    static const struct answer answers[] = {
        {.expect = AT("/items?n=4"), .body = "{\"data\":[1,2,3,4],\"next\":\"a\"}"},
        {.expect = AT("/items?n=2&after=a"),
         .body = "{\"data\":[5,6,7],\"next\":\"b\"}"}, /* one more than was asked for */
        {.expect = AT("/items?n=3&after=a"), .body = "{\"data\":[5,6,7],\"next\":\"b\"}"},
    };
    struct flow_rig f;
    struct told told = {0};
    char args[4096];
    (void)state;
    FLOW(&f, API, route, NONE, answers);
    call_run(&f, &told, "{\"limit\":6}", NULL);
    begins(&told, "{\"items\":[1,2,3,4,5,6],\"next");
    again_with(&told, ",\"limit\":1", args, sizeof args);
    told_free(&told);
    told = (struct told){0};
    call_run(&f, &told, args, NULL);
    begins(&told, "{\"items\":[7],\"next");
    told_free(&told);
    flow_close(&f);
}

/* What a model would have to repeat has a bound. */
static void places_that_are_too_long(void **state) {
    static char body[9000], link[9000];
    const struct answer cursor[] = {{.body = body}}, linked[] = {{.body = "[1]", .headers = {link}}};
    struct flow_rig f;
    (void)state;
    snprintf(body, sizeof body, "{\"data\":[1],\"meta\":{\"next\":\"%08500d\"}}", 1);
    snprintf(link, sizeof link, "link: </items?c=%08500d>; rel=next", 1);
    FLOW(&f, API, CURSOR, NONE, cursor);
    gives(
        &f, NULL,
        "{\"items\":[1],\"incomplete\":\"the upstream names the next page in 8500 characters; 8192 are the most\"}");
    flow_close(&f);
    FLOW(&f, API, LINKED, NONE, linked);
    gives(
        &f, NULL,
        "{\"items\":[1],\"incomplete\":\"the upstream names the next page in 8532 characters; 8192 are the most\"}");
    flow_close(&f);
}

static void a_later_page_that_is_no_list(void **state) {
    static const struct answer answers[] = {{.body = "[1]", .headers = {"link: </items?c=2>; rel=next"}},
                                            {.body = "{\"a\":1}"},
                                            {.body = "[1]", .headers = {"link: </items?c=2>; rel=next"}},
                                            {.body = "<html>"}};
    struct flow_rig f;
    (void)state;
    FLOW(&f, API, LINKED, NONE, answers);
    gives(
        &f, NULL,
        "{\"items\":[1],\"incomplete\":\"page 2: the upstream's answer is no list, though the page before was\"}");
    gives(
        &f, NULL,
        "{\"items\":[1],\"incomplete\":\"page 2: api answered 200 with something that is not JSON (no content type)\"}");
    flow_close(&f);
}

/* The next page begins behind the last item of this one. */
static void the_last_item_can_be_the_cursor(void **state) {
    static const struct answer answers[] = {
        {.expect = AT("/items"), .body = "{\"data\":[{\"id\":\"a\"},{\"id\":\"b\"}],\"has_more\":true}"},
        {.expect = AT("/items?starting_after=b"), .body = "{\"data\":[{\"id\":\"c\"}],\"has_more\":false}"},
    };
    static const struct answer empty[] = {
        {.expect = AT("/items"), .body = "{\"data\":[],\"has_more\":true}"}};
    static const char route[] =
        "{\"path\":\"/items\",\"result\":{\"items\":\"/data\"},\"page\":{\"kind\":\"cursor\",\"at\":\"/data/-/"
        "id\",\"query\":\"starting_after\",\"more\":\"/has_more\"}}";
    struct flow_rig f;
    (void)state;
    FLOW(&f, API, route, NONE, answers);
    gives(&f, "{\"limit\":10}", "{\"items\":[{\"id\":\"a\"},{\"id\":\"b\"},{\"id\":\"c\"}]}");
    flow_close(&f);
    FLOW(&f, API, route, NONE, empty);
    gives(&f, NULL, "{\"items\":[]}");
    flow_close(&f);
}

/* ---- numbers and offsets ---- */

#define NUMBERED                                                                                             \
    "{\"path\":\"/items\",\"page\":{\"kind\":\"page\",\"query\":\"page\",\"size\":{\"query\":\"n\",\"max\":2},\"limit\":3}}"

/* The size of the first page is that of all of them, in this call and those that go on with its cursor. */
static void counts_pages(void **state) {
    static const struct answer answers[] = {
        {.expect = "n=2&page=1 ", .body = "[1,2]"},
        {.expect = "page=2", .body = "[3,4]"},
        {.expect = "page=2", .body = "[3,4]"},
        {.expect = "page=3", .body = "[5]"},
    };
    struct flow_rig f;
    struct told told = {0};
    char args[4096];
    (void)state;
    FLOW(&f, API, NUMBERED, NONE, answers);
    call_run(&f, &told, NULL, NULL);
    begins(&told, "{\"items\":[1,2,3],\"next");
    gives(&f, again_with(&told, ",\"limit\":100", args, sizeof args), "{\"items\":[4,5]}");
    for (size_t i = 0; i < 4; i++)
        assert_non_null(strstr(f.script.asked[i], "n=2"));
    told_free(&told);
    flow_close(&f);
}

static void a_small_first_page_stays_small(void **state) {
    static const struct answer answers[] = {
        {.expect = "n=1", .body = "[1]"},
        {.expect = "page=2", .body = "[2]"},
        {.expect = "page=3", .body = "[3]"},
        {.expect = "page=4", .body = "[]"},
    };
    struct flow_rig f;
    struct told told = {0};
    char args[4096];
    (void)state;
    FLOW(&f, API, NUMBERED, NONE, answers);
    call_run(&f, &told, "{\"limit\":1}", NULL);
    gives(&f, again_with(&told, ",\"limit\":100", args, sizeof args), "{\"items\":[2,3]}");
    for (size_t i = 0; i < 4; i++)
        assert_non_null(strstr(f.script.asked[i], "n=1"));
    told_free(&told);
    flow_close(&f);
}

static void counts_items(void **state) {
    static const struct answer answers[] = {
        {.expect = "n=2&start=0 ", .body = "{\"d\":[1,2],\"more\":true}"},
        {.expect = "start=2",
         .body = "{\"d\":[3],\"more\":true}"}, /* a page that is not full is no end, when it says so */
        {.expect = "start=3", .body = "{\"d\":[4,5],\"more\":false}"},
    };
    static const struct answer silent[] = {
        {.body = "{\"d\":[1,2]}"},
        {.expect = "start=2", .body = "{\"d\":[3]}"},
    };
    static const char route[] =
        "{\"path\":\"/items\",\"result\":{\"items\":\"/d\"},\"page\":{\"kind\":\"offset\",\"query\":\"start\",\"more\":\"/more\","
        "\"size\":{\"query\":\"n\",\"max\":2}}}";
    struct flow_rig f;
    (void)state;
    FLOW(&f, API, route, NONE, answers);
    gives(&f, NULL, "{\"items\":[1,2,3,4,5]}");
    flow_close(&f);
    FLOW(&f, API, route, NONE, silent);
    gives(&f, NULL, "{\"items\":[1,2,3]}");
    flow_close(&f);
}

/* An upstream that does not know its parameter gives the first page for ever. */
static void counted_pages_that_repeat(void **state) {
    static const struct answer answers[] = {{.body = "[1,2]"}, {.body = "[1,2]"}};
    struct flow_rig f;
    (void)state;
    FLOW(&f, API, NUMBERED, NONE, answers);
    gives(&f, "{\"limit\":100}",
          "{\"items\":[1,2],\"incomplete\":\"the upstream gave the same page again\"}");
    flow_close(&f);
}

/* ---- GraphQL ---- */

#define GRAPHQL                                                                                                                       \
    "{\"graphql\":\"query($first:Int,$after:String){things(first:$first,after:$after){nodes{id} pageInfo{hasNextPage endCursor}}}\"," \
    "\"result\":{\"items\":\"/things/nodes\"},"                                                                                       \
    "\"page\":{\"kind\":\"graphql\",\"at\":\"/things/pageInfo\",\"size\":{\"max\":2}}}"

static void pages_of_graphql(void **state) {
    static const struct answer answers[] = {
        {.expect = "\"first\":2",
         .body =
             "{\"data\":{\"things\":{\"nodes\":[1,2],\"pageInfo\":{\"hasNextPage\":true,\"endCursor\":\"c\"}}}}"},
        {.expect = "\"after\":\"c\"",
         .body =
             "{\"data\":{\"things\":{\"nodes\":[3],\"pageInfo\":{\"hasNextPage\":false,\"endCursor\":\"d\"}}}}"},
    };
    struct flow_rig f;
    (void)state;
    FLOW(&f, API, GRAPHQL, NONE, answers);
    gives(&f, NULL, "{\"items\":[1,2,3]}");
    flow_close(&f);
}

/* What an answer says beside its data is not lost: of the first page as it is, of a later one in words. */
static void graphql_errors_beside_the_data(void **state) {
    static const struct answer answers[] = {
        {.body =
             "{\"data\":{\"things\":{\"nodes\":[1,2],\"pageInfo\":{\"hasNextPage\":true,\"endCursor\":\"c\"}}},"
             "\"errors\":[{\"message\":\"one is hidden\"}]}"},
        {.body = "{\"data\":{\"things\":{\"nodes\":[3],\"pageInfo\":{\"hasNextPage\":false}}},"
                 "\"errors\":[{\"message\":\"two are hidden\"}]}"},
    };
    struct flow_rig f;
    (void)state;
    FLOW(&f, API, GRAPHQL, NONE, answers);
    gives(
        &f, NULL,
        "{\"items\":[1,2,3],\"errors\":[{\"message\":\"one is hidden\"}],\"incomplete\":\"page 2: two are hidden\"}");
    flow_close(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(link_headers),
        cmocka_unit_test(link_headers_of_any_bytes),
        cmocka_unit_test(follows_links),
        cmocka_unit_test(goes_on_in_the_middle),
        cmocka_unit_test(links_that_lead_away),
        cmocka_unit_test(links_in_a_circle),
        cmocka_unit_test(the_same_body_again),
        cmocka_unit_test(empty_pages),
        cmocka_unit_test(no_content),
        cmocka_unit_test(a_page_at_most),
        cmocka_unit_test(follows_cursors),
        cmocka_unit_test(cursors_that_are_none),
        cmocka_unit_test(cursors_that_repeat),
        cmocka_unit_test(cursors_in_headers_and_bodies),
        cmocka_unit_test(asks_for_what_is_wanted),
        cmocka_unit_test(places_that_are_too_long),
        cmocka_unit_test(a_later_page_that_is_no_list),
        cmocka_unit_test(the_last_item_can_be_the_cursor),
        cmocka_unit_test(counts_pages),
        cmocka_unit_test(a_small_first_page_stays_small),
        cmocka_unit_test(counts_items),
        cmocka_unit_test(counted_pages_that_repeat),
        cmocka_unit_test(pages_of_graphql),
        cmocka_unit_test(graphql_errors_beside_the_data),
    };
    return cmocka_run_group_tests(tests, NULL, finish_stock);
}
