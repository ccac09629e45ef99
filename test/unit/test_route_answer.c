#include "base/codec.h"
#include "unit/route_help.h"
#include "unit/route_rig.h"
#include "json/write.h"

/* An answer to a GET of a route whose `result` and `page` are these (in single quotes). */
struct read {
    struct px_api *api;
    struct px_route *route;
    struct px_arena arena;
    struct answer_help http;
    struct px_answer answer;
    struct px_err err;
    int r;
};

static void read_route(struct read *t, const char *route, int status, const char *headers, const char *body) {
    char *body_json = quotes(body);
    *t = (struct read){.api = make_api("{'upstreams':{'api':{'base_url':'https://api.example.com'}}}")};
    t->route = make_route(t->api, route, NULL, true);
    px_arena_init(&t->arena, 64 << 20);
    answer_init(&t->http, status, headers, body_json);
    free(body_json);
    struct px_answer_scan scan;
    px_answer_scan(&t->http.result, &scan);
    t->r = px_answer_read(&t->arena, t->route, &t->http.result, &scan, &t->answer, &t->err);
}

static void read_result(struct read *t, const char *result, const char *headers, const char *body) {
    char route[1024];
    snprintf(route, sizeof route, "{'path':'/x','result':{%s}}", result);
    read_route(t, route, 200, headers, body);
}

static void read_finish(struct read *t) {
    px_arena_finish(&t->arena);
    answer_finish(&t->http);
    px_route_destroy(t->route);
    px_api_destroy(t->api);
}

static void assert_quoted(px_str got, const char *want) {
    char *json = quotes(want);
    assert_text(got, json);
    free(json);
}

/* ---- the end of a text ---- */

static px_str tail_of(struct px_arena *arena, px_str text, uint64_t budget) {
    px_str tail = px_answer_tail(arena, text, budget);
    assert_non_null(tail.p);
    return tail;
}

static void the_end_of_a_text_is_shown(void **state) {
    static const char want[] = "[144 bytes before this are not shown: only the end fits]\nline 18\nline 19\n";
    struct px_arena arena;
    char lines[200], *at = lines;
    (void)state;
    for (int i = 0; i < 20; i++)
        at += snprintf(at, 9, "line %02d\n", i);
    px_str text = px_str_n(lines, 160);
    px_arena_init(&arena, 1 << 20);
    /* 160 bytes are 180 in JSON, a line is 9: 20 bytes hold two, and a part of a third */
    assert_ptr_equal(tail_of(&arena, text, 180).p, text.p);
    assert_text(tail_of(&arena, text, 96 + 20), want);
    assert_text(tail_of(&arena, text, 96 + 18), want);
    /* one long line: what fits of its end */
    memset(lines, 'x', sizeof lines);
    memcpy(lines + 196, "end\n", 4);
    px_str tail = tail_of(&arena, px_str_n(lines, 200), 96 + 6);
    assert_memory_equal(tail.p + tail.n - 6, "\nxend\n", 6);
    px_arena_finish(&arena);
}

static void an_end_fits_and_begins_a_line(void **state) {
    static const char piece[] = "a \"quoted\" \t word, caf\xc3\xa9 \xf0\x9f\x98\x80 \x01 and \0 more\n";
    char text[40 * (sizeof piece - 1)];
    struct px_arena arena;
    (void)state;
    for (size_t i = 0; i < 40; i++)
        memcpy(text + i * (sizeof piece - 1), piece, sizeof piece - 1);
    for (uint64_t budget = 96; budget < 3000; budget += 7) {
        px_arena_init(&arena, 1 << 20);
        px_str tail = tail_of(&arena, px_str_n(text, sizeof text), budget);
        const char *line = memchr(tail.p, '\n', tail.n);
        size_t left = tail.n - (size_t)(line + 1 - tail.p);
        assert_true(px_json_escaped_size(tail) <= budget);
        assert_true(px_utf8_valid(tail));
        assert_memory_equal(line + 1, text + sizeof text - left, left);
        if (budget > 96 + 2 * sizeof piece)
            assert_true(tail.p == text || (left && left % (sizeof piece - 1) == 0));
        px_arena_finish(&arena);
    }
    px_arena_init(&arena, 16);
    assert_null(px_answer_tail(&arena, px_str_n(text, sizeof text), 200).p);
    px_arena_finish(&arena);
}

