"""Records in, numbers out: folds a stream and computes what a report says. Pure; knows no file, clock or screen."""
