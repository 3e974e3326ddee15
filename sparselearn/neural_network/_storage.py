"""Fitted estimators in files that hold numbers and text alone: no code, no pickle.

A file is a numpy archive. Its entry "estimator" is JSON: the class, the package's
version, parameters and attributes. An array among these is an entry of its own, and
where it was stands its name.
"""

import json
import zipfile
from importlib.metadata import PackageNotFoundError, version

import numpy as np

from sparselearn._files import whole_file

__all__ = ["load", "save"]

ENTRY = "estimator"


def save(estimator, path):
    """Write `estimator`, its parameters and fitted attributes, to a file.

    Raises
    ------
    OSError
        Naming the file, where it cannot be written; one that was there stays.
    """
    arrays = {}
    content = {
        "class": type(estimator).__name__,
        "version": _version(),
        "attributes": _plain(vars(estimator), "", arrays),
    }
    text = np.array(json.dumps(content))
    with whole_file(path) as file:
        _write_archive(file, {ENTRY: text, **arrays})


def _write_archive(file, arrays):
    """Write arrays as `numpy.savez` does, and close the archive whatever happens.

    That of numpy 2.0 stays open on a full disk, and complains when it is collected.
    """
    with zipfile.ZipFile(file, "w") as archive:
        for name, array in arrays.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as entry:
                np.lib.format.write_array(entry, array, allow_pickle=False)


def load(cls, path):
    """The estimator of class `cls` that `save` wrote to a file.

    Raises
    ------
    ValueError
        If the file holds something else.
    """
    with np.load(path, allow_pickle=False) as archive:
        if ENTRY not in archive:
            raise ValueError(f"{path} was not written by the save of an estimator.")
        content = json.loads(str(archive[ENTRY]))
        if content["class"] != cls.__name__:
            raise ValueError(
                f"{path} holds a {content['class']}; load it by that class, not by "
                f"{cls.__name__}."
            )
        attributes = _restored(content["attributes"], archive)
    estimator = cls()
    vars(estimator).update(attributes)
    return estimator


def _version():
    try:
        return version("sparselearn")
    except PackageNotFoundError:
        return None


def _plain(value, place, arrays):
    """`value` as JSON has it; arrays go to `arrays`, under the name of their place."""
    if isinstance(value, np.generic):
        value = value.item() if value.dtype.kind in "biufU" else value
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, dict):
        parts = {str(k): _plain(v, f"{place}/{k}", arrays) for k, v in value.items()}
        return {"dict": parts}
    if isinstance(value, list | tuple):
        parts = [_plain(v, f"{place}/{i}", arrays) for i, v in enumerate(value)]
        return {type(value).__name__: parts}
    if isinstance(value, np.random.RandomState):
        return {"RandomState": _plain(value.get_state(), place, arrays)}
    if isinstance(value, np.ndarray):
        if value.dtype == object and all(isinstance(v, str) for v in value.ravel()):
            arrays[place] = value.astype(str)
            return {"names": place}
        if value.dtype.kind in "biufcU":
            arrays[place] = value
            return {"array": place}
    raise TypeError(
        f"{place.strip('/')} is a {type(value).__name__}, which save can not write; it "
        "writes numbers, text, arrays of these, lists and dicts."
    )


def _restored(value, archive):
    """What `_plain` made plain."""
    if not isinstance(value, dict):
        return value
    ((kind, content),) = value.items()
    if kind == "dict":
        return {name: _restored(part, archive) for name, part in content.items()}
    if kind == "list":
        return [_restored(part, archive) for part in content]
    if kind == "tuple":
        return tuple(_restored(part, archive) for part in content)
    if kind == "names":
        return archive[content].astype(object)
    if kind == "RandomState":
        random_state = np.random.RandomState()
        random_state.set_state(_restored(content, archive))
        return random_state
    return archive[content]
