"""What tracer publishes, and the words it uses: names, times, errors, manifest, summary, comparison."""
