"""The data card: what a data set holds, in numbers and as a page to look at."""
