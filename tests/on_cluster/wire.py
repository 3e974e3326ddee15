"""For the scripts of this folder: what goes over the wire."""

from distributed.comm import tcp

__all__ = ["Wire"]


class Wire:
    """Bytes that went from any process of a cluster to any other."""

    def __init__(self, client):
        self.client = client
        count_bytes()
        client.run(count_bytes)

    def total(self):
        return sum(self.client.run(bytes_so_far).values()) + bytes_so_far()


def count_bytes():
    """From now on, in this process; once, however often it is called."""
    if hasattr(tcp.TCP, "bytes_so_far"):
        return
    write = tcp.TCP.write
    tcp.TCP.bytes_so_far = 0

    async def counted(self, *args, **kwargs):
        n_bytes = await write(self, *args, **kwargs)
        tcp.TCP.bytes_so_far += n_bytes
        return n_bytes

    tcp.TCP.write = counted


def bytes_so_far():
    return tcp.TCP.bytes_so_far
