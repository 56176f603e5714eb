"""The raw snapshot on disk: one Parquet format, written and read here and nowhere else.

Imports market and the ground floor. A snapshot that was written comes back bit for bit, and its
digest is checked on the way; a file made by others is read if it keeps the published columns
(`interfaces.md`), and refused with what was found, what was allowed and what to do if it does not.

*Refused:* rows put right in silence. Unsorted rows carry the same content and are read; a row that
repeats another in every column is kept once and reported in ``context.missing``; two different
rows for one instrument, a strike that is no number, vols in percent or dollar prices labelled
coin refuse the file. Expired options are what the venue said: cleaning rejects them, with a record.
"""

from monitor.archive.index import Damaged as Damaged
from monitor.archive.index import SnapshotRef as SnapshotRef
from monitor.archive.index import list_snapshots as list_snapshots
from monitor.archive.index import select as select
from monitor.archive.places import find_snapshot as find_snapshot
from monitor.archive.places import note_places as note_places
from monitor.archive.reader import read_archive as read_archive
from monitor.archive.reader import read_refs as read_refs
from monitor.archive.reader import read_snapshot as read_snapshot
from monitor.archive.writer import snapshot_path as snapshot_path
from monitor.archive.writer import write_snapshot as write_snapshot
