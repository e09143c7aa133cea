"""Published weights against published values, for people who have a network.

Tests cannot hold the real Inception and the real autoencoder; this can, where they may be had.
"""