/* ---- JSON ---- */

static void value_is(const char *result, const char *body, const char *want) {
    struct read t;
    read_result(&t, result, NULL, body);
    if (t.r)
        fail_msg("%s", t.err.msg);
    assert_int_equal(t.answer.kind, PX_ANSWER_VALUE);
    assert_quoted(t.answer.value, want);
    assert_null(t.answer.items.p);
    read_finish(&t);
}

static void items_are(const char *result, const char *body, const char *want) {
    struct read t;
    read_result(&t, result, NULL, body);
    if (t.r)
        fail_msg("%s", t.err.msg);
    assert_int_equal(t.answer.kind, PX_ANSWER_ITEMS);
    assert_quoted(t.answer.items, want);
    read_finish(&t);
}

static void is_not(const char *result, const char *headers, const char *body, const char *words) {
    struct read t;
    read_result(&t, result, headers, body);
    if (t.r != -EPROTO || t.err.code != -EPROTO || !strstr(t.err.msg, words))
        fail_msg("%s: %d %s", body, t.r, t.err.msg);
    read_finish(&t);
}

static void finds_the_value(void **state) {
    (void)state;
    value_is("", " {'a': 5000000000000001} \n", "{'a': 5000000000000001}");
    value_is("'at':'/a'", "{'a':{'b':[1]}}", "{'b':[1]}");
    value_is("'at':'/a/b'", "{'a':{'b':'x'}}", "'x'");
    value_is("'at':'/a/b'", "{'a':{'b':null}}", "null");
    value_is("'at':'/a/b/c'", "{'a':{'b':null}}", "null"); /* below null everything is */
    value_is("", "'x'", "'x'");
    value_is("", "\xef\xbb\xbf{'a':1}", "{'a':1}");
    is_not("'at':'/a/b'", NULL, "{'a':{'c':1}}", "api: the answer has nothing at \"/a/b\"");
    is_not("'at':'/a/b'", NULL, "{'a':'b'}", "api: the answer has nothing at \"/a/b\"");
    is_not("'at':'/a'", NULL, "[]", "nothing at \"/a\"");
}

static void finds_the_list(void **state) {
    (void)state;
    items_are("", "[1, 2]", "[1, 2]");
    items_are("'at':'/data'", "{'data':[]}", "[]");
    items_are("'items':'/list'", "{'list':[{}],'n':1}", "[{}]");
    items_are("'at':'/a','items':'/nodes'", "{'a':{'nodes':[1]}}", "[1]");
    items_are("'items':'/list'", "{'list':null}", "[]");
    items_are("'items':'/list'", "{'n':0}", "[]"); /* left out when it is empty */
    items_are("'items':''", "[3]", "[3]");
    value_is("'at':'/a','items':'/nodes'", "{'a':null}", "null");
    is_not("'items':'/list'", NULL, "{'list':{'a':1}}", "api: the answer has no list at \"/list\"");
    is_not("'items':'/list'", NULL, "{'list':'a'}", "no list");
}

static void says_what_came_instead_of_json(void **state) {
    (void)state;
    is_not("", "content-type: Text/HTML; charset=utf-8", "<html><title>Log in &amp; go</title></html>",
           "api answered 200 with something that is not JSON (text/html): Log in & go");
    is_not("", NULL, "nope", "is not JSON (no content type): nope");
    is_not("", "content-type: application/json", "{'a':1", "is not JSON (application/json): {\"a\":1");
    is_not("", "content-type: application/json", "{'a':1,'a':2}", "is not JSON");
    is_not("", "content-type: image/png", "\x89PNG\x01", "is not JSON (image/png)");
}

/* Whoever reads the result allows 64 levels, and one may be put around it. */
static void nests_too_deep(void **state) {
    (void)state;
    for (int depth = 63; depth <= 65; depth++) {
        struct px_buf deep;
        px_buf_init(&deep, 1000);
        for (int i = 0; i < depth; i++)
            px_buf_char(&deep, '[');
        for (int i = 0; i < depth; i++)
            px_buf_char(&deep, ']');
        if (depth == 63)
            items_are("", deep.p, deep.p);
        else
            is_not(
                "", NULL, deep.p,
                "api: the answer is more than can be shown: JSON at byte 63: more than 63 levels of nesting");
        px_buf_finish(&deep);
    }
}

