"""What was written for TensorBoard and for W&B, read back."""

from collections.abc import Iterator
from pathlib import Path

from tensorboardX.proto.event_pb2 import Event
from wandb.proto.wandb_internal_pb2 import Record


def board_losses(path: Path) -> list[tuple[int, float]]:
    """Step and loss, in the order of the file."""
    return [(one.step, value.simple_value) for one in events(path) for value in one.summary.value if value.tag == "train/loss"]


def offline_steps(path: Path) -> list[int]:
    return [one.history.step.num for one in records(path) if one.HasField("history")]


def events(path: Path) -> Iterator[Event]:
    """Of a TFRecord file: length, its checksum, bytes, their checksum."""
    data, at = path.read_bytes(), 0
    while at < len(data):
        size = int.from_bytes(data[at : at + 8], "little")
        yield Event.FromString(data[at + 12 : at + 12 + size])
        at += 16 + size


def records(path: Path) -> Iterator[Record]:
    """Of a file in LevelDB's log format: a header of 7 bytes, then pieces of records (checksum, length, kind, bytes) in blocks
    of 32 KiB."""
    data, at, whole = path.read_bytes(), 7, b""
    while at < len(data):
        left = -at % 32_768
        if 0 < left < 7:
            at += left
            continue
        size, kind = int.from_bytes(data[at + 4 : at + 6], "little"), data[at + 6]
        whole += data[at + 7 : at + 7 + size]
        at += 7 + size
        if kind in (1, 4):  # the whole of a record, or its last piece
            yield Record.FromString(whole)
            whole = b""
