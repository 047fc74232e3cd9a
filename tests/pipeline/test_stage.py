"""How a stage's script ends."""

import pytest

from capnet.engine.interrupt import StoppedError
from capnet.errors import UserError
from pipeline.stage import stage

ENDS = {
    "the user's to mend": (UserError("mend this"), 1, "train@x: error: mend this\n"),
    "a bad value": (ValueError("not so"), 1, "train@x: error: not so\n"),
    "a file": (OSError(28, "No space left"), 1, "train@x: error: [Errno 28] No space left\n"),
    "asked to stop": (StoppedError("come again"), 75, "train@x: come again\n"),
}


@pytest.mark.parametrize("end", ENDS)
def test_an_end_is_one_message_and_a_code(monkeypatch, capsys, end):
    def main():
        raise error

    error, code, message = ENDS[end]
    monkeypatch.setenv("DVC_STAGE", "train@x")
    with pytest.raises(SystemExit) as exit_:
        stage(main)
    assert exit_.value.code == code
    assert capsys.readouterr().err == message


def test_a_fault_of_the_code_shows_where(monkeypatch):
    def main():
        raise KeyError("x")

    with pytest.raises(KeyError):
        stage(main)


def test_a_traceback_can_be_asked_for(monkeypatch):
    def main():
        raise UserError("mend this")

    monkeypatch.setenv("CAPNET_TRACEBACK", "1")
    with pytest.raises(UserError):
        stage(main)
