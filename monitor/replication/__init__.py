"""A small book of options, what it is worth, and what hedging it by a model leaves over.

Imports calibration and what lies below. Money has one convention, for hedges and for stresses
(see `monitor.replication.book`): an option and the coins that were paid for it, in dollars of
tonight. *Refused:* a book chosen by a model's own vols, in which two models would be asked two
questions; marks of the venue in the place of mids, which are a model's opinion themselves.
"""
