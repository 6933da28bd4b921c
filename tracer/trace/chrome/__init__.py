"""Chrome traces, as torch.profiler (Kineto) writes them and as other tools write them again."""
