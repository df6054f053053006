"""What several tests share: fakes for the sources, a clock, contexts, and how to run one collector."""
