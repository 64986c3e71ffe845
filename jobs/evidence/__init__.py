"""Evidence for each paper's claim: the command, and the records of what it found."""
