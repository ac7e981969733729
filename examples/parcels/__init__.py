"""What it costs to send parcels: a small program to try covcore on."""
