"""The parts of the reports, one a file: each makes a block of a document, or None where it has nothing to say."""
