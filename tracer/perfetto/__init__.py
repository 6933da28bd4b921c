"""Chrome traces for people who look at them in Perfetto: tracks added, parts cut out, files handed over."""
