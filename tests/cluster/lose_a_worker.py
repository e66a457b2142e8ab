"""A study on a local cluster of HyperQueue, of which a worker is killed: lose_a_worker.py PROGRAM STUDY SERVER_DIRECTORY

Prints the cell that the worker was running.
"""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from hyperqueue import LocalCluster
from hyperqueue.cluster import WorkerConfig

program, study, server = sys.argv[1:]
# nothing may hang a test
signal.alarm(300)
cluster = LocalCluster(server)


def worker():
    """The cluster's workers are threads of this process; one that can be killed is a process of its own."""
    pid = os.fork()
    if pid == 0:
        signal.alarm(300)
        cluster.start_worker(WorkerConfig(cores=1))
        while True:
            time.sleep(60)
    return pid


def cells(pid):
    """Those that a worker runs, by their command lines."""
    for task in Path(f"/proc/{pid}/task").iterdir():
        for child in (task / "children").read_text().split():
            words = Path(f"/proc/{child}/cmdline").read_text().split("\0")
            if "--cell" in words:
                yield words[words.index("--cell") + 1]


def started():
    log = Path(study, "log.txt")
    lines = log.read_text().splitlines() if log.exists() else []
    return {line.split()[2] for line in lines if line.split()[1] == "start"}


workers = [worker(), worker()]
try:
    place = os.path.dirname(sys.executable)
    env = {**os.environ, "HQ_SERVER_DIR": server, "PATH": f"{place}:{os.environ['PATH']}"}
    submit = [program, "sweep", "submit", study, "--engine", "hyperqueue", "--save-every", "0"]
    subprocess.run(submit, env=env, check=True, stdout=sys.stderr)
    killed = None
    while not killed:
        time.sleep(0.01)
        for pid in workers:
            running = set(cells(pid)) & started()
            if running:
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)
                workers.remove(pid)
                killed = running.pop()
                break
    workers.append(worker())
    failed = cluster.client().connection.wait_for_jobs([1], lambda _: None)
    if failed:
        sys.exit(f"failed: {cluster.client().connection.get_failed_tasks([1])}")
    print(killed)
finally:
    for pid in workers:
        os.kill(pid, signal.SIGKILL)
    cluster.stop()
