"""Columns of text: find out what their cells mean (numbers, dates, categories), and read them so."""
