"""Reports on runs, films of them, and model cards; all from files, without torch."""
