"""Where data and models meet: training, evaluation, tracking."""
