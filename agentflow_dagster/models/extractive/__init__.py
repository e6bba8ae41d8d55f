"""Answers made of the words that were given: choices by similarity, passages by centrality.

Nothing here generates language. A choice is the label whose description lies nearest to the text;
a passage is a sentence of the text itself. The same request always gives the same answer.
"""
