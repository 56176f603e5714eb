"""The proving ground: what the meter is worth, said in nights, shares and exact intervals.

Worlds whose truth is known run through the pure pass, night after night in memory, and so do
recorded chains with known errors put in. What comes out are operating characteristics: nights
between false pages, share of breaks found and how soon, by whom, with what cause and place.
Imports assess, recollect, archive, sandbox and below; no database, no clock. *Refused:* a score,
which hides that one blind spot is worth more than ten quick finds.
"""