static void nothing_is_a_status(void **state) {
    (void)state;
    static const struct {
        const char *route;
        int status;
        const char *body;
    } cases[] = {
        {"{'path':'/x'}", 204, ""},
        {"{'path':'/x'}", 202, ""},
        {"{'path':'/x','result':{'kind':'none'}}", 200, "{'a':1}"},
        {"{'path':'/x','result':{'kind':'auto'}}", 200, ""},
        {"{'path':'/x','result':{'kind':'binary'}}", 200, ""},
        {"{'path':'/x','result':{'kind':'text'}}", 204, ""},
        {"{'path':'/x','method':'HEAD'}", 200, ""},
        {"{'path':'/x','method':'HEAD','result':{'kind':'text'}}", 200, ""},
        {"{'path':'/x','result':{'at':'/a','items':'/b'}}", 204, ""},
    };
    for (size_t i = 0; i < PX_COUNT(cases); i++) {
        struct read t;
        struct px_reply reply;
        char want[40];
        read_route(&t, cases[i].route, cases[i].status, NULL, cases[i].body);
        assert_int_equal(t.r, 0);
        assert_int_equal(t.answer.kind, PX_ANSWER_NOTHING);
        assert_int_equal(px_answer_reply(&t.arena, &t.answer, NULL, NULL, &reply), 0);
        snprintf(want, sizeof want, "{\"status\":%d}", cases[i].status);
        assert_text(reply.structured_json, want);
        assert_null(reply.text.p);
        assert_null(reply.content_json.p);
        read_finish(&t);
    }
}

/* ---- replies ---- */

static void replies(const char *result, const char *fields, const char *body, const char *want) {
    struct read t;
    struct px_reply reply;
    struct px_select *select = NULL;
    read_result(&t, result, NULL, body);
    if (t.r)
        fail_msg("%s", t.err.msg);
    if (fields)
        assert_int_equal(px_select_compile(px_str_of(fields), &select, NULL), 0);
    assert_int_equal(px_answer_reply(&t.arena, &t.answer, select, NULL, &reply), 0);
    assert_int_equal(reply.size, sizeof reply);
    assert_quoted(reply.structured_json, want);
    px_select_destroy(select);
    read_finish(&t);
}

static void structured_replies(void **state) {
    (void)state;
    replies("", NULL, "{ 'a' : 1e400 , 'b' : [ ] }", "{'a':1e400,'b':[]}");
    replies("", "a", "{ 'a' : -0.0 , 'b' : [ ] }", "{'a':-0.0}");
    replies("'at':'/n'", NULL, "{'n':5000000000000001}", "{'value':5000000000000001}");
    replies("'at':'/n'", NULL, "{'n':null}", "{'value':null}");
    /* what is kept stands beside it, once */
    replies("'keep':['/n','/m/x~1y','/none']", "a", "{'a':1,'n':2,'m':{'x/y':3}}", "{'a':1,'n':2,'x/y':3}");
    replies("'keep':['/a','/n']", "a,n", "{'a':1,'n':2}", "{'a':1,'n':2}");
    replies("'keep':['/m/n','/n']", "no", "{'n':2,'m':{'n':3}}", "{'n':3}");
    replies("'keep':['/n','/a','/m/n']", "no", "{'n':2,'a':1,'m':{'n':3}}", "{'n':2,'a':1}");
    replies("'keep':['/n']", "n", "{'\\u006e':2}", "{'\\u006e':2}");
}

