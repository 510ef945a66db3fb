"""The worker processes of one framework, seen from outside."""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import subprocess
import sys
from pathlib import Path
from typing import Any

# Programs that run once: what XLA does to make them fast costs more than it saves.
COMPILE_FAST = " ".join(
    [
        "--xla_backend_optimization_level=0",
        "--xla_llvm_disable_expensive_passes=true",
        "--xla_cpu_use_fusion_emitters=false",
        "--xla_cpu_parallel_codegen_split_count=1",
    ]
)
TICK = b"\n"  # what a worker says after each call
TIMEOUT = 120.0  # for one call: a busy machine is no hang


class Process:
    """A worker that is started when it is first needed, and again after a crash or a hang."""

    def __init__(self, framework: str, folder: Path, timeout: float = TIMEOUT) -> None:
        self.framework, self.folder, self.timeout = framework, folder, timeout
        self.process: subprocess.Popen[bytes] | None = None
        self.read = b""  # of an answer that is not complete yet
        self.fast = True  # does XLA take the flags of COMPILE_FAST?
        self.log = folder / f"{framework}{os.getpid()}.log"

    def ask(self, text: str, jobs: list[dict[str, Any]]) -> tuple[list[dict[str, Any]], dict[str, Any]]:
        """The results of the jobs, and all arrays by the number of the job. A crash or a hang is the failure of one."""
        results, arrays, broken = self._ask(text, jobs)
        if not broken or len(jobs) == 1:
            return results, arrays
        results, arrays = [], {}
        for index, job in enumerate(jobs):  # which of them was it?
            one, found, _ = self._ask(text, [job])
            results += one
            arrays |= {f"{index}|{name.partition('|')[2]}": array for name, array in found.items()}
        return results, arrays

    def _ask(self, text: str, jobs: list[dict[str, Any]]) -> tuple[list[dict[str, Any]], dict[str, Any], bool]:
        out = self.folder / f"{self.framework}{os.getpid()}.npz"
        answer = self._exchange({"text": text, "jobs": jobs, "out": str(out)})
        if "failed" in answer:
            return [{"ok": False, "reason": answer["failed"]} for _ in jobs], {}, answer.get("broken", False)
        import numpy as np

        with np.load(out, allow_pickle=False) as file:
            return answer["results"], {name: file[name] for name in file.files}, False

    def _exchange(self, request: dict[str, Any]) -> dict[str, Any]:
        if self.process is None:
            self.process = self._start()
        process = self.process
        assert process.stdin is not None
        assert process.stdout is not None
        line: bytes | None = b""
        with contextlib.suppress(BrokenPipeError):
            process.stdin.write(json.dumps(request).encode() + b"\n")
            process.stdin.flush()
            while (line := self._line(process)) == TICK:  # a call is done, and others follow
                pass
        if line is None:
            self.close()
            return {"failed": f"took longer than {self.timeout:g} s", "broken": True}
        if not line:
            code = process.wait()
            self.close()
            if self.fast and "XLA_FLAGS" in self.log.read_text(errors="replace"):  # of another version of XLA
                self.fast = False
                return self._exchange(request)
            return {"failed": f"the process died with code {code}", "broken": True}
        answer: dict[str, Any] = json.loads(line)
        return answer

    def _line(self, process: subprocess.Popen[bytes]) -> bytes | None:
        """The next line with its end; nothing if the process has ended, None if there is none in time."""
        assert process.stdout is not None
        while b"\n" not in self.read:
            with selectors.DefaultSelector() as selector:
                selector.register(process.stdout, selectors.EVENT_READ)
                if not selector.select(self.timeout):
                    return None
            if not (more := os.read(process.stdout.fileno(), 1 << 16)):
                return b""
            self.read += more
        line, end, self.read = self.read.partition(b"\n")
        return line + end

    def _start(self) -> subprocess.Popen[bytes]:
        package_root = str(Path(__file__).resolve().parents[2])
        environment = {
            "XLA_FLAGS": COMPILE_FAST if self.fast else "",
            **os.environ,
            "PYTHONPATH": os.pathsep.join(filter(None, [package_root, os.environ.get("PYTHONPATH", "")])),
            "JAX_PLATFORMS": "cpu",
            "CUDA_VISIBLE_DEVICES": "",
            "PYTHONHASHSEED": "0",
            "OMP_NUM_THREADS": "1",
        }
        command = [sys.executable, "-m", "ml_switcheroo.fuzz.worker", self.framework]
        with self.log.open("w") as log:
            return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, env=environment)

    def close(self) -> None:
        """Ends the process."""
        process, self.process, self.read = self.process, None, b""
        if process is None:
            return
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                with contextlib.suppress(BrokenPipeError):
                    pipe.close()
