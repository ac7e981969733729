"""What the reader makes of recordings: good ones, cut ones, damaged ones, hostile ones."""

from __future__ import annotations

import random
import struct
import tracemalloc
from collections.abc import Iterator

import pytest
from recording_files import (
    ARC,
    CODE,
    CONTINUED,
    FILE,
    FINISHED,
    FORK,
    HIT,
    MORE,
    OPEN,
    RUN,
    SLOT,
    STOPPED,
    SWITCH,
    Recording,
    hits_of,
    shape_of,
    simple,
)

from covcore import _reader

SHAPE = shape_of()
N_SLOTS = len(_reader.decode_shape(SHAPE)[0]) + 2 * len(_reader.decode_shape(SHAPE)[1])
N_BYTES = (N_SLOTS + 7) // 8
NO_SLOT = 2**32 - 1


def read(*recordings: Recording) -> _reader.Recording:
    return _reader.read_recording([recording.segment() for recording in recordings])


def bits(*slots: int) -> bytes:
    """A bitmap of SHAPE: slot 0 is bit 0x80 of byte 0."""
    return sum(1 << (8 * N_BYTES - 1 - slot) for slot in set(slots)).to_bytes(N_BYTES, "big")


def test_all_that_a_recording_says() -> None:
    recording = Recording("b2", pid=7, ticks=8, started=9, settings=[("a", "x"), ("a", ""), ("\udc80", "é")])
    one = recording.code(recording.file("/src/one.py", b"1" * 32), SHAPE, "f", 3, 0x43)
    two = recording.code(recording.file(b"/src/\xff.py", bytes(32)), SHAPE, "<locals>.\udcff", -1)
    recording.hit(one, [2, 0])
    recording.context("static", "tests/test_a.py::test_b[\u2028]", "call")
    recording.hit(two, [N_SLOTS - 1])
    recording.fork(2**24 - 1, 2**40 - 2, when=2**64 - 2)
    recording.fork(when=5)

    assert read(recording) == {
        "owner": {
            "run_id": "b2",
            "boot_id": "00000000-0000-4000-8000-000000000000",
            "pid": 7,
            "start_ticks": 8,
            "started_ns": 9,
            "hexversion": 0x030E08F0,
            "optimize": 0,
        },
        "end": FINISHED,
        "error": 0,
        "problem": None,
        "settings": [("append", "0"), ("a", "x"), ("a", ""), ("\udc80", "é")],
        "files": [(b"/src/one.py", b"1" * 32), (b"/src/\xff.py", bytes(32))],
        "codes": [(0, 3, 0x43, "f", SHAPE), (1, -1, 3, "<locals>.\udcff", SHAPE)],
        "contexts": [("static", "tests/test_a.py::test_b[\u2028]", "call")],
        "forks": [(2**64 - 2, 2**24 - 1, 2**40 - 2), (5, 0, 0)],
        "hits": [{bits(0, 2): [-1]}, {bits(N_SLOTS - 1): [0]}],
    }


def test_hits_are_gathered_by_context_and_code() -> None:
    """Also where a context comes back, as in A, B, A, C; and the arcs of one serve all."""
    recording = Recording()
    codes = [recording.code(recording.file("/a.py"), SHAPE) for _ in range(3)]
    recording.context("A")
    recording.hit(codes[0], [0])
    recording.hit(codes[2], [1, 2])
    recording.context("B")
    recording.hit(codes[0], [0, 3])
    recording.switch(0)
    recording.hit(codes[0], [3, 4, 4])
    recording.hit(codes[1], [5])
    recording.context("C")
    recording.hit(codes[0], [0])
    recording.context("D")
    recording.hit(codes[0], [0])

    assert read(recording)["hits"] == [
        {bits(0, 3, 4): [0], bits(0, 3): [1], bits(0): [2, 3]},
        {bits(5): [0]},
        {bits(1, 2): [0]},
    ]