static void base64_is_decoded(void **state) {
    (void)state;
#define FILE_RESULT "'decode':{'at':'/content','to':'text'}"
    replies(FILE_RESULT, NULL, "{'path':'a','content':'aGVs\\nbG8g 4oKs\\n','text':'old','size':9}",
            "{'path':'a','text':'hello \xe2\x82\xac','size':9}");
    replies("'decode':{'at':'/content'}", NULL, "{'content':'aSJ4Ig==','size':4}",
            "{'content':'i\\'x\\'','size':4}");
    replies(FILE_RESULT, "text", "{'content':'','size':0}", "{'text':''}");
    replies("'decode':{'at':'/a/b','to':'c'}", NULL, "{'x':[1],'a':{'z':1,'b':'aGk','y':2},'w':3}",
            "{'x':[1],'a':{'z':1,'c':'hi','y':2},'w':3}");
    replies("'at':'/r','decode':{'at':'/b','to':'b'}", NULL, "{'r':{'b':'aGk='}}", "{'b':'hi'}");
    /* no base64, no text, no string: as it is */
    replies(FILE_RESULT, NULL, "{'content':'a\\u00e9'}", "{'content':'a\\u00e9'}");
    replies(FILE_RESULT, NULL, "{'content':'/w=='}", "{'content':'/w=='}");
    replies(FILE_RESULT, NULL, "{'content':'AA=='}", "{'content':'AA=='}");
    replies(FILE_RESULT, NULL, "{'content':null,'a':[]}", "{'content':null,'a':[]}");
    replies(FILE_RESULT, NULL, "{'content':{'x':'aGk='}}", "{'content':{'x':'aGk='}}");
    items_are(FILE_RESULT, "[{'content':'aGk='}]", "[{'content':'aGk='}]");
}

/* ---- text and bytes ---- */

static void text_and_blocks(void **state) {
    (void)state;
    static const struct {
        const char *kind, *type, *body, *text, *content;
    } cases[] = {
        {"text", "application/octet-stream", "any\nlines", "any\nlines", NULL},
        {"text", "text/plain", "", "", NULL},
        {"text", "application/json", "[1]", "[1]", NULL},
        {"text", "text/plain; charset=ISO-8859-1", "caf\xe9", "caf\xc3\xa9", NULL},
        {"text", "text/plain; charset=ISO-8859-1", "caf\xc3\xa9", "caf\xc3\xa9", NULL},
        {"text", "text/plain", "caf\xe9", "caf\xe9", NULL}, /* the shape replaces it */
        {"binary", "image/png", "\x89PNG", NULL,
         "[{'type':'image','mimeType':'image/png','data':'iVBORw=='}]"},
        {"binary", "Audio/WAV; x=y", "RIFF", NULL,
         "[{'type':'audio','mimeType':'audio/wav','data':'UklGRg=='}]"},
        {"binary", "application/pdf", "%PDF", NULL,
         "[{'type':'resource','resource':{'uri':'https://api.example.com/"
         "things/7','mimeType':'application/pdf','blob':'JVBERg=='}}]"},
        {"binary", "", "x", NULL,
         "[{'type':'resource','resource':{'uri':'https://api.example.com/things/"
         "7','mimeType':'application/octet-stream','blob':'eA=='}}]"},
        {"auto", "text/csv", "a,b", "a,b", NULL},
        {"auto", "application/vnd.x+xml", "<a/>", "<a/>", NULL},
        {"auto", "application/json", "{broken", "{broken", NULL},
        {"auto", "text/plain", "{'a':1}", "{\"a\":1}", NULL},
        {"auto", "", "plain", "plain", NULL},
        {"auto", "", "12", "12", NULL},
        {"auto", "text/plain", "\xff\xfe", NULL,
         "[{'type':'resource','resource':{'uri':'https://api.example.com/things/7','mimeType':'text/plain','blob':'//4='}}]"},
        {"auto", "image/gif", "GIF89a", NULL, "[{'type':'image','mimeType':'image/gif','data':'R0lGODlh'}]"},
    };
    for (size_t i = 0; i < PX_COUNT(cases); i++) {
        struct read t;
        struct px_reply reply;
        char kind[40], headers[80];
        snprintf(kind, sizeof kind, "'kind':'%s'", cases[i].kind);
        snprintf(headers, sizeof headers, "content-type: %s", cases[i].type);
        read_result(&t, kind, headers, cases[i].body);
        assert_int_equal(t.r, 0);
        assert_int_equal(px_answer_reply(&t.arena, &t.answer, NULL, NULL, &reply), 0);
        assert_null(reply.structured_json.p);
        assert_int_equal(!reply.text.p, !cases[i].text);
        assert_int_equal(!reply.content_json.p, !cases[i].content);
        if (cases[i].text)
            assert_text(reply.text, cases[i].text);
        if (cases[i].content)
            assert_quoted(reply.content_json, cases[i].content);
        read_finish(&t);
    }
}

