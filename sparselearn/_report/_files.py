"""Writing: into a folder beside the one wanted, and moved there when complete."""

import os
import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path

from sparselearn._report._read import ReportError

__all__ = ["PIPELINES", "check_folder", "published", "save_pipeline"]

PIPELINES = {"skops": "best-pipeline.skops", "joblib": "best-pipeline.joblib"}


def check_folder(out):
    """Refuse, before any work is done, a folder that could not be written."""
    if out.exists() and not out.is_dir():
        raise ReportError(f"--out {out} is a file")
    nearest = next(
        folder for folder in (out, *out.absolute().parents) if folder.exists()
    )
    if not nearest.is_dir():
        raise ReportError(f"--out {out} cannot be written: {nearest} is a file")
    if not os.access(nearest, os.W_OK):
        raise ReportError(f"--out {out} cannot be written: no permission in {nearest}")


@contextmanager
def published(out):
    """A new folder to write into, whose files are in `out` afterwards, all or none.

    Files of other names that `out` holds stay as they are.

    Raises
    ------
    ReportError
        If it cannot be written, as on a full disk.
    """
    try:
        with _moved_to(out.absolute()) as folder:
            yield folder
    except OSError as error:
        why = error.strerror or str(error)
        raise ReportError(f"--out {out} cannot be written: {why}") from error


@contextmanager
def _moved_to(out):
    out.parent.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix=f".{out.name}-", dir=out.parent))
    try:
        folder = scratch / out.name
        folder.mkdir()  # with the user's mask; that of mkdtemp is private
        yield folder
        if out.exists():
            for file in sorted(folder.iterdir()):
                os.replace(file, out / file.name)
        else:
            os.replace(folder, out)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def save_pipeline(pipeline, folder, kind):
    """Write `pipeline`; return the file's name and the types skops has to trust."""
    path = folder / PIPELINES[kind]
    if kind == "joblib":
        import joblib

        joblib.dump(pipeline, path, compress=3)
        return path.name, None
    import skops.io

    skops.io.dump(pipeline, path)
    return path.name, sorted(skops.io.get_untrusted_types(file=path))
