"""The venue's marks leave its book: who fits marks is misled, who fits the book is not."""

from monitor.sandbox.worlds.base import Break, Regime, from_break, register

OFF = 0.03

register(
    "marks-wrong",
    "from the break on, the venue's marks lie 3 vol points above its own book, which is right",
    Break(night=0, what="marks lie 3 vol points above the book", cause="data"),
    from_break(Regime(marks_off=OFF)),
)
