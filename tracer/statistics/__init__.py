"""Statistics over few and skewed values: robust ones, intervals, tests."""
