"""What sock_diag and /proc say of sockets: the same sockets, seen from outside."""

import os
import socket

import pytest
from networks import two_hosts

from netlab.lab.lab import Lab
from netlab.observe import procfs
from netlab.observe.sockdiag import NETLINK_SOCK_DIAG, SocketDiagnosis

pytestmark = pytest.mark.netns


def test_a_connection_is_listed_at_both_ends_with_mirrored_addresses() -> None:
    with Lab(two_hosts()) as lab, lab["server"].socket() as listener, lab["client"].socket() as client:
        listener.bind(("10.0.0.2", 8080))
        listener.listen()
        client.connect(("10.0.0.2", 8080))
        tables = {}
        for name in ("client", "server"):
            diagnosis = SocketDiagnosis(name, lab[name].space.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_SOCK_DIAG))
            tables[name] = diagnosis.table()
            diagnosis.close()
        (ours,) = tables["client"].entries
        assert (ours.state, ours.inode, ours.remote) == ("ESTABLISHED", os.fstat(client.fileno()).st_ino, ("10.0.0.2", 8080))
        states = {(entry.state, entry.local, entry.remote) for entry in tables["server"].entries}
        assert states == {("LISTEN", ("10.0.0.2", 8080), ("0.0.0.0", 0)), ("ESTABLISHED", ours.remote, ours.local)}


def test_an_unbound_socket_is_in_no_table_but_is_counted() -> None:
    with Lab(two_hosts()) as lab, lab["client"].popen(["sleep", "60"]) as program:
        before = procfs.socket_counts("client", program.pid).counts["sockets used"]
        with lab["client"].socket() as fresh:
            inode = os.fstat(fresh.fileno()).st_ino
            assert procfs.socket_counts("client", program.pid).counts["sockets used"] == before + 1
            assert all(inode not in inodes for inodes in procfs.listed_inodes("client", program.pid).tables.values())
            fresh.bind(("10.0.0.1", 5000))
            fresh.listen()
            assert inode in procfs.listed_inodes("client", program.pid).tables["tcp"]