def test_many_contexts_and_codes_keep_apart() -> None:
    recording = Recording()
    codes = [recording.code(recording.file("/a.py"), SHAPE) for _ in range(40)]
    dice = random.Random(1)
    expected: dict[tuple[int, int], set[int]] = {}
    for context in range(60):
        recording.context("", str(context))
    for _ in range(6000):
        context, code, slot = dice.randrange(60), dice.choice(codes), dice.randrange(N_SLOTS)
        recording.switch(context)
        recording.hit(code, [slot])
        expected.setdefault((context, code), set()).add(slot)

    assert set(hits_of(read(recording))) == {
        (code, context, bits(*slots)) for (context, code), slots in expected.items()
    }


def test_what_fits_no_slot_counts_as_an_arc_but_not_as_a_hit() -> None:
    recording = simple(slots=[NO_SLOT, 1, NO_SLOT])

    assert read(recording)["problem"] is None
    assert read(recording)["hits"] == [{bits(1): [-1]}]


def test_text_that_is_not_utf_8_stays_readable() -> None:
    recording = Recording(append=None)
    text = b"k\xff\0v"
    recording.add(RUN, struct.pack("<I", len(text)) + text)

    assert read(recording)["settings"] == [("k\ufffd", "v")]


def test_settings_may_lack_an_end() -> None:
    recording = Recording(append=None)
    recording.add(RUN, struct.pack("<I", 3) + b"a\0b")
    recording.add(RUN, struct.pack("<I", 1) + b"c")

    assert read(recording)["settings"] == [("a", "b"), ("c", "")]


# ---- segments ----


def in_segments(*ends: int) -> list[bytes]:
    """One recording, whose hits of slot 0, 1, .. are in a segment each."""
    recording = simple(slots=[])
    pieces = [recording.records]
    for slot in range(1, len(ends)):
        before = len(recording.records)
        recording.hit(0, [slot])
        pieces.append(recording.records[before:])
    return [
        recording.segment(number, records=piece, end=end)
        for number, (piece, end) in enumerate(zip(pieces, ends, strict=True))
    ]


def test_a_recording_goes_on_in_the_next_segment() -> None:
    found = _reader.read_recording(in_segments(CONTINUED, CONTINUED, OPEN))

    assert (found["end"], found["problem"], found["hits"]) == (OPEN, None, [{bits(1, 2): [-1]}])


def test_a_segment_is_missing_at_the_end() -> None:
    found = _reader.read_recording(in_segments(CONTINUED, CONTINUED, OPEN)[:2])

    assert (found["end"], found["problem"], found["hits"]) == (CONTINUED, "segment 2 is missing", [{bits(1): [-1]}])


def test_a_segment_is_missing_in_the_middle() -> None:
    first, _, last = in_segments(CONTINUED, CONTINUED, FINISHED)
    found = _reader.read_recording([first, last])

    assert (found["problem"], found["hits"]) == ("segment 1: not the segment that belongs here", [{}])


def test_a_segment_of_another_process() -> None:
    first, _ = in_segments(CONTINUED, FINISHED)
    found = _reader.read_recording([first, simple(pid=101).segment(1)])

    assert found["problem"] == "segment 1: not the segment that belongs here"


@pytest.mark.parametrize("end", [OPEN, CONTINUED])
def test_killed_while_it_grew(end: int) -> None:
    """The next segment is created before this one says that it goes on there."""
    first, _ = in_segments(end, OPEN)
    found = _reader.read_recording([first, bytes(4096)])

    assert found["end"] == end
    assert found["problem"] == (None if end == OPEN else "segment 1: left before anything was recorded")


def test_the_first_segment_must_be_one() -> None:
    for segments in ([], [b""], [b"x" * 600], [in_segments(CONTINUED, OPEN)[1]][:0]):
        with pytest.raises(ValueError):
            _reader.read_recording(segments)


def test_arguments_of_other_types() -> None:
    for wrong in (["text"], [bytearray(600)], 1):
        with pytest.raises(TypeError):
            _reader.read_recording(wrong)  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        _reader.segment_info(None)  # type: ignore[arg-type]


def test_segment_info_needs_only_the_header() -> None:
    segment = simple(pid=8, end=STOPPED, error=28).segment(3)

    assert _reader.segment_info(segment[:512]) == {
        "owner": read(simple(pid=8))["owner"],
        "segment": 3,
        "end": STOPPED,
        "error": 28,
        "length": len(segment) - 512,
    }
    with pytest.raises(ValueError, match="the header is cut short"):
        _reader.segment_info(segment[:511])


