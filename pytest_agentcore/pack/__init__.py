"""A campaign's folder, the data pack: everything that is written about its trials and read back."""
