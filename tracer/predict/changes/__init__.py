"""One file a change: `apply` changes the runs of a case as it was asked to and says what that assumes."""
