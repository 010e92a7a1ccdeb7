# Copyright (c) 2026 The Loops authors
# Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

"""What has become worse since a stored run."""

from . import results


def comparable(found):
    """The results that have a ratio to another one's, which takes two."""
    return {
        results.key(each): each
        for each in found["results"]
        if each["ratio"] and all(value is not None for value in each["ratio"].values())
    }


def is_worse(was, now, margin):
    if now["better"] == "more":
        return now["ratio"]["high"] * (1 + margin) < was["ratio"]["low"]
    return now["ratio"]["low"] > was["ratio"]["high"] * (1 + margin)


def words(ratio):
    return f"{ratio['median']:.2f} [{ratio['low']:.2f}, {ratio['high']:.2f}]"


def report(stored, found, margin):
    """Prints what is worse; gives whether nothing is."""
    old, new = comparable(stored), comparable(found)
    common = [key for key in new if key in old]
    if not common:
        raise results.Unusable("there is no result that both runs have")
    worse = [key for key in common if is_worse(old[key], new[key], margin)]
    print(
        f"\n{len(common)} ratios compared, {len(worse)} worse by more than {margin:.0%}; "
        f"{len(new) - len(common)} are new"
    )
    if worse:
        print(f"\n{'':<60} {'stored':>22} {'now':>22}")
    for key in worse:
        program, table, what, name = key
        print(
            f"{program}: {table}, {what}\n    {name:<56} "
            f"{words(old[key]['ratio']):>22} {words(new[key]['ratio']):>22}"
        )
    return not worse
