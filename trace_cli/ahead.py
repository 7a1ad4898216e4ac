"""Reading the next blocks in a thread of its own while one is worked on."""

import threading
from collections.abc import Iterator
from queue import SimpleQueue


def read_ahead(blocks: Iterator[bytes]) -> Iterator[bytes]:
    """The same blocks, and what they raise; up to two are in memory besides the one that is worked on.

    Reading and unpacking leave the interpreter free. However this ends, nothing is read any more after it.
    """
    read: SimpleQueue[bytes | BaseException | None] = SimpleQueue()  # None: no more
    wanted: SimpleQueue[bool] = SimpleQueue()  # False: no more

    def run() -> None:
        try:
            for block in blocks:
                read.put(block)
                if not wanted.get():
                    break
        except BaseException as error:  # noqa: BLE001 - raised where the blocks are taken
            read.put(error)
        read.put(None)

    thread = threading.Thread(target=run, name="trace-read-ahead", daemon=True)
    thread.start()
    wanted.put(True)
    try:
        while (block := read.get()) is not None:
            if isinstance(block, BaseException):
                raise block
            wanted.put(True)
            yield block
    finally:
        wanted.put(False)
        thread.join()
