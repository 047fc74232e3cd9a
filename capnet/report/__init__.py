"""From result files to tables, figures and a page; imports no torch."""
