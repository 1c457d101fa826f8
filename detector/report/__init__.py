"""The record -> a PDF that another examiner can check, and other forms for other readers."""
