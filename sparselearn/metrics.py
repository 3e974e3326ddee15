"""Figures of merit of sparse models and codes."""
