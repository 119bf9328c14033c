from __future__ import annotations

import threading
import time

import pytest

from services.adapters.call import Call, CancelToken


def test_the_time_left_runs_down_and_never_below_zero() -> None:
    call = Call.within(60)

    assert 50 < call.remaining <= 60
    assert Call(time.monotonic() - 5).remaining == 0


def test_a_shortened_call_ends_sooner_and_shares_the_cancel_token() -> None:
    call = Call.within(60)

    shorter = call.shortened(5)

    assert shorter.remaining <= 5
    assert shorter.cancel is call.cancel
    assert call.remaining > 5


def test_a_call_is_never_made_longer() -> None:
    call = Call.within(5)

    assert call.shortened(60).deadline == call.deadline


def test_calls_do_not_share_a_token_unless_told_to() -> None:
    cancel = CancelToken()

    assert Call.within(1).cancel is not Call.within(1).cancel
    assert Call.within(1, cancel).cancel is cancel


def test_a_cancel_runs_the_callback_of_every_open_block() -> None:
    cancel = CancelToken()
    called: list[str] = []

    with cancel.calling(lambda: called.append("a")), cancel.calling(lambda: called.append("b")):
        assert not cancel.cancelled
        cancel.cancel()

    assert called == ["a", "b"]
    assert cancel.cancelled


def test_a_block_that_was_left_is_not_called() -> None:
    cancel = CancelToken()
    called: list[str] = []

    with cancel.calling(lambda: called.append("inner")):
        pass
    cancel.cancel()

    assert called == []


def test_a_block_left_by_an_error_is_not_called() -> None:
    cancel = CancelToken()
    called: list[str] = []

    with pytest.raises(KeyError), cancel.calling(lambda: called.append("inner")):
        raise KeyError
    cancel.cancel()

    assert called == []


def test_a_block_entered_too_late_is_called_at_once() -> None:
    cancel = CancelToken()
    cancel.cancel()
    called: list[str] = []

    with cancel.calling(lambda: called.append("late")):
        assert called == ["late"]


def test_a_callback_wakes_a_thread_that_waits() -> None:
    cancel = CancelToken()
    woken = threading.Event()
    threading.Timer(0.05, cancel.cancel).start()

    with cancel.calling(woken.set):
        assert woken.wait(30)


def test_a_wait_ends_by_itself_or_with_the_cancel() -> None:
    cancel = CancelToken()
    assert not cancel.wait(0.01)

    threading.Timer(0.05, cancel.cancel).start()

    assert cancel.wait(600)
    assert cancel.wait(600)


def test_leaving_a_block_waits_for_a_callback_that_is_running() -> None:
    # So that what the callback closes cannot belong to somebody else by then.
    cancel = CancelToken()
    running, may_end = threading.Event(), threading.Event()
    order: list[str] = []

    def close() -> None:
        running.set()
        may_end.wait(30)
        order.append("callback ended")

    canceller = threading.Thread(target=cancel.cancel)
    with cancel.calling(close):
        canceller.start()
        assert running.wait(30)
        threading.Timer(0.1, may_end.set).start()
    order.append("block left")

    canceller.join()
    assert order == ["callback ended", "block left"]