static void auto_takes_json_for_what_it_is(void **state) {
    (void)state;
    static const char *const types[] = {"application/json; charset=utf-8", "application/problem+json",
                                        "text/json", ""};
    for (size_t i = 0; i < PX_COUNT(types); i++) {
        struct read t;
        char headers[80];
        snprintf(headers, sizeof headers, "content-type: %s", types[i]);
        read_result(&t, "'kind':'auto'", headers, "{'a':1}");
        assert_int_equal(t.r, 0);
        assert_int_equal(t.answer.kind, PX_ANSWER_VALUE);
        read_finish(&t);
    }
}

/* ---- GraphQL ---- */

static void partial_data_keeps_its_errors(void **state) {
    (void)state;
    struct read t;
    struct px_reply reply;
    struct px_buf buf;
    struct px_jw w;
#define QUERY "{'graphql':'query Q { a { nodes { id } } }'"
    read_route(&t, QUERY "}", 200, NULL, "{'data':{'a':1,'b':null},'errors':[{'message':'m'}]}");
    assert_int_equal(t.r, 0);
    assert_quoted(t.answer.errors, "[{'message':'m'}]");
    assert_int_equal(px_answer_reply(&t.arena, &t.answer, NULL, NULL, &reply), 0);
    assert_quoted(reply.structured_json, "{'a':1,'b':null,'errors':[{'message':'m'}]}");
    read_finish(&t);
    read_route(&t, QUERY "}", 200, NULL, "{'data':{'a':1,'errors':2},'errors':[{'message':'m'}]}");
    assert_int_equal(px_answer_reply(&t.arena, &t.answer, NULL, NULL, &reply), 0);
    assert_quoted(reply.structured_json, "{'a':1,'errors':2}");
    read_finish(&t);
    read_route(&t, QUERY "}", 200, NULL, "{'data':{'a':1},'errors':[]}");
    assert_null(t.answer.errors.p);
    read_finish(&t);
    /* in a list it stands beside the items */
    read_route(&t, QUERY ",'result':{'at':'/data/a','items':'/nodes','keep':['/total']}}", 200, NULL,
               "{'data':{'a':{'nodes':[1],'total':[7]}},'errors':[1]}");
    assert_int_equal(t.answer.kind, PX_ANSWER_ITEMS);
    px_buf_init(&buf, 1000);
    px_jw_init(&w, &buf);
    px_jw_object(&w);
    px_answer_put_members(&t.answer, NULL, &w);
    px_jw_object_end(&w);
    assert_quoted(px_buf_view(&buf), "{'total':[7],'errors':[1]}");
    t.answer.keep[0].key = PX_LIT("\"errors\""); /* one of that name is enough */
    px_buf_clear(&buf, 1000);
    px_jw_init(&w, &buf);
    px_jw_object(&w);
    px_answer_put_members(&t.answer, NULL, &w);
    px_jw_object_end(&w);
    assert_quoted(px_buf_view(&buf), "{'errors':[7]}");
    t.answer.keep[0].key = PX_LIT("\"total\"");
    px_buf_clear(&buf, 1000);
    px_jw_init(&w, &buf);
    px_jw_object(&w);
    px_answer_put_members(&t.answer, (const char *const[]){"items", "total", NULL}, &w);
    px_jw_object_end(&w);
    assert_quoted(px_buf_view(&buf), "{'errors':[1]}");
    assert_int_equal(px_answer_reply(&t.arena, &t.answer, NULL, NULL, &reply), -EINVAL);
    px_buf_finish(&buf);
    read_finish(&t);
}

/* ---- items under a budget ---- */

