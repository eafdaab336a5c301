"""Which hosts are down, and whether the network is: by circuit breakers, without clock and I/O.

Rule 1: a *host* (or proxy) that fails three times in a row within a second or more, and answers nothing in between, is
down. Its requests wait and use no attempts; one at a time goes out as a probe, after 1, 2, 4 … 30 s. Any response ends
that. A host that has answered before is given up after `outage_patience`. One that never has is tried again with pauses
that grow to 10 min for as long as the crawl has other work; when nothing else is left, all such hosts are given up
after 30 s in all, or 5 s for a name that does not exist. Then their requests fail together.

Rule 2: a *page* that was sent and got no response is to blame only if its host has answered another one since. Else it
waits with its host, for 30 s at most if fewer than three pages fail or the host answers with errors.

Rule 3: the *network* is down if nothing has answered for two seconds while two hosts fail that had answered before, or
five that had not. Hosts that were failing already when others still answered do not count. All requests wait for one
probe every 5 s, for `outage_patience`, or for 90 s if nothing has ever answered.
"""

from __future__ import annotations
