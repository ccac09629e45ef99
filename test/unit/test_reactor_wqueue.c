#include "reactor/wqueue.h"
#include "reactor_help.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static px_str text(const char *s) {
    return px_str_of(s);
}

static void sent(struct px_wqueue *q, const char *what) {
    px_str next = px_wqueue_next(q);
    assert_true(px_str_starts(next, text(what)));
    px_wqueue_sent(q, strlen(what));
}

static void urgent_in_front_but_not_inside(void **state) {
    struct px_wqueue q;
    (void)state;
    px_wqueue_init(&q, 100);
    assert_int_equal(px_wqueue_add_urgent(&q, text("U0")), 0); /* into an empty one */
    sent(&q, "U0");
    assert_int_equal(px_wqueue_next(&q).n, 0);
    assert_int_equal(px_wqueue_add(&q, text("first")), 0);
    assert_int_equal(px_wqueue_add(&q, text("second")), 0);
    assert_int_equal(px_wqueue_add_urgent(&q, text("U1")), 0);
    sent(&q, "U1");
    sent(&q, "fi");
    assert_int_equal(px_wqueue_add_urgent(&q, text("U2")), 0);
    assert_int_equal(px_wqueue_add_urgent(&q, text("U3")), 0);
    sent(&q, "rstU");                                          /* the begun one first; and now U2 has begun */
    assert_int_equal(px_wqueue_add_urgent(&q, text("U4")), 0); /* behind those that are urgent too */
    sent(&q, "2U3U4second");
    assert_int_equal(px_wqueue_next(&q).n, 0);
    px_wqueue_finish(&q);
}

static void caps(void **state) {
    struct px_wqueue q;
    static char much[PX_WQUEUE_URGENT + 1];
    (void)state;
    memset(much, 'x', sizeof much);
    px_wqueue_init(&q, 10);
    assert_int_equal(px_wqueue_add(&q, text("12345678901")), -EMSGSIZE);
    assert_int_equal(px_wqueue_add(&q, text("1234567890")), 0);
    assert_int_equal(px_wqueue_add(&q, text("")), 0);
    assert_int_equal(px_wqueue_add(&q, text("1")), -EAGAIN);
    assert_false(px_wqueue_has_room(&q));
    assert_int_equal(px_wqueue_add_urgent(&q, px_str_n(much, sizeof much)), -EAGAIN);
    assert_int_equal(px_wqueue_add_urgent(&q, px_str_n(much, sizeof much - 1)), 0); /* does not count */
    assert_int_equal(px_wqueue_add_urgent(&q, text("1")), -EAGAIN);
    px_wqueue_sent(&q, PX_WQUEUE_URGENT);
    assert_int_equal(px_wqueue_add_urgent(&q, text("u")), 0); /* nor does a normal one eat its room */
    sent(&q, "u12345");
    assert_true(px_wqueue_has_room(&q));
    assert_int_equal(px_wqueue_add(&q, text("abcdef")), -EAGAIN);
    assert_int_equal(px_wqueue_add(&q, text("abcde")), 0);
    sent(&q, "67890abcde");
    px_wqueue_clear(&q);
    assert_int_equal(px_wqueue_add(&q, text("1234567890")), 0); /* usable, with its cap */
    assert_int_equal(px_wqueue_add(&q, text("1")), -EAGAIN);
    px_wqueue_finish(&q);
}

static void pieces_have_a_cap_and_cost_little(void **state) {
    struct px_wqueue q;
    (void)state;
    px_wqueue_init(&q, 1 << 20);
    for (int round = 0; round < 20; round++) { /* quadratic work would take hours */
        for (int i = 0; i < PX_WQUEUE_PIECES; i++)
            assert_int_equal(px_wqueue_add(&q, text("x")), 0);
        assert_int_equal(px_wqueue_add(&q, text("x")), -EAGAIN);
        assert_int_equal(px_wqueue_add_urgent(&q, text("x")), -EAGAIN);
        for (int i = 0; i < PX_WQUEUE_PIECES; i++)
            px_wqueue_sent(&q, 1);
        assert_int_equal(px_wqueue_next(&q).n, 0);
    }
    assert_true(q.bytes.room <= 16 * 1024); /* what it needed is given back */
    px_wqueue_finish(&q);
}

/* Against a list of pieces. */
struct piece {
    char bytes[40];
    size_t n, left;
    bool urgent;
};

static void random_against_a_model(void **state) {
    enum { N = 200 };
    static struct piece list[N];
    size_t n = 0, normal = 0, cap = 1000;
    unsigned serial = 0;
    struct px_wqueue q;
    (void)state;
    srand(8);
    px_wqueue_init(&q, cap);
    for (int step = 0; step < 50000; step++) {
        if (rand() % 3 && n < N) {
            struct piece p = {.n = (size_t)(1 + rand() % 39), .urgent = rand() % 4 == 0};
            for (size_t i = 0; i < p.n; i++)
                p.bytes[i] = (char)('0' + (serial + i) % 70);
            serial++;
            p.left = p.n;
            int r = p.urgent ? px_wqueue_add_urgent(&q, px_str_n(p.bytes, p.n))
                             : px_wqueue_add(&q, px_str_n(p.bytes, p.n));
            assert_int_equal(r, p.urgent || normal + p.n <= cap ? 0 : -EAGAIN);
            if (r)
                continue;
            size_t at = n;
            if (p.urgent) {
                at = n && list[0].left < list[0].n ? 1 : 0;
                while (at < n && list[at].urgent)
                    at++;
            }
            memmove(&list[at + 1], &list[at], (n - at) * sizeof *list);
            list[at] = p;
            n++;
            normal += p.urgent ? 0 : p.n;
        } else {
            size_t send = (size_t)(rand() % 100);
            px_str next = px_wqueue_next(&q);
            send = PX_MIN(send, next.n);
            for (size_t i = 0; i < send; i++) {
                assert_true(n > 0);
                assert_int_equal(next.p[i], list[0].bytes[list[0].n - list[0].left]);
                normal -= !list[0].urgent;
                if (--list[0].left == 0)
                    memmove(&list[0], &list[1], --n * sizeof *list);
            }
            px_wqueue_sent(&q, send);
        }
    }
    px_wqueue_finish(&q);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(urgent_in_front_but_not_inside),
        cmocka_unit_test(caps),
        cmocka_unit_test(pieces_have_a_cap_and_cost_little),
        cmocka_unit_test(random_against_a_model),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
