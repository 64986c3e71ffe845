"""Files of a run, read and written without Ray or MLflow."""
