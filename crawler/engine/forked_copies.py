"""`end_copy`: ends a process that a handler has forked, when the handler returns in it."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import Any, Final, NoReturn

from crawler.engine.slow_steps import describe_handler
from crawler.logs import get_logger

__all__ = ["end_copy"]

FAILED: Final = 1
"""The exit code of a process that was ended, unless ``sys.exit`` has named another one."""
MAX_CODE: Final = 255
log = get_logger("crawler.engine")


def end_copy(handler: Callable[..., Any], url: str) -> NoReturn:
    """End this process, which a handler has forked, at once. It would continue the crawl, as the other one does.

    Call it when the handler has returned or raised. A copy that ``sys.exit`` ends does what its author meant; any other
    is reported.

    Parameters:
        handler: The callback or hook.
        url: The URL of its page.
    """
    error = sys.exc_info()[1]
    if isinstance(error, SystemExit):
        os._exit(error.code & MAX_CODE if isinstance(error.code, int) else int(error.code is not None))
    log.error(
        "%s has forked the process for %s and has returned in the new one, which is ended: only one process may "
        "continue the crawl; end the new one with os._exit(), or start programs with subprocess",
        describe_handler(handler), url,
    )  # fmt: skip
    os._exit(FAILED)
