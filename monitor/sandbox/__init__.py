"""An exchange on this machine: the venue's public API over markets whose truth is known.

A loopback HTTP server answers the unmodified client as Deribit would, from recorded chains
(`ArchiveMarket`) or from a generated world (`worlds`), by a virtual clock that its owner moves, and
goes wrong on demand (`Fault`). Imports archive, models, pricing, market and the ground floor.

*Refused:* stubs of the client library, which test the stub; a sandbox with the machine's clock,
where no night can be lived twice.
"""

from monitor.sandbox.clock import RunningClock as RunningClock
from monitor.sandbox.clock import VirtualClock as VirtualClock
from monitor.sandbox.exchange import Sandbox as Sandbox
from monitor.sandbox.faults import Fault as Fault
from monitor.sandbox.faults import FaultPlan as FaultPlan
from monitor.sandbox.market import ArchiveMarket as ArchiveMarket
from monitor.sandbox.market import Market as Market
