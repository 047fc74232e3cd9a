"""The paper's computations: pure functions on tensors that never see a config object."""
