"""Fakes for programs that use the library: the object model without sockets, threads or browsers.

`FakeWorker` is a `headwater.Worker` whose core is simulated in memory. Ids, events, negotiation,
errors and closing behave as they do over the real core; no packet ever flows. What a client would
cause is scripted on ``worker.core``::

    async with FakeWorker() as worker:
        router = await worker.create_router()
        publishing = await router.create_publish_transport()
        await publishing.get_answer(client_offer(audio="mic", video="cam"))
        publisher = await publishing.publish("cam")
        worker.core.connect(publishing)
        worker.core.end(publisher)              # the browser stopped the track
"""

from headwater.testing.core import FakeCore
from headwater.testing.worker import FakeWorker, client_offer

__all__ = ["FakeCore", "FakeWorker", "client_offer"]
