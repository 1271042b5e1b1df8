"""A transaction of ovsdbapp that is not lost to a race, nor done behind its caller's back."""

from __future__ import annotations

import queue
import re
import time
from typing import Any

from ovsdbapp import exceptions
from ovsdbapp.backend.ovs_idl import idlutils
from ovsdbapp.backend.ovs_idl import transaction as ovsdbapp_transaction

# What ovsdbapp raises where its time is over between two attempts.
_OUT_OF_TIME = "OVS transaction timed out"

# What the server says where two make a row of one name, or the only row of a table.
_RACED = re.compile("identical values|greater than the schema-defined limit")


class Transaction(ovsdbapp_transaction.Transaction):
    """A transaction that is not begun any more once its caller has been told of a timeout.

    One that was sent may be done all the same: nobody can know.
    """

    check_error: bool
    log_errors: bool
    _abandoned = False

    def commit(self) -> Any:
        """Returns the results of the commands; raises what they raised, within the timeout.

        ovsdbapp's own would wait in the queue for as long as the connection's timeout is.
        """
        deadline = time.monotonic() + self.timeout
        try:
            self.ovsdb_connection.txns.put(self, timeout=self.timeout)
            result = self.results.get(timeout=max(0.0, deadline - time.monotonic()))
        except (queue.Full, queue.Empty) as error:
            self._abandoned = True
            raise self._make_timeout("no answer") from error
        if isinstance(result, idlutils.ExceptionResult):
            if self.log_errors:
                ovsdbapp_transaction.LOG.error(result.tb)
            raise result.ex
        return result

    def pre_commit(self, txn: Any) -> None:
        """Raises if nobody waits for the outcome."""
        if self._abandoned:
            txn.abort()
            raise self._make_timeout("nobody waits any more")

    def do_commit(self) -> Any:
        """Commits; again where somebody else made a row of that name at the same time."""
        check_error, log_errors = self.check_error, self.log_errors
        self.check_error, self.log_errors = True, False
        try:
            return self._commit_until_settled()
        except Exception as error:
            if check_error:
                raise
            if log_errors:
                ovsdbapp_transaction.LOG.error("%s: %s", self, error)
            return None
        finally:
            self.check_error, self.log_errors = check_error, log_errors

    def _commit_until_settled(self) -> Any:
        while True:
            seqno = self.api.idl.change_seqno
            try:
                return super().do_commit()
            except exceptions.TimeoutException:
                # That of ovsdbapp has no text, and cannot even be printed.
                raise self._make_timeout("the server is not reached") from None
            except RuntimeError as error:
                if str(error) == _OUT_OF_TIME:
                    raise self._make_timeout("the server is not reached") from None
                raced = _RACED.search(str(error)) and self.api.idl.change_seqno != seqno
                if not raced or self.timeout_exceeded():
                    raise

    def _make_timeout(self, cause: str) -> exceptions.TimeoutException:
        return exceptions.TimeoutException(
            commands=self.commands, timeout=self.timeout, cause=cause
        )
