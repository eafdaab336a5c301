"""Which hosts are down, and whether the network is: by circuit breakers, without clock and I/O.

Rule 1: a *host* (or proxy) that fails three times in a row within a second or more, and answers nothing in between, is
down. Its requests wait and use no attempts; one at a time goes out as a probe, after 1, 2, 4 … 30 s. Any response ends
that. A host that has answered before is given up after `outage_patience`; one that never has, after 5 s, or after 30 s
if its name cannot be looked up or nothing at all has ever answered. Then its requests fail together.

Rule 2: a *page* that was sent and got no response is to blame only if its host has answered another one since. Else it
waits with its host, for 30 s at most if fewer than three pages fail or the host answers with errors.

Rule 3: the *network* is down if nothing has answered for two seconds while two hosts fail that had answered before, or
five that had not. Hosts that were failing already when others still answered do not count. All requests wait for one
probe every 5 s, for `outage_patience`, or for 90 s if nothing has ever answered.
"""

from __future__ import annotations
