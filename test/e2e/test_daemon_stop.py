"""The end of plexusd: calls first, then everything else; and what a crash leaves."""
import os
import signal
import time

import pytest
from conftest import base_config, children, until


def with_drain(folder, ms):
    return base_config(folder, limits={"drain_ms": ms})


def test_term_lets_calls_finish(host):
    with host.planner() as planner:
        waiting = planner.begin_call("demo_wait", {"seconds": 1})
        until(lambda: planner.status()["calls"]["in_flight"] == 1, "the call")
        host.process.send_signal(signal.SIGTERM)
        assert planner.answer(waiting)["result"]["structuredContent"] == {"waited": 1}
        assert planner.line() is None, "then the connection is closed"
    assert host.process.wait(30) == 0
    assert "STOPPING=1" in host.notifications()
    assert not host.socket.exists()


def test_no_new_calls_while_stopping(host):
    with host.planner() as planner:
        waiting = planner.begin_call("demo_wait", {"seconds": 4})
        until(lambda: planner.status()["calls"]["in_flight"] == 1, "the call")
        host.process.send_signal(signal.SIGTERM)
        host.wait_for("STOPPING=1")
        late = planner.answer(planner.begin_call("demo_echo", {"text": "late"}))
        assert "unavailable" in str(late), late
        with pytest.raises(OSError):
            host.planner()
        assert planner.answer(waiting)["result"]["structuredContent"] == {"waited": 4}


def test_calls_over_the_time_are_cancelled(plexusd, folder):
    host = plexusd(config=with_drain(folder, 300)).start()
    with host.planner() as planner:
        waiting = planner.begin_call("demo_wait", {"seconds": 60})
        until(lambda: planner.status()["calls"]["in_flight"] == 1, "the call")
        began = time.monotonic()
        host.process.send_signal(signal.SIGTERM)
        answer = planner.answer(waiting)["result"]
        assert answer["isError"] and answer["structuredContent"]["error"]["code"] == "unavailable", answer
    assert host.process.wait(30) == 0
    assert 0.25 < time.monotonic() - began < 30


def test_a_second_signal_is_faster(plexusd, folder):
    host = plexusd(config=with_drain(folder, 60000)).start()
    with host.planner() as planner:
        planner.begin_call("demo_wait", {"seconds": 60})
        until(lambda: planner.status()["calls"]["in_flight"] == 1, "the call")
        host.process.send_signal(signal.SIGTERM)
        host.wait_for("STOPPING=1")
        began = time.monotonic()
        host.process.send_signal(signal.SIGINT)
        assert host.process.wait(30) == 0
        assert time.monotonic() - began < 25
    assert "stopping at once" in host.log()


def test_idle_planners_do_not_keep_it(plexusd, folder):
    host = plexusd(config=with_drain(folder, 60000)).start()
    planners = [host.planner() for _ in range(20)]
    began = time.monotonic()
    host.stop(signal.SIGINT)
    assert time.monotonic() - began < 25
    for planner in planners:
        assert planner.line() is None
        planner.close()


def test_workers_end_with_it(host):
    """The database's workers are processes; none is left, also in the middle of a statement."""
    with host.planner() as planner:
        planner.data_of("data_query", {"sql": "select 1"})
        planner.begin_call("data_query", {"sql": "with recursive n(i) as (select 1 union all select i+1 from n) "
                                                 "select count(*) from n"})
        until(lambda: planner.status()["calls"]["in_flight"] == 1, "the statement")
        assert children(host.pid)
        host.process.send_signal(signal.SIGTERM)
        host.wait_for("STOPPING=1")
        host.stop()  # also looks for children


def test_usr1_says_how_it_is(host):
    with host.planner() as planner:
        planner.call("demo_echo", {"text": "x"})
        host.process.send_signal(signal.SIGUSR1)
        host.logged("daemon: status services=2 tools=7 planners=1")


def test_what_was_stored_is_there_again(host):
    with host.planner() as planner:
        assert planner.data_of("demo_count") == {"count": 1}
        assert planner.data_of("demo_count") == {"count": 2}
    host.stop()
    host.start()
    with host.planner() as planner:
        assert planner.data_of("demo_count") == {"count": 3}


def test_after_a_crash(host):
    """What was answered is kept; a write that was under way is on record as unknown; the files are checked."""
    with host.planner() as planner:
        planner.data_of("data_execute", {"sql": "create table t(x)"})
        assert planner.data_of("demo_count") == {"count": 1}
        planner.begin_call("data_execute", {"sql": "insert into t with recursive n(i) as (select 1 union all "
                                                   "select i+1 from n) select i from n"})
        until(lambda: planner.request("plexus/effects")["open"], "the effect")
        host.kill()
    host.start()
    with host.planner() as planner:
        effects = planner.request("plexus/effects")["open"]
        assert [(e["tool"], e["outcome"]) for e in effects] == [("data_execute", "unknown")]
        assert planner.data_of("demo_count") == {"count": 2}
        assert planner.data_of("data_query", {"sql": "select count(*) from t"})["rows"] == [[0]]
        until(lambda: planner.status()["state"]["health"] == "ok", "the files are checked")


def test_crashes_in_a_row(host):
    """Killed at whatever moment it is in, it comes up again, and no count that was answered is lost."""
    answered = 0
    for _ in range(10):
        with host.planner() as planner:
            for _ in range(5):
                answered = planner.data_of("demo_count")["count"]
            planner.begin_call("demo_count")
            host.kill()
        host.start()
        with host.planner() as planner:
            count = planner.data_of("demo_count")["count"]
            assert count in (answered + 1, answered + 2), (answered, count)


def test_an_old_socket_is_replaced(host):
    host.kill()
    assert host.socket.exists()
    host.start()
    with host.planner() as planner:
        assert planner.status()["ready"]
