"""SHRINK: the smallest disturbance, workload and topology that still fail the same claim."""
