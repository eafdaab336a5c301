from __future__ import annotations

from crawler.store.own_log import OwnLog


async def test_a_log_that_begins_with_its_owner_knows_no_earlier_run():
    store, synced = OwnLog(), []
    store.sync_with(lambda: synced.append(1))
    await store.checkpoint()
    await store.rename_sinks({"old": "new"})
    assert (store.folder, store.follows("new"), store.sinks()) == (None, False, {})
    assert (list(store.written_behind("new")), synced) == ([], [])
