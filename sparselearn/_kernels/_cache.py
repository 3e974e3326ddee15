"""Compiled kernels on disk: numba's cache, which a fault of the disk does not break.

It only saves time. So what cannot be read is compiled, and what cannot be written, on a
full disk say, is not kept; neither is an error of a fit.
"""

import hashlib

from numba.core.caching import FunctionCache, IndexDataCacheFile

__all__ = ["DiskCache"]


class DiskCache(FunctionCache):
    """The cache of one kernel.

    Raises
    ------
    RuntimeError
        If there is no directory that can be written.
    """

    def __init__(self, function):
        super().__init__(function)
        self._cache_file = _Files(
            cache_path=self.cache_path,
            filename_base=self._impl.filename_base,
            source_stamp=self._impl.locator.get_source_stamp(),
        )

    def load_overload(self, sig, target_context):
        """The compiled kernel; None if there is none, or only what is left of one."""
        try:
            return super().load_overload(sig, target_context)
        except Exception:  # half a pickle may raise anything
            return None

    def save_overload(self, sig, data):
        """Keep a compiled kernel if that can be."""
        try:
            super().save_overload(sig, data)
        except OSError:
            return


class _Files(IndexDataCacheFile):
    """A file for each signature, and an index of them.

    numba numbers the files, and names one in the index before it writes it. If that
    fails, or another process writes at the same time, the index may name a file left by
    another signature or an older source, which is then run. Here the name of a file
    follows from its signature, and the index names what is there.
    """

    def save(self, key, data):
        overloads = self._load_index()
        digest = hashlib.sha256(self._dump(key)).hexdigest()[:16]
        name = f"{self._index_name.removesuffix('.nbi')}.{digest}.nbc"
        self._save_data(name, data)
        self._save_index(overloads | {key: name})

    def _load_index(self):
        try:
            return super()._load_index()
        except Exception:  # half a pickle may raise anything
            return {}
