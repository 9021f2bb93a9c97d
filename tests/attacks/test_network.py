"""Reaching a server: the host's loopback, its sockets, anything beyond."""

from __future__ import annotations

import os
import secrets
import socket
from collections.abc import Callable
from pathlib import Path

import pytest
from confined import MOUNTED, Cell


def loopback(_folder: Path) -> tuple[socket.socket, str]:
    server = socket.create_server(("127.0.0.1", 0))
    return server, f"AF_INET, {server.getsockname()!r}"


def loopback_v6(_folder: Path) -> tuple[socket.socket, str]:
    server = socket.create_server(("::1", 0), family=socket.AF_INET6)
    return server, f"AF_INET6, {server.getsockname()[:2]!r}"


def abstract(_folder: Path) -> tuple[socket.socket, str]:
    name = f"\0agentcore-{secrets.token_hex(4)}"
    server = socket.socket(socket.AF_UNIX)
    server.bind(name)
    server.listen()
    return server, f"AF_UNIX, {name!r}"


def by_path(folder: Path) -> tuple[socket.socket, str]:
    """Relative while it is bound: the length of a socket's path is limited."""
    server, before = socket.socket(socket.AF_UNIX), Path.cwd()
    os.chdir(folder)
    try:
        server.bind("open.sock")
    finally:
        os.chdir(before)
    server.listen()
    return server, f"AF_UNIX, {str(folder / 'open.sock')[-100:]!r}"


@MOUNTED
@pytest.mark.parametrize("serve", [loopback, loopback_v6, abstract, by_path])
def test_a_server_of_the_host_cannot_be_reached(
    cell: Cell, tmp_path: Path, serve: Callable[[Path], tuple[socket.socket, str]]
) -> None:
    try:
        server, address = serve(tmp_path)
    except OSError as error:
        pytest.skip(f"no such socket on this host: {error}")
    family, _, target = address.partition(", ")
    with server:
        server.settimeout(0.05)
        done = cell.python(f"import socket; s = socket.socket(socket.{family}); s.settimeout(2); s.connect({target})")
        assert done.exit_code == 1
        assert b"Error" in done.output
        with pytest.raises(TimeoutError):
            server.accept()


@MOUNTED
def test_there_is_no_interface_but_a_private_loopback(cell: Cell) -> None:
    assert cell.python("import socket; print([name for _, name in socket.if_nameindex()])").output == b"['lo']\n"


@MOUNTED
@pytest.mark.parametrize("family", [40, 17, 2**31 - 1])
def test_sockets_that_no_namespace_separates_cannot_be_made(cell: Cell, family: int) -> None:
    """Virtual machine sockets (40) reach the hypervisor; packet sockets (17) and the unknown are as little needed."""
    done = cell.python(f"import socket; socket.socket({family}, socket.SOCK_STREAM)")
    assert b"Address family not supported" in done.output


@MOUNTED
@pytest.mark.parametrize("command", ["unshare -Ur true", "unshare -Urm mount -t tmpfs x /tmp", "mount -t tmpfs x /tmp"])
def test_no_further_namespace_and_no_mount(cell: Cell, command: str) -> None:
    assert cell.run("sh", "-c", command).exit_code != 0
