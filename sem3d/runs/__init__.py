"""What a run leaves on disk, read and written without Ray or MLflow."""