# ---- what is wrong is told, and what came before it is kept ----


def wrong(kind: int, payload: bytes, argument: int | None = None) -> str | None:
    """The problem with a record after a good hit, which must stay."""
    recording = simple(slots=[1])
    recording.context("A")
    recording.add(kind, payload, argument)
    recording.hit(0, [2])
    found = read(recording)

    assert found["hits"] == [{bits(1): [-1]}]
    assert found["contexts"] == [("A", "", "")]
    return found["problem"]


@pytest.mark.parametrize(
    ("kind", "payload", "argument", "problem"),
    [
        (ARC, struct.pack("<II", 0, 0), 1, "an arc of an unknown code object"),
        (ARC, struct.pack("<II", N_SLOTS, 0), 0, "an arc that its code object does not have"),
        (HIT, b"", 1, "a hit of an unknown arc"),
        (SWITCH, b"", 1, "a switch to an unknown context"),
        (MORE, b"", 1, "more of nothing"),
        (CODE, struct.pack("<IiIII", 1, 1, 3, 1, len(SHAPE)) + b"f" + SHAPE, None, "a code object of an unknown file"),
        (CODE, struct.pack("<IiIII", 0, 1, 3, 1, 99) + b"f" + SHAPE, None, "a code record is malformed"),
        (CODE, struct.pack("<IiIII", 0, 1, 3, 1, 2) + b"f\xff\xff", None, "the shape of a code object is malformed"),
        (FILE, b"h" * 32 + struct.pack("<I", 99) + b"/a", None, "a file record is malformed"),
        (RUN, struct.pack("<I", 99) + b"a", None, "the settings are malformed"),
        (SLOT, b"", N_SLOTS, "an arc that its code object does not have"),
        (FORK, b"12345678", 0, "a record is of no possible size"),
        (11, b"", 0, "a record is of no known type"),
    ],
)
def test_problems(kind: int, payload: bytes, argument: int | None, problem: str) -> None:
    assert wrong(kind, payload, argument) == f"segment 0: {problem}"


def more(after: str, n: int) -> _reader.Recording:
    """What a recording says in which n more arcs or hits follow on those of slots 0 and 1."""
    recording = simple(slots=[])
    recording.hit(0, [0, 1])
    if after == "hit":
        recording.add(MORE, b"", 1)  # slot 2
        recording.context("A")
        recording.add(HIT, b"", 1)
    recording.add(MORE, b"", n)
    return read(recording)


def test_more_arcs() -> None:
    assert more("arc", 2)["hits"] == [{bits(0, 1, 2, 3): [-1]}]
    assert more("arc", N_SLOTS - 2)["hits"] == [{bits(*range(N_SLOTS)): [-1]}]


def test_slots_are_of_the_last_arcs_code_object() -> None:
    recording = simple(slots=[])
    recording.add(SLOT, b"", 1)
    assert read(recording)["problem"] == "segment 0: a slot of no code object"
    recording = simple(slots=[0])
    recording.hit(recording.code(0, SHAPE, "g"), [1])
    recording.add(HIT, b"", 0)
    recording.add(SLOT, b"", 3)
    recording.add(MORE, b"", 2)
    assert read(recording)["hits"] == [{bits(0): [-1]}, {bits(1, 3, 4, 5): [-1]}]


def test_more_hits() -> None:
    assert more("hit", 1)["hits"] == [{bits(0, 1, 2): [-1], bits(1, 2): [0]}]


def test_more_hits_are_of_several_code_objects() -> None:
    """Arcs that were met one after the other: a call, and what runs after it."""
    recording = simple(slots=[0])
    called = recording.code(0, SHAPE, "called")
    recording.hit(called, [1, NO_SLOT, 2])
    recording.hit(0, [3])
    recording.context("A")
    recording.add(HIT, b"", 0)
    recording.add(MORE, b"", 4)
    assert read(recording)["hits"] == [{bits(0, 3): [-1, 0]}, {bits(1, 2): [-1, 0]}]


