"""The demonstration: PDFs in, a tuned model that answers, every step shown and measured."""
