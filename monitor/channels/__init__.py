"""The last step to the desk: what waits in the outbox is sent, once, and what became of it is kept.

`deliver_pending` reads the outbox it is given, sends by Apprise (`send`), and commits every
receiver's answer before it asks the next; without a receiver a message goes to the log. Secrets in
a receiver's address are taken out (`secrets`) before anything is logged, raised or stored.

Imports verdict and below, and Apprise; the outbox is handed in, not imported. *Refused:* sending
from within the pass, which loses what the receiver refuses; Apprise's own retries, which a crash
forgets.
"""

from monitor.channels.base import DeliveryReport as DeliveryReport
from monitor.channels.base import Limits as Limits
from monitor.channels.base import Outcome as Outcome
from monitor.channels.base import Sender as Sender
from monitor.channels.delivery import deliver_pending as deliver_pending
from monitor.channels.secrets import redact as redact
from monitor.channels.secrets import target_name as target_name
from monitor.channels.send import apprise_sender as apprise_sender
