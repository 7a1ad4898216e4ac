"""Bytes -> server-sent events, by the WHATWG HTML standard, "Interpreting an event stream"."""

from collections.abc import Iterator


def events(body: bytes) -> Iterator[tuple[str, str]]:
    """Yield (event, data) for each event of the stream; `event` is "" when the stream names none.

    Lines end in LF, CR or CRLF. Comments and events without data are left out. The last event is given also when
    the blank line after it is missing: a stream that was cut off says what it had said.
    """
    name, data = "", list[str]()
    text = body.decode("utf-8", "replace").removeprefix("\ufeff")
    for line in text.replace("\r\n", "\n").replace("\r", "\n").split("\n"):
        if not line:
            if data:
                yield name, "\n".join(data)
            name, data = "", []
            continue
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if field == "data":
            data.append(value)
        elif field == "event":
            name = value
    if data:
        yield name, "\n".join(data)
