"""Who says what a stage is: our own ranges, a serving engine, modules, or a pattern; one file a source."""
