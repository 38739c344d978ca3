"""A service that is killed within its work: every answer that a client has is in the log, and the next start goes on."""

import http.client
import json
import signal
import subprocess
import sys
import threading
from collections import Counter

from helpers.asked import ask

from evalkit.watermark.service.log import read_log

PROGRAM = """
import sys
from evalkit.watermark.service.engine import Settings
from evalkit.watermark.service.server import Address, Allowed, serve
ring, log, cache = sys.argv[1:]
serve(ring, log, Settings(cache=cache), Address(port=0), Allowed(1e6, 10_000), lambda url: print(url, flush=True))
"""


def test_nothing_that_a_client_was_told_is_lost_by_a_kill(ring, made, served, tmp_path):
    log = tmp_path / "log.jsonl"
    given = (str(each) for each in (ring, log, tmp_path / "codes.sqlite"))
    process = subprocess.Popen([sys.executable, "-c", PROGRAM, *given], stdout=subprocess.PIPE, text=True)
    url = process.stdout.readline().strip()
    told, enough = Counter(), threading.Event()

    def client(number):
        while True:
            try:
                _, _, body = ask(url, "POST", "/v1/image", made.marked[number % 4])
            except (OSError, http.client.HTTPException):
                return
            said = json.loads(body)
            told[said["image"]["sha256"], said["verdict"]] += 1
            if told.total() > 60:
                enough.set()

    threads = [threading.Thread(target=client, args=(number,)) for number in range(8)]
    for each in threads:
        each.start()
    assert enough.wait(120)
    process.send_signal(signal.SIGKILL)
    process.wait()
    for each in threads:
        each.join(120)
    logged = Counter((each["sha256"], each["verdict"]) for each in read_log(log) if each["event"] == "answer")
    assert all(logged[each] >= count for each, count in told.items())
    assert {verdict for _, verdict in told} == {"marked"}

    service = served()
    assert json.loads(ask(service.url, "POST", "/v1/image", made.marked[0])[2])["verdict"] == "marked"
    service.stop()
    assert [each["event"] for each in read_log(log)][-3:] == ["start", "answer", "stop"]
    assert sum(1 for _ in read_log(log)) >= logged.total() + 4
