"""One progress bar over all fits, on a terminal; a few lines, elsewhere."""

import sys
import time

__all__ = ["Progress"]

WIDTH = 28
REDRAW_SECONDS = 0.1
LINE_SECONDS = 20.0


class Progress:
    """Counts fits, and shows how many of all are done.

    Parameters
    ----------
    total : int
        Fits to come.
    stream : text file, default=None
        None means standard error.
    """

    def __init__(self, total, stream=None):
        self.total = total
        self.stream = sys.stderr if stream is None else stream
        self.done = 0
        self.label = ""
        self.begun = time.monotonic()
        self._shown = -LINE_SECONDS if self._live else self.begun

    @property
    def _live(self):
        return self.stream.isatty()

    def start(self, label):
        """Say what the next fits are of."""
        self.label = label
        self._show(force=self._live)

    def tick(self, n_fits=1):
        """Count `n_fits` more."""
        self.done += n_fits
        self._show()

    def finish(self, outcome):
        """Say how the fits of this label ended; a line where there is no bar."""
        if not self._live:
            self._line(f"{self.label}: {outcome}")

    def fail(self, done, text):
        """Say on a line of its own what failed; its fits, up to `done`, are off."""
        self.done = done
        if self._live:
            self.stream.write("\r\x1b[K")
        self._line(text)

    def close(self):
        """Wipe the bar."""
        if self._live:
            self.stream.write("\r\x1b[K")
            self.stream.flush()

    def _show(self, force=False):
        now = time.monotonic()
        wait = REDRAW_SECONDS if self._live else LINE_SECONDS
        if not force and now - self._shown < wait and self.done < self.total:
            return
        self._shown = now
        if self._live:
            share = self.done / max(self.total, 1)
            bar = ("#" * round(share * WIDTH)).ljust(WIDTH, "-")
            seconds = f"{now - self.begun:.0f} s"
            line = f"[{bar}] {self.done}/{self.total} fits  {seconds}  {self.label}"
            self.stream.write(f"\r\x1b[K{line}")
            self.stream.flush()
        elif self.done < self.total:
            self._line(self.label)

    def _line(self, text):
        seconds = time.monotonic() - self.begun
        print(
            f"{self.done}/{self.total} fits, {seconds:.0f} s: {text}",
            file=self.stream,
            flush=True,
        )
