"""Reading clinical prose: language, tokens, sentences, sections and context, in English and Chinese.

Everything here answers with offsets over the untouched text, never raises on a string, and takes
time linear in its length.
"""
