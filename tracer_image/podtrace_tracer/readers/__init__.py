"""What reads the maps of single topics, where totals, histograms and errors do not say all."""
