"""An independent reader of MFFS volumes, written from docs/format/ alone: one module for each document."""
