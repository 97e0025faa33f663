"""Find cell regions in unlabelled fields and select those to pre-train on (ActiveSSF).

Selection itself comes with a later version; until then this script says so.
"""

if __name__ == "__main__":
    raise SystemExit("select.py: selection from unlabelled fields comes with a later version")

elif __name__ == "select":
    # Python wanted its own `select` module and met this script first on the path: become that module.
    import sys

    first = sys.path.pop(0)
    del sys.modules["select"]
    import select

    globals().update(vars(select))
    sys.path.insert(0, first)
