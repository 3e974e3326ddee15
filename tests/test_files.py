"""A file is whole or as it was, and an error names it."""

import os
import stat

import pytest

from sparselearn._files import whole_file


def write(path, content):
    with whole_file(path) as file:
        file.write(content)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "file"


def test_what_was_there_is_replaced(path, tmp_path):
    write(path, b"one")
    usual = tmp_path / "usual"
    usual.write_bytes(b"one")
    assert path.stat().st_mode == usual.stat().st_mode
    usual.unlink()
    path.chmod(0o640)
    write(str(path), b"two")
    assert path.read_bytes() == b"two"
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert list(tmp_path.iterdir()) == [path]


def test_a_link_stays_one(path, tmp_path):
    link = tmp_path / "link"
    link.symlink_to(path)
    for content in (b"one", b"two"):  # to a file that is not there, then one that is
        write(link, content)
        assert link.is_symlink()
        assert path.read_bytes() == content


@pytest.mark.parametrize("fault", [ValueError, KeyboardInterrupt])
def test_what_was_there_survives_an_error(path, tmp_path, fault):
    path.write_bytes(b"old")

    def fail():
        with whole_file(path) as file:
            file.write(b"new")
            raise fault("mine")

    with pytest.raises(fault, match="mine"):
        fail()
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_full_disk_is_named(path, tmp_path, full_disk):
    path.write_bytes(b"old")
    with full_disk(1000), pytest.raises(OSError, match=r"too large.*file'"):
        write(path, bytes(2000))
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]
    if os.path.exists("/dev/full"):
        with pytest.raises(OSError, match="No space left on device: '/dev/full'"):
            write("/dev/full", bytes(2000))


def test_a_folder_that_is_none_is_named(path):
    with pytest.raises(FileNotFoundError, match="missing/file"):
        write(path.parent / "missing" / "file", b"new")
    path.touch()
    with pytest.raises(NotADirectoryError, match="file/file"):
        write(path / "file", b"new")
    with pytest.raises(IsADirectoryError):
        write(path.parent, b"new")
