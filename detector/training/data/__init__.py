"""The data of training: splits, face bank, clips, speech bank, leakage."""
