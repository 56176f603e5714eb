"""What is shown: listings in four formats, the verdict board, plots to terminal, PNG and HTML.

Imports the store's frames as given and the ground floor; it asks nothing of the database itself.
*Refused:* a format of its own for each command; numbers rounded anywhere but in a table.
"""
