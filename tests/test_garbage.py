"""The search for garbage is rarer, and is not off."""

import gc

from monitor.garbage import collect_seldom


def test_garbage_is_looked_for_seldom_and_circles_go_all_the_same():
    before = gc.get_threshold()
    try:
        collect_seldom()
        assert gc.isenabled()
        assert gc.get_threshold()[0] > before[0]
        assert gc.get_freeze_count() > 0
        circle: list[object] = []
        circle.append(circle)
        del circle
        assert gc.collect() > 0
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()
