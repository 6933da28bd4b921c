"""Reports: documents become blocks (`parts`, listed in `document`), blocks become text (`render`).

Nothing here computes.
"""
