"""The bench: what is measured, against whom, and how."""
