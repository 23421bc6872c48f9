"""Python loads this when it starts: whoever asks for the network is refused and written down.

Written down, as many libraries go on in silence when they are refused. The hook is inherited by
every process that is started with this folder on its path, and cannot be taken away.
"""

import os
import sys
import traceback
from pathlib import Path

ASKING = {
    "socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr", "socket.getnameinfo",
    "urllib.Request", "http.client.connect", "ftplib.connect", "smtplib.connect",
}  # fmt: skip
SENDING = {"socket.connect", "socket.sendto", "socket.sendmsg"}


def _watch(event, args):
    asks = event in ASKING
    # a socket of files on this machine has a text for an address
    sends = event in SENDING and isinstance(args[1], tuple)
    if not (asks or sends):
        return
    stack = "".join(traceback.format_stack(limit=16))
    with Path(os.environ["NETWORK_LOG"]).open("a") as stream:
        stream.write(f"{event} {args!r} by {sys.argv}\n{stack}\n")
    raise ConnectionRefusedError(f"the network is not to be used: {event}")


sys.addaudithook(_watch)
