"""The BPF programs of a trace: their text, how it is compiled, loaded and attached, what their maps hold."""
