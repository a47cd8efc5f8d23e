"""Cell and line magics; the only package that imports IPython."""