@pytest.mark.parametrize(
    ("after", "n", "problem"),
    [
        ("arc", 0, "more of nothing"),
        ("arc", N_SLOTS - 1, "an arc that its code object does not have"),
        ("arc", N_SLOTS + 1, "more arcs than code objects have"),
        ("hit", 2, "a hit of an unknown arc"),
        ("hit", 0xFFFFFFFF, "a hit of an unknown arc"),
    ],
)
def test_more_than_there_is(after: str, n: int, problem: str) -> None:
    assert more(after, n)["problem"] == f"segment 0: {problem}"


def test_more_arcs_cannot_fill_the_memory() -> None:
    """An ARC and a MORE take 24 bytes, and each such pair would define as many arcs as the code object has."""
    recording = simple(slots=[])
    for _ in range(3):
        recording.add(ARC, struct.pack("<II", 0, 0), 0)
        recording.add(MORE, b"", N_SLOTS - 1)
    assert read(recording)["problem"] == "segment 0: more arcs than code objects have"


def test_sparse_bitmaps_cannot_fill_the_memory() -> None:
    """A context and a hit take 16 bytes, and each such pair would have a bitmap of 32 KB."""
    recording = Recording()
    n_lines = 1 << 18
    shape = b"\x80\x80\x10\x00\x01\x00" + bytes(n_lines) + b"\x02"
    assert len(_reader.decode_shape(shape)[0]) == n_lines
    code = recording.code(recording.file("/a.py"), shape)
    recording.context("A")
    recording.context("B")
    recording.hit(code, [0])
    for _ in range(100):
        recording.context("", "t")
        recording.hit(code, [0])
    one = read(recording)
    for _ in range(4000):
        recording.context("", "t")
        recording.hit(code, [0])
    found = read(recording)

    assert one["problem"] is None
    assert found["problem"] == "segment 0: more hits than a recording of this size can have"


def test_cut_anywhere() -> None:
    segment = many_kinds().segment()
    whole = _reader.read_recording([segment])
    for n in range(512, len(segment)):
        found = _reader.read_recording([segment[:n]])
        assert found["problem"] == "segment 0: a record is cut short"
        assert found["codes"] == whole["codes"][: len(found["codes"])]


def test_damaged_anywhere() -> None:
    segment = bytearray(many_kinds().segment())
    dice = random.Random(2)
    for at in range(len(segment)):
        before = segment[at]
        segment[at] ^= dice.randrange(1, 256)
        try:
            found = _reader.read_recording([bytes(segment)])
        except ValueError:
            assert at < 512
        else:
            assert all(-1 <= context < len(found["contexts"]) for _, context, _ in hits_of(found))
            assert all(len(bitmap) == N_BYTES for _, _, bitmap in hits_of(found))
        segment[at] = before


def many_kinds() -> Recording:
    recording = simple(slots=[0, NO_SLOT, 0])
    recording.context("A", "t", "call")
    recording.hit(recording.code(recording.file("/b.py"), SHAPE), [1, 2])
    recording.context("B")
    recording.switch(0)
    recording.hit(0, [0, 3])
    return recording


def test_segments_are_let_go_of_one_by_one() -> None:
    """A program whose threads switched contexts for two minutes recorded more than a gigabyte."""
    recording = simple()
    before = len(recording.records)
    recording.add(HIT, b"", 0)
    n_segments, again = 300, recording.records[before:] * (1 << 19)

    def segments() -> Iterator[bytes]:
        yield recording.segment(0, end=CONTINUED)
        for number in range(1, n_segments):
            yield recording.segment(number, records=again, end=CONTINUED)
        yield recording.segment(n_segments, records=again, end=OPEN)

    tracemalloc.start()
    try:
        found = _reader.read_recording(segments())
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert (found["problem"], found["end"]) == (None, OPEN)
    assert peak < 40 << 20


def test_what_the_iterable_raises() -> None:
    def segments() -> Iterator[bytes]:
        yield simple().segment(0, end=CONTINUED)
        raise OSError("unplugged")

    with pytest.raises(OSError, match="unplugged"):
        _reader.read_recording(segments())
