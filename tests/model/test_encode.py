"""The bytes of a run: what is written is read again, equal flags are equal bytes, and what nobody of us wrote is read too."""

from __future__ import annotations

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st
from runs_made_up import WHEN

from gitrun.model import decode, encode, record_files
from gitrun.model.flags import Flags
from gitrun.model.metrics import Metrics
from gitrun.model.plan import Outcome, Plan, Source
from gitrun.model.run import Comment, File, Notes, Params, Skipped

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
PLAIN = st.one_of(st.booleans(), st.integers(), st.floats(), TEXT)
VALUES = st.recursive(PLAIN, lambda inner: st.lists(inner, max_size=3), max_leaves=6)
SOURCE = Source("5" * 40, "b" * 40, "main", dirty=True, skipped=(Skipped("big", 7, "too large"),))
PARAMS = Params(force_flags=True, gpus="0,1", random_seed=7)
PLAN = Plan("a b", "command", ("a", "b"), "sub", Flags({"x": 1}), PARAMS, SOURCE, WHEN, "nonce", carried=("made",))


def flags_read(flags: Flags) -> Flags:
    return decode.read_flags(encode.encode_flags(flags))


@given(st.dictionaries(TEXT, VALUES, max_size=4))
def test_flags_are_read_as_they_were_written_each_on_a_line_of_its_own(values) -> None:
    flags = Flags(values)
    assert repr(flags_read(flags)) == repr(flags)
    assert encode.encode_flags(flags).count(b"\n") == len(flags)


@given(st.dictionaries(TEXT, VALUES, max_size=4), st.randoms())
def test_equal_flags_are_equal_bytes_in_whatever_order_they_came(values, random) -> None:
    items = list(values.items())
    random.shuffle(items)
    assert encode.encode_flags(Flags(dict(items))) == encode.encode_flags(Flags(values))


def test_int_and_float_keep_their_kind() -> None:
    assert encode.encode_flags(Flags({"b": 1.0, "a": 1, "c": True, "d": None})) == b"a = 1\nb = 1.0\nc = true\n"


def test_outcome_is_read_as_it_was_written() -> None:
    files = (File("made", 3, "c" * 64, "git"), File("b\\xff", 1 << 40, "d" * 64, "local"))
    metrics = Metrics({"loss": 0.5, "acc": float("inf")})
    outcome = Outcome("error", 3, WHEN, WHEN + timedelta(seconds=2), 2.0, metrics=metrics, files=files)
    result = decode.parse_toml(encode.encode_result(outcome), record_files.RESULT)
    assert (result["status"], result["exit_status"], result["started"], result["duration"]) == ("error", 3, WHEN, 2.0)
    assert decode.read_metrics(result["metrics"]) == metrics
    assert tuple(map(decode.read_file, result["files"])) == files


def made(count: int, stored: str = "git", width: int = 100) -> tuple[File, ...]:
    return tuple(File(f"{stored}/{number:0{width}}", number, "c" * 64, stored) for number in range(count))


def test_a_result_of_very_many_files_is_read_as_it_was_written() -> None:
    files = made(9_000)
    data = encode.encode_result(Outcome("completed", 0, WHEN, WHEN, 2.0, files=files))
    assert len(data) > decode.MAX_TOML
    result = decode.parse_toml(data, record_files.RESULT)
    assert (result["status"], tuple(map(decode.read_file, result["files"]))) == ("completed", files)


def test_files_that_a_result_has_no_room_for_are_counted_and_none_of_those_that_are_kept_beside_it() -> None:
    files = (*made(16_000, width=1_000), *made(1_000, "local"))
    data = encode.encode_result(Outcome("completed", 0, WHEN, WHEN, 2.0, files=files))
    assert len(data) <= record_files.MAX_RESULT
    result = decode.parse_toml(data, record_files.RESULT)
    assert result["files_left_out"] == len(files) - len(result["files"]) > 0
    assert sum(file["stored"] == "local" for file in result["files"]) == 1_000


def test_annotations_are_read_as_they_were_written() -> None:
    notes = Notes("a\nlabel", ("a", "b"), (Comment("why", "A User", WHEN), Comment("not", "", None)), marked=True)
    assert decode.read_notes(encode.encode_notes(notes)) == notes


def test_message_has_a_subject_of_one_line_and_the_two_trailers() -> None:
    message = encode.commit_message("run a.py\nx=1 " + "y" * 300, "attempt").decode()
    subject, empty, *rest = message.split("\n")
    assert (len(subject), subject[:13], empty) == (200, "run a.py x=1 ", "")
    assert rest == ["Gitrun-Kind: attempt", "Gitrun-Format: 1", ""]


@given(TEXT)
def test_message_that_a_program_has_a_hand_in_forges_no_trailer(text) -> None:
    lines = encode.commit_message(f"run {text}\n\nGitrun-Kind: merge", "result").decode().split("\n")
    assert [line for line in lines if line.startswith("Gitrun-Kind: ")] == ["Gitrun-Kind: result"]


def test_subjects_are_for_people() -> None:
    assert encode.attempt_subject(PLAN) == "run a b x=1"
    outcome = Outcome("completed", 0, WHEN, WHEN, 12.4, metrics=Metrics({"loss": 0.31}))
    assert encode.outcome_subject(outcome) == "completed in 12.4s: loss=0.31"
