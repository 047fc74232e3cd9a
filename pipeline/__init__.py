"""One script per DVC stage: arguments and params in, one capnet call, files out."""
