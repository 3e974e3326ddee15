"""Files that are whole or not there: written beside their place, and moved to it."""

import contextlib
import os
import secrets
import shutil

__all__ = ["whole_file"]


@contextlib.contextmanager
def _named(path):
    """Let an OSError name `path`; one of a full disk names nothing by itself."""
    try:
        yield
    except OSError as error:
        if error.errno is None:
            raise
        raise OSError(error.errno, os.strerror(error.errno), str(path)) from error


@contextlib.contextmanager
def whole_file(path):
    """Give a binary file to write; what is at `path` is replaced once that is complete.

    Raises
    ------
    OSError
        Naming `path`, where it cannot be written; what was there is there still.
    """
    place = os.path.realpath(path)  # a link stays one
    with _named(path):
        if os.path.exists(place) and not os.path.isfile(place):
            with open(place, "wb") as file:  # a pipe or device, of which there is one
                yield file
            return
        draft = os.path.join(
            os.path.dirname(place), f".sparselearn-{secrets.token_hex(8)}"
        )
        try:
            with open(draft, "xb") as file:
                yield file
            if os.path.exists(place):
                shutil.copymode(place, draft)
            os.replace(draft, place)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(draft)
            raise
