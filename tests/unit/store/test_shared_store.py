from __future__ import annotations

from crawler.store.shared_store import SharedStore


async def test_an_owner_of_a_shared_store_knows_no_earlier_run():
    store, synced = SharedStore(), []
    store.sync_with(lambda: synced.append(1))
    await store.checkpoint()
    await store.rename_sinks({"old": "new"})
    assert (store.shared, store.folder, store.follows("new"), store.sinks()) == (True, None, False, {})
    assert (list(store.written_behind("new")), synced) == ([], [])