static void items_come_one_by_one(void **state) {
    (void)state;
    struct read t;
    struct px_answer_items items;
    struct px_select *select = NULL;
    struct px_buf out;
    uint64_t left = 1000, seen[PX_SELECT_FIELDS_MAX / 64] = {0};
    read_result(&t, "", NULL, "[ {'id' : 1, 'x':'q'} , {'id':2}, 'three' , 4 ]");
    assert_int_equal(px_select_compile(PX_LIT("id,no"), &select, NULL), 0);
    px_buf_init(&out, 1000);
    px_answer_items_init(&items, &t.answer, select, 0);
    items.seen = seen;
    assert_int_equal(px_answer_items_left(&items, UINT64_MAX), 4);
    assert_int_equal(px_answer_items_left(&items, 2), 2);
    assert_int_equal(px_answer_items_next(&items, &out, &left), 1);
    assert_quoted(px_buf_view(&out), "{'id':1}");
    assert_int_equal(1000 - left, 8 + 2 + 1); /* two quotes that need escapes, a comma */
    assert_int_equal(seen[0], 1);
    assert_int_equal(items.index, 1);
    assert_int_equal(px_answer_items_next(&items, &out, &left), 1);
    assert_int_equal(px_answer_items_next(&items, &out, &left), 1);
    assert_int_equal(px_answer_items_left(&items, UINT64_MAX), 1);
    assert_int_equal(px_answer_items_next(&items, &out, &left), 1);
    assert_quoted(px_buf_view(&out), "{'id':1}{'id':2}'three'4");
    assert_int_equal(px_answer_items_next(&items, &out, &left), 0);
    assert_int_equal(px_answer_items_next(&items, &out, &left), 0);
    assert_int_equal(px_answer_items_left(&items, UINT64_MAX), 0);
    /* skipped ones were given already */
    px_buf_clear(&out, 1000);
    px_answer_items_init(&items, &t.answer, NULL, 2);
    assert_int_equal(items.index, 2);
    assert_int_equal(px_answer_items_next(&items, &out, &left), 1);
    assert_quoted(px_buf_view(&out), "'three'");
    px_answer_items_init(&items, &t.answer, NULL, 99);
    assert_int_equal(items.index, 4);
    assert_int_equal(px_answer_items_next(&items, &out, &left), 0);
    px_select_destroy(select);
    px_buf_finish(&out);
    read_finish(&t);
    read_result(&t, "", NULL, "{'a':1}");
    px_answer_items_init(&items, &t.answer, NULL, 0);
    px_buf_init(&out, 10);
    assert_int_equal(px_answer_items_next(&items, &out, &left), 0);
    assert_int_equal(px_answer_items_left(&items, UINT64_MAX), 0);
    read_finish(&t);
}

static void an_item_that_is_too_much_stays(void **state) {
    (void)state;
    struct read t;
    struct px_answer_items items;
    struct px_buf out;
    uint64_t left = 14;
    read_result(&t, "", NULL, "['aaa','b\\n',3]");
    px_buf_init(&out, 12);
    px_answer_items_init(&items, &t.answer, NULL, 0);
    assert_int_equal(px_answer_items_next(&items, &out, &left), 1);
    assert_int_equal(left, 14 - (3 + 4 + 1));
    left = 8; /* "b\n" stands there as \"b\\n\": eight, and a comma */
    assert_int_equal(px_answer_items_next(&items, &out, &left), -ENOSPC);
    assert_int_equal(px_answer_items_next(&items, &out, &left), -ENOSPC);
    assert_int_equal(left, 8);
    assert_int_equal(items.index, 1);
    assert_quoted(px_buf_view(&out), "'aaa'");
    left = 9;
    assert_int_equal(px_answer_items_next(&items, &out, &left), 1);
    assert_int_equal(left, 0);
    assert_quoted(px_buf_view(&out), "'aaa''b\\n'");
    left = 100;
    px_buf_text(&out, "xx"); /* the buffer's own cap */
    assert_int_equal(px_answer_items_next(&items, &out, &left), -EMSGSIZE);
    assert_int_equal(out.n, 12);
    assert_int_equal(left, 100);
    px_buf_finish(&out);
    read_finish(&t);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_end_of_a_text_is_shown),
        cmocka_unit_test(an_end_fits_and_begins_a_line),
        cmocka_unit_test(finds_the_value),
        cmocka_unit_test(finds_the_list),
        cmocka_unit_test(says_what_came_instead_of_json),
        cmocka_unit_test(nests_too_deep),
        cmocka_unit_test(nothing_is_a_status),
        cmocka_unit_test(structured_replies),
        cmocka_unit_test(base64_is_decoded),
        cmocka_unit_test(text_and_blocks),
        cmocka_unit_test(auto_takes_json_for_what_it_is),
        cmocka_unit_test(partial_data_keeps_its_errors),
        cmocka_unit_test(items_come_one_by_one),
        cmocka_unit_test(an_item_that_is_too_much_stays),
    };
    return cmocka_run_group_tests(tests, NULL, finish_stock);
}
