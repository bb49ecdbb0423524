"""What wires have in common whose submit returns the picture: there is no call that could be looked at or cancelled."""

from __future__ import annotations

from posegen.backends.hosted import AcceptedCall, CannotTell, Delivered, Order
from posegen.backends.wires.http import WireClient
from posegen.errors import CallUnknown


class Synchronous:
    """The methods of `posegen.backends.hosted.HostedBackend` beside `submit`. `client`: of the wire."""

    client: WireClient

    def look(self, call: AcceptedCall) -> Delivered:
        raise CallUnknown(f"This wire accepts no calls: there is nothing to look at for {call.far_id}.")

    def find(self, order: Order, recorded: frozenset[str]) -> CannotTell:  # noqa: ARG002 - there is no list
        return CannotTell()

    def cancel(self, call: AcceptedCall) -> bool:  # noqa: ARG002 - there is no cancelling
        return False

    def abort(self) -> None:
        self.client.abort()

    def close(self) -> None:
        self.client.close()
