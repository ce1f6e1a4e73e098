"""The live view on a terminal: a picture of the running trace, composed into lines, drawn and steered by keys."""
