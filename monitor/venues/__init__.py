"""From a venue's network API to a `Snapshot`; everything foreign is translated here, once.

Imports archive, market and the ground floor; ccxt is the client, unmodified. Each venue is one
file that registers itself in `VENUES`: a fetch, which touches the network, and a pure parser of
what came, which does not. Errors leave as `monitor.errors` says; only what can heal is asked again,
in one layer. A chain that is old is an answer, visible in its time against the venue's clock; a
chain that is empty or cut in half is none.

*Refused:* the client's parsed chain, which merges duplicate rows, hides the envelope and turns HTML
into an empty chain; its own retries; its market list, where a new option expires at midnight.
"""

import sys

from monitor.registry import Registry
from monitor.venues.base import VENUES as VENUES
from monitor.venues.base import Venue as Venue
from monitor.venues.base import VenueKind as VenueKind
from monitor.venues.base import VenueSettings as VenueSettings
from monitor.venues.base import open_venue as open_venue
from monitor.venues.deribit import DeribitSettings as DeribitSettings
from monitor.venues.recorded import RecordedSettings as RecordedSettings

Registry.discover(sys.modules[__name__])
