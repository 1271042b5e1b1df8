"""One program that the core supervises; Supervisor has one for each of a container.

    absent --start--> starting --well--> running
      ^                  |                  |
      +------ended-------+------ended-------+
      |                                     |
      +--ended--- ending <---not wanted-----+

It is wanted or not, and of a certain digest: of the program and its secrets.
One of another digest, also one that was taken over, is ended and started anew.
Where the new one cannot be made, since a secret is missing, the old one runs on.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from dataclasses import asdict

import ovs.poller
import ovs.vlog

from ...lib import state_file
from ...lib.errors import ConfigError, HostError
from ...services.api.digest import make_digest
from ...services.api.host import Process, Sandbox
from ...services.api.program import ROOT, Launch, Program
from ...services.api.restarts import Restarts
from ..linux.question import Question, ask
from . import status_file
from .health import Condition

vlog = ovs.vlog.Vlog("programs")

PREFIX = "program-"
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_VARIABLE = "SVC_PROGRAM"
_LOOK_INTERVAL_MS = 5000
# Without a check a program runs once it has not ended for so long.
_SETTLED_MS = 500
_RETRY_MS = 1000


class SupervisedProgram:
    """A program by its name in a container; 'key' is that of digests."""

    def __init__(self, sandbox: Sandbox, name: str, key: bytes) -> None:
        self.name = name
        self.restarts = Restarts()
        self.status = status_file.NOTHING
        self.known = False
        self._sandbox = sandbox
        self._key = key
        self._wanted: Program | None = None
        self._secrets: Mapping[str, str] = {}
        self._digest = ""
        self._running_digest = ""
        self._process: Process | None = None
        self._adopted = False
        self._refusal: str | None = None
        self._problem: str | None = None
        self._message = ""
        self._verdict: str | None = None
        self._condition: Condition | None = None
        self._question: Question | None = None
        self._timeout_at_ms = 0
        self._look_at_ms = 0

    # -- what is wanted ------------------------------------------------------

    def want(self, program: Program, secrets: Mapping[str, str]) -> None:
        """Notes that 'program' is to run; 'secrets' are sealed, by name."""
        try:
            files = self._make_files(program, secrets)
        except ConfigError as error:
            self._refusal = f"{self.name}: {error}"
            return
        self._message = self._message if program == self._wanted else ""
        self._refusal, self._wanted, self._secrets = None, program, secrets
        described = asdict(program)
        described.pop("active_only")
        content = {name: each.hex() for name, each in files.items()}
        self._digest = make_digest([described, content], self._key)

    def unwant(self) -> None:
        """Notes that it is not to run."""
        self._wanted, self._refusal, self._problem = None, None, None
        self._secrets = {}

    # -- how it is -------------------------------------------------------------

    @property
    def problem(self) -> str | None:
        """Why it does not run as it should, None if nothing is known to be wrong."""
        if self._process is None and self._refusal is not None:
            return self._refusal
        return self._problem or self.restarts.problem

    @property
    def remark(self) -> str:
        """What there is to tell of it beside whether it runs."""
        return self._refusal or self.status.problem or self._message

    def is_reached(self, now_ms: int) -> bool:
        """Returns whether it is as wanted: runs and is well, or is gone."""
        if self._refusal is not None:
            return True  # it stays as it is
        if self._wanted is None:
            return self._adopted and self._process is None
        if self._process is None or self._running_digest != self._digest:
            return False
        if self._condition is not None:
            return self._condition.well is True
        return self.restarts.find_age_ms(now_ms) >= _SETTLED_MS

    @property
    def gone(self) -> bool:
        """Whether nothing of it runs, nor was left by an earlier svc-controller."""
        return self._adopted and self._process is None

    # -- driving it --------------------------------------------------------------

    def run(self, now_ms: int) -> None:
        """Does what can be done now."""
        self._note_end(now_ms)
        self._adopt(now_ms)
        if self._process is None:
            if self._wanted is not None and now_ms >= self.restarts.start_at_ms:
                self._start(self._wanted, now_ms)
            return
        self.restarts.note_running(now_ms)
        if self._is_ending:
            self._process.terminate(now_ms)
        else:
            self._ask(now_ms)
            self._look(now_ms)

    def wait(self, poller: ovs.poller.Poller, now_ms: int) -> None:
        """Arms 'poller' for what run() waits for."""
        moments = []
        if self._process is not None:
            self._process.wait(poller, now_ms)
            moments = [] if self._is_ending else self._find_moments()
        elif self._wanted is not None:
            moments = [self.restarts.start_at_ms]
        if self._question is not None:
            self._question.wait(poller)
        if moments:
            poller.timer_wait(max(0, min(moments) - now_ms))

    def check(self) -> None:
        """Ends it if it is in another namespace than the container's."""
        inode = self._sandbox.find_namespace()
        if self._process is not None and not self._process.in_namespace(inode):
            self._verdict = "was not in the container's namespace"
            self._process.kill()

    def release(self) -> None:
        """Lets go of it; it runs on."""
        self._forget_question()
        if self._process is not None:
            self._process.close()
            self._process = None

    def remove_directory(self) -> None:
        """Removes its directory, once it is gone."""
        shutil.rmtree(self._directory, ignore_errors=True)

    # -- helpers, in the order they are called ------------------------------------

    @property
    def _is_ending(self) -> bool:
        """Whether what runs is to end: it is not wanted, or as it was before."""
        if self._wanted is None:
            return self._refusal is None
        return self._running_digest != self._digest

    def _make_files(self, program: Program, secrets: Mapping[str, str]) -> dict[str, bytes]:
        """Returns the files of 'program'; raises ConfigError."""
        return {
            each.name: each.content.encode()
            if each.secret is None
            else self._unseal(each.secret, secrets)
            for each in program.files
        }

    def _unseal(self, name: str, secrets: Mapping[str, str]) -> bytes:
        if name not in secrets:
            raise ConfigError(f"secret {name} is missing")
        try:
            return self._sandbox.unseal(secrets[name]).encode()
        except ConfigError as error:
            raise ConfigError(f"secret {name}: {error}") from error

    def _note_end(self, now_ms: int) -> None:
        how = self._process.ended() if self._process is not None else None
        if self._process is None or how is None:
            return
        self._process.close()
        self._process = None
        self._forget_question()
        self._condition = None
        self.status = status_file.NOTHING
        self.known = True
        if self._wanted is None or self._running_digest != self._digest:
            return  # it was to end
        sentence = f"{self.name} {self._verdict or how}"
        self._verdict = None
        self.restarts.note_end(sentence, now_ms)
        self._message = f"{sentence}; restarted"
        vlog.warn(f"{self._sandbox.container}: {sentence}")

    def _adopt(self, now_ms: int) -> None:
        """Takes over, once, what an earlier svc-controller started."""
        if self._adopted:
            return
        self._adopted = True
        self._process = self._sandbox.adopt(self._make_launch(self._wanted), self._variable)
        if self._process is None:
            return
        self._running_digest = self._read_digest()
        vlog.info(f"{self._sandbox.container}: took over {self.name}, pid {self._process.pid}")
        self._begin(now_ms)
        self.check()

    def _start(self, program: Program, now_ms: int) -> None:
        self.known = True
        try:
            directory = self._sandbox.make_directory(PREFIX + self.name, program.user)
            self._write_files(program, directory, self._make_files(program, self._secrets))
            self._process = self._sandbox.start(self._make_launch(program))
        except (HostError, ConfigError) as error:
            self._problem = f"{self.name}: {error}"
            self.restarts.start_at_ms = now_ms + _RETRY_MS
            return
        self._problem = None
        self._running_digest = self._digest
        vlog.info(f"{self._sandbox.container}: started {self.name}, pid {self._process.pid}")
        self._begin(now_ms)

    def _begin(self, now_ms: int) -> None:
        self.restarts.note_start(now_ms)
        health = self._wanted.health if self._wanted is not None else None
        self._condition = None if health is None else Condition(health, now_ms, now_ms)
        self._look_at_ms = now_ms + _SETTLED_MS

    def _write_files(self, program: Program, directory: str, files: Mapping[str, bytes]) -> None:
        """Writes the files of 'program', and removes those that only the one before had."""
        status = {program.status} if program.status is not None else set()
        for name in (self._read_written() - files.keys()) | status:
            _remove_file(os.path.join(directory, name))
        written = "\n".join([self._digest, *files])
        self._sandbox.write_file(self._written_path, written.encode(), 0o600, ROOT)
        for each in program.files:
            path = os.path.join(directory, each.name)
            self._sandbox.write_file(path, files[each.name], each.mode, program.user)

    def _read_written(self) -> set[str]:
        return set(self._read_lines()[1:])

    def _read_digest(self) -> str:
        return next(iter(self._read_lines()), "")

    def _read_lines(self) -> list[str]:
        return (state_file.read_text(self._written_path) or "").splitlines()

    @property
    def _directory(self) -> str:
        return os.path.join(self._sandbox.directory, PREFIX + self.name)

    @property
    def _written_path(self) -> str:
        return f"{self._directory}.files"

    @property
    def _variable(self) -> str:
        return f"{_VARIABLE}={self._directory}"

    def _make_launch(self, program: Program | None) -> Launch:
        """Returns how it is started; of one that nobody wants only where its record is."""
        record, log_path = f"{PREFIX}{self.name}.pid", self._sandbox.log_path
        if program is None:
            return Launch((self.name,), (), record, log_path)
        environment = {"PATH": _PATH, "HOME": self._directory, **dict(program.environment)}
        return Launch(
            argv=program.argv,
            environment=(*environment.items(), (_VARIABLE, self._directory)),
            record=record,
            log_path=log_path,
            user=program.user,
            directory=self._directory,
            limits=program.limits,
            stop_signal=program.stop_signal,
            stop_ms=program.stop_ms,
        )

    def _ask(self, now_ms: int) -> None:
        condition = self._condition
        if condition is None or self._process is None:
            self.known = True
            return
        if self._question is not None:
            self._take_answer(self._question, condition, now_ms)
        elif now_ms >= condition.ask_at_ms:
            self._timeout_at_ms = now_ms + condition.health.timeout_ms
            self._put_question(condition, now_ms)
        failure = condition.find_failure(now_ms)
        if failure is not None and self._verdict is None:
            self._verdict = failure
            self._process.kill()

    def _put_question(self, condition: Condition, now_ms: int) -> None:
        try:
            self._question = ask(self._sandbox, condition.health, self._make_launch(self._wanted))
        except HostError as error:
            condition.note_answer(str(error), now_ms)
            return
        self._take_answer(self._question, condition, now_ms)

    def _take_answer(self, question: Question, condition: Condition, now_ms: int) -> None:
        if question.is_answered():
            condition.note_answer(question.find_problem(), now_ms)
        elif now_ms >= self._timeout_at_ms:
            condition.note_answer(f"no answer within {condition.health.timeout_ms} ms", now_ms)
        else:
            return
        self.known = True
        self._forget_question()

    def _look(self, now_ms: int) -> None:
        if now_ms < self._look_at_ms or self._wanted is None:
            return
        self._look_at_ms = now_ms + _LOOK_INTERVAL_MS
        self._sandbox.bound_log()
        if self._wanted.status is not None:
            path = os.path.join(self._directory, self._wanted.status)
            self.status = status_file.read(path, self.status)

    def _find_moments(self) -> list[int]:
        moments = [self._look_at_ms]
        if self._question is not None:
            moments.append(self._timeout_at_ms)
        elif self._condition is not None:
            moments.append(self._condition.ask_at_ms)
        return moments

    def _forget_question(self) -> None:
        if self._question is not None:
            self._question.close()
            self._question = None


def _remove_file(path: str) -> None:
    try:
        os.unlink(path)
    except FileNotFoundError:
        pass
    except OSError as error:
        raise HostError(f"{path} cannot be removed: {error}") from error
