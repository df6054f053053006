"""A pool of threads that do not keep the process alive.

Those of :class:`concurrent.futures.ThreadPoolExecutor` are joined when the process ends, for as long as
one of them hangs in a call.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Executor, Future
from queue import SimpleQueue
from typing import Any, ParamSpec, TypeVar

Given = ParamSpec("Given")
Result = TypeVar("Result")


class DaemonPool(Executor):
    """At most so many daemon threads; each is started when there is work that no other is free for."""

    def __init__(self, threads: int, name: str) -> None:
        """``name`` begins the name of each thread."""
        self._name = name
        self._most = threads
        self._threads = 0
        self._free = threading.Semaphore(0)
        self._closed = False
        self._lock = threading.Lock()
        self._jobs: SimpleQueue[tuple[Future[Any], Callable[[], Any]] | None] = SimpleQueue()

    def submit(
        self, function: Callable[Given, Result], /, *args: Given.args, **kwargs: Given.kwargs
    ) -> Future[Result]:
        """Run the function in one of the threads."""
        future: Future[Result] = Future()
        with self._lock:
            if self._closed:
                raise RuntimeError("the pool is shut down")
            self._jobs.put((future, lambda: function(*args, **kwargs)))
            if not self._free.acquire(blocking=False) and self._threads < self._most:
                self._threads += 1
                name = f"{self._name}_{self._threads}"
                threading.Thread(target=self._work, name=name, daemon=True).start()
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:  # noqa: FBT001, FBT002
        """Take no more work. Does not wait for the threads, whatever ``wait`` says."""
        del wait
        with self._lock:
            self._closed = True
            while cancel_futures and not self._jobs.empty():
                job = self._jobs.get()
                if job is not None:
                    job[0].cancel()
            for _ in range(self._threads):
                self._jobs.put(None)

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            future, call = job
            if future.set_running_or_notify_cancel():
                try:
                    result = call()
                except BaseException as error:  # noqa: BLE001 - belongs to who waits for the result
                    future.set_exception(error)
                else:
                    future.set_result(result)
            del job, future, call
            self._free.release()
