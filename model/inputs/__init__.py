"""What requests are given: event streams, pictures, videos, data sets, read from untrusted files."""
