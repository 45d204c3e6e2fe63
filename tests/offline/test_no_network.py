"""Without interface, home, DNS and with a 1970 clock a node installs, serves and scores, and reaches for nothing."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

FAKETIME = next(iter(sorted(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"))), None)

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="a network namespace of one's own needs root"),
    pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed"),
    pytest.mark.skipif(FAKETIME is None, reason="libfaketime is not installed"),
]

SCRIPT = """
set -e
ip link set lo up
holdfast="{python} -m holdfast --config {config} --data {data}"
$holdfast package install {package} >/dev/null
$holdfast serve --port 8470 >{log} 2>&1 &
node=$!
for _ in $(seq 200); do
  {python} {probe} readyz >/dev/null 2>&1 && break
  sleep 0.1
done
{python} {probe} score
kill -TERM $node
wait $node
"""

PROBE = """
import json, sys, http.client
connection = http.client.HTTPConnection("127.0.0.1", 8470, timeout=10)
if sys.argv[1] == "readyz":
    # Built-in rules are ready at once; the package's small tier is what we wait for.
    connection.request("GET", "/readyz")
    sys.exit(connection.getresponse().read() != b"ready: small\\n")
ticket = {"id": "1", "title": "VPN does not connect", "description": "since this morning, whole office"}
connection.request("POST", "/v1/triage/score", json.dumps(ticket), {"Content-Type": "application/json"})
print(connection.getresponse().read().decode())
"""


@pytest.fixture
def offline_run(tmp_path: Path, small_package: Path) -> tuple[dict[str, object], str]:
    """The reply to one score request, and strace's record of every connect() of every process."""
    trace, probe, home = tmp_path / "trace", tmp_path / "probe.py", tmp_path / "home"
    home.mkdir()
    probe.write_text(PROBE)
    config = tmp_path / "holdfast.toml"
    config.write_text("[trust]\nallow_unsigned = true\n")
    script = SCRIPT.format(
        python=sys.executable,
        config=config,
        data=tmp_path / "state",
        package=small_package,
        log=tmp_path / "log",
        probe=probe,
    )
    environment = {
        "HOME": str(home),
        "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
        "LD_PRELOAD": str(FAKETIME),
        "FAKETIME": "@1970-01-02 00:00:00",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "TZ": "UTC",
    }
    command = [
        "unshare",
        "--net",
        "strace",
        "--seccomp-bpf",
        "-f",
        "-qq",
        "-e",
        "trace=connect,sendto",
        "-o",
        str(trace),
        "sh",
        "-c",
        script,
    ]
    finished = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert finished.returncode == 0, finished.stderr + (tmp_path / "log").read_text()
    return json.loads(finished.stdout.splitlines()[-1]), trace.read_text()


def test_a_node_without_any_network_scores_and_connects_to_nothing_but_itself(
    offline_run: tuple[dict[str, object], str],
) -> None:
    reply, trace = offline_run
    outside = [line for line in trace.splitlines() if "sa_family=" in line and not _is_local(line)]
    assert reply["served_by"]["tier"] == "small", json.dumps(reply["served_by"])  # type: ignore[index]  # decoded JSON
    assert reply["recorded"] is True
    assert outside == []


def _is_local(line: str) -> bool:
    loopback = re.search(r'inet_addr\("127\.|inet_pton\(AF_INET6, "::1"', line)
    return "AF_UNIX" in line or "AF_NETLINK" in line or loopback is not None
